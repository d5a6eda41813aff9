"""Conditional negative counterfactual influence."""

from glitchmark.signals import Influence, Scores, signal


@signal(
    "cnci",
    targets="mislabeled",
    reference="Myrtakis et al., KDD 2025, Algorithm 1",
    uses=("sign", "magnitude", "conditional", "repair"),
)
def cnci(influence: Influence) -> Scores:
    """Negative influence on the observed class after relabelling to the most negatively affected one (ncf).

    Near zero (suspicious) where the relabelled sample behaves like a clean one; ncf is the suggested label.
    """
    return Scores(influence.ncf_neg, suggested=influence.ncf)

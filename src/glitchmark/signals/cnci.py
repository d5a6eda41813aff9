"""Conditional negative counterfactual influence."""

import numpy as np

from glitchmark.signals import Influence, Scores, signal


@signal("cnci", targets="mislabeled", reference="Myrtakis et al., KDD 2025, Algorithm 1")
def cnci(influence: Influence) -> Scores:
    """Negative influence on the observed class after relabelling to the most negatively affected one (ncf).

    Near zero (suspicious) where the relabelled sample behaves like a clean one; ncf is the suggested label.
    """
    relabelled = influence.class_sums(influence.ncf)
    score = relabelled.neg[np.arange(len(influence.labels)), influence.labels]
    return Scores(score, suggested=influence.ncf)

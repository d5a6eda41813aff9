"""Counterfactual influence rank."""

import numpy as np

from glitchmark.signals import Influence, Scores, signal
from glitchmark.signals.cnci import cnci
from glitchmark.signals.pcid import pcid


@signal(
    "cfrank",
    targets="both",
    reference="Myrtakis et al., KDD 2025, section 4.1",
    uses=("sign", "magnitude", "conditional", "mixed", "repair"),
)
def cfrank(influence: Influence) -> Scores:
    """The larger of a sample's ranks under CNCI and PCID, ascending; which one it is tells the kind of glitch.

    Tied samples share their mean rank; equal ranks under both count as mislabeled. The label is CNCI's.
    """
    from scipy.stats import rankdata  # 0.7 s to import

    mislabeled = cnci(influence)
    rank_mislabeled, rank_anomalous = rankdata(mislabeled.score), rankdata(pcid(influence))
    kind = np.where(rank_mislabeled >= rank_anomalous, "mislabeled", "anomalous")
    return Scores(np.maximum(rank_mislabeled, rank_anomalous), mislabeled.suggested, kind)

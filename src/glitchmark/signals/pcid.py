"""Positive counterfactual influence difference."""

import numpy as np

from glitchmark.parameters import one_of
from glitchmark.signals import Influence, signal


@signal(
    "pcid",
    targets="anomalous",
    reference="Myrtakis et al., KDD 2025, Algorithm 2",
    uses=("sign", "magnitude", "conditional"),
    undefined=("repair",),
)
def pcid(influence: Influence, *, pcf: str = "text") -> np.ndarray:
    """Inverse of positive influence times its largest change, in any class, under the counterfactual label (pcf).

    pcf: the class that the sample affects most positively, other than its observed one ("text", as the paper says), or
    the one that it affects second most, whatever its observed class ("code", as the published code does).
    No influence at all ranks highest; its score is the largest that float64 can invert to.
    """
    u = influence.class_sums().pos.astype(np.float64)
    if one_of(pcf, "pcf", ("text", "code")) == "text":
        u_relabelled = influence.pcf_pos
    else:
        u_relabelled = influence.class_sums(u.argsort(axis=1, kind="stable")[:, -2]).pos
    product = u.sum(axis=1) * np.abs(u - u_relabelled).max(axis=1)
    return 1 / np.maximum(product, np.finfo(np.float64).tiny)

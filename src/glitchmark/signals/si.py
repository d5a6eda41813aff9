"""Self-influence."""

import numpy as np

from glitchmark.signals import Influence, signal


@signal(
    "si",
    targets="both",
    reference="Koh & Liang, ICML 2017; Pruthi et al., NeurIPS 2020",
    uses=("magnitude",),
    undefined=("sign", "conditional"),
)
def si(influence: Influence) -> np.ndarray:
    """Influence of a sample on itself."""
    return influence.self_influence

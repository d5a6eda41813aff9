"""TracIn at the last checkpoint."""

from glitchmark.influence.estimators import estimator
from glitchmark.influence.estimators._gradient_products import GradientProducts
from glitchmark.influence.factors import Factors


@estimator("tracin_last", reference="Pruthi et al., NeurIPS 2020, eq. 3 with the last checkpoint alone")
class TracInLast(GradientProducts):
    """TracIn at the last checkpoint T alone: lr_T <g_i, g_j>.

    Positive: one more step on sample i would lower the loss of sample j. No damping.
    bias: whether the layer's bias counts.
    """

    def __init__(self, factors: Factors, *, bias: bool = True):
        last = factors.at(-1)
        super().__init__(last, last.learning_rates, bias)

"""TracIn over checkpoints."""

from glitchmark.influence.estimators import estimator
from glitchmark.influence.estimators._gradient_products import GradientProducts
from glitchmark.influence.factors import Factors


@estimator("tracin", reference="Pruthi et al., NeurIPS 2020, eq. 3 (TracInCP); Myrtakis et al., KDD 2025, eq. 1")
class TracIn(GradientProducts):
    """TracIn: the sum over checkpoints t of lr_t <g_i, g_j>.

    Positive: the steps on sample i lowered the loss of sample j (to first order). No damping.
    bias: whether the layer's bias counts (Captum: TracInCP with, TracInCPFast without it).
    per_batch: divide by the batch size, as eq. 1 of Myrtakis et al. does; with constant batches no ranking changes.
    """

    def __init__(self, factors: Factors, *, bias: bool = True, per_batch: bool = False):
        super().__init__(factors, factors.learning_rates / (factors.batch_size if per_batch else 1), bias)

"""Gradient inner product."""

import numpy as np

from glitchmark.influence.estimators import estimator
from glitchmark.influence.estimators._gradient_products import GradientProducts
from glitchmark.influence.factors import Factors


@estimator("grad_dot", reference="Charpiat et al., NeurIPS 2019; Nguyen-Duc et al., ACL 2023, table 1 (GD)")
class GradDot(GradientProducts):
    """Grad-Dot: <g_i, g_j> at the last checkpoint.

    Positive: the gradients agree, so that a step on sample i lowers the loss of sample j. No damping.
    bias: whether the layer's bias counts.
    """

    def __init__(self, factors: Factors, *, bias: bool = True):
        super().__init__(factors.at(-1), np.ones(1), bias)

"""Two half-moons: the problem that no line solves, and whose loss is not convex."""

import numpy as np

from glitchmark.toys import Toy, toy
from glitchmark.toys._flipped import Model, comparison, points
from glitchmark.toys._networks import trained
from glitchmark.training.settings import Settings


@toy("half_moons", reference="Chhabra et al., ICML 2025, section 4, Fig. 1E-H, table 1, appendix B.1.1")
def half_moons(
    seed: int,
    *,
    noise: float = 0.3,
    flipped: int = 10,
    width: int = 50,
    epochs: int = 50,
    learning_rate: float = 0.1,
    batch_size: int = 16,
    scores_predictions: bool = True,
) -> Toy:
    """scikit-learn's make_moons, 250 training and 100 test samples of two classes; a network with two hidden layers.

    flipped: labels of each class, out of 125. noise: standard deviation of the samples about their moon. width: of the
    hidden layers, with ReLU. epochs, learning_rate, batch_size: of plain SGD. The paper tells none of these; ours give
    its test accuracy before trimming, 90 %. scores_predictions: see blobs.
    """
    from sklearn.datasets import make_moons  # a second to import
    from torch import nn

    settings = Settings(epochs, learning_rate, batch_size, 1)

    def network() -> tuple[nn.Module, nn.Linear]:
        layers = nn.Linear(2, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        return nn.Sequential(*layers), nn.Linear(width, 2)

    def train(x: np.ndarray, labels: np.ndarray) -> Model:
        return trained(network, x, labels, settings, seed)

    data = points(lambda size, own: make_moons(size, noise=noise, random_state=own), (250, 100), flipped, seed)
    return comparison(data, train, seed, scores_predictions)

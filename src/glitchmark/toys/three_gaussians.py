"""Three Gaussians: what the gradients of mislabeled samples look like."""

import numpy as np

from glitchmark import seeds
from glitchmark.influence.factors import residuals
from glitchmark.toys import Toy, toy
from glitchmark.toys._networks import trained
from glitchmark.training.settings import Settings


@toy("three_gaussians", reference="Nguyen-Duc et al., ACL 2023, section 3.1, Fig. 1, appendix C.1, Fig. 5")
def three_gaussians(
    seed: int,
    *,
    per_class: int = 30,
    ratio: float = 0.2,
    distance: float = 8.0,
    epochs: int = 1000,
    learning_rate: float = 0.001,
    batch_size: int = 20,
) -> Toy:
    """Gradients of the last layer of a network with 100 hidden units (LeakyReLU) that learned three classes by SGD.

    The paper calls the network 2-100-3, and its last layer a 3 x 2 matrix of 6 parameters. Both hold where two linear
    units lie between, 2-100-2-3, and the last layer has no bias: a network with one hidden layer whose 3 x 100 output
    matrix is the product of a 3 x 2 and a 2 x 100 matrix.
    ratio: share of the labels that become another class at random. epochs, learning_rate: the paper's. It tells neither
    the number of samples, per_class, nor the batch_size, nor the distance of the Gaussians' centres, in standard
    deviations.
    gradient_1 to gradient_6: the matrix, row by row, of the samples by class "<true>-<observed>". gradient_cosine: mean
    cosine of the gradients of mislabeled samples with the mean gradient of clean samples of their true class (class
    "same") and of each of the others ("cross"). true_label_accuracy: of the training samples, mislabeled or not.
    """
    from torch import nn

    rng = seeds.generator(seed, "toy", "three_gaussians")
    true = np.repeat(np.arange(3), per_class)
    angles = 2 * np.pi * np.arange(3) / 3
    centres = distance / np.sqrt(3) * np.column_stack([np.cos(angles), np.sin(angles)])
    x, observed = centres[true] + rng.normal(size=(len(true), 2)), true.copy()
    flipped = rng.choice(len(true), round(ratio * len(true)), replace=False)
    observed[flipped] = (true[flipped] + rng.integers(1, 3, len(flipped))) % 3

    def network() -> tuple[nn.Module, nn.Linear]:
        return nn.Sequential(nn.Linear(2, 100), nn.LeakyReLU(), nn.Linear(100, 2)), nn.Linear(2, 3, bias=False)

    model = trained(network, x, observed, Settings(epochs, learning_rate, batch_size, 1), seed)
    features, logits = model(x)
    gradients = (residuals(logits, observed)[:, :, None] * features[:, None]).reshape(len(x), 6)
    accuracy = float((logits.argmax(axis=1) == true).mean())
    metrics = [("", "", "true_label_accuracy", accuracy), *_cosines(gradients, true, observed)]
    pairs = np.char.add(np.char.add(true.astype(str), "-"), observed.astype(str))
    series = [
        ("", pair, name, np.flatnonzero(pairs == pair), values[pairs == pair])
        for pair in np.unique(pairs).tolist()
        for name, values in (("train_x", x[:, 0]), ("train_y", x[:, 1]), *_columns(gradients))
    ]
    return Toy(metrics, series, float((true != observed).mean()))


def _columns(gradients: np.ndarray) -> list[tuple[str, np.ndarray]]:
    return [(f"gradient_{k}", column) for k, column in enumerate(gradients.T, start=1)]


def _cosines(gradients: np.ndarray, true: np.ndarray, observed: np.ndarray) -> list[tuple[str, str, str, float]]:
    clean, wrong = true == observed, true != observed
    means = np.stack([gradients[clean & (true == c)].mean(axis=0) for c in range(3)])
    lengths = np.linalg.norm(gradients, axis=1)[:, None] * np.linalg.norm(means, axis=1)
    cosines, own = (gradients @ means.T / lengths)[wrong], np.eye(3, dtype=bool)[true[wrong]]
    found = {"same": cosines[own], "cross": cosines[~own]}
    return [("", name, "gradient_cosine", float(values.mean())) for name, values in found.items()]

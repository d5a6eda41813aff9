"""Corrupted images."""

import numpy as np

from glitchmark.errors import CellError
from glitchmark.glitches import ANOMALOUS, TrainingData, glitch
from glitchmark.glitches._corruptions import CORRUPTIONS, SEVERITIES, corrupt
from glitchmark.parameters import one_of


def check(*, type: str, severity: int, **_) -> None:
    """Raise CellError for another type or severity than there are."""
    one_of(type, "type", tuple(CORRUPTIONS))
    if severity not in SEVERITIES:
        raise CellError(f"severity: {severity!r} is unknown; allowed: {', '.join(map(str, SEVERITIES))}")


@glitch(
    "corruption",
    kind=ANOMALOUS,
    modalities=("image",),
    check=check,
    reference="Mu & Gilmer, MNIST-C, 2019 (brightness, stripe); Hendrycks & Dietterich, CIFAR-10-C, ICLR 2019",
)
def corruption(
    data: TrainingData, rng: np.random.Generator, *, ratio: float, type: str = "brightness", severity: int = 3
) -> TrainingData:
    """A share of the images is corrupted: brightness, stripe, noise, blur, fog, ...; their labels stay.

    type: brightness, stripe, gaussian_noise, shot_noise, impulse_noise, speckle_noise, gaussian_blur, defocus_blur,
    motion_blur, zoom_blur, fog, contrast, pixelate, jpeg_compression or elastic_transform. severity: 1 to 5; the
    default of MNIST-C's own code is 5 for brightness, and stripe is the same at all. Raises CellError for others.

    An image that a corruption leaves as it is (black under speckle noise, ...) is no anomaly: it stays untouched, and
    another one is drawn.
    """
    check(type=type, severity=severity)
    k = data.count(ratio)
    free = data.glitch == ""
    samples, images = np.empty(0, np.int64), data.inputs(np.empty(0, np.int64))
    while len(samples) < k:
        most = len(samples) + np.count_nonzero(free)
        if most < k:
            raise CellError(
                f"ratio {ratio:g} needs {k} untouched images that '{type}' of severity {severity} changes, but there "
                f"are at most {most}; use a smaller ratio, or another type or severity"
            )
        drawn = data.draw(k - len(samples), rng, among=free)
        before = data.inputs(drawn)
        after = corrupt(before, type, severity, rng)
        differs = (after != before).any(axis=tuple(range(1, after.ndim)))
        samples = np.concatenate([samples, drawn[differs]])
        images = np.concatenate([images, after[differs]])
        free[drawn] = False
    return data.change(samples, images, "corruption")

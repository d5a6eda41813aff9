"""Ten colour shapes, drawn on the spot."""

import numpy as np

from glitchmark import seeds
from glitchmark.datasets import Description, Pool, dataset
from glitchmark.parameters import at_least_one, seed_number

SIZE = 32  # pixels a side
CANVAS = 128  # drawn at four times the size and reduced, so that edges are smooth


def _polygon(radii: tuple[float, ...]) -> np.ndarray:
    """Corners at equal angles round the origin, clockwise from the top, at the given distances. (k, 2)"""
    angle = 2 * np.pi * np.arange(len(radii)) / len(radii)
    return np.array(radii)[:, None] * np.stack([np.sin(angle), -np.cos(angle)], axis=1)


# Outlines of radius 1 or so, (k, 2), x to the right and y downwards. A hole is an inner outline, backwards, after the
# outer one.
CIRCLE = _polygon((1.0,) * 48)[[*range(48), 0]]
DIAMOND = _polygon((1.0,) * 4)[[*range(4), 0]]
OUTLINES = {
    "disc": CIRCLE,
    "ring": np.concatenate([CIRCLE, 0.55 * CIRCLE[::-1]]),
    "crescent": np.concatenate([CIRCLE[24:], CIRCLE[:23:-1] * [0.3, 0.9]]),
    "triangle": _polygon((1.0,) * 3),
    "square": DIAMOND,
    "frame": np.concatenate([DIAMOND, 0.55 * DIAMOND[::-1]]),
    "star": _polygon((1.0, 0.42) * 5),
    "cross": np.array(
        [(-0.3, -1), (0.3, -1), (0.3, -0.3), (1, -0.3), (1, 0.3), (0.3, 0.3),
         (0.3, 1), (-0.3, 1), (-0.3, 0.3), (-1, 0.3), (-1, -0.3), (-0.3, -0.3)]
    ),
    "arrow": np.array([(0, -1), (0.8, 0), (0.3, 0), (0.3, 1), (-0.3, 1), (-0.3, 0), (-0.8, 0)]),
    "hourglass": np.array([(-0.75, -0.9), (0.75, -0.9), (0.1, 0), (0.75, 0.9), (-0.75, 0.9), (-0.1, 0)]),
}  # fmt: skip


@dataset(
    "shapes",
    modality="image",
    n_samples=4000,
    n_classes=10,
    shape=(SIZE, SIZE, 3),
    source="drawn on the spot",
    licence="generated",
    anomaly_source="letters",
    inspect=lambda *, n_samples=4000, **_: Description("image", n_samples, 10, shape=(SIZE, SIZE, 3)),
)
def shapes(*, n_samples: int = 4000, seed: int = 0) -> Pool:
    """4000 shapes, 32x32 RGB: ten outlines of random place, size, rotation and colours, among clutter and noise.

    Colours do not depend on the class. Logistic regression on the pixels of 3200 gets about half of the others right,
    a small convolutional network 19 of 20. Raises CellError where ``n_samples`` is below 1 or ``seed`` below 0.
    """
    at_least_one(n_samples, "n_samples")
    rng = seeds.generator(seed_number(seed), "shapes")
    names = tuple(OUTLINES)
    y = rng.permutation(np.arange(n_samples, dtype=np.int64) % len(names))
    x = np.empty((n_samples, SIZE, SIZE, 3), np.uint8)
    for i, label in enumerate(y):
        x[i] = _render(OUTLINES[names[label]], rng)
    return Pool(x, y, names)


def _render(outline: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A light shape on a darker ground, lines behind it, spots before it. Returns uint8 (SIZE, SIZE, 3)."""
    from PIL import Image, ImageDraw

    background, colour = rng.uniform(10, 130, 3), rng.uniform(110, 250, 3)
    image = Image.new("RGB", (CANVAS, CANVAS), _rgb(background))
    draw = ImageDraw.Draw(image)
    for _ in range(rng.integers(2, 6)):
        draw.line(rng.uniform(0, CANVAS, 4).tolist(), _rgb(rng.uniform(10, 200, 3)), width=int(rng.integers(2, 7)))
    angle = np.deg2rad(rng.uniform(-25, 25))
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    radius, centre = CANVAS * rng.uniform(0.22, 0.42), CANVAS / 2 + CANVAS * rng.uniform(-0.12, 0.12, 2)
    points = centre + radius * outline * rng.uniform(0.8, 1, 2) @ rotation.T
    draw.polygon(points.ravel().tolist(), _rgb(colour))
    for _ in range(rng.integers(0, 4)):
        x, y = rng.uniform(0, CANVAS, 2)
        r = rng.uniform(0.02, 0.06) * CANVAS
        draw.ellipse((x - r, y - r, x + r, y + r), _rgb(rng.uniform(10, 250, 3)))
    pixels = np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BOX), np.float32)
    noisy = pixels + rng.normal(0, 12, pixels.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _rgb(colour: np.ndarray) -> tuple[int, ...]:
    return tuple(np.rint(colour).astype(int).tolist())

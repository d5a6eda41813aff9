"""Capital letters A to J, rendered with the fonts that matplotlib ships."""

import numpy as np

from glitchmark import seeds
from glitchmark.datasets import Description, Pool, dataset

# Each face with its weights and slants. Symbol fonts and fonts without plain capitals are left out.
FONTS = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique",
    "DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic", "DejaVuSerif-BoldItalic",
    "DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique",
    "STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta",
    "cmr10", "cmb10", "cmss10", "cmtt10", "cmmi10",
)  # fmt: skip
SIZE = 28  # pixels a side
CANVAS = 56  # rendered at twice the size and reduced, so that edges are smooth


@dataset(
    "letters",
    modality="image",
    n_samples=4000,
    n_classes=10,
    source="rendered on the spot with the fonts of matplotlib",
    licence="generated; the fonts' licences (Bitstream Vera, STIX, BaKoMa) come with matplotlib",
    anomaly_source="digits",
    inspect=lambda *, n_samples=4000, **_: Description("image", n_samples, 10),
)
def letters(*, n_samples: int = 4000, seed: int = 0) -> Pool:
    """4000 capital letters A-J, 28x28 grey: random font, weight, size, rotation, shear, offset and pixel noise."""
    from pathlib import Path

    import matplotlib
    from PIL import ImageFont

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    rng = seeds.generator(seed, "letters")
    sizes = (46, 52, 58)
    fonts = {(name, size): ImageFont.truetype(folder / f"{name}.ttf", size) for name in FONTS for size in sizes}
    y = rng.permutation(np.arange(n_samples, dtype=np.int64) % 10)
    x = np.empty((n_samples, SIZE, SIZE), np.uint8)
    for i, label in enumerate(y):
        font = fonts[FONTS[rng.integers(len(FONTS))], sizes[rng.integers(len(sizes))]]
        x[i] = _render("ABCDEFGHIJ"[label], font, rng)
    return Pool(x, y, tuple("ABCDEFGHIJ"))


def _render(letter: str, font, rng: np.random.Generator) -> np.ndarray:
    """One letter, centred, then rotated, sheared and shifted at random, with contrast and noise. (SIZE, SIZE) uint8."""
    from PIL import Image, ImageDraw

    image = Image.new("L", (CANVAS, CANVAS))
    ImageDraw.Draw(image).text((CANVAS / 2, CANVAS / 2), letter, fill=255, font=font, anchor="mm")
    angle, shear = np.deg2rad(rng.uniform(-20, 20)), rng.uniform(-0.3, 0.3)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = rotation @ np.array([[1, shear], [0, 1]])
    centre = np.full(2, CANVAS / 2)
    offset = centre - matrix @ (centre + rng.uniform(-3, 3, 2))
    coefficients = (*matrix[0], offset[0], *matrix[1], offset[1])
    image = image.transform(image.size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
    pixels = np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BOX), np.float32)
    noisy = pixels * rng.uniform(0.5, 1.0) + rng.normal(0, 12, pixels.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)

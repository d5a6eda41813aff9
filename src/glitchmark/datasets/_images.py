"""Fitting images of one data set to the shape of another."""

import numpy as np


def fit_images(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Resize images (bilinear) and give them the target's channels: grey is repeated, colour becomes luma.

    x: uint8 (n, h, w) or (n, h, w, 3). shape: the target's (H, W) or (H, W, 3). Returns uint8 (n, *shape).
    """
    if x.shape[1:] == tuple(shape):
        return x
    from PIL import Image

    mode = "RGB" if len(shape) == 3 else "L"
    size = (shape[1], shape[0])  # Pillow counts columns first
    out = np.empty((len(x), *shape), np.uint8)
    for i, image in enumerate(x):
        out[i] = np.asarray(Image.fromarray(image).convert(mode).resize(size, Image.Resampling.BILINEAR))
    return out

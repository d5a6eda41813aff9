"""Common image corruptions, each as it was published; every function changes one image.

They are written here since no library does: ``imagecorruptions`` 1.1.2, the published code as a package, does not
import without pkg_resources, refuses images below 32 pixels, and draws from global generators; ``albumentations`` is no
longer maintained, and its successor is under the AGPL. NumPy, SciPy and Pillow suffice.

An image is float64 (H, W, C) with values in 0..1; so is the result, before it is clipped and rounded (the published
code cuts off decimals). Severities are 1..5. Brightness and stripe follow MNIST-C (Mu & Gilmer 2019,
https://github.com/google-research/mnist-c). All others follow CIFAR-10-C (Hendrycks & Dietterich 2019,
https://github.com/hendrycks/robustness, make_cifar_c.py), whose constants are for 32 pixels a side: lengths in pixels
are kept for smaller images and grow in proportion for larger ones.
"""

import numpy as np

SEVERITIES = (1, 2, 3, 4, 5)


def corrupt(images: np.ndarray, type: str, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Each image corrupted, with random draws of its own.

    images: uint8 (n, H, W) or (n, H, W, 3). type: a key of ``CORRUPTIONS``. severity: 1..5. Returns uint8, the same
    shape.
    """
    change = CORRUPTIONS[type]
    out = np.empty_like(images)
    for i, image in enumerate(images):
        x = image.reshape(*image.shape[:2], -1) / 255.0  # grey gets a channel too
        out[i] = _to_uint8(change(x, severity, rng)).reshape(image.shape)
    return out


def brightness(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """The value of HSV, v = max(r, g, b), becomes v' = min(v + c, 1). MNIST-C; c = .1, .2, .3, .4, .5.

    With hue and saturation unchanged, a pixel is multiplied by v' / v; a black one becomes grey. The published code
    ends with grey images; here colour stays, as in CIFAR-10-C.
    """
    c = (0.1, 0.2, 0.3, 0.4, 0.5)[severity - 1]
    value = x.max(axis=2, keepdims=True)
    brighter = np.minimum(value + c, 1)
    return np.where(value > 0, x * brighter / np.where(value > 0, value, 1), brighter)


def stripe(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """The left and the right quarter of the columns are inverted, x' = 1 - x. MNIST-C, which has no severities of it.

    Published for 28 columns, where the quarters are 0..6 and 21..27; here any number, each quarter rounded up, and
    every channel.
    """
    width = x.shape[1]
    column = np.arange(width)
    quarter = -(-width // 4)
    outer = (column < quarter) | (column >= width - quarter)
    return np.where(outer[:, None], 1 - x, x)


def gaussian_noise(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """x' = x + N(0, c^2) a value. CIFAR-10-C; c = .04, .06, .08, .09, .10."""
    return x + rng.normal(0, (0.04, 0.06, 0.08, 0.09, 0.10)[severity - 1], x.shape)


def shot_noise(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """x' = Poisson(c x) / c a value. CIFAR-10-C; c = 500, 250, 100, 75, 50."""
    c = (500, 250, 100, 75, 50)[severity - 1]
    return rng.poisson(c * x) / c


def impulse_noise(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """A share c of the values becomes 0 or 1, with equal probability. CIFAR-10-C; c = .01, .02, .03, .05, .07."""
    c = (0.01, 0.02, 0.03, 0.05, 0.07)[severity - 1]
    chance = rng.random(x.shape)
    return np.where(chance < c / 2, 0, np.where(chance < c, 1, x))


def speckle_noise(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """x' = x + x N(0, c^2) a value. CIFAR-10-C; c = .06, .1, .12, .16, .2."""
    return x + x * rng.normal(0, (0.06, 0.1, 0.12, 0.16, 0.2)[severity - 1], x.shape)


def gaussian_blur(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Convolution with a Gaussian of standard deviation c pixels, edges repeated. CIFAR-10-C; c = .4, .6, .7, .8, 1."""
    from scipy.ndimage import gaussian_filter

    c = (0.4, 0.6, 0.7, 0.8, 1)[severity - 1] * _scale(x)
    return gaussian_filter(x, (c, c, 0), mode="nearest")


def defocus_blur(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Convolution with a disk of radius r pixels, itself smoothed by a Gaussian of s pixels, edges mirrored.

    CIFAR-10-C; (r, s) = (.3, .4), (.4, .5), (.5, .6), (1, .2), (1.5, .1). The Gaussian, cut off after 1 pixel, is
    antialiasing and does not grow with the image.
    """
    from scipy.ndimage import gaussian_filter
    from scipy.signal import fftconvolve

    r, s = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1))[severity - 1]
    r *= _scale(x)
    half = int(r) + 1
    offset = np.arange(-half, half + 1)
    disk = (offset**2 + offset[:, None] ** 2 <= r**2).astype(float)
    kernel = gaussian_filter(disk / disk.sum(), s, radius=1)
    padded = np.pad(x, ((half, half), (half, half), (0, 0)), mode="reflect")
    return fftconvolve(padded, kernel[:, :, None], mode="valid", axes=(0, 1))


def motion_blur(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Mean over the 2 r + 1 pixels passed in a direction, pixel i with weight exp(-i^2 / 2 s^2), edges repeated.

    CIFAR-10-C, through ImageMagick's MotionBlurImage; (r, s) = (6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5) pixels. The
    direction is uniform in -45..45 degrees from the horizontal, and positions are rounded to whole pixels.
    """
    r, s = ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5))[severity - 1]
    r, s = int(np.ceil(r * _scale(x))), s * _scale(x)
    angle = np.deg2rad(rng.uniform(-45, 45))
    step = np.arange(2 * r + 1)
    weight = np.exp(-(step**2) / (2 * s**2))
    weight /= weight.sum()
    far = 2 * r
    rows = far + np.rint(step * np.sin(angle)).astype(int)
    columns = far + np.rint(step * np.cos(angle)).astype(int)
    padded = np.pad(x, ((far, far), (far, far), (0, 0)), mode="edge")
    height, width = x.shape[:2]
    out = np.zeros_like(x)
    for w, row, column in zip(weight, rows, columns, strict=True):
        out += w * padded[row : row + height, column : column + width]
    return out


def zoom_blur(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Mean of the image and of it enlarged by 1, 1.01, ..., c. CIFAR-10-C; c = 1.05, 1.10, 1.15, 1.20, 1.25.

    It is enlarged about its centre with bilinear interpolation. The published code crops to whole pixels before, which
    on small images leaves most factors without effect.
    """
    factors = 1 + np.arange((6, 11, 16, 21, 26)[severity - 1]) / 100
    return (x + sum(_enlarged(x, factor) for factor in factors)) / (len(factors) + 1)


def fog(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """x' = (x + c f) m / (m + c), with m the image's maximum and f a plasma fractal of wibble decay d.

    CIFAR-10-C; (c, d) = (.2, 3), (.5, 3), (.75, 2.5), (1, 2), (1.5, 1.75).
    """
    c, decay = ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75))[severity - 1]
    height, width = x.shape[:2]
    fractal = _plasma_fractal(max(height, width), decay, rng)[:height, :width, None]
    brightest = x.max()
    return (x + c * fractal) * brightest / (brightest + c)


def contrast(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """x' = (x - mean) c + mean, with each channel's mean over the image. CIFAR-10-C; c = .75, .5, .4, .3, .15."""
    mean = x.mean(axis=(0, 1))
    return (x - mean) * (0.75, 0.5, 0.4, 0.3, 0.15)[severity - 1] + mean


def pixelate(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Reduced to a share c of each side and enlarged again, box filter. CIFAR-10-C; c = .95, .9, .85, .75, .65."""
    from PIL import Image

    c = (0.95, 0.9, 0.85, 0.75, 0.65)[severity - 1]
    height, width = x.shape[:2]
    small = _to_pillow(x).resize((max(int(c * width), 1), max(int(c * height), 1)), Image.Resampling.BOX)
    return np.asarray(small.resize((width, height), Image.Resampling.BOX)).reshape(x.shape) / 255.0


def jpeg_compression(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Saved as JPEG of quality c and read again. CIFAR-10-C; c = 80, 65, 58, 50, 40."""
    from io import BytesIO

    from PIL import Image

    file = BytesIO()
    _to_pillow(x).save(file, "JPEG", quality=(80, 65, 58, 50, 40)[severity - 1])
    return np.asarray(Image.open(file)).reshape(x.shape) / 255.0


def elastic_transform(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """A random affine map, then every pixel displaced by smooth noise; bilinear interpolation, edges mirrored.

    The affine map moves three points, a third of the image from its centre, by U(-t, t) each way. The displacement is
    U(-1, 1), smoothed by a Gaussian of s, times a. CIFAR-10-C; (a, s, t) = (0, 0, .08), (.05, .2, .07),
    (.08, .06, .06), (.1, .04, .05), (.1, .03, .03), in sides of the image. Both maps are applied with one
    interpolation; the published code has two.
    """
    from scipy.ndimage import gaussian_filter, map_coordinates

    constants = ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03))
    shape = x.shape[:2]
    a, s, t = np.array(constants[severity - 1]) * min(shape)
    third, centre = min(shape) // 3, np.array(shape) // 2
    points = centre + third * np.array([[1, 1], [1, -1], [-1, -1]])
    moved = points + rng.uniform(-t, t, points.shape)
    back = np.linalg.solve(np.column_stack([moved, np.ones(3)]), points)  # (row, column, 1) -> where it came from
    displaced = [gaussian_filter(rng.uniform(-1, 1, shape), s, mode="reflect", truncate=3) * a for _ in shape]
    row, column = np.indices(shape) + displaced
    where = np.tensordot(np.stack([row, column, np.ones(shape)]), back, axes=(0, 0))
    coordinates = np.moveaxis(where, 2, 0)
    channels = [map_coordinates(channel, coordinates, order=1, mode="mirror") for channel in np.moveaxis(x, 2, 0)]
    return np.stack(channels, axis=2)


CORRUPTIONS = {
    function.__name__: function
    for function in (
        brightness, stripe, gaussian_noise, shot_noise, impulse_noise, speckle_noise, gaussian_blur, defocus_blur,
        motion_blur, zoom_blur, fog, contrast, pixelate, jpeg_compression, elastic_transform,
    )
}  # fmt: skip


def _scale(x: np.ndarray) -> float:
    """How many times larger than CIFAR-10's images, for which lengths in pixels were published; at least 1."""
    return max(min(x.shape[:2]) / 32, 1)


def _to_uint8(x: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(x, 0, 1) * 255).astype(np.uint8)


def _to_pillow(x: np.ndarray):
    from PIL import Image

    return Image.fromarray(_to_uint8(x[:, :, 0] if x.shape[2] == 1 else x))


def _enlarged(x: np.ndarray, factor: float) -> np.ndarray:
    """The image enlarged about its centre, and what is left of it inside its frame."""
    for axis in (0, 1):
        last = x.shape[axis] - 1
        position = last / 2 + (np.arange(last + 1) - last / 2) / factor
        below = np.floor(position).astype(int)
        share = (position - below)[:, None, None] if axis == 0 else (position - below)[:, None]
        above = np.minimum(below + 1, last)
        x = (1 - share) * x.take(below, axis) + share * x.take(above, axis)
    return x


def _plasma_fractal(side: int, decay: float, rng: np.random.Generator) -> np.ndarray:
    """A height map of the diamond-square algorithm on a torus, at least ``side`` wide, scaled to 0..1.

    Each point is the mean of its four neighbours, of the coarser grid, plus U(-w^2, w^2); w is 100 at first and
    is divided by ``decay`` at every finer grid.
    """
    size = max(1 << (side - 1).bit_length(), 2)
    height = np.zeros((size, size))
    step, wibble = size, 100.0

    def refined(sums: np.ndarray) -> np.ndarray:
        return sums / 4 + wibble * rng.uniform(-wibble, wibble, sums.shape)

    while step > 1:
        half = step // 2
        corners = height[::step, ::step]
        pairs = corners + np.roll(corners, -1, 0)
        height[half::step, half::step] = refined(pairs + np.roll(pairs, -1, 1))
        middles = height[half::step, half::step]
        height[::step, half::step] = refined(middles + np.roll(middles, 1, 0) + corners + np.roll(corners, -1, 1))
        height[half::step, ::step] = refined(middles + np.roll(middles, 1, 1) + corners + np.roll(corners, -1, 0))
        step, wibble = half, wibble / decay
    height -= height.min()
    return height / height.max()

"""Anomalies that are made: corrupted images, and far clusters in tables."""

import colorsys
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter

from glitchmark.errors import CellError
from glitchmark.glitches import ANOMALOUS, NO_CLASS, TrainingData
from glitchmark.glitches._corruptions import CORRUPTIONS, SEVERITIES, corrupt
from glitchmark.glitches.corruption import corruption
from glitchmark.glitches.far_cluster import far_cluster

SHAPES = [(8, 8), (28, 28), (32, 32, 3), (9, 20, 3), (50, 33)]
DETERMINISTIC = {
    "brightness", "stripe", "gaussian_blur", "defocus_blur", "zoom_blur", "contrast", "pixelate", "jpeg_compression",
}  # fmt: skip
KEEP_FLAT = sorted({"gaussian_blur", "defocus_blur", "motion_blur", "zoom_blur", "contrast", "elastic_transform"})


def pictures(n, shape, seed=0):
    """Smooth random images of strong contrast, with sharp edges; uint8 (n, *shape)."""
    rng = np.random.default_rng([seed, *shape])
    smooth = gaussian_filter(rng.normal(size=(n, *shape)), (0, 2, 2, 0)[: len(shape) + 1])
    smooth /= smooth.std()
    smooth[smooth > 1] += 0.5
    return np.rint(255 * np.clip(0.45 + 0.25 * smooth, 0, 1)).astype(np.uint8)


def changed_by(type, severity, x, seed=0):
    return corrupt(x, type, severity, np.random.default_rng(seed))


def impulse(side):
    """One bright pixel in the middle of a dark image, (side, side, 1)."""
    x = np.zeros((side, side, 1))
    x[side // 2, side // 2] = 1
    return x


def ramps(height, width):
    """A pixel's row and column, (height, width, 2)."""
    return np.stack(np.indices((height, width)), axis=2).astype(float)


# The published definitions, written slowly


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("severity", SEVERITIES)
def test_brightness_raises_the_value_of_hsv(shape, severity):
    x = np.random.default_rng(severity).integers(0, 256, (2, *shape)).astype(np.uint8)
    x[0, :2] = 0  # black has no hue
    x[1, :2] = 255
    out = changed_by("brightness", severity, x)
    before = x.reshape(-1, x.shape[3]) if x.ndim == 4 else np.repeat(x.reshape(-1, 1), 3, axis=1)
    after = out.reshape(-1, out.shape[3]) if x.ndim == 4 else np.repeat(out.reshape(-1, 1), 3, axis=1)
    for pixel, new in zip(before, after, strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*(pixel / 255))
        expected = colorsys.hsv_to_rgb(hue, saturation, min(value + 0.1 * severity, 1))
        assert np.abs(new - 255 * np.array(expected)).max() <= 0.5 + 1e-6


def test_brightness_of_grey_images_is_addition():
    x = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    exact = np.minimum(x + 0.3 * 255, 255)
    assert np.abs(changed_by("brightness", 3, x) - exact).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("severity", SEVERITIES)
def test_stripe_is_that_of_mnist_c(severity):
    x = pictures(5, (28, 28))
    expected = x.copy()
    expected[:, :, :7] = 255 - expected[:, :, :7]
    expected[:, :, 21:] = 255 - expected[:, :, 21:]
    np.testing.assert_array_equal(changed_by("stripe", severity, x), expected)


@pytest.mark.parametrize(("width", "quarter"), [(8, 2), (9, 3), (28, 7), (30, 8), (32, 8), (320, 80)])
def test_stripe_inverts_the_outer_quarters_of_any_width(width, quarter):
    x = np.random.default_rng(width).integers(0, 256, (2, 5, width, 3)).astype(np.uint8)
    out = changed_by("stripe", 3, x)
    for column in range(width):
        outer = column < quarter or column >= width - quarter
        np.testing.assert_array_equal(out[:, :, column], 255 - x[:, :, column] if outer else x[:, :, column])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("severity", SEVERITIES)
def test_noise_has_the_published_moments(severity, seed):
    level = 0.5
    x = np.full((200, 200, 3), level)
    rng = np.random.default_rng(seed)
    stds = {
        "gaussian_noise": (0.04, 0.06, 0.08, 0.09, 0.10)[severity - 1],
        "shot_noise": np.sqrt(level / (500, 250, 100, 75, 50)[severity - 1]),
        "speckle_noise": level * (0.06, 0.1, 0.12, 0.16, 0.2)[severity - 1],
    }
    for name, std in stds.items():
        out = CORRUPTIONS[name](x, severity, rng)
        assert out.mean() == pytest.approx(level, abs=5 * std / np.sqrt(x.size))
        assert out.std() == pytest.approx(std, rel=0.02)
    out = CORRUPTIONS["impulse_noise"](x, severity, rng)
    share = (0.01, 0.02, 0.03, 0.05, 0.07)[severity - 1]
    assert set(np.unique(out)) == {0, level, 1}
    for value in (0, 1):
        assert (out == value).mean() == pytest.approx(share / 2, abs=5 * np.sqrt(share / 2 / x.size))


@pytest.mark.parametrize("side", [9, 33, 65])
@pytest.mark.parametrize("severity", SEVERITIES)
def test_gaussian_blur_spreads_a_point_as_a_gaussian(side, severity):
    c = (0.4, 0.6, 0.7, 0.8, 1)[severity - 1] * max(side / 32, 1)
    out = CORRUPTIONS["gaussian_blur"](impulse(side), severity, None)[:, :, 0]
    offset = np.arange(side) - side // 2
    weight = np.exp(-(offset**2) / (2 * c**2))
    weight[np.abs(offset) > int(4 * c + 0.5)] = 0
    if side > 9:  # where the Gaussian does not reach the edge
        np.testing.assert_allclose(out, np.outer(weight, weight) / weight.sum() ** 2, atol=1e-12)
    assert out.sum() == pytest.approx(1, abs=0.01)


def slow_disk(r, s, half):
    """The kernel of the defocus blur: a disk convolved with a Gaussian of 3 x 3 pixels."""
    offset = range(-half, half + 1)
    disk = {(i, j) for i in offset for j in offset if i * i + j * j <= r * r}
    gauss = {d: np.exp(-(d * d) / (2 * s * s)) for d in (-1, 0, 1)}
    total = sum(gauss.values()) ** 2 * len(disk)
    kernel = np.zeros((2 * half + 1, 2 * half + 1))
    for i, j in disk:
        for di in gauss:
            for dj in gauss:
                kernel[i + di + half, j + dj + half] += gauss[di] * gauss[dj] / total
    return kernel


@pytest.mark.parametrize(("side", "scale"), [(31, 1), (128, 4), (224, 7)])
@pytest.mark.parametrize("severity", SEVERITIES)
def test_defocus_blur_spreads_a_point_over_a_disk(side, scale, severity):
    r, s = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1))[severity - 1]
    out = CORRUPTIONS["defocus_blur"](impulse(side), severity, None)[:, :, 0]
    expected, middle = slow_disk(r * scale, s, 13), side // 2
    np.testing.assert_allclose(out[middle - 13 : middle + 14, middle - 13 : middle + 14], expected, atol=1e-12)
    assert out.sum() == pytest.approx(1)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("severity", SEVERITIES)
def test_motion_blur_spreads_a_point_along_a_line(severity, seed):
    out = CORRUPTIONS["motion_blur"](impulse(31), severity, np.random.default_rng(seed))[:, :, 0]
    r, s = ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5))[severity - 1]
    angle = np.deg2rad(np.random.default_rng(seed).uniform(-45, 45))
    weights = [np.exp(-(i * i) / (2 * s * s)) for i in range(2 * r + 1)]
    expected = np.zeros((31, 31))
    for i, weight in enumerate(weights):  # the image is gathered from ahead, so the point moves backwards
        row, column = 15 - round(i * np.sin(angle)), 15 - round(i * np.cos(angle))
        if 0 <= row < 31 and 0 <= column < 31:
            expected[row, column] += weight / sum(weights)
    np.testing.assert_allclose(out, expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(8, 8), (20, 33)])
@pytest.mark.parametrize("severity", SEVERITIES)
def test_zoom_blur_is_the_mean_of_enlargements(shape, severity):
    # A ramp enlarged z times about its centre is a ramp 1/z times as steep.
    x, centre = ramps(*shape), (np.array(shape) - 1) / 2
    factors = [1 + i / 100 for i in range(5 * severity + 1)]
    steepness = (1 + sum(1 / z for z in factors)) / (1 + len(factors))
    np.testing.assert_allclose(CORRUPTIONS["zoom_blur"](x, severity, None), centre + (x - centre) * steepness)


def slow_plasma(size, decay, rng):
    """The diamond-square algorithm, point by point."""
    height, step, wibble = np.zeros((size, size)), size, 100.0

    def set_points(points, neighbours):
        noise = rng.uniform(-wibble, wibble, (size // step, size // step)).ravel() * wibble
        for (i, j), wobble in zip(points, noise, strict=True):
            height[i, j] = np.mean([height[(i + di) % size, (j + dj) % size] for di, dj in neighbours]) + wobble

    while step > 1:
        h = step // 2
        whole, middle = range(0, size, step), range(h, size, step)
        cross = [(-h, 0), (h, 0), (0, -h), (0, h)]
        set_points([(i, j) for i in middle for j in middle], [(-h, -h), (-h, h), (h, -h), (h, h)])
        set_points([(i, j) for i in whole for j in middle], cross)
        set_points([(i, j) for i in middle for j in whole], cross)
        step, wibble = h, wibble / decay
    return (height - height.min()) / np.ptp(height)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("severity", SEVERITIES)
def test_fog_is_a_plasma_fractal(severity, seed):
    x = 0.7 * pictures(1, (13, 16, 3), seed)[0] / 255
    c, decay = ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75))[severity - 1]
    fractal = slow_plasma(16, decay, np.random.default_rng(seed))[:13, :, None]
    expected = (x + c * fractal) * x.max() / (x.max() + c)
    np.testing.assert_allclose(CORRUPTIONS["fog"](x, severity, np.random.default_rng(seed)), expected)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_contrast_shrinks_deviations(severity):
    x = pictures(1, (12, 10, 3))[0] / 255
    out, c = CORRUPTIONS["contrast"](x, severity, None), (0.75, 0.5, 0.4, 0.3, 0.15)[severity - 1]
    for channel in range(3):
        mean = x[:, :, channel].mean()
        np.testing.assert_allclose(out[:, :, channel], c * x[:, :, channel] + (1 - c) * mean)


@pytest.mark.parametrize(("severity", "kept"), [(1, 19), (2, 18), (3, 17), (4, 15), (5, 13)])
def test_pixelate_keeps_so_many_pixels_a_side(severity, kept):
    x = np.random.default_rng(0).integers(0, 256, (1, 20, 20)).astype(np.uint8)
    out = changed_by("pixelate", severity, x)[0]
    first, last = np.abs(np.diff(out.astype(int), axis=0)).max(1) > 0, np.abs(np.diff(out.astype(int))).max(0) > 0
    assert first.sum() == last.sum() == kept - 1


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("severity", SEVERITIES)
def test_jpeg_compression_is_that_of_pillow(shape, severity):
    x = pictures(1, shape)
    file = BytesIO()
    Image.fromarray(x[0]).save(file, "JPEG", quality=(80, 65, 58, 50, 40)[severity - 1])
    np.testing.assert_array_equal(changed_by("jpeg_compression", severity, x)[0], np.asarray(Image.open(file)))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("severity", SEVERITIES)
def test_elastic_transform_is_affine_and_smooth_noise(severity, seed):
    constants = ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03))
    a, s, t = constants[severity - 1]
    rng = np.random.default_rng(seed)
    start = np.array([[26, 26], [26, 6], [6, 6]])  # the three points that the affine map moves
    moved = start + rng.uniform(-32 * t, 32 * t, (3, 2))
    shift = np.stack([gaussian_filter(rng.uniform(-1, 1, (32, 32)), 32 * s, truncate=3) for _ in range(2)], axis=2)
    linear = np.linalg.solve(moved[:2] - moved[2], start[:2] - start[2])
    expected = (ramps(32, 32) + 32 * a * shift - moved[2]) @ linear + start[2]
    inside = ((expected > 0) & (expected < 31)).all(axis=2)
    out = CORRUPTIONS["elastic_transform"](ramps(32, 32), severity, np.random.default_rng(seed))
    assert inside.mean() > 0.7
    np.testing.assert_allclose(out[inside], expected[inside], atol=1e-9)


# What holds for all


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("type", CORRUPTIONS)
def test_every_corruption_changes_images_and_nothing_else(type, shape):
    x = pictures(4, shape)
    kept = x.copy()
    for severity in SEVERITIES:
        out = changed_by(type, severity, x)
        assert out.shape == x.shape
        assert out.dtype == np.uint8
        assert out.std() > 0
        changed = (out != x).reshape(4, -1).any(axis=1)
        assert changed.all() or (type == "impulse_noise" and min(shape[:2]) < 10)  # 64 pixels, of which 1 % change
    np.testing.assert_array_equal(x, kept)


@pytest.mark.parametrize("type", CORRUPTIONS)
def test_severity_grows(type):
    x = pictures(60, (32, 32, 3)).astype(float)
    change = [np.abs(changed_by(type, severity, x.astype(np.uint8)) - x).mean() for severity in SEVERITIES]
    if type == "elastic_transform":  # by its definition it turns from moving the image to tearing it
        assert min(change) > 5
    elif type == "stripe":
        assert len(set(change)) == 1
    else:  # motion blur's third and fourth differ in a radius at which nothing is left
        assert (np.diff(change) > -1e-3).all()
        assert change[4] > 1.3 * change[0]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("type", CORRUPTIONS)
def test_generator_decides(type, seed):
    x = pictures(3, (20, 20, 3))
    x[1:] = x[0]
    out = changed_by(type, 5, x, seed)
    np.testing.assert_array_equal(out, changed_by(type, 5, x, seed))
    same = np.array_equal(out, changed_by(type, 5, x, seed + 100))
    assert same == np.array_equal(out[0], out[1]) == (type in DETERMINISTIC)


@pytest.mark.parametrize("type", KEEP_FLAT)
@pytest.mark.parametrize("shape", [(8, 8), (40, 33, 3)])
def test_flat_images_stay_flat(type, shape):
    x = np.full((1, *shape), 77, np.uint8)
    for severity in SEVERITIES:
        np.testing.assert_array_equal(changed_by(type, severity, x), x)


@pytest.mark.parametrize("type", CORRUPTIONS)
def test_grey_is_corrupted_as_grey_colour_is(type):
    """Where nothing is drawn for each channel, an image of three equal channels stays one."""
    grey = pictures(2, (24, 24))
    colour = np.repeat(grey[..., None], 3, axis=3)
    out = changed_by(type, 4, colour)
    if type.endswith("noise"):
        assert (out[..., 0] != out[..., 1]).any()
    else:
        expected = changed_by(type, 4, grey)[..., None].astype(int)
        assert np.abs(out - expected).max() <= (2 if type == "jpeg_compression" else 0)


# The glitch


def training_data(x, seed=0, n_classes=4, categories=()):
    """Training data of a shuffled part of a pool with inputs x."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(x))
    return TrainingData.clean(
        "mine", rows, rng.integers(n_classes, size=len(x)), n_classes, lambda r: x[r], categories=categories
    )


@given(
    n=st.integers(12, 60),
    colour=st.booleans(),
    ratio=st.floats(0.1, 0.6),
    seed=st.integers(0, 2**32),
    type=st.sampled_from(sorted(CORRUPTIONS)),
    severity=st.sampled_from(SEVERITIES),
)
@settings(max_examples=60)
def test_corruption_changes_exactly_its_samples(n, colour, ratio, seed, type, severity):
    x = pictures(n, (12, 12, 3) if colour else (12, 12))
    data = training_data(x, seed)
    out = corruption(data, np.random.default_rng(seed), ratio=ratio, type=type, severity=severity)
    hit = out.glitch == "corruption"
    assert np.count_nonzero(hit) == round(ratio * n)
    np.testing.assert_array_equal(out.kind, np.where(hit, ANOMALOUS, ""))
    np.testing.assert_array_equal(out.observed_label, data.observed_label)
    before, after = data.inputs(np.arange(n)), out.inputs(np.arange(n))
    assert after.dtype == np.uint8
    np.testing.assert_array_equal((before != after).reshape(n, -1).any(axis=1), hit)
    again = corruption(data, np.random.default_rng(seed), ratio=ratio, type=type, severity=severity)
    np.testing.assert_array_equal(again.inputs(np.arange(n)), after)


@pytest.mark.parametrize("seed", range(5))
def test_corruption_twice_hits_no_sample_twice(seed):
    data = training_data(pictures(40, (10, 10)), seed)
    rng = np.random.default_rng(seed)
    first = corruption(data, rng, ratio=0.5, type="stripe")
    second = corruption(first, rng, ratio=0.5, type="fog", severity=5)
    hit = np.flatnonzero(first.glitch)
    np.testing.assert_array_equal(second.inputs(hit), first.inputs(hit))
    assert (second.glitch == "corruption").all()
    with pytest.raises(CellError, match=r"0\.1 needs 4 untouched images that 'stripe' of severity 3 .* at most 0"):
        corruption(second, rng, ratio=0.1, type="stripe")


@pytest.mark.parametrize("seed", range(5))
def test_images_that_cannot_be_changed_are_passed_over(seed):
    x = pictures(40, (10, 10))
    x[:20] = 0  # black stays black under speckle noise
    data = training_data(x, seed)
    out = corruption(data, np.random.default_rng(seed), ratio=0.5, type="speckle_noise")
    np.testing.assert_array_equal(out.glitch == "corruption", data.row >= 20)
    with pytest.raises(CellError, match=r"needs 21 untouched images that 'speckle_noise' .* at most 20; use"):
        corruption(data, np.random.default_rng(seed), ratio=21 / 40, type="speckle_noise")


@pytest.mark.parametrize("severity", [0, 6, -1])
def test_unknown_severity(severity):
    data = training_data(pictures(10, (8, 8)))
    with pytest.raises(CellError, match=rf"severity: {severity} is unknown; allowed: 1, 2, 3, 4, 5"):
        corruption(data, np.random.default_rng(0), ratio=0.5, severity=severity)


def test_unknown_type():
    data = training_data(pictures(10, (8, 8)))
    with pytest.raises(CellError, match="type: 'snow' is unknown; allowed: brightness, stripe, gaussian_noise"):
        corruption(data, np.random.default_rng(0), ratio=0.5, type="snow")


def test_docstrings_name_types_and_sources():
    for name in CORRUPTIONS:
        assert name in corruption.__doc__
        assert "MNIST-C" in CORRUPTIONS[name].__doc__ or "CIFAR-10-C" in CORRUPTIONS[name].__doc__


# Far clusters


def table(n, d, seed, missing=0.0, categories=()):
    """Columns of very different scale and place, some values missing, categorical codes where there are categories."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) ** 3 * 10.0 ** rng.integers(-3, 4, d)
    x += x.std(axis=0) * rng.uniform(-50, 50, d)
    for j, k in enumerate(categories):
        if k:
            x[:, j] = rng.integers(k, size=n)
    x[rng.random((n, d)) < missing] = np.nan
    return x.astype(np.float32)


def norms(x, reference):
    mean, std = np.nanmean(reference, axis=0), np.nanstd(reference, axis=0)
    return np.sqrt(np.nansum(((x - mean) / std) ** 2, axis=1))


@given(
    n=st.integers(20, 120),
    d=st.integers(1, 60),
    ratio=st.floats(0.05, 0.5),
    distance=st.floats(1.01, 10),
    spread=st.floats(0.01, 5),
    missing=st.sampled_from([0.0, 0.2]),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=100)
def test_far_cluster_is_farther_than_every_sample(n, d, ratio, distance, spread, missing, seed):
    x = table(n, d, seed, missing)
    data = training_data(x, seed)
    out = far_cluster(data, np.random.default_rng(seed), ratio=ratio, distance=distance, spread=spread)
    k = round(ratio * n)
    added = out.inputs(np.arange(n, n + k))
    assert len(out.row) == n + k
    assert added.dtype == np.float32
    assert np.isfinite(added).all()
    assert norms(added.astype(float), x.astype(float)).min() > norms(x.astype(float), x.astype(float)).max()
    np.testing.assert_array_equal(out.inputs(np.arange(n)), data.inputs(np.arange(n)))
    np.testing.assert_array_equal(out.row[n:], np.arange(k))
    for field, value in {"source": "far_cluster", "glitch": "far_cluster", "kind": ANOMALOUS}.items():
        assert set(getattr(out, field)[n:]) == {value}
        np.testing.assert_array_equal(getattr(out, field)[:n], getattr(data, field))
    assert set(out.true_label[n:]) == {NO_CLASS}
    assert len(set(out.observed_label[n:])) == 1
    again = far_cluster(data, np.random.default_rng(seed), ratio=ratio, distance=distance, spread=spread)
    np.testing.assert_array_equal(again.inputs(np.arange(n, n + k)), added)


@pytest.mark.parametrize("seed", range(5))
def test_far_cluster_has_the_distance_and_spread_asked_for(seed):
    x = table(2000, 30, seed).astype(float)
    out = far_cluster(training_data(x.astype(np.float32), seed), np.random.default_rng(seed), ratio=1.0)
    standardised = (out.inputs(np.arange(2000, 4000)) - x.mean(axis=0)) / x.std(axis=0)
    centre = standardised.mean(axis=0)
    direction = centre / np.linalg.norm(centre)
    along = standardised @ direction - 2 * norms(x, x).max()
    assert np.linalg.norm(centre) == pytest.approx(2 * norms(x, x).max(), rel=0.01)
    assert np.sqrt((along**2).mean()) == pytest.approx(0.25, rel=0.1)
    across = standardised - np.outer(standardised @ direction, direction)
    assert across.std() == pytest.approx(0.25 * np.sqrt(29 / 30), rel=0.03)


@pytest.mark.parametrize("seed", range(5))
def test_far_cluster_keeps_categories_and_constants(seed):
    categories = (0, 3, 0, 0, 5, 0)
    x = table(100, 6, seed, 0.1, categories)
    x[:, 2] = np.float32(0.1)
    x[::3, 2] = np.nan
    x[:, 3] = np.nan
    data = training_data(x, seed, categories=categories)
    added = far_cluster(data, np.random.default_rng(seed), ratio=0.3).inputs(np.arange(100, 130))
    assert np.isfinite(added).all()
    assert (added[:, 2] == np.float32(0.1)).all()
    assert (added[:, 3] == 0).all()
    for j in (1, 4):
        assert len(set(added[:, j])) == 1
        assert added[0, j] in range(categories[j])
    varies = [0, 5]
    original = x[:, varies].astype(float)
    assert norms(added[:, varies], original).min() > norms(original, original).max()


def test_far_cluster_draws_label_direction_and_categories():
    x = table(50, 3, 0, categories=(0, 0, 2))
    seen = set()
    for seed in range(200):
        out = far_cluster(training_data(x, 0, 3, (0, 0, 2)), np.random.default_rng(seed), ratio=0.1)
        added = out.inputs(np.array([50]))[0]
        seen.add((int(out.observed_label[-1]), *(added[:2] > x[:, :2].mean(axis=0)).tolist(), float(added[2])))
    assert len(seen) == 3 * 4 * 2


def test_two_far_clusters_share_no_row():
    data, rng = training_data(table(50, 4, 0)), np.random.default_rng(0)
    out = far_cluster(far_cluster(data, rng, ratio=0.1), rng, ratio=0.2)
    np.testing.assert_array_equal(out.row[50:], np.arange(15))
    x = out.inputs(np.arange(50, 65))
    assert np.linalg.norm(x[:5].mean(axis=0) - x[5:].mean(axis=0)) > 0
    assert out.n_original == 50


@pytest.mark.parametrize("x", [np.arange(30).reshape(10, 3) % 3, np.full((10, 3), 7.5), np.full((10, 3), np.nan)])
def test_far_cluster_needs_a_numeric_column_that_varies(x):
    categories = (3, 3, 3) if x[0, 0] == 0 else ()
    data = training_data(x.astype(np.float32), categories=categories)
    with pytest.raises(CellError, match="needs a numeric column with at least two different values"):
        far_cluster(data, np.random.default_rng(0), ratio=0.2)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"distance": 1.0}, "distance: 1.0 must be more than 1"),
        ({"distance": float("inf")}, "distance: inf must be a finite number"),
        ({"spread": 0.0}, "spread: 0.0 must be a finite number greater than 0"),
    ],
)
def test_far_cluster_parameters(parameters, message):
    with pytest.raises(CellError, match=message):
        far_cluster(training_data(table(20, 2, 0)), np.random.default_rng(0), ratio=0.2, **parameters)


@pytest.mark.parametrize("function", [corruption, far_cluster])
def test_ratio_that_rounds_to_zero(function):
    x = pictures(10, (8, 8)) if function is corruption else table(10, 3, 0)
    with pytest.raises(CellError, match="rounds to zero"):
        function(training_data(x), np.random.default_rng(0), ratio=0.01)

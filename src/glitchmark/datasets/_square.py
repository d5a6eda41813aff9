"""Images of any size as squares of one size."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image


def square(image: "Image", size: int) -> "Image":
    """The shorter side resized to ``size`` pixels (bilinear, antialiased) where it differs, then the central square."""
    from PIL import Image

    shorter = min(image.size)
    if shorter != size:
        image = image.resize(
            [max(size, round(side * size / shorter)) for side in image.size], Image.Resampling.BILINEAR
        )
    left, top = (image.width - size) // 2, (image.height - size) // 2
    return image.crop((left, top, left + size, top + size))

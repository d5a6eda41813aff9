"""ImageNet-Dogs: the ten breeds of ImageNet that fast.ai publishes as imagewoof."""

from pathlib import Path

import numpy as np

from glitchmark.datasets import Description, Pool, dataset
from glitchmark.datasets._square import square
from glitchmark.downloads import alone, fetch, unpack
from glitchmark.errors import Unavailable, UserError

URL = "https://s3.amazonaws.com/fast-ai-imageclas/imagewoof2-320.tgz"
# As FastAI.jl publishes it; fastai itself publishes the size, 328387740 bytes, and the MD5 of the first MiB.
SHA256 = "4e4905ed7643120daaf9bf3b2ef7f3a7e8396d9bdaf254a38c6f01f618b4973d"
FOLDER = "imagewoof2-320"
LIMITS = {"max_members": 20_000, "max_bytes": 10**9}  # it has about 13000 members of 0.33 GB
BREEDS = {
    "n02086240": "Shih-Tzu",
    "n02087394": "Rhodesian ridgeback",
    "n02088364": "beagle",
    "n02089973": "English foxhound",
    "n02093754": "Border terrier",
    "n02096294": "Australian terrier",
    "n02099601": "golden retriever",
    "n02105641": "Old English sheepdog",
    "n02111889": "Samoyed",
    "n02115641": "dingo",
}


def inspect_imagenet_dogs(*, size: int = 320, cache: str = "cache") -> Description:
    """Raises UserError for a size below 1."""
    if size < 1:
        raise UserError(f"size: {size} must be a number of pixels, at least 1.")
    return Description("image", 12954, 10, 3929, (size, size, 3))


@dataset(
    "imagenet_dogs",
    modality="image",
    n_samples=12954,
    n_classes=10,
    n_test=3929,
    shape=(320, 320, 3),
    source="imagewoof2-320.tgz of fast.ai (https://github.com/fastai/imagenette)",
    licence="collection: Apache 2.0; images: ImageNet's terms, non-commercial research",
    anomaly_source="fashion_mnist",
    inspect=inspect_imagenet_dogs,
)
def imagenet_dogs(*, size: int = 320, cache: str = "cache") -> Pool:
    """12954 photographs of ten dog breeds, 320x320 colour: imagewoof, a part of ImageNet.

    size: pixels a side; the shorter side is resized to it where it differs (320 in the source), then the centre
    cropped. 4 GB at 320. The source's ``val`` folder is the test split.
    """
    return read_folders(extracted(cache, URL, SHA256), size)


def extracted(cache: str, url: str, sha256: str) -> Path:
    """The folder with the images, downloaded and extracted if it is not there. Raises Unavailable if it cannot be."""
    folder = Path(cache).absolute() / FOLDER
    if not folder.is_dir():
        place = Path(cache).absolute() / f"{FOLDER}.tgz"
        otherwise = f"name a folder that holds it: --config cache_dir=DIR, where DIR contains {place.name} or {FOLDER}/"
        archive = fetch(url, place, sha256, "data set 'imagenet_dogs'", otherwise)
        with alone(cache):
            if not folder.is_dir():
                unpack(archive, folder, **LIMITS)
    return folder


def read_folders(folder: Path, size: int) -> Pool:
    """The images of ``train/`` and ``val/``, in the order of splits, breeds and file names, into one array.

    Raises Unavailable for a breed without images, and for a file that is no image.
    """
    from PIL import Image

    files, y, is_test = [], [], []
    for split in ("train", "val"):
        for label, synset in enumerate(BREEDS):
            images = sorted(path for path in (folder / split / synset).glob("[!.]*") if path.suffix.lower() == ".jpeg")
            if not images:
                raise Unavailable(
                    f"data set 'imagenet_dogs': {folder.absolute()}/{split}/{synset} holds no .JPEG image; remove "
                    f"{folder.absolute()}, so that it is extracted again."
                )
            files += images
            y += [label] * len(images)
            is_test += [split == "val"] * len(images)
    x = np.empty((len(files), size, size, 3), np.uint8)
    for i, path in enumerate(files):
        try:
            with Image.open(path) as image:
                x[i] = np.asarray(square(image.convert("RGB"), size))
        except OSError as error:
            raise Unavailable(
                f"data set 'imagenet_dogs': {path.absolute()} cannot be read as an image ({error}); remove "
                f"{folder.absolute()}, so that it is extracted again."
            ) from error
    return Pool(x, np.array(y, np.int64), tuple(BREEDS.values()), np.array(is_test))

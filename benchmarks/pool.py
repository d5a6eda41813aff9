"""Seconds and memory of loading CIFAR-10, CIFAR-100 and MNIST from a cache, at their full size.

    python benchmarks/pool.py

Writes files of random pixels as the sources lay them out (tests/test_downloads.py) into a temporary cache, and loads
each in a process of its own: digests checked, real parsing code, torch and torchvision imported before. Prints the
best and worst of some repeats, and the peak of memory during the load, beyond what the imports hold, as a multiple of
the pool's images.
"""

import argparse
import json
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TARGET_SECONDS, TARGET_RATIO = 2.0, 2.0  # CIFAR-10 from the cache; peak memory by the pool's images
TESTS = Path(__file__).parents[1] / "tests"


def main() -> None:
    """Print the figures, and the targets beside them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--load", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.load:
        print(json.dumps(load(Path(arguments.load[0]), arguments.load[1])))
        return
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        for name in ("CIFAR10", "CIFAR100", "MNIST"):
            command = [sys.executable, __file__, "--load", folder, name]
            runs = [json.loads(subprocess.check_output(command)) for _ in range(arguments.repeats)]
            seconds = [run["seconds"] for run in runs]
            print(f"{name}: {runs[0]['samples']} images, {runs[0]['megabytes']:.0f} MB")
            print(f"  {min(seconds):.2f} to {max(seconds):.2f} s (target for CIFAR-10 {TARGET_SECONDS:g} s)")
            print(f"  peak {max(run['ratio'] for run in runs):.2f} times the images (target {TARGET_RATIO:g})")


def write(folder: Path) -> None:
    """The files of both sets, and beside them what their classes must know: digests and addresses."""
    import numpy as np

    sys.path.append(str(TESTS))
    from test_downloads import cifar_class, mnist_class

    rng = np.random.default_rng(0)
    known = {
        "CIFAR10": cifar_class(folder, rng, n_train=10000, n_test=10000)[0],
        "CIFAR100": cifar_class(folder, rng, "CIFAR100", n_train=50000, n_test=10000)[0],
        "MNIST": mnist_class(folder, rng, n=(60000, 10000))[0],
    }
    attributes = {name: {k: v for k, v in vars(cls).items() if k[0] != "_"} for name, cls in known.items()}
    (folder / "attributes.pickle").write_bytes(pickle.dumps(attributes))


def load(folder: Path, name: str) -> dict[str, float]:
    """Load one set and measure: seconds, number of images, megabytes, and peak of memory by the size of the images."""
    from torchvision import datasets

    from glitchmark.datasets._torchvision import train_and_test

    attributes = pickle.loads((folder / "attributes.pickle").read_bytes())[name]
    cls = type(name, (getattr(datasets, name),), attributes)
    if name == "MNIST":
        cls(str(folder), download=True)  # extracts the .gz files, as the first use does
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory counts from here
    before, start = memory("VmRSS"), time.perf_counter()
    pool = train_and_test(cls, str(folder), name, "")
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "samples": len(pool.y),
        "megabytes": pool.x.nbytes / 1e6,
        "ratio": (memory("VmHWM") - before) / pool.x.nbytes,
    }


def memory(key: str) -> int:
    """Bytes that this process holds (VmRSS), or has held at most (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(key))


if __name__ == "__main__":
    main()

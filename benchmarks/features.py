"""What frozen layers save: training from the feature store, through the real stages, on generated images.

    python benchmarks/features.py

Prints, with two threads, each figure beside its target:
- a head-only cell (6000 samples, 768 features, 10 classes, 4 epochs) and a ``last_block`` cell of ResNet-20 (6000
  samples, 7 epochs, 28 and 32 pixels), training and factors, without process start and imports, and the peak memory of
  its job beside the features that it reads;
- twenty head-only cells of one data set and model (5 seeds x 4 glitches) of the small ViT at 96 x 96 pixels, the pass
  of their backbone included, against one pass of the backbone over the samples that they use, and against the same
  cells trained through the frozen network: a forward pass for every epoch and for every checkpoint's factors. One such
  cell is timed, and taken twenty times.

Images and weights are random: no time depends on what they show.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
CLASSES = 10
THREADS = 2
BASE = {
    "threads": THREADS,
    "test": 0,
    "signals": ["random"],
    "detectors": [],
    "figures": [],
    "validation_ratios": [0.2],
}
UNIFORM = [{"name": "uniform", "ratio": 0.1}]
FOUR = ["none", *UNIFORM, {"name": "class_dependent", "ratio": 0.1}, {"name": "far_ca", "ratio": 0.1}]


def main() -> None:
    """Run everything, in a folder of its own."""
    cell("head-only cell, d = 768", 0.5, 32, {"name": "vit_b_16", "trained": "head", "epochs": 4})
    cell("last_block cell, ResNet-20, 28 x 28", 5.0, 28, {"name": "resnet20", "trained": "last_block", "epochs": 7})
    cell("last_block cell, ResNet-20, 32 x 32", 7.0, 32, {"name": "resnet20", "trained": "last_block", "epochs": 7})
    twenty_cells()


def cell(title: str, target: float, sides: int, model: dict) -> None:
    """One cell of 6000 samples, the best of three."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = {"seeds": [0], "subset": 6000, "glitches": UNIFORM, "models": [model | {"weights": "w.safetensors"}]}
        prepare(folder, sides, 6000, model["name"], sides)
        run(folder, BASE | config)
        (order,) = orders(folder, "train")
        times = [job(folder, order, "train") for _ in range(3)]
        read = sum(np.load(p, mmap_mode="r").nbytes for p in folder.glob("results/features/*/*/features.npy")) / 2**20
    seconds, peak = min(t["seconds"] for t in times), max(t["peak_mb"] for t in times)
    print(f"{title}: {seconds:.2f} s (target {target:g}); peak {peak:.0f} MB (target {1536 + 2 * read:.0f})")


def twenty_cells(subset: int = 600, size: int = 96) -> None:
    """Five seeds and four glitches on the small ViT."""
    model = {"name": "vit_cifar", "trained": "head", "epochs": 4, "input_size": size, "weights": "w.safetensors"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, 32, 3000, "vit_cifar", size)
        run(folder, BASE | {"seeds": [0, 1, 2, 3, 4], "subset": subset, "glitches": FOUR, "models": [model]})
        forget(folder, "features", "train")
        ours = [
            job(folder, order, stage)["seconds"] for stage in ("features", "train") for order in orders(folder, stage)
        ]
        samples = sum(len(np.load(path)) for path in folder.glob("results/features/*/*/ids.npy"))
        (order, *_) = orders(folder, "train")
        done = subprocess.run(
            [sys.executable, __file__, "--through-network", str(order), str(samples)],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        check(done)
        told = json.loads(done.stdout)
    limit = 1.3 * told["pass_s"] + 20 * 0.5
    print(
        f"20 head-only cells, small ViT at {size} x {size}: {sum(ours):.1f} s; one pass over their {samples} samples "
        f"{told['pass_s']:.1f} s (target 1.3 passes + 20 x 0.5 s = {limit:.1f} s)"
    )
    through = 20 * told["cell_s"]
    print(
        f"through the network: 20 x {told['cell_s']:.1f} s = {through:.0f} s, {through / sum(ours):.0f} times as long"
    )


def prepare(folder: Path, sides: int, n: int, model: str, size: int) -> None:
    """Random images, and random weights of a model for images of ``size`` pixels."""
    from safetensors.torch import save_file

    from glitchmark.training.network import build

    rng = np.random.default_rng(0)
    (folder / "data").mkdir()
    x = rng.integers(0, 256, (n, sides, sides, 3), dtype=np.uint8)
    np.savez(folder / "data" / "images.npz", x=x, y=np.arange(n) % CLASSES)
    parts = build({"name": model, "params": {}}, (3, size, size), CLASSES, 0, (), None)
    (folder / "weights").mkdir()
    state = {key: tensor.contiguous() for key, tensor in parts.network.state_dict().items()}
    save_file(state, folder / "weights" / "w.safetensors")


def run(folder: Path, config: dict) -> None:
    """The workflow up to its trainings."""
    images = {"name": "images", "loader": "npz", "file": "images.npz", "anomaly_source": "shapes"}
    config = config | {"run": "bench", "training": [], "datasets": [images]}
    (folder / "bench.yaml").write_text(json.dumps(config))
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--directory", str(folder), "--configfile", str(folder / "bench.yaml")]
    check(subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False))


def orders(folder: Path, stage: str) -> list[Path]:
    """Those of the measured model."""
    return sorted((folder / "results" / "bench" / "plan" / stage).glob("images-*.json"))


def forget(folder: Path, *stages: str) -> None:
    """Remove what these stages left, features included, so that they compute it again."""
    import shutil

    from glitchmark.store import Store

    store = Store(folder / "results" / "store")
    for key in store.keys():  # noqa: SIM118 - a store is no mapping
        if store.open(key).record["stage"] in stages:
            store.remove(key)
    if "features" in stages:
        shutil.rmtree(folder / "results" / "features")


def job(folder: Path, order: Path, stage: str) -> dict[str, float]:
    """Carry out an order in a process of its own, which starts the clock after its imports."""
    if stage == "train":
        forget_order(folder, order)
    done = subprocess.run(
        [sys.executable, __file__, "--job", str(order), stage], cwd=folder, capture_output=True, text=True, check=False
    )
    check(done)
    return json.loads(done.stdout)


def forget_order(folder: Path, order: Path) -> None:
    """Remove the results of one order."""
    from glitchmark.store import Store

    for node in json.loads(order.read_text())["nodes"]:
        Store(folder / "results" / "store").remove(node["key"])


def timed_job(order: str, stage: str) -> None:
    """What :func:`job` runs."""
    import importlib

    import torch

    from glitchmark import job

    importlib.import_module(f"glitchmark.stages.{stage}")
    torch.set_num_threads(THREADS)
    start = time.perf_counter()
    done = job.main(order, "manifests-of-the-benchmark/m-0.json")
    seconds = time.perf_counter() - start
    # the high-water mark of this process; ru_maxrss would begin with that of the one that started it
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak}))
    sys.exit(done)


def through_network(order: str, samples: int) -> None:
    """One pass of the frozen part over so many samples, and the first cell of an order trained through it."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    from glitchmark.stages._samples import training_inputs
    from glitchmark.store import Store
    from glitchmark.training.inputs import BATCH, image_tensor
    from glitchmark.training.network import build

    torch.set_num_threads(THREADS)
    order = json.loads(Path(order).read_text())
    store, node = Store(order["store"]), order["nodes"][0]
    spec, inputs = node["spec"], {name: store.get(key) for name, key in node["inputs"].items()}
    size, settings = spec["input_size"], spec["settings"]
    parts = build(spec["model"], (3, size, size), CLASSES, 0, (), node["paths"]["weights"])
    frozen, head = parts.split("head")[0].eval(), nn.Linear(parts.head.in_features, CLASSES)
    x, val = training_inputs(inputs), inputs["pool"].arrays["x"][inputs["subset"].arrays["val"]]
    y = torch.from_numpy(np.array(inputs["inject"].arrays["observed_label"]))

    @torch.no_grad()
    def features(images: np.ndarray) -> torch.Tensor:
        return torch.cat([frozen(image_tensor(images[i : i + BATCH], size)) for i in range(0, len(images), BATCH)])

    some = np.concatenate([x, val])
    start = time.perf_counter()
    features(some)
    one_pass = (time.perf_counter() - start) * samples / len(some)
    start = time.perf_counter()
    optimiser = torch.optim.SGD(head.parameters(), lr=settings["learning_rate"])
    for _ in range(settings["epochs"]):
        for rows in torch.randperm(len(x)).split(settings["batch_size"]):
            loss = F.cross_entropy(head(features(x[rows.numpy()])), y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        head(features(some))
    print(json.dumps({"pass_s": one_pass, "cell_s": time.perf_counter() - start}))


def check(done: subprocess.CompletedProcess) -> None:
    """End with what a command printed if it failed."""
    if done.returncode:
        sys.exit(f"{' '.join(map(str, done.args))} failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        timed_job(*sys.argv[2:])
    elif sys.argv[1:2] == ["--through-network"]:
        through_network(sys.argv[2], int(sys.argv[3]))
    else:
        main()

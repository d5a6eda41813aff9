"""One cell on real images, through the real stages: training, factors, influence and the KDD 2025 signals.

    python benchmarks/cell.py --data-dir DIR --weights-dir DIR

Runs config/local-files.yaml cut down to MNIST, ResNet-20, uniform noise, 6000 samples and one seed, in a folder of its
own, and prints wall times with process start: of the cell's own jobs (features, training, influence and nine signals,
one after another, on two threads), and of the whole workflow (loading, tables and figures as well). The other side is
the same cell trained through the network as the published code does it: every epoch passes all images through the
frozen layers again, for training and for the factors of its checkpoint. The ratio of the two is printed.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
STAGES = ("features", "train", "influence", "score")
TARGET = 15.0  # seconds for the cell's own jobs, on 2 cores


def main() -> None:
    """Print the figures as JSON, and the target beside them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--weights-dir", type=Path, default=Path("weights"))
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    for path in (arguments.data_dir / "mnist.npz", arguments.weights_dir / "resnet20_cifar10.safetensors"):
        if not path.is_file():
            sys.exit(f"{path} does not exist; pass --data-dir and --weights-dir")
    runs = [measure(arguments.data_dir.resolve(), arguments.weights_dir.resolve()) for _ in range(arguments.repeats)]
    best = {name: min(run[name] for run in runs) for name in runs[0]}
    worst = {name: max(run[name] for run in runs) for name in runs[0]}
    print(json.dumps({"best": best, "worst": worst}, indent=1))
    print(f"cell: {best['cell_s']:.1f} to {worst['cell_s']:.1f} s (target {TARGET:g} s)")
    ratio = best["through_network_s"] / best["cell_s"]
    print(f"trained through the network, without signals: {best['through_network_s']:.1f} s, {ratio:.1f} times as long")


def measure(data_dir: Path, weights_dir: Path) -> dict[str, float]:
    """One run of everything in a fresh folder; seconds, and megabytes for the largest job."""
    with tempfile.TemporaryDirectory() as folder:
        overlay = {
            "run": "cell",
            "data_dir": str(data_dir),
            "weights_dir": str(weights_dir),
            "seeds": [0],
            "threads": 2,
            "datasets": [{"name": "mnist", "loader": "npz", "file": "mnist.npz", "split": "test"}],
            "models": yaml.safe_load((ROOT / "config/local-files.yaml").read_text())["models"][:1],  # ResNet-20
            "training": [],
            "glitches": [{"name": "uniform", "ratio": 0.1}],
            "signals": ["si", "mi", "neg_mi", "aai", "gd_class", "cnci", "pcid", "cfrank", "loss"],
            "detectors": [],
        }
        config = Path(folder) / "cell.yaml"
        config.write_text(json.dumps(overlay))
        command = [sys.executable, "-m", "snakemake", "--cores", "2", "--snakefile", str(ROOT / "Snakefile")]
        command += ["--directory", folder, "--configfile", str(ROOT / "config/local-files.yaml"), str(config)]
        workflow = timed(command, folder)
        orders = {stage: sorted(Path(folder).glob(f"results/cell/plan/{stage}/*.json")) for stage in STAGES}
        forget(Path(folder) / "results" / "store")
        shutil.rmtree(Path(folder) / "results" / "features")
        seconds = dict.fromkeys(STAGES, 0.0)
        for stage in STAGES:
            for order in orders[stage]:
                job = [sys.executable, "-m", "glitchmark.job", str(order), str(Path(folder) / "manifest.json")]
                seconds[stage] += timed(job, folder)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        network = [sys.executable, __file__, "--through-network", str(orders["train"][0])]
        return {
            **{f"{stage}_s": value for stage, value in seconds.items()},
            "cell_s": sum(seconds.values()),
            "workflow_s": workflow,
            "peak_mb": peak,
            "through_network_s": timed(network, folder),
        }


def timed(command: list[str], folder: str) -> float:
    """Wall seconds of a command, process start included."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - start


def forget(store: Path) -> None:
    """Remove what the cell's own jobs computed, so that they compute it again."""
    from glitchmark.store import Store

    for key in Store(store).keys():  # noqa: SIM118 - a store is no mapping
        if Store(store).open(key).record["stage"] in STAGES:
            Store(store).remove(key)


def through_network(order: str) -> None:
    """The cell of a training order, with the frozen layers run again in every epoch."""
    import numpy as np
    import torch
    from torch.nn import functional as F

    from glitchmark.stages._samples import training_inputs
    from glitchmark.store import Store
    from glitchmark.training.inputs import forward, image_tensor
    from glitchmark.training.network import build

    order = json.loads(Path(order).read_text())
    store, node = Store(order["store"]), order["nodes"][0]
    torch.set_num_threads(order["threads"])
    inputs = {name: store.get(key) for name, key in node["inputs"].items()}
    pool, settings = inputs["pool"].arrays, node["spec"]["settings"]
    x = image_tensor(training_inputs(inputs))
    x_val = image_tensor(pool["x"][inputs["subset"].arrays["val"]])
    y = torch.from_numpy(np.array(inputs["inject"].arrays["observed_label"]))
    parts = build(node["spec"]["model"], (3, 28, 28), 10, 0, (), node["paths"]["weights"])
    frozen, block = parts.split("last_block")
    optimiser = torch.optim.SGD([*block.parameters(), *parts.head.parameters()], lr=settings["learning_rate"])
    for _ in range(settings["epochs"]):
        for rows in torch.randperm(len(x)).split(settings["batch_size"]):
            block.train()
            with torch.no_grad():
                features = frozen.eval()(x[rows])
            loss = F.cross_entropy(parts.head(block(features)), y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        for part in (x, x_val):
            forward(parts.head, forward(block, forward(frozen, part)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--through-network"]:
        through_network(sys.argv[2])
    else:
        main()

"""The job that trains one backbone from scratch, for weights that ship with the package.

``python -m glitchmark.pretraining ORDER``. A supervised classifier with the usual augmentation. A job that was
interrupted goes on after the last whole epoch: each epoch draws from seeds of its own, so that this changes nothing.
"""

import io
import json
import math
import subprocess
import sys
import time
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from glitchmark import registry, seeds
from glitchmark.datasets import Pool
from glitchmark.errors import CellError, Unavailable, UserError
from glitchmark.manifests import replace_manifests
from glitchmark.models import Parts
from glitchmark.outputs import replacing
from glitchmark.stratified import stratified_order
from glitchmark.training.devices import pick
from glitchmark.training.inputs import BATCH, channels_last, forward, image_tensor

PADDING = 4  # pixels by which an image is moved at most
LINE = 120  # characters of a line of the card


def main(order_path: str) -> int:
    """Pretrain one backbone as an order says; returns the exit status."""
    order = json.loads(Path(order_path).read_text())
    torch.set_num_threads(order["threads"])
    try:
        for kind, path in order["plugins"]:
            registry.load(kind, "", path)
        facts = pretrain(order)
    except (CellError, UserError) as error:
        print(f"glitchmark: pretraining {order['recipe']['name']}: {error}", file=sys.stderr)
        return 2
    replace_manifests(order["manifest"], order_path, {})
    print(f"{order['recipe']['name']}: accuracy {facts['accuracy']:.4f} on {facts['held_out']} held-out images")
    return 0


def pretrain(order: dict[str, Any]) -> dict[str, Any]:
    """Train a recipe's model on a pool's rows and write its weights and their card; returns the facts of the card.

    order: see :func:`glitchmark.recipes.orders`. Raises CellError where the loss is not finite or images are too small,
    UserError for rows of a test split, Unavailable where the data cannot be had or were changed.
    """
    recipe, commit = order["recipe"], _commit()
    pool = _samples(order)
    training, held_out = split(pool.y, order["held_out"], order["seed"])
    data = digest(pool.x, pool.y)
    torch.manual_seed(seeds.integer(order["seed"], "pretraining weights", recipe["name"]))
    parts = registry.load("model", recipe["name"]).function((3, *pool.x.shape[1:3]), len(pool.class_names))
    device = pick(order["device"])
    network = nn.Sequential(parts.stem, parts.block, parts.head).to(device, memory_format=torch.channels_last)
    key = blake2b(f"{order['digest']} {data}".encode(), digest_size=32).digest()
    seconds = _fit(network, image_tensor(pool.x[training]), torch.from_numpy(pool.y[training]), order, key)
    facts = {
        "accuracy": half_precision_accuracy(network, image_tensor(pool.x[held_out]), pool.y[held_out]),
        "parameters": sum(p.numel() for p in network.parameters()),
        "shape": pool.x.shape[1:3],
        "training": len(training),
        "held_out": len(held_out),
        "digest": data,
        "commit": commit,
        "libraries": {name: version(name) for name in ("torch", "timm")},
        "minutes": seconds / 60,
        "device": "a GPU" if device.type == "cuda" else f"{order['threads']} thread(s) of a CPU",
    }
    _save_weights(Path(order["weights"]), parts)
    with replacing(Path(order["card"])) as file:
        file.write_text(card(order, facts))
    Path(order["resume"]).unlink(missing_ok=True)
    return facts


def split(y: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on, and the share of all rows that is held out, stratified: int64 each.

    y: int64 (n,).
    """
    held_out = stratified_order(y, seeds.generator(seed, "pretraining split"))[: round(share * len(y))]
    return np.setdiff1d(np.arange(len(y)), held_out), held_out


def digest(x: np.ndarray, y: np.ndarray) -> str:
    """BLAKE2b of the images and labels, 32 hexadecimal digits: the same from whichever source they come."""
    state = blake2b(np.ascontiguousarray(x).tobytes(), digest_size=16)
    state.update(np.ascontiguousarray(y, np.int64).tobytes())
    return state.hexdigest()


def learning_rate(epoch: float, recipe: dict[str, Any]) -> float:
    """The learning rate after so many epochs: a linear rise, then half a cosine down to zero."""
    rise = min(recipe["warmup"], recipe["epochs"] / 2)
    if epoch < rise:
        return recipe["learning_rate"] * epoch / rise
    return recipe["learning_rate"] * (1 + math.cos(math.pi * (epoch - rise) / (recipe["epochs"] - rise))) / 2


def moved(x: torch.Tensor) -> torch.Tensor:
    """Images (k, 3, H, W), each moved by up to PADDING pixels and mirrored, or not, on its own.

    What comes in at the border is reflected. Draws from torch's generator.
    """
    k, _, height, width = x.shape
    padded = F.pad(x, (PADDING,) * 4, mode="reflect").permute(0, 2, 3, 1)
    rows = torch.randint(2 * PADDING + 1, (k, 1)) + torch.arange(height)
    columns = torch.randint(2 * PADDING + 1, (k, 1)) + torch.arange(width)
    columns = torch.where(torch.rand(k, 1) < 0.5, columns, columns.flip(1))
    taken = padded[torch.arange(k)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return channels_last(taken.permute(0, 3, 1, 2))


def mixed(x: torch.Tensor, y: torch.Tensor, n_classes: int, share: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The given share of all batches mixed by MixUp or CutMix, half each; targets are then probabilities (k, C)."""
    from torchvision.transforms import v2

    if torch.rand(()) >= share:
        return x, y
    mix = v2.MixUp(alpha=0.8, num_classes=n_classes) if torch.rand(()) < 0.5 else v2.CutMix(num_classes=n_classes)
    x, y = mix(x, y)
    return channels_last(x), y


def half_precision_accuracy(network: nn.Module, x: torch.Tensor, y: np.ndarray) -> float:
    """Accuracy after the network's weights were rounded, in place, to half precision: that of the weights as stored."""
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(tensor.half())
    device = next(network.parameters()).device
    predicted = [forward(network, batch.to(device)).argmax(1).numpy(force=True) for batch in x.split(BATCH)]
    return float((np.concatenate(predicted) == y).mean())


def card(order: dict[str, Any], facts: dict[str, Any]) -> str:
    """The model card, Markdown.

    order: its "recipe", "seed", "source" and "licence" are read. facts: accuracy, parameters, shape (H, W), training
    and held_out (numbers of images), digest (of the data), commit, libraries (name -> version), minutes, device.
    """
    recipe, libraries = order["recipe"], [f"{name} {number}" for name, number in facts["libraries"].items()]
    items = (
        f"Accuracy: {facts['accuracy']:.4f} on the {facts['held_out']} held-out images, with these weights.",
        f"Data: {order['source']}; {facts['training']} images to train on, {facts['held_out']} held out, stratified. "
        f"BLAKE2b of images and labels: {facts['digest']}.",
        f"Made by: `glitchmark.pretraining` at commit {facts['commit']}, with {' and '.join(libraries)}, in "
        f"{max(1, round(facts['minutes']))} min on {facts['device']}.",
        f"Licence: {order['licence']}",
    )
    settings = {
        "epochs": recipe["epochs"],
        "optimiser": {"sgd": "SGD, Nesterov momentum 0.9", "adamw": "AdamW"}[recipe["optimizer"]],
        "learning rate": f"{recipe['learning_rate']}, {recipe['warmup']} epochs of linear rise, then half a cosine",
        "weight decay": f"{recipe['weight_decay']}, none on biases and normalisation",
        "batch size": recipe["batch_size"],
        "label smoothing": recipe["label_smoothing"],
        "moved and mirrored": f"every image, by up to {PADDING} pixels",
        "MixUp or CutMix": f"share of batches {recipe['mix']}",
        "seed": order["seed"],
    }
    about = (
        f"Weights of the model `{recipe['name']}`: {facts['parameters']} parameters in half precision, for images of "
        f"{' x '.join(map(str, facts['shape']))} pixels scaled to [-1, 1]."
    )
    lines = [f"# {recipe['name']}", "", fill(about, LINE), ""]
    lines += [fill(f"- {item}", LINE, subsequent_indent="  ", break_on_hyphens=False) for item in items]
    lines += ["", "| recipe | |", "|---|---|", *(f"| {name} | {value} |" for name, value in settings.items())]
    return "\n".join(lines) + "\n"


def _samples(order: dict[str, Any]) -> Pool:
    """The pool's rows that are used, after checking them."""
    loader, (begin, end) = order["loader"], order["rows"]
    pool = registry.load("dataset", loader["name"]).function(**loader["params"], **loader["paths"])
    if len(pool.y) != order["n_samples"]:
        raise Unavailable("the data set was changed since this run was planned; run again.")
    if pool.is_test is not None and pool.is_test[begin:end].any():
        raise UserError(
            f"config: pretraining.rows: [{begin}, {end}] holds samples of the data set's own test split; leave those "
            "out."
        )
    if min(pool.x.shape[1:3]) <= PADDING:
        raise CellError(
            f"images of {pool.x.shape[1]} x {pool.x.shape[2]} pixels cannot be moved by {PADDING}; use larger ones"
        )
    return Pool(pool.x[begin:end], pool.y[begin:end], pool.class_names)


def _fit(network: nn.Module, x: torch.Tensor, y: torch.Tensor, order: dict[str, Any], key: bytes) -> float:
    """Train in place, from the last whole epoch where one is stored; returns the seconds that all epochs took."""
    from timm.optim import param_groups_weight_decay

    recipe, device = order["recipe"], next(network.parameters()).device
    groups = param_groups_weight_decay(network, recipe["weight_decay"])  # none on biases and normalisation
    if recipe["optimizer"] == "sgd":
        optimizer = torch.optim.SGD(groups, lr=0.0, momentum=0.9, nesterov=True)
    else:
        optimizer = torch.optim.AdamW(groups, lr=0.0)
    steps = len(x) // recipe["batch_size"]
    done, seconds = _resumed(network, optimizer, Path(order["resume"]), key)
    for epoch in range(done, recipe["epochs"]):
        start = time.perf_counter()
        torch.manual_seed(seeds.integer(order["seed"], "pretraining", recipe["name"], f"epoch {epoch}"))
        network.train()
        total = 0.0
        for step, rows in enumerate(torch.randperm(len(x))[: steps * recipe["batch_size"]].split(recipe["batch_size"])):
            images, targets = mixed(moved(x[rows]), y[rows], network[-1].out_features, recipe["mix"])
            outputs = network(images.to(device))
            loss = F.cross_entropy(outputs, targets.to(device), label_smoothing=recipe["label_smoothing"])
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(epoch + step / steps, recipe)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        if not math.isfinite(total):
            raise CellError(f"training diverged in epoch {epoch + 1}; use a smaller learning_rate")
        seconds += time.perf_counter() - start
        state = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
        _save_resume(Path(order["resume"]), state | {"done": epoch + 1, "seconds": seconds}, key)
        print(f"{recipe['name']}: epoch {epoch + 1} of {recipe['epochs']}, loss {total / steps:.3f}", flush=True)
    return seconds


def _save_resume(path: Path, state: dict[str, Any], key: bytes) -> None:
    """Write a training's state, after a digest that depends on the key: of what the result depends on."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    with replacing(path) as file:
        file.write_bytes(blake2b(content, key=key).digest() + content)


def _resumed(network: nn.Module, optimizer: torch.optim.Optimizer, path: Path, key: bytes) -> tuple[int, float]:
    """The number of epochs that are done and the seconds they took, with network and optimiser as they were then."""
    if not path.is_file():
        return 0, 0.0
    stored = path.read_bytes()
    found, content = stored[:64], stored[64:]
    if blake2b(content, key=key).digest() != found:
        print(f"{path} is damaged or of another recipe, code or data: training starts anew.", flush=True)
        return 0, 0.0
    state = torch.load(io.BytesIO(content), weights_only=True)
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    return state["done"], state["seconds"]


def _save_weights(path: Path, parts: Parts) -> None:
    """Write the network and its head under the names that weights files use, in half precision."""
    state = parts.network.state_dict()
    state |= {f"{parts.head_prefix}{name}": tensor for name, tensor in parts.head.state_dict().items()}
    state = {name: tensor.cpu() for name, tensor in state.items()}
    half = {name: t.half().contiguous() if t.is_floating_point() else t for name, t in state.items()}
    with replacing(path) as file:
        save_file(half, file)
        file.chmod(0o644)  # the library's 0600 would shut out others


def _commit() -> str:
    """Of the checkout that this module lies in; without one, the package's version."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):  # no git, or no checkout
        return f"unknown, version {version('glitchmark')}"
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

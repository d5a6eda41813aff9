"""Training backbones from scratch, whose weights then ship with the package. ``python -m glitchmark.pretraining ORDER``

A supervised classifier with the usual augmentation. It is resumed after the last whole epoch if it was interrupted:
each epoch draws from seeds of its own, so that an interruption changes nothing.
"""

import json
import math
import os
import subprocess
import sys
import time
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from glitchmark import registry, seeds
from glitchmark.errors import CellError, UserError
from glitchmark.outputs import replacing
from glitchmark.stratified import stratified_order
from glitchmark.training.inputs import channels_last, forward, image_tensor

PADDING = 4  # pixels by which an image is moved at most


def main(order_path: str) -> int:
    """Pretrain one backbone as an order says; returns the exit status."""
    order = json.loads(Path(order_path).read_text())
    torch.set_num_threads(order["threads"])
    try:
        pretrain(order)
    except (CellError, UserError) as error:
        print(f"glitchmark: pretraining {order['recipe']['name']}: {error}", file=sys.stderr)
        return 2
    return 0


def pretrain(order: dict[str, Any]) -> None:
    """Train a recipe's model on a pool's rows and write its weights and their model card.

    order: "loader" (name, params and paths of a data set), "rows" (begin and end, or None for all), "held_out" (share
    of them for validation), "seed", "recipe", "threads", what the card says of "source" and "licence", and the paths "weights"
    and "card" that are written.
    Raises CellError where the loss is not finite.
    """
    recipe = order["recipe"]
    x, y, class_names = _samples(order)
    held_out = stratified_order(y, seeds.generator(order["seed"], "pretraining split"))[
        : round(order["held_out"] * len(y))
    ]
    training = np.setdiff1d(np.arange(len(y)), held_out)
    torch.manual_seed(seeds.integer(order["seed"], "pretraining weights", recipe["name"]))
    parts = registry.load("model", recipe["name"]).function((3, *x.shape[1:3]), len(class_names))
    network = nn.Sequential(parts.stem, parts.block, parts.head).to(memory_format=torch.channels_last)
    identity = blake2b(json.dumps([order["seed"], recipe, order["held_out"], digest(x, y)]).encode()).hexdigest()
    seconds = _fit(network, image_tensor(x[training]), torch.from_numpy(y[training]), order, identity)
    for module in (parts.network, parts.head):
        _round_to_half(module)
    predicted = forward(network, image_tensor(x[held_out])).argmax(1).numpy()
    accuracy = float((predicted == y[held_out]).mean())
    state = parts.network.state_dict() | {
        f"{parts.head_prefix}{name}": tensor for name, tensor in parts.head.state_dict().items()
    }
    half = {name: t.half().contiguous() if t.is_floating_point() else t for name, t in state.items()}
    with replacing(Path(order["weights"])) as file:
        save_file(half, file)
        file.chmod(0o644)  # the library's 0600 would shut out others
    facts = {
        "accuracy": accuracy,
        "parameters": sum(p.numel() for p in network.parameters()),
        "training": len(training),
        "held_out": len(held_out),
        "digest": digest(x, y),
        "seconds": seconds,
    }
    with replacing(Path(order["card"])) as file:
        Path(file).write_text(_card(order, facts))
    _resume_file(order).unlink(missing_ok=True)
    print(f"{recipe['name']}: accuracy {accuracy:.4f} on {len(held_out)} held-out images")


def digest(x: np.ndarray, y: np.ndarray) -> str:
    """BLAKE2b of the images and labels, 32 hexadecimal digits: the same from whichever source they come."""
    state = blake2b(np.ascontiguousarray(x).tobytes(), digest_size=16)
    state.update(np.ascontiguousarray(y, np.int64).tobytes())
    return state.hexdigest()


def _samples(order: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    loader = order["loader"]
    pool = registry.load("dataset", loader["name"]).function(**loader["params"], **loader["paths"])
    begin, end = order["rows"] or (0, len(pool.y))
    if end > len(pool.y):
        raise UserError(f"pretraining.rows: {order['rows']} ends after the data set's {len(pool.y)} samples.")
    return pool.x[begin:end], pool.y[begin:end], pool.class_names


def _fit(network: nn.Module, x: torch.Tensor, y: torch.Tensor, order: dict[str, Any], identity: str) -> float:
    """Train in place, from the last whole epoch where one is stored; returns the seconds that all epochs took."""
    from timm.optim import param_groups_weight_decay

    recipe = order["recipe"]
    groups = param_groups_weight_decay(network, recipe["weight_decay"])  # none on biases and normalisation
    if recipe["optimizer"] == "sgd":
        optimizer = torch.optim.SGD(groups, lr=0.0, momentum=0.9, nesterov=True)
    else:
        optimizer = torch.optim.AdamW(groups, lr=0.0)
    steps = len(x) // recipe["batch_size"]
    done, seconds = _resumed(network, optimizer, order, identity)
    for epoch in range(done, recipe["epochs"]):
        start = time.perf_counter()
        torch.manual_seed(seeds.integer(order["seed"], "pretraining", recipe["name"], f"epoch {epoch}"))
        network.train()
        total = 0.0
        for step, rows in enumerate(torch.randperm(len(x))[: steps * recipe["batch_size"]].split(recipe["batch_size"])):
            images, targets = _mixed(_moved(x[rows]), y[rows], network[-1].out_features, recipe["mix"])
            loss = F.cross_entropy(network(images), targets, label_smoothing=recipe["label_smoothing"])
            for group in optimizer.param_groups:
                group["lr"] = _rate(epoch + step / steps, recipe)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        if not math.isfinite(total):
            raise CellError(f"training diverged in epoch {epoch + 1}; use a smaller learning_rate")
        seconds += time.perf_counter() - start
        print(f"{recipe['name']}: epoch {epoch + 1} of {recipe['epochs']}, loss {total / steps:.3f}", flush=True)
        state = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
        with replacing(_resume_file(order)) as file:
            torch.save(state | {"done": epoch + 1, "seconds": seconds, "identity": identity}, file)
    return seconds


def _resume_file(order: dict[str, Any]) -> Path:
    return Path(order["weights"]).with_suffix(".resume")


def _resumed(network: nn.Module, optimizer: Any, order: dict[str, Any], identity: str) -> tuple[int, float]:
    """The number of epochs that are done and the seconds they took, with network and optimiser as they were then."""
    file = _resume_file(order)
    if not file.is_file():
        return 0, 0.0
    state = torch.load(file, weights_only=True)
    if state["identity"] != identity:  # of another recipe
        return 0, 0.0
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    return state["done"], state["seconds"]


def _rate(epoch: float, recipe: dict[str, Any]) -> float:
    """The learning rate after so many epochs: a linear rise, then half a cosine down to zero."""
    rise = min(recipe["warmup"], recipe["epochs"] / 2)
    if epoch < rise:
        return recipe["learning_rate"] * epoch / rise
    return recipe["learning_rate"] * (1 + math.cos(math.pi * (epoch - rise) / (recipe["epochs"] - rise))) / 2


def _moved(x: torch.Tensor) -> torch.Tensor:
    """Images (k, 3, S, S), each moved by up to PADDING pixels and mirrored, or not, on its own."""
    k, _, height, width = x.shape
    padded = F.pad(x, (PADDING,) * 4, mode="reflect").permute(0, 2, 3, 1)
    rows = torch.randint(2 * PADDING + 1, (k, 1)) + torch.arange(height)
    columns = torch.randint(2 * PADDING + 1, (k, 1)) + torch.arange(width)
    columns = torch.where(torch.rand(k, 1) < 0.5, columns, columns.flip(1))
    moved = padded[torch.arange(k)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return channels_last(moved.permute(0, 3, 1, 2))


def _mixed(x: torch.Tensor, y: torch.Tensor, n_classes: int, share: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The given share of all batches mixed by MixUp or CutMix, half each; targets are then probabilities."""
    from torchvision.transforms import v2

    if torch.rand(()) >= share:
        return x, y
    mix = v2.MixUp(alpha=0.8, num_classes=n_classes) if torch.rand(()) < 0.5 else v2.CutMix(num_classes=n_classes)
    x, y = mix(x, y)
    return channels_last(x), y


def _round_to_half(module: nn.Module) -> None:
    """What the stored weights are worth is measured with the stored weights."""
    for tensor in module.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(tensor.half())


def _card(order: dict[str, Any], facts: dict[str, Any]) -> str:
    recipe = order["recipe"]
    settings = ", ".join(f"{key} {value}" for key, value in recipe.items() if key != "name")
    return f"""# {recipe["name"]}

Weights of the model `{recipe["name"]}` ({facts["parameters"]} parameters, half precision, inputs scaled to [-1, 1]).

- Accuracy: {facts["accuracy"]:.4f} on {facts["held_out"]} held-out images, with these weights.
- Data: {order["source"]}: {facts["training"]} to train on, the rest held out,
  stratified. BLAKE2b of images and labels: {facts["digest"]}.
- Recipe: random moves by up to {PADDING} pixels and mirroring, half a cosine of the learning rate after its rise, seed
  {order["seed"]}; {settings}.
- Made by: `snakemake pretrain --configfile config/pretrain.yaml` at commit {_commit()}, torch {version("torch")}, timm
  {version("timm")}, {order["threads"]} thread(s) of a CPU, {facts["seconds"] / 60:.0f} minutes.
- Licence: {order["licence"]}
"""


def _commit() -> str:
    """Of the checkout that this module lies in; without one, the package's version."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    return done.stdout.strip() if done.returncode == 0 else f"unknown, version {version('glitchmark')}"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

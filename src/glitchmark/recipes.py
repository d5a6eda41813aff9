"""The config's key ``pretraining`` -> orders, one for each backbone that is trained from scratch.

As for any other job, the name of an order's manifest holds the digest of all that its weights depend on.
"""

import inspect
import json
from pathlib import Path
from typing import Any

from glitchmark import registry
from glitchmark.errors import UserError
from glitchmark.grid import Dataset
from glitchmark.keys import canonical, fingerprint
from glitchmark.nodes import code
from glitchmark.resolve import resolve_dataset
from glitchmark.store import write_text

WHERE = "config: pretraining"


def orders(config: dict[str, Any]) -> list[dict[str, Any]]:
    """An order for :func:`glitchmark.pretraining.pretrain` for each recipe of a validated config.

    Raises UserError for the first entry that cannot work. Writes nothing.
    """
    section = config["pretraining"]
    if not section or not section["recipes"]:
        return []
    entry = section["dataset"]
    entry = {"name": entry} if isinstance(entry, str) else entry
    dataset = resolve_dataset(entry, f"{WHERE}.dataset", config)
    begin, end = _rows(section["rows"], dataset)
    held_out = round(section["held_out"] * (end - begin))
    if not held_out:
        raise UserError(
            f"{WHERE}.held_out: {section['held_out']} of {end - begin} samples is none; use a larger share."
        )
    _check_unique([recipe["name"] for recipe in section["recipes"]])
    training = end - begin - held_out
    return [
        _order(recipe, f"{WHERE}.recipes[{i}]", training, [begin, end], dataset, config)
        for i, recipe in enumerate(section["recipes"])
    ]


def write(order: dict[str, Any]) -> None:
    """Write an order to the file that its job reads."""
    write_text(Path(order["order"]), json.dumps(order, indent=1, sort_keys=True) + "\n")


def _rows(rows: list[int] | None, dataset: Dataset) -> tuple[int, int]:
    """First and last (exclusive) of the rows that are used."""
    known = dataset.description
    if known.modality != "image":
        raise UserError(f"{WHERE}.dataset: '{dataset.id}' holds no images; backbones are trained on images alone.")
    if not known.n_samples:
        raise UserError(
            f"{WHERE}.dataset: '{dataset.id}' does not say how many samples it has before it is loaded; use a data set "
            "that does, such as an image folder or a .npz file (loader: npz)."
        )
    begin, end = rows or (0, known.n_samples)
    if not begin < end <= known.n_samples:
        raise UserError(
            f"{WHERE}.rows: [{begin}, {end}] must be a first row and a later end, at most the {known.n_samples} "
            f"samples of '{dataset.id}'."
        )
    return begin, end


def _check_unique(names: list[str]) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise UserError(f"{WHERE}.recipes[{index}].name: '{name}' stands there twice; each model has one recipe.")


def _order(
    recipe: dict[str, Any], where: str, training: int, rows: list[int], dataset: Dataset, config: dict[str, Any]
) -> dict[str, Any]:
    """training: the number of samples that are trained on."""
    name = recipe["name"]
    model = registry.load("model", name, where=f"{where}.name")
    if model.info["modality"] != "image":
        raise UserError(f"{where}.name: '{name}' reads a {model.info['modality']}; name a model that reads images.")
    if "all" not in model.info["trained"]:
        raise UserError(f"{where}.name: '{name}' cannot be trained as a whole; name a model with 'trained: all'.")
    required = [key for key, default in model.parameters.items() if default is inspect.Parameter.empty]
    if required:
        raise UserError(f"{where}.name: '{name}' needs the key '{required[0]}', which a recipe cannot set.")
    if recipe["batch_size"] > training:
        raise UserError(
            f"{where}.batch_size: {recipe['batch_size']} is more than the {training} samples that are trained on; use "
            "a smaller one or more 'rows'."
        )
    section = config["pretraining"]
    settings = {name: section[name] for name in ("held_out", "seed", "source", "licence")}
    settings |= {"rows": rows, "recipe": recipe, "threads": config["threads"], "device": config["device"]}
    source = [dataset.plugin.name, dataset.params, dataset.description.digest]
    digest = fingerprint(
        canonical([settings, source, code("glitchmark.pretraining", model.origin, dataset.plugin.origin)])
    )
    folder, weights = Path(config["results_dir"]) / config["run"], Path(config["weights_dir"]).expanduser()
    return settings | {
        "digest": digest,
        "loader": {"name": dataset.plugin.name, "params": dataset.params, "paths": dataset.paths},
        "n_samples": dataset.description.n_samples,
        "plugins": [(p.kind, str(p.origin)) for p in (dataset.plugin, model) if isinstance(p.origin, Path)],
        "order": f"{folder}/plan/pretraining/{name}-{digest}.json",
        "manifest": f"{folder}/manifests/pretraining/{name}-{digest}.json",
        "resume": f"{folder}/pretraining/{name}.resume",
        "weights": str(weights / f"{name}.safetensors"),
        "card": str(weights / f"{name}.md"),
    }

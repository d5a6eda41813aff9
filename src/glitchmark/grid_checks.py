"""Checks of a resolved grid that need no job: splits, names, settings, and what cannot go together."""

from typing import Any

from glitchmark import registry
from glitchmark.datasets import Description
from glitchmark.errors import CellError, UserError
from glitchmark.grid import Dataset, Grid
from glitchmark.training.checks import check_settings


def check(grid: Grid) -> None:
    """Raise UserError for the first thing of a grid that cannot work."""
    for index, dataset in enumerate(grid.datasets):
        _check_split(dataset, f"config: datasets[{index}] ({dataset.id})")
    _check_unique(grid)
    _check_plugin_names(grid)
    _check_training(grid)
    _check_settings(grid)
    _check_combinations(grid)
    _check_parts(grid)
    _check_repairs(grid)
    _check_ranking(grid)


def _check_split(dataset: Dataset, where: str) -> None:
    """What can be said before the data are loaded; the draw itself checks each class of each part."""
    d = dataset.description
    if not d.n_samples:
        return
    try:
        sizes = dataset.split.sizes(d.n_samples, d.n_test)
    except CellError as error:
        raise UserError(f"{where}: {error}.") from error
    if d.n_test or not dataset.split.test:
        sizes = sizes[:2]  # a source's own test split may lack classes
    if min(sizes) < d.n_classes:
        raise UserError(
            f"{where}: its {len(sizes)} parts would have {', '.join(map(str, sizes))} samples for {d.n_classes} "
            "classes, and each part needs one a class: use a larger 'subset', 'validation' or 'test', or other labels."
        )
    gaps = [c for c, count in enumerate(d.class_counts) if count == 0]
    if gaps:
        raise UserError(
            f"{where}: {_classes(gaps, d)} no samples outside the test split; labels must be 0..C-1 without gaps."
        )
    parts = 1 + (dataset.split.validation_from == "subset") + (d.n_test == 0 and dataset.split.test > 0)
    rare = [c for c, count in enumerate(d.class_counts) if count < parts]
    if rare:
        raise UserError(
            f"{where}: {_classes(rare, d)} fewer than {parts} samples, and each of the {parts} parts that are drawn "
            "from them needs one; remove or merge them."
        )


def _classes(found: list[int], description: Description) -> str:
    """The first few of some classes, by name where those are known, and the verb."""
    names = [description.class_names[c] if description.class_names else str(c) for c in found[:5]]
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return f"class '{names[0]}' has" if len(found) == 1 else f"classes {', '.join(map(repr, names))}{more} have"


def _check_unique(grid: Grid) -> None:
    lists = {
        "datasets": [d.id for d in grid.datasets],
        "models": [m.id for m in grid.models],
        "glitches": [g.label for g in grid.glitches],
        "estimators": [m.id for m in grid.estimators],
        "signals and detectors": [m.id for m in (*grid.signals, *grid.detectors)],
        "toys": [m.id for m in grid.toys],
        "figures": [m.id for m in grid.figures],
    }
    for name, ids in lists.items():
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            key = "name" if name == "datasets" else "id"
            raise UserError(f"config: {name}: '{twice[0]}' stands there twice; give each entry its own '{key}'.")


def _check_plugin_names(grid: Grid) -> None:
    """Jobs find plug-ins by kind and name, so that a name must mean one file."""
    parts = (part for glitch in grid.glitches for part in glitch.parts)
    origins: dict[tuple[str, str], Any] = {}
    for entry in (
        *grid.datasets,
        *grid.models,
        *parts,
        *grid.estimators,
        *([grid.reference] if grid.reference else []),
        *grid.signals,
        *grid.detectors,
        *grid.toys,
        *grid.figures,
    ):
        plugin = entry.plugin
        other = origins.setdefault((plugin.kind, plugin.name), plugin.origin)
        if other != plugin.origin:
            raise UserError(
                f"config: '{plugin.origin}' and '{other}' both define {plugin.kind} '{plugin.name}'; rename one."
            )


def _check_training(grid: Grid) -> None:
    """A rule may be about what ships with the package and is not in this grid: an overlay replaces the lists of data
    sets and models, and leaves those rules of config.yaml."""
    for index, rule in enumerate(grid.config["training"]):
        for key, known in (("dataset", [d.id for d in grid.datasets]), ("model", [m.id for m in grid.models])):
            if key in rule and rule[key] not in (*known, *registry.names(key)):
                raise UserError(
                    f"config: training[{index}].{key}: '{rule[key]}' is not in this grid"
                    f"{registry.suggestion(rule[key], known)}; there are: {', '.join(known)}."
                )


def _check_settings(grid: Grid) -> None:
    """Of pairs, since ``training`` may change a model's."""
    for dataset, model in grid.pairs():
        where = f"config: models[{grid.models.index(model)}] ({model.id} on {dataset.id})"
        check_settings(grid.settings(dataset, model), where)


def _check_combinations(grid: Grid) -> None:
    known = [d.id for d in grid.datasets]
    for model in grid.models:
        unknown = sorted(set(model.datasets) - set(known))
        if unknown:
            raise UserError(
                f"config: models: '{model.id}' names the data set '{unknown[0]}', which is not in this grid"
                f"{registry.suggestion(unknown[0], known)}; there are: {', '.join(known)}."
            )
    paired = {d.id for d, _ in grid.pairs()}, {m.id for _, m in grid.pairs()}
    for dataset in grid.datasets:
        if dataset.id not in paired[0]:
            raise UserError(
                f"config: datasets: no model of 'models' reads '{dataset.id}' ({dataset.description.modality})."
            )
    for model in grid.models:
        if model.id not in paired[1]:
            raise UserError(
                f"config: models: '{model.id}' reads data of kind '{model.plugin.info['modality']}', and no data set "
                "of this grid is such; remove it or add one."
            )
    by_people = any(d.description.human_noise for d in grid.datasets)
    for glitch in grid.glitches:
        # beside labels by people, others are left out as where a modality does not fit
        if not any(glitch.applies_to(d) for d in grid.datasets) and (glitch.is_human or not by_people):
            raise UserError(
                f"config: glitches: '{glitch.id}' applies to no data set of this grid; remove it or add one."
            )
    if grid.reference and not any(e.against == grid.reference.against for e in grid.estimators):
        raise UserError(
            f"config: reference: '{grid.reference.id}' is against {grid.reference.against} samples, and none of "
            "'estimators' is; give one the same 'against'."
        )
    for ratio in grid.config["validation_ratios"]:
        if ratio > grid.config["validation"]:
            raise UserError(
                f"config: validation_ratios: {ratio:g} is more than the share that it is taken from, "
                f"'validation: {grid.config['validation']:g}'."
            )


def _check_parts(grid: Grid) -> None:
    """Detectors and repairs that are for some models or glitches alone. As with ``training``, these may be shipped ones
    that are not in this grid: an overlay replaces the lists of models and glitches, and leaves config.yaml's detectors.
    """
    known = {"model": [m.id for m in grid.models], "glitch": [g.id for g in grid.glitches]}
    entries = [(f"detectors[{i}]", detector) for i, detector in enumerate(grid.detectors)]
    entries += [(f"repairs ({repair.label})", repair) for repair in grid.repairs]
    asked = [(f"{where}.models", "model", entry.models) for where, entry in entries]
    asked += [(f"{where}.glitches", "glitch", entry.glitches) for where, entry in entries]
    for where, kind, named in asked:
        unknown = [name for name in named if name not in (*known[kind], *registry.names(kind))]
        if unknown:
            raise UserError(
                f"config: {where}: '{unknown[0]}' is not in this grid{registry.suggestion(unknown[0], known[kind])}; "
                f"there are: {', '.join(dict.fromkeys(known[kind]))}."
            )


def _check_repairs(grid: Grid) -> None:
    known = [m.id for m in (*grid.signals, *grid.detectors)]
    for i, repair in enumerate(grid.repairs):
        for method in repair.methods:
            if method not in known:
                raise UserError(
                    f"config: repairs ({repair.label}): '{method}' is none of this grid's signals and detectors"
                    f"{registry.suggestion(method, known)}; there are: {', '.join(known)}."
                )
        for other in grid.repairs[:i]:
            shared = sorted(set(repair.methods or ("",)) & set(other.methods or ("",)))
            same = (repair.label, repair.budget) == (other.label, other.budget)
            if same and shared and _overlap(repair.models, other.models) and _overlap(repair.glitches, other.glitches):
                of = f" of '{shared[0]}'" if shared[0] else ""
                raise UserError(
                    f"config: repairs: '{repair.label}'{of} with budget {repair.budget} stands there twice for the "
                    "same models and glitches; remove one."
                )
    if grid.repairs and grid.config["test"] == 0:
        raise UserError("config: repairs: what they bring is measured on test data; set 'test' above 0.")


def _overlap(some: tuple[str, ...], others: tuple[str, ...]) -> bool:
    """Whether two selections share something; () selects all."""
    return not some or not others or bool(set(some) & set(others))


def _check_ranking(grid: Grid) -> None:
    known = [m.id for m in (*grid.signals, *grid.detectors)]
    if grid.config["ranking"] not in (None, *known):
        raise UserError(
            f"config: ranking: '{grid.config['ranking']}' is none of this grid's signals and detectors; "
            f"there are: {', '.join(known)}."
        )

"""A validated config, resolved to a grid: every plug-in loaded, every file looked at, every check that needs no job.

What cannot work is a UserError here, before anything runs.
"""

from fractions import Fraction
from pathlib import Path
from typing import Any

from glitchmark import registry
from glitchmark.datasets import Description
from glitchmark.datasets._splits import Split
from glitchmark.errors import CellError, UserError
from glitchmark.grid import SETTINGS, Dataset, Estimator, Glitch, Grid, Method, Model
from glitchmark.registry import Plugin
from glitchmark.training.checks import check_settings
from glitchmark.weights import find


def resolve(config: dict[str, Any]) -> Grid:
    """Resolve a validated config. Raises UserError for the first entry that cannot work."""
    entries = enumerate(config["datasets"])
    datasets = tuple(resolve_dataset(entry, f"config: datasets[{i}]", config) for i, entry in entries)
    grid = Grid(
        config=config,
        datasets=datasets,
        anomaly_pools=(),
        models=tuple(_model(entry, i, config) for i, entry in enumerate(config["models"])),
        glitches=_all_glitches(config, datasets),
        estimators=tuple(_estimator(e, f"config: estimators[{i}]") for i, e in enumerate(config["estimators"])),
        reference=config["reference"] and _estimator(config["reference"], "config: reference"),
        signals=_methods("signal", config),
        detectors=_methods("detector", config),
        figures=_methods("figure", config),
    )
    for index, dataset in enumerate(datasets):
        _check_split(dataset, f"config: datasets[{index}] ({dataset.id})")
    _check_unique(grid)
    _check_plugin_names(grid)
    _check_training(grid)
    _check_settings(grid)
    _check_combinations(grid)
    _check_ranking(grid)
    return _with_anomaly_pools(grid)


def _path(folder: str) -> Path:
    return Path(folder).expanduser()


def _plugin(kind: str, entry: dict[str, Any], where: str) -> Plugin:
    if not entry.get("name") and "path" not in entry:
        raise UserError(f"{where}: the entry lacks the key 'name'.")
    return registry.load(kind, entry.get("name", ""), entry.get("path"), where)


def resolve_dataset(entry: dict[str, Any], where: str, config: dict[str, Any]) -> Dataset:
    if not entry.get("name"):
        raise UserError(f"{where}: the entry lacks the key 'name', the data set's id in the tables.")
    plugin = registry.load("dataset", entry.get("loader", entry["name"]), entry.get("path"), where)
    own = ("name", "loader", "subset", "validation_from", "anomaly_source", "path")
    given = {k: v for k, v in entry.items() if k not in own}
    plugin.check_parameters(given, where, own)
    files = plugin.info["files"]
    for key in set(files) & set(given):
        if not isinstance(given[key], str) or (not given[key] and plugin.parameters[key] != ""):
            raise UserError(f"{where}.{key}: {given[key]!r} must be the name of a file or folder in 'data_dir'.")
    paths = {k: str(_path(config["data_dir"]) / v) for k, v in given.items() if k in files and v}
    params = {k: v for k, v in given.items() if k not in (*files, "cache")}
    if "cache" in plugin.parameters:
        paths["cache"] = str(_path(given.get("cache", config["cache_dir"])))
    try:
        description = plugin.info["inspect"](**params, **paths)
    except UserError as error:
        raise UserError(f"{where} ({entry.get('name')}): {error}") from error
    return Dataset(
        id=entry["name"],
        plugin=plugin,
        params=params,
        paths=paths,
        description=description,
        split=Split(
            subset=entry.get("subset", config["subset"]),
            validation=config["validation"],
            test=config["test"],
            validation_from=entry.get("validation_from", config["validation_from"]),
        ),
        anomaly_source=entry.get("anomaly_source", plugin.info["anomaly_source"]),
    )


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


def _model(entry: dict[str, Any], index: int, config: dict[str, Any]) -> Model:
    where = f"config: models[{index}]"
    plugin = _plugin("model", entry, where)
    own = ("name", "id", "trained", "weights", "input_size", "datasets", "path", *SETTINGS)
    params = {k: v for k, v in entry.items() if k not in own}
    plugin.check_parameters(params, where, own)
    try:
        plugin.info["check"](**plugin.parameters | params)
    except CellError as error:
        raise UserError(f"{where}: model '{plugin.name}': {error}.") from error
    trained, weights = entry["trained"], entry.get("weights", "")
    if trained not in plugin.info["trained"]:
        allowed = ", ".join(plugin.info["trained"])
        raise UserError(f"{where}: model '{plugin.name}' cannot be trained as '{trained}'; allowed: {allowed}.")
    if entry.get("input_size") and plugin.info["modality"] != "image":
        raise UserError(f"{where}: 'input_size' resizes images, and '{plugin.name}' reads a {plugin.info['modality']}.")
    if trained != "all" and plugin.info["modality"] != "image":
        raise UserError(f"{where}: '{plugin.name}' reads a table, and models of tables are trained as 'all'.")
    if trained != "all" and not weights:
        raise UserError(
            f"{where}: 'trained: {trained}' freezes layers, which needs 'weights' to fill them; add a file, "
            "a published name or 'embedded'."
        )
    digest = ""
    if weights:
        folders = _path(config["weights_dir"]), _path(config["cache_dir"])
        weights, digest = find(weights, plugin.name, *folders, f"{where}.weights")
    settings = {key: entry[key] for key in SETTINGS}
    return Model(
        id=entry.get("id", plugin.name),
        plugin=plugin,
        params=params,
        trained=trained,
        weights=weights,
        weights_digest=digest,
        input_size=entry.get("input_size"),
        datasets=tuple(entry.get("datasets", ())),
        settings=settings,
    )


def _all_glitches(config: dict[str, Any], datasets: tuple[Dataset, ...]) -> tuple[Glitch, ...]:
    """The config's, and where a data set brings labels that people gave, those."""
    glitches = [g for i, entry in enumerate(config["glitches"]) for g in _glitches(entry, i)]
    if any(d.description.human_noise for d in datasets) and not any(g.is_human for g in glitches):
        glitches += _glitches({"name": "human"}, len(glitches))
    return tuple(glitches)


def _glitches(entry: dict[str, Any], index: int) -> list[Glitch]:
    """The glitches of one config entry: one, or one a ratio."""
    where = f"config: glitches[{index}]"
    if "parts" in entry:
        if set(entry) != {"id", "parts"}:
            raise UserError(
                f"{where}: a mixture has the keys 'id' and 'parts' and no others; found: {', '.join(entry)}."
            )
        parts = tuple(_part(part, f"{where}.parts[{i}]") for i, part in enumerate(entry["parts"]))
        return [Glitch(entry["id"], parts, _total(parts))]
    if "name" not in entry and "path" not in entry:
        raise UserError(f"{where}: the entry lacks the key 'name' (or 'id' and 'parts' for a mixture).")
    ratios = entry.get("ratio")
    sweep = [{"ratio": r} for r in ratios] if isinstance(ratios, list) else [{}]
    base = {k: v for k, v in entry.items() if k != "id"}
    parts = [_part(base | one, where) for one in sweep]
    return [Glitch(entry.get("id", part.id), (part,), _total((part,))) for part in parts]


def _part(entry: dict[str, Any], where: str) -> Method:
    plugin = _plugin("glitch", entry, where)
    params = {k: v for k, v in entry.items() if k not in ("name", "path")}
    plugin.check_parameters(params, where, ("name", "path"))
    try:
        plugin.info["check"](**plugin.parameters | params)
    except CellError as error:
        raise UserError(f"{where}: glitch '{plugin.name}': {error}.") from error
    return Method(plugin.name, plugin, params)


def _total(parts: tuple[Method, ...]) -> float:
    # as written in the config, so that .1 + .2 is .3
    return float(sum(Fraction(str(part.params.get("ratio", 0))) for part in parts))


def _methods(kind: str, config: dict[str, Any]) -> tuple[Method, ...]:
    entries = enumerate(config[f"{kind}s"])
    return tuple(Method(*_method(kind, entry, f"config: {kind}s[{i}]", ())) for i, entry in entries)


def _estimator(entry: dict[str, Any], where: str) -> Estimator:
    return Estimator(*_method("estimator", entry, where, ("against",)), against=entry["against"])


def _method(kind: str, entry: dict[str, Any], where: str, more: tuple[str, ...]) -> tuple[str, Plugin, dict[str, Any]]:
    """Id, plug-in and parameters of an entry. more: keys that are not the plug-in's, besides the usual ones."""
    own = ("name", "id", "path", *more)
    plugin = _plugin(kind, entry, where)
    params = {k: v for k, v in entry.items() if k not in own}
    plugin.check_parameters(params, where, own)
    return entry.get("id", plugin.name), plugin, params


def _check_unique(grid: Grid) -> None:
    lists = {
        "datasets": [d.id for d in grid.datasets],
        "models": [m.id for m in grid.models],
        "glitches": [g.label for g in grid.glitches],
        "estimators": [m.id for m in grid.estimators],
        "signals and detectors": [m.id for m in (*grid.signals, *grid.detectors)],
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


def _check_ranking(grid: Grid) -> None:
    known = [m.id for m in (*grid.signals, *grid.detectors)]
    if grid.config["ranking"] not in (None, *known):
        raise UserError(
            f"config: ranking: '{grid.config['ranking']}' is none of this grid's signals and detectors; "
            f"there are: {', '.join(known)}."
        )


def _with_anomaly_pools(grid: Grid) -> Grid:
    """Add the data sets that are needed for their anomalies only."""
    pools: dict[str, Dataset] = {}
    if not any(g.needs_anomaly_source for g in grid.glitches):
        return grid
    own = {d.id for d in grid.datasets}
    for index, dataset in enumerate(grid.datasets):
        if not any(g.needs_anomaly_source and g.applies_to(dataset) for g in grid.glitches):
            continue
        where, name = f"config: datasets[{index}] ({dataset.id})", dataset.anomaly_source
        if not name:
            raise UserError(f"{where}: add 'anomaly_source', the data set that its far anomalies come from.")
        if name == dataset.id:
            raise UserError(f"{where}: 'anomaly_source: {name}' is the data set itself; name another one.")
        if name not in own and name not in pools:
            pools[name] = resolve_dataset({"name": name}, f"{where}.anomaly_source", grid.config)
        source = pools.get(name) or grid.pool(name)
        if (source.plugin, source.params, source.paths) == (dataset.plugin, dataset.params, dataset.paths):
            raise UserError(f"{where}: 'anomaly_source: {name}' has the same samples; name another one.")
        if source.description.modality != dataset.description.modality:
            raise UserError(f"{where}: the anomaly source '{name}' is a {source.description.modality} data set.")
    return Grid(**{**vars(grid), "anomaly_pools": tuple(pools.values())})

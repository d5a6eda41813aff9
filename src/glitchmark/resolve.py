"""A validated config, resolved to a grid: every plug-in loaded, every file looked at, every check that needs no job.

What cannot work is a UserError here, before anything runs.
"""

from fractions import Fraction
from pathlib import Path
from typing import Any

from glitchmark import registry
from glitchmark.datasets._splits import Split
from glitchmark.errors import CellError, UserError
from glitchmark.grid import SETTINGS, Dataset, Detector, Estimator, Glitch, Grid, Method, Model, Repair
from glitchmark.grid_checks import check
from glitchmark.registry import Plugin
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
        detectors=tuple(_detector(e, f"config: detectors[{i}]") for i, e in enumerate(config["detectors"])),
        repairs=tuple(repair for i, entry in enumerate(config["repairs"]) for repair in _repairs(entry, i)),
        toys=_methods("toy", config),
        figures=_methods("figure", config),
    )
    check(grid)
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


def _detector(entry: dict[str, Any], where: str) -> Detector:
    parts = {name: tuple(entry.get(name, ())) for name in ("models", "glitches")}
    return Detector(*_method("detector", entry, where, tuple(parts)), **parts)


def _repairs(entry: dict[str, Any], index: int) -> list[Repair]:
    """The repairs of one config entry, one a budget."""
    where, action = f"config: repairs[{index}]", entry["action"]
    perfect = action == "perfect"
    if perfect != (not entry["methods"]):
        raise UserError(
            f"{where}: 'perfect' repairs everything, whatever methods found; remove its 'methods'."
            if perfect
            else f"{where}: '{action}' acts on what methods found; name them under 'methods'."
        )
    budgets = entry["budget"] if isinstance(entry["budget"], list) else [entry["budget"]]
    if perfect and budgets != [None]:
        raise UserError(f"{where}.budget: 'perfect' repairs everything; remove its budget.")
    rest = entry["training"], entry["epochs"], tuple(entry["models"]), tuple(entry["glitches"])
    return [Repair(action, tuple(entry["methods"]), budget, *rest) for budget in budgets]


def _method(kind: str, entry: dict[str, Any], where: str, more: tuple[str, ...]) -> tuple[str, Plugin, dict[str, Any]]:
    """Id, plug-in and parameters of an entry. more: keys that are not the plug-in's, besides the usual ones."""
    own = ("name", "id", "path", *more)
    plugin = _plugin(kind, entry, where)
    params = {k: v for k, v in entry.items() if k not in own}
    plugin.check_parameters(params, where, own)
    return entry.get("id", plugin.name), plugin, params


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

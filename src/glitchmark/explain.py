"""Why a sample stands out: its strongest proponents and opponents in the influence matrix."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from glitchmark.chunks import Workflow
from glitchmark.errors import CellError, UserError
from glitchmark.feature_store import factor_arrays
from glitchmark.grid import Method
from glitchmark.influence.engine import Build, blocks
from glitchmark.influence.factors import Factors
from glitchmark.nodes import Measurement
from glitchmark.registry import suggestion
from glitchmark.store import Entry


class Strongest(NamedTuple):
    """Samples by influence, the strongest first, ties by index; influence of the other sign or 0 does not count.

    index: int64 (k',). influence: float32 (k',). labels: int64 (k',), observed. k' is at most what was asked for.
    """

    index: np.ndarray
    influence: np.ndarray
    labels: np.ndarray


class Explanation(NamedTuple):
    """Of one sample. proponents: influence > 0, one lowers the other's loss. opponents: influence < 0."""

    proponents: Strongest
    opponents: Strongest


def explain_training(build: Build, factors: Factors, rows: Sequence[int], k: int) -> list[Explanation]:
    """For each training sample in ``rows``, the validation samples that it helps and harms most, k of each.

    build: makes the estimator from factors. Only the asked-for rows of the influence matrix are computed.
    """
    estimator, columns = build(factors), np.arange(factors.n_val)
    found = []
    for row in rows:
        influence = estimator.rows(row, row + 1).matrix().T
        sides = [_strongest(columns[:, None], influence, sign, k) for sign in (1, -1)]
        found.append(_explanation(sides, 0, factors.labels_val))
    return found


def explain_validation(build: Build, factors: Factors, columns: Sequence[int], k: int) -> list[Explanation]:
    """For each validation sample in ``columns``, the training samples that help and harm it most, k of each.

    One pass over the row blocks of these columns, which keeps k samples of each sign a column.
    """
    if len(columns) == 0:
        return []
    estimator = build(factors.with_validation(np.asarray(columns)))
    sides = [(np.empty((0, len(columns)), np.int64), np.empty((0, len(columns)), np.float32)) for _ in (1, -1)]
    for start, stop, rows in blocks(estimator, factors.n_train, len(columns)):
        influence = rows.matrix()
        index = np.broadcast_to(np.arange(start, stop)[:, None], influence.shape)
        for side, sign in enumerate((1, -1)):
            kept = [np.concatenate(pair) for pair in zip(sides[side], (index, influence), strict=True)]
            sides[side] = _strongest(*kept, sign, k)
    return [_explanation(sides, column, factors.labels_train) for column in range(len(columns))]


def _strongest(index: np.ndarray, influence: np.ndarray, sign: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k largest of sign * influence (r, q) in each column, with their index (r, q), which ascends among ties."""
    order = np.argsort(-sign * influence, axis=0, kind="stable")[:k]
    return np.take_along_axis(index, order, axis=0), np.take_along_axis(influence, order, axis=0)


def _explanation(sides: Sequence[tuple[np.ndarray, np.ndarray]], column: int, labels: np.ndarray) -> Explanation:
    """One column of what _strongest found for both signs."""
    found = []
    for (index, influence), sign in zip(sides, (1, -1), strict=True):
        counts = sign * influence[:, column] > 0
        at = index[counts, column]
        found.append(Strongest(at, influence[counts, column], labels[at]))
    return Explanation(*found)


def report(run: Workflow, samples: list[str], k: int, estimator: str | None, filters: dict[str, Any]) -> str:
    """What ``glitchmark explain`` prints: an explanation of every sample, in one cell of a finished run.

    samples: ids; without any, the k most suspicious ones of the run's ranking method. k: proponents and opponents of
    each. estimator: an id; None for the grid's first one. filters: what the cell's labels must be, e.g. {"seed": 0}.
    Influence is on the validation samples, all of them. Raises UserError if there is no such cell or sample.
    """
    if k < 1:
        raise UserError(f"--top {k}: give a whole number of at least 1.")
    method = _estimator(run, estimator)
    cell, note = _cell(run, samples, filters)
    samples = samples or _most_suspicious(run, cell, method.id, k)
    train = run.store.get(cell.key)
    training, validation = _described(run, cell, train)
    rows, columns = _positions(samples, training), _positions(samples, validation)
    factors = Factors.from_arrays(factor_arrays(train, run.features))
    build = partial(method.plugin.function, **method.params)
    try:
        with threadpool_limits(1):  # as in the influence pass
            of_training = explain_training(build, factors, rows, k)
            of_validation = explain_validation(build, factors, columns, k)
    except CellError as error:
        raise UserError(f"{_name(cell)}: estimator '{method.id}': {error}.") from error
    parts = [f"run '{run.config['run']}', {_name(cell)}, estimator {method.id}{note}"]
    parts += [_section("training", training.iloc[i], e, validation) for i, e in zip(rows, of_training, strict=True)]
    parts += [
        _section("validation", validation.iloc[j], e, training) for j, e in zip(columns, of_validation, strict=True)
    ]
    return "\n\n".join(parts)


def _estimator(run: Workflow, name: str | None) -> Method:
    """The grid's estimator of this id, or its first one. Those of influence on training samples do not count."""
    found = {e.id: e for e in run.grid.estimators if e.against == "validation"}
    if not found:
        raise UserError("no estimator of this grid measures influence on validation samples; add one to 'estimators'.")
    if name not in (None, *found):
        raise UserError(
            f"--estimator {name}: this grid has no such estimator of influence on validation samples"
            f"{suggestion(name, found)}; there are: {', '.join(found)}."
        )
    return found[name or next(iter(found))]


def _cell(run: Workflow, samples: list[str], filters: dict[str, Any]) -> tuple[Measurement, str]:
    """The first trained cell that passes the filters and holds all samples, and a note if there are others."""
    cells = [m for m in run.plan.measurements if m.stage == "train"]
    for name, value in filters.items():
        known = list(dict.fromkeys(str(m.labels[name]) for m in cells))
        cells = [m for m in cells if m.labels[name] == value]
        if not cells:
            raise UserError(
                f"--{name} {value}: no such cell in this grid{suggestion(value, known)}; there are: {', '.join(known)}."
            )
    there = [(m, run.store.open(m.key)) for m in cells if m.key in run.store]
    if not there:
        raise UserError(
            f"run '{run.config['run']}' has not trained {_name(cells[0])} with this config and code yet; "
            "call 'glitchmark run' with the same --configfile and --config first."
        )
    ids = [(m, _ids(entry)) for m, entry in there if entry.failure is None]
    if not ids:
        cell, entry = there[0]
        raise UserError(f"{_name(cell)} failed: {entry.failure}.")
    holding = [m for m, known in ids if known.issuperset(samples)]
    if not holding:
        raise _unknown(run, samples, ids)
    datasets = list(dict.fromkeys(m.labels["dataset"] for m in holding))
    if len(datasets) > 1:
        raise UserError(f"several data sets have such a cell; choose one with --dataset: {', '.join(datasets)}.")
    note = f" (the first of {len(holding)} cells that fit; choose with --model, --glitch, --ratio, --seed)"
    return holding[0], note if len(holding) > 1 else ""


def _unknown(run: Workflow, samples: list[str], ids: list[tuple[Measurement, set[str]]]) -> UserError:
    """The error for samples that no cell holds, or that no cell holds together."""
    known = set().union(*(names for _, names in ids))
    for sample in samples:
        if sample not in known:
            where = _name(ids[0][0]) if len(ids) == 1 else f"any of the {len(ids)} trained cells that fit"
            return UserError(
                f"sample '{sample}' is neither training nor validation data of {where}; ids look like "
                f"'{min(known)}', and '{run.folder}/samples.parquet' lists those of training data."
            )
    return UserError(f"no cell holds all of {', '.join(samples)}; ask for them one by one.")


def _ids(train: Entry) -> set[str]:
    return {*train.arrays["ids_train"].tolist(), *train.arrays["ids_val"].tolist()}


def _name(cell: Measurement) -> str:
    """What a person calls a cell."""
    labels = cell.labels
    return f"{labels['dataset']}/{labels['model']}/{labels['glitch']} {labels['ratio']:g} seed {labels['seed']}"


def _most_suspicious(run: Workflow, cell: Measurement, estimator: str, k: int) -> list[str]:
    """Ids of the k samples of a cell that the run's ranking method places first."""
    # the manifest's name holds the digest of the config: tables of another one do not count
    if not Path(run.manifest("evaluate", "tables")).is_file():
        raise UserError(
            f"run '{run.config['run']}' has no tables of this config and code yet, which tell its most suspicious "
            "samples; call 'glitchmark run' first, or name samples."
        )
    filters = [("method", "=", run.grid.ranking), ("rank", "<=", k)]
    filters += [(name, "=", cell.labels[name]) for name in ("dataset", "glitch", "ratio", "seed")]
    # detectors have no estimator, and those that read the inputs alone no model
    filters += [("model", "in", [cell.labels["model"], ""]), ("estimator", "in", [estimator, ""])]
    table = pd.read_parquet(run.folder / "samples.parquet", columns=["sample_id", "rank"], filters=filters)
    if table.empty:
        raise UserError(f"'{run.grid.ranking}' has no scores of {_name(cell)}, so that no sample is suspicious by it.")
    return table.sort_values("rank")["sample_id"].tolist()


def _described(run: Workflow, cell: Measurement, train: Entry) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The cell's training and validation samples: id and labels, with the truth where it is known."""
    arrays, classes = train.arrays, np.array(run.store.get(cell.pool).info["class_names"])
    training = pd.DataFrame({"id": arrays["ids_train"], "observed": classes[arrays["labels_train"]]})
    if not cell.labels["control"]:
        truth = run.store.get(cell.inject).arrays
        training["true"] = np.where(truth["true_label"] >= 0, classes[truth["true_label"]], "")
        training["glitch"] = truth["kind"]
    return training, pd.DataFrame({"id": arrays["ids_val"], "label": classes[arrays["labels_val"]]})


def _positions(samples: list[str], part: pd.DataFrame) -> list[int]:
    """Where the samples are among those of a part of the data; those that are not are left out."""
    found = pd.Index(part["id"]).get_indexer(samples)
    return found[found >= 0].tolist()


def _section(part: str, sample: pd.Series, found: Explanation, others: pd.DataFrame) -> str:
    """A sample, and below it a table of its proponents (+) and opponents (-)."""
    facts = [f"{name} {value}" for name, value in sample.drop("id").items() if value != ""]
    head = f"{part} sample {sample['id']}: {', '.join(facts)}"
    table = others.iloc[np.concatenate([side.index for side in found])]
    if table.empty:
        return f"{head}\n no influence at all"
    table = table.assign(influence=np.concatenate([side.influence for side in found]))
    table.insert(0, "", np.repeat(["+", "-"], [len(side.index) for side in found]))
    return f"{head}\n{table.to_string(index=False, float_format='{:.4g}'.format)}"

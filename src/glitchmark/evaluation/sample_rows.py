"""Rows of samples.parquet."""

import numpy as np
import pyarrow as pa

from glitchmark.evaluation import metrics
from glitchmark.evaluation.cells import CELL, Scores, Truth
from glitchmark.scores import KINDS

WORDS, NUMBER, COUNT = pa.dictionary(pa.int32(), pa.string()), pa.float64(), pa.int64()
# text is handed over as numbers of words, and read back as text
SCHEMA = pa.schema(
    [(name, {"ratio": NUMBER, "validation_noise": NUMBER, "seed": COUNT}.get(name, WORDS)) for name in CELL]
    + [(name, WORDS) for name in ("sample_id", "name", "observed_label", "true_label", "suggested_label")]
    + [("glitch_kind", WORDS), ("kind", WORDS), ("score", NUMBER), ("rank", COUNT)]
)


def sample_rows(scored: Scores, truth: Truth) -> pa.Table:
    """Rows of samples.parquet about one cell: a row a method and sample, in the largest draw."""
    n, methods = len(truth.ids), len(scored.methods)
    known = np.full(n, -1) if truth.control else truth.true
    told = [(method.entry.arrays, method.largest) for method in scored.methods]
    nowhere, no_kind = np.full(n, -1), np.full(n, "")
    suggested = np.concatenate([arrays["suggested"][i] if "suggested" in arrays else nowhere for arrays, i in told])
    kind = np.concatenate([arrays["kind"][i] if "kind" in arrays else no_kind for arrays, i in told])
    classes, place = np.unique(truth.class_names, return_inverse=True)
    columns = {
        "sample_id": _words(*np.unique(truth.ids, return_inverse=True), methods),
        "name": _words(*np.unique(truth.names, return_inverse=True), methods),
        "observed_label": _words(classes, place[truth.observed], methods),
        "true_label": _words(classes, place[known], methods),
        "suggested_label": _words(classes, place[suggested]),
        "glitch_kind": _words(*_kind_words(truth.kind), methods),
        "kind": _words(*_kind_words(kind)),
        "score": pa.array(scored.scores[scored.whole].ravel()),
        "rank": pa.array(metrics.ranks_of(scored.order[scored.whole]).ravel()),
    }
    for name in CELL:
        values = np.array([method.labels[name] for method in scored.methods])
        if SCHEMA.field(name).type == WORDS:
            words, index = np.unique(values, return_inverse=True)
            columns[name] = _words(words, index.repeat(n))
        else:
            columns[name] = pa.array(values.repeat(n))
    return pa.table({name: columns[name] for name in SCHEMA.names}).cast(SCHEMA)


def _words(words: np.ndarray, index: np.ndarray, times: int = 1) -> pa.DictionaryArray:
    """A column of text, words[index], that many times over."""
    return pa.DictionaryArray.from_arrays(np.tile(index.astype(np.int32), times), pa.array(words.tolist(), pa.string()))


def _kind_words(kind: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """KINDS, and the place of each sample's kind among them."""
    return np.array(KINDS), sum((kind == name) * place for place, name in enumerate(KINDS))

"""What a method may return."""

import numpy as np
import pytest

from glitchmark.errors import CellError
from glitchmark.scores import Scores, checked
from glitchmark.stages._scoring import score_arrays

N, C = 4, 3
GOOD = np.array([0.5, -1.0, 3.0, 0.5])
LABELS = np.array([0, 1, 2, 0])
KINDS = np.array(["mislabeled", "anomalous", "mislabeled", "mislabeled"])

BAD_SCORES = {
    "too short": GOOD[:3],
    "too long": np.arange(5.0),
    "matrix": GOOD[:, None],
    "number": 1.0,
    "nothing": None,
    "text": "high",
    "strings": np.array(["a", "b", "c", "d"]),
    "digits as strings": np.array(["1", "2", "3", "4"]),
    "objects": np.array([1, 2, 3, None]),
    "dictionary": dict.fromkeys(range(N), 1.0),
    "nan": np.array([0, np.nan, 1, 2]),
    "infinity": np.array([0, np.inf, 1, 2]),
    "minus infinity": np.array([0, -np.inf, 1, 2]),
    "complex": GOOD * 1j,
    "ragged": [[1.0], [1.0, 2.0], [1.0], [1.0]],
    "plain tuple of score and labels": (GOOD, LABELS),
    "dates": np.zeros(N, "datetime64[s]"),
}
BAD_SUGGESTIONS = {
    "too short": LABELS[:3],
    "matrix": LABELS[:, None],
    "floats": LABELS.astype(float),
    "bools": LABELS > 0,
    "strings": LABELS.astype(str),
    "negative": np.array([0, 1, -1, 0]),
    "too large": np.array([0, 1, C, 0]),
}
BAD_KINDS = {
    "too short": KINDS[:3],
    "unknown": np.array(["mislabeled", "anomalous", "odd", "mislabeled"]),
    "numbers": np.array([0, 1, 0, 1]),
    "one for all": "mislabeled",
}
BAD_FLAGS = {
    "too short": GOOD[:3] > 0,
    "matrix": GOOD[:, None] > 0,
    "numbers": np.array([0, 1, 0, 1]),
    "rows": np.array([1, 3]),
    "one for all": True,
}


def rejected(result):
    with pytest.raises(CellError) as error:
        checked(result, "signal 'mine'", N, C)
    assert "signal 'mine'" in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("score", BAD_SCORES.values(), ids=BAD_SCORES)
@pytest.mark.filterwarnings("error")
def test_bad_score(score):
    rejected(score)
    rejected(Scores(score, LABELS, KINDS))


@pytest.mark.parametrize("suggested", BAD_SUGGESTIONS.values(), ids=BAD_SUGGESTIONS)
def test_bad_suggestion(suggested):
    rejected(Scores(GOOD, suggested=suggested))


@pytest.mark.parametrize("kind", BAD_KINDS.values(), ids=BAD_KINDS)
def test_bad_kind(kind):
    rejected(Scores(GOOD, kind=kind))


@pytest.mark.parametrize("flagged", BAD_FLAGS.values(), ids=BAD_FLAGS)
def test_bad_flags(flagged):
    assert "flagged" in rejected(Scores(GOOD, flagged=flagged))


@pytest.mark.parametrize("flagged", [GOOD > 0, (GOOD > 0).tolist()], ids=["array", "list"])
def test_flags(flagged):
    scores = checked(Scores(GOOD, flagged=flagged), "signal 'mine'", N, C)
    np.testing.assert_array_equal(scores.flagged, [True, False, True, True])
    assert scores.flagged.dtype == bool


def test_stored_arrays_are_those_that_the_method_gives():
    one = checked(Scores(GOOD, LABELS, flagged=GOOD > 0), "signal 'mine'", N, C)
    other = checked(Scores(-GOOD, LABELS, flagged=GOOD < 0), "signal 'mine'", N, C)
    arrays = score_arrays([one, other])
    assert {name: (a.shape, a.dtype.kind) for name, a in arrays.items()} == {
        "score": ((2, N), "f"),
        "suggested": ((2, N), "i"),
        "flagged": ((2, N), "b"),
    }
    np.testing.assert_array_equal(arrays["flagged"], [GOOD > 0, GOOD < 0])


def test_message_counts_bad_values():
    assert "2 scores" in rejected(np.array([np.nan, 1, np.inf, 2]))


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, np.int64, np.float16, np.float32, np.float64])
def test_numeric_score(dtype):
    scores = checked(np.array([0, 1, 1, 0], dtype), "signal 'mine'", N, C)
    assert scores.score.dtype == np.float64
    assert scores.score.tolist() == [0, 1, 1, 0]
    assert scores.suggested is None
    assert scores.kind is None
    assert scores.flagged is None


def test_list_score():
    assert checked([3, 1, 2, 0], "signal 'mine'", N, C).score.tolist() == [3, 1, 2, 0]


@pytest.mark.parametrize("labels", [LABELS, LABELS.astype(np.uint8), LABELS.tolist()], ids=["int64", "uint8", "list"])
def test_full_scores(labels):
    scores = checked(Scores(GOOD, labels, KINDS), "signal 'mine'", N, C)
    np.testing.assert_array_equal(scores.score, GOOD)
    np.testing.assert_array_equal(scores.suggested, LABELS)
    assert scores.suggested.dtype == np.int64
    np.testing.assert_array_equal(scores.kind, KINDS)


@pytest.mark.parametrize("kind", [KINDS.tolist(), KINDS.astype(object)], ids=["list", "objects"])
def test_kinds_can_be_stored(kind, tmp_path):
    stored = checked(Scores(GOOD, kind=kind), "signal 'mine'", N, C).kind
    np.save(tmp_path / "kind.npy", stored, allow_pickle=False)
    assert np.load(tmp_path / "kind.npy").tolist() == KINDS.tolist()


def test_score_is_a_copy_of_its_own():
    given = GOOD.copy()
    checked(given, "signal 'mine'", N, C).score[:] = 0
    np.testing.assert_array_equal(given, GOOD)

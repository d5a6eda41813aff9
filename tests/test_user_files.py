"""A user's own CSV, Parquet and image files, and the encoding of tables."""

import os
import re
import subprocess
import sys
import tracemalloc
import warnings
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from glitchmark.datasets._tables import encode
from glitchmark.datasets.csv import csv, inspect_csv
from glitchmark.datasets.image_folder import image_folder, inspect_image_folder
from glitchmark.datasets.parquet import inspect_parquet, parquet
from glitchmark.errors import UserError

# Encoding


def slow_encode(train: np.ndarray, x: np.ndarray, categories: tuple[int, ...]) -> np.ndarray:
    """The definition, column by column and value by value."""
    numbers, codes = [], []
    for j in range(train.shape[1]):
        known = [float(v) for v in train[:, j] if not np.isnan(v)]
        if categories and categories[j]:
            often = max(sorted(set(known)), key=known.count) if known else 0.0
            seen = sorted(set(known)) if known else [0.0]
            values = [often if np.isnan(v) else float(v) for v in x[:, j]]
            codes += [[float(v == s) for v in values] for s in seen]
        else:
            median = float(np.median(known)) if known else 0.0
            filled = np.array([median if np.isnan(v) else float(v) for v in train[:, j]])
            values = np.array([median if np.isnan(v) else float(v) for v in x[:, j]])
            constant = (filled == filled[0]).all()
            numbers.append(values * 0 if constant else (values - filled.mean()) / filled.std())
    return np.array([*numbers, *codes], dtype=np.float32).T.reshape(len(x), len(numbers) + len(codes))


@st.composite
def tables(draw):
    """Training rows, other rows and the number of categories of each column; any value may be missing."""
    categories = draw(st.lists(st.sampled_from([0, 0, 2, 3, 5]), min_size=1, max_size=5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, m, missing = draw(st.integers(2, 30)), draw(st.integers(0, 10)), draw(st.sampled_from([0, 0.2, 0.7, 1]))
    scale = 10 ** rng.uniform(-2, 3, len(categories))
    columns = [
        rng.integers(0, k, n + m) if k else rng.normal(3, s, n + m) for k, s in zip(categories, scale, strict=True)
    ]
    x = np.array(columns).T.astype(np.float32)
    x[rng.random(x.shape) < missing] = np.nan
    return x[:n], x[n:], tuple(categories)


@given(table=tables())
@settings(max_examples=80)
def test_encoding_is_its_definition(table):
    train, other, categories = table
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoded = encode(train, other, categories=categories)
    for x, found in zip((train, other), encoded, strict=True):
        np.testing.assert_allclose(found, slow_encode(train, x, categories), rtol=1e-4, atol=1e-4, strict=True)
        assert np.isfinite(found).all()


@given(table=tables(), seed=st.integers(0, 2**32))
@settings(max_examples=30)
def test_the_encoding_of_training_rows_does_not_depend_on_others(table, seed):
    train, other, categories = table
    alone = encode(train, categories=categories)[0]
    changed = np.random.default_rng(seed).normal(0, 1e6, other.shape).astype(np.float32)
    np.testing.assert_array_equal(encode(train, changed, categories=categories)[0], alone)
    # nor does that of a row on its neighbours
    together = encode(train, train[::-1], categories=categories)[1]
    np.testing.assert_array_equal(together[::-1], alone)


@pytest.mark.parametrize("seed", range(3))
def test_a_complete_numeric_table_is_standardised_in_double_precision(seed):
    rng = np.random.default_rng(seed)
    x, other = (rng.normal(1000, 10 ** rng.uniform(-2, 4, 12), (size, 12)).astype(np.float32) for size in (300, 50))
    mean, std = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
    expected = [((part - mean) / std).astype(np.float32) for part in (x, other)]
    for found, wanted in zip(encode(x, other), expected, strict=True):
        np.testing.assert_array_equal(found, wanted, strict=True)


@pytest.mark.parametrize("value", [0.1, -7, 1e7, np.nan])
def test_a_constant_column_becomes_zero(value):
    x = np.random.default_rng(0).normal(size=(101, 2)).astype(np.float32)
    x[:, 1] = value
    other = np.array([[1, 5], [2, np.nan]], np.float32)
    train, rest = encode(x, other)
    assert (train[:, 1] == 0).all()
    assert (rest[:, 1] == 0).all()


def test_a_category_that_training_lacks_is_all_zeros():
    train, other = np.array([[0], [2], [2]], np.float32), np.array([[1], [np.nan], [0]], np.float32)
    first, second = encode(train, other, categories=(3,))
    assert first.tolist() == [[1, 0], [0, 1], [0, 1]]
    assert second.tolist() == [[0, 0], [0, 1], [1, 0]]


def imports(module: str) -> set[str]:
    """The libraries that are loaded after a module of ours."""
    code = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_data_sets_import_no_library_before_they_are_asked():
    names = [f"glitchmark.datasets.{name}" for name in ("_tables", "csv", "parquet", "image_folder", "openml", "npz")]
    assert not imports(", ".join(names)) & {"torch", "sklearn", "pandas", "pyarrow", "PIL", "openml", "requests"}


# CSV and Parquet

TABLE = pd.DataFrame(
    {
        "size": [1.5, np.nan, -3, 1e-3, 2, 7],
        "count": [1, 2, 3, 4, 5, 300],
        "sold": [True, False, True, True, False, False],
        "colour": ["red", "blue", None, "red", "größe", "blue"],
        "empty": [None] * 6,
        "kind": ["cat", "dog", "cat", "ant", "dog", "ant"],
    }
)
X = np.array(
    [
        [1.5, np.nan, -3, 1e-3, 2, 7],
        [1, 2, 3, 4, 5, 300],
        [1, 0, 1, 1, 0, 0],
        [2, 0, np.nan, 2, 1, 0],
        [np.nan] * 6,
    ],
    np.float32,
).T


def to_csv(table: pd.DataFrame, path: Path) -> Path:
    table.to_csv(path, index=False)
    return path


def to_parquet(table: pd.DataFrame, path: Path) -> Path:
    table.to_parquet(path, index=False)
    return path


FORMATS = {"csv": (to_csv, csv, inspect_csv), "parquet": (to_parquet, parquet, inspect_parquet)}


@pytest.fixture(params=FORMATS)
def load(request, tmp_path):
    """(table, ...) -> pool, through a file; inspecting says the same."""
    write, read, inspect = FORMATS[request.param]

    def loaded(table, test=None, *, label="kind", **given):
        given |= {"file": str(write(table, tmp_path / "mine")), "label": label}
        if test is not None:
            given["test_file"] = str(write(test, tmp_path / "test"))
        pool, description = read(**given), inspect(**given)
        is_test = np.zeros(len(pool.y), bool) if pool.is_test is None else pool.is_test
        assert description.modality == "table"
        assert description.shape == pool.x.shape[1:]
        assert (description.n_samples, description.n_test) == (len(pool.y), is_test.sum())
        assert description.n_classes == len(pool.class_names)
        assert description.class_names == pool.class_names
        assert description.class_counts == tuple(np.bincount(pool.y[~is_test], minlength=description.n_classes))
        assert pool.x.dtype == np.float32
        assert pool.y.dtype == np.int64
        assert pool.x.flags.c_contiguous
        return pool

    return loaded


def test_a_table_is_read_by_its_types(load):
    pool = load(TABLE)
    np.testing.assert_array_equal(pool.x, X, strict=True)
    assert pool.categories == (0, 0, 0, 3, 0)  # blue, größe, red
    assert pool.class_names == ("ant", "cat", "dog")
    assert pool.y.tolist() == [1, 2, 1, 0, 2, 0]
    assert pool.is_test is None


def test_a_table_of_numbers_has_no_categories(load):
    assert load(TABLE[["size", "count", "kind"]]).categories == ()


def test_columns_can_be_left_out(load):
    pool = load(TABLE, drop=("colour", "size"))
    np.testing.assert_array_equal(pool.x, X[:, [1, 2, 4]])


@pytest.mark.parametrize(
    ("labels", "names", "y"),
    [
        (["b", "a", "b", "c", "a", "c"], ("a", "b", "c"), [1, 0, 1, 2, 0, 2]),
        ([10, 9, 10, -1, 9, -1], ("-1", "9", "10"), [2, 1, 2, 0, 1, 0]),
        (["10", "9", "10", "x", "9", "x"], ("10", "9", "x"), [0, 1, 0, 2, 1, 2]),
        ([2.0, 1.0, 2.0, 1.0, 2.0, 2.0], ("1", "2"), [1, 0, 1, 0, 1, 1]),
        ([True, False, True, True, False, False], ("False", "True"), [1, 0, 1, 1, 0, 0]),
    ],
)
def test_classes_are_sorted(load, labels, names, y):
    pool = load(TABLE.assign(kind=labels))
    assert pool.class_names == names
    assert pool.y.tolist() == y


def test_types_that_only_parquet_knows(tmp_path):
    table = pa.table(
        {
            "declared": pa.array(["x", "z", None, "x"]).dictionary_encode(),
            "binary": pa.array(["0", "1", None, "1"]).dictionary_encode(),
            "nullable": pa.array([1, None, 3, 4], pa.int64()),
            "truth": pa.array([True, None, False, True]),
            "exact": pa.array([Decimal("1.5"), None, Decimal("2"), Decimal("-1")]),
            "half": pa.array(np.array([1, 2, 3, 4], np.float16)),
            "label": pa.array([1, 2, 1, 2], pa.int8()).dictionary_encode(),
        }
    )
    pq.write_table(table, tmp_path / "mine.parquet")
    pool = parquet(file=str(tmp_path / "mine.parquet"), label="label")
    expected = [[0, 1, np.nan, 0], [0, 1, np.nan, 1], [1, np.nan, 3, 4], [1, np.nan, 0, 1]]
    expected += [[1.5, np.nan, 2, -1], [1, 2, 3, 4]]
    np.testing.assert_array_equal(pool.x.T, np.array(expected, np.float32))
    assert pool.categories == (2, 0, 0, 0, 0, 0)
    assert pool.class_names == ("1", "2")


def test_names_with_dots_are_names(tmp_path):
    table = pd.DataFrame({"a": [1, 2], "a.b": [3, 4], "y.": [0, 1]})
    for pool in (
        parquet(file=str(to_parquet(table, tmp_path / "p")), label="y."),
        csv(file=str(to_csv(table, tmp_path / "c")), label="y."),
    ):
        assert pool.x.tolist() == [[1, 3], [2, 4]]


def test_names_may_be_numbers_in_a_config(tmp_path):
    table = pd.DataFrame({"2022": [1, 2], "2023": [3, 4], "2024": [0, 1]})
    for pool in (
        parquet(file=str(to_parquet(table, tmp_path / "p")), label=2024, drop=[2022]),
        csv(file=str(to_csv(table, tmp_path / "c")), label=2024, drop=[2022]),
    ):
        assert pool.x.tolist() == [[3], [4]]


def test_a_saved_index_is_no_feature(tmp_path):
    table = pd.DataFrame({"a": [1, 2], "y": [0, 1]}, index=pd.Index(["p", "q"], name="who"))
    table.to_parquet(tmp_path / "mine.parquet")
    assert parquet(file=str(tmp_path / "mine.parquet"), label="y").x.tolist() == [[1], [2]]


def test_a_second_file_is_the_test_split(load):
    test = TABLE.iloc[[3, 0]].assign(colour=["violet", "blue"], count=[0.5, 2], size=[9, 8])
    pool = load(TABLE, test[TABLE.columns[::-1]])
    assert pool.is_test.tolist() == [False] * 6 + [True] * 2
    assert pool.y.tolist() == [1, 2, 1, 0, 2, 0, 0, 1]
    assert pool.categories == (0, 0, 0, 4, 0)
    np.testing.assert_array_equal(pool.x[6:], np.array([[9, 0.5, 1, 3, np.nan], [8, 2, 1, 0, np.nan]], np.float32))


def test_more_columns_than_are_read_at_once(load):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 150)).astype(np.float32)
    table = pd.DataFrame(x, columns=[f"c{i}" for i in range(150)]).assign(kind=["a", "b"] * 10)
    np.testing.assert_array_equal(load(table).x, x)


def test_a_column_that_turns_to_text_late_is_text(tmp_path):
    """A large file is read in pieces, of which the first would make 1.0 of a 1."""
    path = tmp_path / "mine.csv"
    path.write_text("a,y\n" + "1,0\n2.5,1\n" * 300_000 + "x,0\n1,1\nz,0\n" * 1000)
    pool = csv(file=str(path), label="y")
    assert pool.categories == (4,)
    expected = np.r_[np.tile([0, 1], 300_000), np.tile([2, 0, 3], 1000)]
    np.testing.assert_array_equal(pool.x[:, 0], expected)


def write(path: Path, *columns: list[str], names: str = "a;y", separator: str = ";") -> str:
    """A CSV file of these columns of text."""
    rows = [separator.join(row) for row in zip(*columns, strict=True)]
    path.write_text("\n".join([names.replace(";", separator), *rows]) + "\n")
    return str(path)


@pytest.mark.parametrize(
    ("labels", "names", "y"),
    [
        (["None", "NA", "null", "n/a", "nan"], ("NA", "None", "n/a", "nan", "null"), [1, 0, 4, 2, 3]),
        (["01", "1", "2", "1"], ("01", "1", "2"), [0, 1, 2, 1]),
        (["1", "1.0", "2.", "-0"], ("0", "1", "2"), [1, 1, 2, 0]),
        (["1", "1e0", "2"], ("1", "1e0", "2"), [0, 1, 2]),
        (["12345678901234567890", "12345678901234567891"], ("12345678901234567890", "12345678901234567891"), [0, 1]),
        (["1.5", "2.5", "none"], ("1.5", "2.5", "none"), [0, 1, 2]),
        (["true", "False", "TRUE"], ("False", "TRUE", "true"), [2, 0, 1]),
    ],
)
def test_labels_of_a_csv_are_what_stands_there(tmp_path, labels, names, y):
    pool = csv(file=write(tmp_path / "c", [str(i) for i in range(len(y))], labels), label="y", separator=";")
    assert pool.class_names == names
    assert pool.y.tolist() == y


@given(
    labels=st.lists(st.from_regex(r"[-+]?[0-9]{1,3}(\.[0-9]?)?|[A-Za-z/]{1,4}", fullmatch=True), min_size=2, max_size=8)
)
@settings(max_examples=40)
def test_no_two_labels_become_one_class(tmp_path_factory, labels):
    """Unless they are the same whole number."""
    file = write(tmp_path_factory.getbasetemp() / "labels.csv", ["0"] * len(labels), labels)
    whole = all(re.fullmatch(r"-?(0|[1-9]\d*)(\.0?)?", label) for label in labels)
    classes = [int(float(label)) if whole else label for label in labels]
    numbers = [float(label) for label in labels if re.fullmatch(r"[-+\d.]+", label)]
    if len(numbers) == len(labels) and any(number % 1 for number in numbers):
        with pytest.raises(UserError, match="continuous"):
            csv(file=file, label="y", separator=";")
    elif len(set(classes)) == 1:
        with pytest.raises(UserError, match="at least two classes"):
            csv(file=file, label="y", separator=";")
    else:
        pool = csv(file=file, label="y", separator=";")
        assert [pool.class_names[i] for i in pool.y] == [str(label) for label in classes]


def test_labels_of_both_files_are_read_alike(tmp_path):
    train, test = write(tmp_path / "a", ["1", "2"], ["1", "2"]), write(tmp_path / "b", ["1", "2"], ["1.0", "2.0"])
    pool = csv(file=train, test_file=test, label="y", separator=";")
    assert (pool.class_names, pool.y.tolist()) == (("1", "2"), [0, 1, 0, 1])
    test = write(tmp_path / "b", ["1", "2"], ["01", "2"])
    assert csv(file=train, test_file=test, label="y", separator=";").class_names == ("01", "1", "2")
    again = csv(file=train, test_file=train, label="y", separator=";")
    assert again.is_test.tolist() == [False, False, True, True]


def test_a_label_is_missing_where_it_is_empty_or_said_to_be(tmp_path):
    with pytest.raises(UserError, match="data row 2 has no label"):
        csv(file=write(tmp_path / "c", list("123"), ["NA", "", "x"]), label="y", separator=";")
    with pytest.raises(UserError, match="data row 1 has no label"):
        csv(file=write(tmp_path / "c", list("123"), ["NA", "y", "x"]), label="y", separator=";", missing=("NA",))


def test_a_decimal_mark_and_missing_values_can_be_named(tmp_path):
    file = write(tmp_path / "c", ["1,5", "?", "-2e1", "-", "", "-999"], list("ababab"))
    pool = csv(file=file, label="y", separator=";", decimal=",", missing=["?", "-", -999])
    np.testing.assert_array_equal(pool.x, np.array([[1.5, np.nan, -20, np.nan, np.nan, np.nan]], np.float32).T)
    assert pool.categories == ()
    file = write(tmp_path / "c", ['"1,5"', '"2"'], ["1,0", "2,0"], separator=";")
    assert csv(file=file, label="y", separator=";", decimal=",").class_names == ("1", "2")


NUMBERS_AS_TEXT = {
    "a question mark": (["1", "2", "3.5", "?"], {}, "'?' in data row 4", "missing: ['?']"),
    "decimal comma": (["1,5", "2,5", "3", "3"], {}, "'1,5' in data row 1", "decimal: ','"),
    "decimal point": (["1.5", "2.5", "3", "3"], {"decimal": ","}, "'1.5' in data row 1", "drop: ['a']"),
    "per cent": (["1%", "2.5 %", "3%", ""], {}, "'1%' in data row 1", "categories: ['a']"),
    "just above half": (["1", "2", "3", "x", "y"], {}, "'x' in data row 4", "'a' seems to hold numbers"),
    "more than categories": ([*map(str, range(300)), "x"], {}, "'x' in data row 301", "'a' seems to hold numbers"),
}


@pytest.mark.parametrize("case", NUMBERS_AS_TEXT)
def test_numbers_do_not_become_categories(tmp_path, case):
    values, given, *fragments = NUMBERS_AS_TEXT[case]
    file = write(tmp_path / "mine.csv", values, [str(i % 2) for i in range(len(values))])
    with pytest.raises(UserError) as caught:
        csv(file=file, label="y", separator=";", **given)
    assert not [f for f in (file, *fragments) if f not in str(caught.value)], str(caught.value)
    assert csv(file=file, label="y", separator=";", categories=["a"], max_categories=999, **given).categories[0] > 2


@pytest.mark.parametrize("late", [0, 200_000])
def test_one_text_among_many_numbers_is_named_wherever_it_stands(tmp_path, late):
    values = [str(i % 500) for i in range(late)] + ["1", "?", *map(str, range(300_000 - late))]
    file = write(tmp_path / "mine.csv", values, [str(i % 2) for i in range(len(values))])
    with pytest.raises(UserError, match=rf"'a' seems to hold numbers, but '\?' in data row {late + 2} is none"):
        csv(file=file, label="y", separator=";")
    pool = csv(file=file, label="y", separator=";", missing=("?",))
    assert np.flatnonzero(np.isnan(pool.x[:, 0])).tolist() == [late + 1]


def test_half_numbers_are_categories(tmp_path):
    pool = csv(file=write(tmp_path / "c", ["1", "2", "x", "y"], list("abab")), label="y", separator=";")
    assert pool.categories == (4,)


def test_columns_that_are_left_out_may_hold_anything(tmp_path):
    ids = [f"p{i}" for i in range(300)]
    file = write(tmp_path / "a", ids, ids[:1] * 300, ["a", "b"] * 150, names="id;x;y")
    assert csv(file=file, label="y", separator=";", drop=("id",)).x.shape == (300, 1)
    short = write(tmp_path / "b", ids[:1] * 2, ["a", "b"], names="x;y")
    assert csv(file=short, test_file=file, label="y", separator=";").x.shape == (302, 1)
    with pytest.raises(UserError, match=r"no column 'z' \('categories'\)"):
        csv(file=short, label="y", separator=";", categories=("z",))


def test_codes_do_not_depend_on_the_pieces_that_a_file_is_read_in(tmp_path):
    """More rows than a piece has, values that appear late, and pieces without any."""
    rng = np.random.default_rng(0)
    early, late = [f"v{i}" for i in range(90)], [f"w{i}" for i in range(200)]
    values = rng.choice(early, 200_000).tolist() + [""] * 200_000 + rng.choice(late, 200_000).tolist()
    labels = rng.choice(["b", "a"], len(values)).tolist()
    pool = csv(file=write(tmp_path / "c", values, labels), label="y", separator=";", max_categories=290)
    names = sorted({*early, *late})
    assert pool.categories == (290,)
    place = {name: float(i) for i, name in enumerate(names)} | {"": np.nan}
    np.testing.assert_array_equal(pool.x[:, 0], np.array([place[v] for v in values], np.float32))
    np.testing.assert_array_equal(pool.y, [label == "b" for label in labels])


@pytest.mark.parametrize("value", ["category_{}", "{}.25"])
def test_a_csv_is_read_into_twice_the_table(tmp_path, value):
    rows = [",".join(value.format(i * j % 50) for j in range(40)) + f",{i % 2}\n" for i in range(100)]
    path = tmp_path / "mine.csv"
    path.write_text(",".join(f"c{j}" for j in range(40)) + ",y\n" + "".join(rows) * 1000)
    arrow = pa.default_memory_pool()
    before = arrow.max_memory()
    tracemalloc.start()
    pool = csv(file=str(path), label="y")
    peak = tracemalloc.get_traced_memory()[1] + max(0, arrow.max_memory() - before)
    tracemalloc.stop()
    assert pool.x.shape == (100_000, 40)
    assert peak < 2 * pool.x.nbytes + 3 * 2**23


def test_another_separator(tmp_path):
    (tmp_path / "mine.tsv").write_text("a\ty\n1\tp, q\n2\tr\n")
    assert csv(file=str(tmp_path / "mine.tsv"), label="y", separator="\t").class_names == ("p, q", "r")


def test_the_digest_is_of_both_files_contents(tmp_path):
    a, b = (str(to_csv(TABLE.head(n), tmp_path / f"{n}.csv")) for n in (6, 5))
    copy = str(to_csv(TABLE, tmp_path / "copy.csv"))
    digests = [inspect_csv(file=f, test_file=t, label="kind").digest for f, t in ((a, ""), (copy, ""), (a, b), (b, a))]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


N = 400
DATES = pd.to_datetime(["2020-01-01"] * 6)
# what is wrong -> (the table, other arguments, what the message must say)
BAD_TABLES = {
    "no such label": (TABLE, {"label": "kint"}, ["no column 'kint'", "did you mean 'kind'?", "size, count, sold"]),
    "no such drop": (TABLE, {"drop": ("colur",)}, ["no column 'colur' ('drop')", "did you mean 'colour'?"]),
    "label dropped": (TABLE, {"drop": ("kind",)}, ["'kind' is the label", "'drop'"]),
    "nothing left": (TABLE[["size", "kind"]], {"drop": ("size",)}, ["no column is left"]),
    "no rows": (TABLE.head(0), {}, ["no rows"]),
    "missing label": (TABLE.assign(kind=["a", "b", None, "a", "b", "a"]), {}, ["data row 3", "no label", "'kind'"]),
    "one class": (TABLE.assign(kind="a"), {}, ["'a'", "at least two classes"]),
    "continuous label": (TABLE.assign(kind=[1, 2, 1, 2.5, 1, 2]), {}, ["data row 4", "2.5", "continuous"]),
    "infinite label": (TABLE.assign(kind=[1, 2, 1, np.inf, 1, 2]), {}, ["data row 4", "inf", "continuous"]),
    "infinite": (TABLE.assign(size=[1, 2, -np.inf, 4, 5, 6]), {}, ["data row 3", "-inf", "'size'"]),
    "beyond float32": (TABLE.assign(size=[1, 2, 3, 4, 5, 1e39]), {}, ["data row 6", "'size'", "single precision"]),
    "dates": (TABLE.assign(size=DATES), {}, ["'size' holds dates", "drop: ['size']"]),
    "dates as text": (TABLE.assign(size=["1.2.2020"] * 6), {}, ["'size' holds dates"]),
    "identifier": (
        pd.DataFrame({"id": [f"p{i}" for i in range(N)], "x": range(N), "kind": ["a", "b"] * (N // 2)}),
        {},
        ["400 different values, more than 'max_categories: 100'", "identifier", "drop: ['id']"],
    ),
    "few categories allowed": (
        TABLE,
        {"max_categories": 2},
        ["'colour' has", "3 different values, more than 'max_categories: 2'"],
    ),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_an_unusable_table_is_refused(load, tmp_path, case):
    table, given, fragments = BAD_TABLES[case]
    with pytest.raises(UserError) as caught:
        load(table, **given)
    message = str(caught.value)
    assert not [f for f in (str(tmp_path / "mine"), *fragments) if f not in message], message
    assert message.endswith(".")


def test_an_unusable_test_split_is_refused(load, tmp_path):
    bad = {
        "no column 'count'": TABLE.drop(columns="count"),
        "no column 'kind'": TABLE.drop(columns="kind"),
        r"test: data row 2 has no label": TABLE.assign(kind=["a", None] * 3),
        r"test: data row 1 has inf": TABLE.assign(size=np.inf),
        "'count' holds numbers in .* and text in": TABLE.assign(count="many"),
    }
    for message, test in bad.items():
        with pytest.raises(UserError, match=message):
            load(TABLE, test)


BAD_CSV = {
    "empty": (b"", {}, ["is empty"]),
    "duplicate": (b"a,a,kind\n1,2,x\n3,4,y\n", {}, ["several columns 'a'"]),
    "row number": (b",a,kind\n0,1,x\n1,2,y\n", {}, ["column 1 has no name", "drop: ['Unnamed: 0']"]),
    "separator": (b"a;kind\n1;x\n2;y\n", {}, ["one column only, 'a;kind'", "separator"]),
    "long separator": (b"a,kind\n", {"separator": ", "}, ["separator", "one character"]),
    "no decimal mark": (b"a,kind\n", {"decimal": ""}, ["decimal", "one character"]),
    "long row": (b"a,kind\n1,x\n1,2,y\n", {}, ["cannot be read as CSV", "line 3"]),
    "long rows": (b"a,kind\n1,2,x\n1,2,y\n", {}, ["cannot be read as CSV"]),
    "not text": (b"a,kind\n\xff\xfe,x\n1,y\n", {}, ["not UTF-8"]),
}


@pytest.mark.parametrize("case", BAD_CSV)
def test_an_unusable_csv_is_refused(tmp_path, case):
    content, given, fragments = BAD_CSV[case]
    (tmp_path / "mine.csv").write_bytes(content)
    with pytest.raises(UserError) as caught:
        csv(file=str(tmp_path / "mine.csv"), label="kind", **given)
    assert not [f for f in fragments if f not in str(caught.value)], str(caught.value)


def test_a_column_without_name_can_be_left_out(tmp_path):
    (tmp_path / "mine.csv").write_text(",a,kind\n0,1,x\n1,2,y\n")
    assert csv(file=str(tmp_path / "mine.csv"), label="kind", drop=("Unnamed: 0",)).x.tolist() == [[1], [2]]


def test_an_unusable_parquet_file_is_refused(tmp_path):
    path = tmp_path / "mine.parquet"
    path.write_bytes(b"PAR1 no, it is not")
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        parquet(file=str(path), label="y")
    pq.write_table(pa.table([[1, 2], [3, 4], [0, 1]], names=["a", "a", "y"]), path)
    with pytest.raises(UserError, match="several columns 'a'"):
        parquet(file=str(path), label="y")
    pq.write_table(pa.table({"a": [[1], [2]], "y": [0, 1]}), path)
    with pytest.raises(UserError, match=r"'a' holds mixed values; drop it \(drop: \['a'\]\)"):
        parquet(file=str(path), label="y")
    pq.write_table(pa.table({"a": [b"1", b"2"], "y": [0, 1]}), path)
    with pytest.raises(UserError, match="'a' holds bytes values"):
        parquet(file=str(path), label="y")


@pytest.mark.parametrize("read", [csv, parquet])
def test_a_file_that_is_not_there(tmp_path, read):
    with pytest.raises(UserError, match=r"does not exist.*data_dir"):
        read(file=str(tmp_path / "mine"), label="y")
    with pytest.raises(UserError, match="cannot be read"):
        read(file=str(tmp_path), label="y")


def test_parquet_is_read_into_little_more_than_the_table(tmp_path):
    x = np.random.default_rng(0).normal(size=(20_000, 400))
    table = pa.table({f"c{i}": x[:, i] for i in range(400)} | {"y": np.arange(20_000) % 2})
    pq.write_table(table, tmp_path / "mine.parquet")
    del table
    arrow = pa.default_memory_pool()
    before = arrow.max_memory()
    tracemalloc.start()
    pool = parquet(file=str(tmp_path / "mine.parquet"), label="y")
    peak = tracemalloc.get_traced_memory()[1] + max(0, arrow.max_memory() - before)
    tracemalloc.stop()
    np.testing.assert_array_equal(pool.x, x.astype(np.float32))
    assert peak < 2 * pool.x.nbytes


# Image folders


def paint(path: Path, pixels, mode: str | None = None, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(pixels))
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def grey(seed: int, h: int = 6, w: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (h, w), dtype=np.uint8)


def colour(seed: int, h: int = 6, w: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (h, w, 3), dtype=np.uint8)


@pytest.fixture
def pets(tmp_path) -> Path:
    """Two classes, three grey images, and things that are none."""
    root = tmp_path / "pets"
    for i, name in enumerate(["dog/b.png", "dog/a.PNG", "cat/deep/c.bmp"]):
        paint(root / name, grey(i))
    (root / "dog" / "Thumbs.db").write_text("no image")
    (root / "dog" / ".hidden.png").write_text("no image")
    (root / ".git").mkdir()
    (root / "README.md").write_text("pets")
    return root


def test_an_image_folder(pets):
    pool, description = image_folder(folder=str(pets)), inspect_image_folder(folder=str(pets))
    np.testing.assert_array_equal(pool.x, [grey(2), grey(1), grey(0)], strict=True)
    assert pool.names.tolist() == ["cat/deep/c.bmp", "dog/a.PNG", "dog/b.png"]
    assert pool.x.dtype == np.uint8
    np.testing.assert_array_equal(pool.y, np.array([0, 1, 1]), strict=True)
    assert pool.class_names == ("cat", "dog")
    assert pool.is_test is None
    assert (description.modality, description.n_samples, description.n_classes) == ("image", 3, 2)
    assert (description.shape, description.n_test, description.class_counts) == ((6, 4), 0, (1, 2))
    assert description.class_names == pool.class_names


@pytest.mark.parametrize(
    ("train", "test", "more"),
    [
        ("train", "test", ""),
        ("train", "val", ""),
        ("train", "test", "val"),
        ("Train", "Test", ""),
        ("TRAIN", "Testing", "validation"),
        ("training", "testing", ""),
        ("training", "eval", "dev"),
        ("train", "valid", "validation"),
    ],
)
def test_folders_can_be_splits(tmp_path, train, test, more):
    for i, name in enumerate([f"{train}/a/0.png", f"{train}/b/1.png", f"{test}/a/2.png", f"{test}/b/3.png"]):
        paint(tmp_path / name, grey(i))
    if more:
        paint(tmp_path / more / "a/4.png", grey(4))
        paint(tmp_path / more / "b/5.png", grey(5))
    pool, description = image_folder(folder=str(tmp_path)), inspect_image_folder(folder=str(tmp_path))
    assert pool.class_names == description.class_names == ("a", "b")
    of_test = pool.x[pool.is_test]
    np.testing.assert_array_equal(of_test, [grey(2), grey(3)])
    assert pool.y[pool.is_test].tolist() == [0, 1]
    assert description.n_test == 2
    assert description.class_counts == ((2, 2) if more else (1, 1))
    np.testing.assert_array_equal(pool.x[0], grey(0))


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (["train/0.png", "test/1.png"], "no folders of classes in 'test', 'train'"),
        (["Train/a/0.png", "Train/b/0.png", "Test/1.png"], "no folders of classes in 'Test'"),
        (["train/a/0.png", "train/b/0.png", "test/a/0.png", "test/b/0.png", "extra/a/0.png"], "there is 'extra'"),
        (["dog/0.png", "cat/0.png", "dev/0.png"], "beside 'dev' there is 'cat', 'dog'"),
        (["train/a/0.png", "train/b/0.png"], "there is 'train'"),
        (["val/a/0.png", "val/b/0.png", "test/a/0.png", "test/b/0.png"], "there is 'test', 'val'"),
        (["train/a/0.png", "training/a/0.png", "test/a/0.png"], "there is 'test', 'train', 'training'"),
        (["train/a/0.png", "Test/a/0.png", "test/a/0.png"], "there is 'Test', 'test', 'train'"),
    ],
)
def test_splits_never_become_classes(tmp_path, files, found):
    for name in files:
        paint(tmp_path / name, grey(0))
    for function in (image_folder, inspect_image_folder):
        with pytest.raises(UserError) as caught:
            function(folder=str(tmp_path))
        assert found in str(caught.value), str(caught.value)
        assert "allowed are class folders alone" in str(caught.value)


def test_one_colour_image_makes_all_colour(pets):
    paint(pets / "cat" / "z.png", colour(0))
    pool = image_folder(folder=str(pets))
    assert pool.x.shape == (4, *inspect_image_folder(folder=str(pets)).shape) == (4, 6, 4, 3)
    np.testing.assert_array_equal(pool.x[1], colour(0))
    np.testing.assert_array_equal(pool.x[0], np.repeat(grey(2)[..., None], 3, axis=2))
    assert image_folder(folder=str(pets), mode="L").x.shape == (4, 6, 4)
    assert inspect_image_folder(folder=str(pets), mode="L").shape == (6, 4)
    assert image_folder(folder=str(pets), mode="RGB").x.shape == (4, 6, 4, 3)


def test_kinds_of_pixels(tmp_path):
    level = np.full((4, 4), 200, np.uint8)
    paint(tmp_path / "a" / "0.png", level.astype(np.uint16) * 256 + 77)
    paint(tmp_path / "a" / "1.tif", level.astype(np.uint16) * 256 + 77)
    paint(tmp_path / "b" / "0.png", level, "LA")
    paint(tmp_path / "b" / "1.png", level == 200)
    x = image_folder(folder=str(tmp_path)).x
    assert x.tolist() == np.stack([level, level, level, np.full((4, 4), 255)]).tolist()
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    paint(tmp_path / "b" / "2.png", red, "RGBA")
    paint(tmp_path / "b" / "3.gif", red, "P")
    paint(tmp_path / "b" / "4.jpg", red, "CMYK", quality=100)
    x = image_folder(folder=str(tmp_path)).x
    assert x[0].tolist() == np.full((4, 4, 3), 200).tolist()
    assert np.abs(x[4:].astype(int) - red).max() <= 3


@pytest.mark.parametrize("ending", ["png", "bmp", "gif"])
def test_a_palette_of_greys_is_grey(tmp_path, ending):
    """A palette of 4 greys; with a colour among them, all images are in colour."""
    places = np.arange(24, dtype=np.uint8).reshape(6, 4) % 4
    for folder in "ab":
        (tmp_path / folder).mkdir()
        image = Image.fromarray(places, "P")
        image.putpalette([v for level in (10, 200, 30, 255) for v in (level, level, level)])
        image.save(tmp_path / folder / f"0.{ending}")
    expected = np.array([10, 200, 30, 255], np.uint8)[places]
    np.testing.assert_array_equal(image_folder(folder=str(tmp_path)).x, [expected] * 2, strict=True)
    assert inspect_image_folder(folder=str(tmp_path)).shape == (6, 4)
    image.putpalette([10, 10, 10, 200, 200, 200, 30, 30, 30, 255, 0, 255])
    image.save(tmp_path / "b" / f"0.{ending}")
    x = image_folder(folder=str(tmp_path)).x
    assert inspect_image_folder(folder=str(tmp_path)).shape == (6, 4, 3)
    assert x[1][places == 3].tolist() == [[255, 0, 255]] * 6


@pytest.mark.parametrize("seed", range(3))
def test_sixteen_bits_are_divided_by_256(tmp_path, seed):
    deep = np.random.default_rng(seed).integers(0, 2**16, (6, 4)).astype(np.uint16)
    for name in ("a/0.png", "b/0.tif"):
        paint(tmp_path / name, deep)
    np.testing.assert_array_equal(image_folder(folder=str(tmp_path)).x, [deep // 256] * 2)


@pytest.mark.parametrize(("h", "w"), [(12, 30), (30, 12), (12, 12), (7, 7), (3, 100)])
def test_images_are_resized_and_cut(tmp_path, h, w):
    across, down = np.meshgrid(np.linspace(0, 255, w), np.linspace(0, 255, h))
    paint(tmp_path / "a" / "0.png", across.astype(np.uint8))
    paint(tmp_path / "b" / "0.png", down.astype(np.uint8))
    x = image_folder(folder=str(tmp_path), size=8).x.astype(int)
    assert inspect_image_folder(folder=str(tmp_path), size=8).shape == x.shape[1:] == (8, 8)
    assert (np.abs(x - x[:, ::-1, ::-1] - (2 * x - 255)) <= 4).all()  # the centre is the centre
    seen = min(h, w) / np.array([w, h]) * 255  # how much of the grey levels the middle square spans
    assert np.abs(np.ptp(x[0], axis=1) - seen[0] * 7 / 8).max() < 255 / 6
    assert np.abs(np.ptp(x[1], axis=0) - seen[1] * 7 / 8).max() < 255 / 6


def test_the_digest_is_of_names_and_contents(pets):
    def digest():
        return inspect_image_folder(folder=str(pets)).digest

    before = digest()
    moved = pets.rename(pets.with_name("moved"))
    assert inspect_image_folder(folder=str(moved)).digest == before
    moved.rename(pets)
    (pets / "dog" / "Thumbs.db").write_text("something else")
    assert digest() == before
    (pets / "dog" / "b.png").rename(pets / "dog" / "c.png")
    renamed = digest()
    assert renamed != before
    paint(pets / "dog" / "c.png", grey(9))
    assert digest() not in (before, renamed)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


BAD_FOLDERS = {
    "missing": (lambda root: root.rename(root.with_name("x")), ["does not exist", "data_dir"]),
    "no classes": (lambda root: (root / "dog").rename(root / ".dog"), ["at least two folders", "cat"]),
    "no images": (lambda root: (root / "fox").mkdir(), ["fox", "no image of this class", ".png"]),
    "sizes": (lambda root: paint(root / "dog/z.png", grey(0, 8, 9)), ["4x6 pixels", "9x8", "z.png", "'size'"]),
    "text": (lambda root: (root / "dog/z.png").write_text("no image"), ["z.png", "cannot be read"]),
    "outside link": (lambda root: (root / "dog/z.png").symlink_to(root.parent / "z.png"), ["z.png", "leads out"]),
    "outside folder": (lambda root: (root / "fox").symlink_to(root.parent), ["fox", "leads out"]),
    "loop": (lambda root: (root / "dog/again").symlink_to(root / "dog"), ["again", "into itself"]),
    "splits": (
        lambda root: (
            [paint(root / name, grey(0)) for name in ("train/a/0.png", "train/b/0.png", "test/a/0.png")]
            and [(root / name).rename(root / f".{name}") for name in ("cat", "dog")]
        ),
        ["same classes", "in one only: b"],
    ),
}


@pytest.mark.parametrize("case", BAD_FOLDERS)
def test_an_unusable_folder_is_refused(pets, case):
    change, fragments = BAD_FOLDERS[case]
    change(pets)
    for function in (inspect_image_folder, image_folder):
        with pytest.raises(UserError) as caught:
            function(folder=str(pets))
        assert not [f for f in fragments if f not in str(caught.value)], str(caught.value)


@pytest.mark.parametrize(("given", "message"), [({"mode": "rgb"}, "auto, L, RGB"), ({"size": -1}, "'size: -1'")])
def test_unusable_settings_are_refused(pets, given, message):
    with pytest.raises(UserError, match=re.escape(message)):
        inspect_image_folder(folder=str(pets), **given)


def test_a_link_inside_the_folder_is_followed(pets):
    (pets / "dog" / "z.bmp").symlink_to(pets / "cat" / "deep" / "c.bmp")
    np.testing.assert_array_equal(image_folder(folder=str(pets)).x[3], grey(2))


def test_a_truncated_image_is_named(pets):
    truncate(pets / "dog" / "b.png")
    with pytest.raises(UserError, match=r"b\.png: the image cannot be read"):
        image_folder(folder=str(pets))


def test_a_decompression_bomb_is_refused(pets):
    import struct
    import zlib

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    for side in (10_000, 60_000):
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
        (pets / "dog" / "z.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
        with pytest.raises(UserError, match=r"z\.png: the image is too large"):
            inspect_image_folder(folder=str(pets))


def test_floating_point_images_are_refused(pets):
    paint(pets / "dog" / "z.tif", grey(0).astype(np.float32))
    with pytest.raises(UserError, match=r"z\.tif: .*floating-point"):
        image_folder(folder=str(pets))


def test_images_exist_but_once_in_memory(tmp_path):
    for i in range(40):
        paint(tmp_path / "ab"[i % 2] / f"{i:02}.png", np.full((200, 300, 3), i, np.uint8))
    tracemalloc.start()
    x = image_folder(folder=str(tmp_path)).x
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert x[:, 0, 0, 0].tolist() == [*range(0, 40, 2), *range(1, 40, 2)]
    assert peak < 1.5 * x.nbytes


def test_inspecting_files_imports_no_torch(pets, tmp_path):
    path = to_csv(TABLE, tmp_path / "mine.csv")
    code = (
        "import sys; from glitchmark.datasets.csv import inspect_csv; "
        "from glitchmark.datasets.image_folder import inspect_image_folder; "
        f"inspect_csv(file={str(path)!r}, label='kind'); inspect_image_folder(folder={str(pets)!r}); "
        "sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], env=dict(os.environ), check=False).returncode == 0


# Odd spellings, and folders that cannot be walked


@pytest.mark.parametrize("labels", [["1.0", "0.0", "1.0", "0.0"], ["1.000", "2.000", "1.000", "2.000"]])
def test_labels_with_points_where_the_decimal_is_a_comma(tmp_path, labels):
    path = tmp_path / "a.csv"
    path.write_text("x;y\n" + "".join(f"{i},5;{label}\n" for i, label in enumerate(labels)))
    pool = csv(file=str(path), label="y", separator=";", decimal=",")
    assert len(pool.class_names) == 2
    np.testing.assert_array_equal(pool.x[:, 0], [0.5, 1.5, 2.5, 3.5])


@pytest.mark.parametrize(("key", "value"), [("separator", "\n"), ("decimal", "\r"), ("decimal", ",")])
def test_separators_that_cannot_be(tmp_path, key, value):
    (tmp_path / "a.csv").write_text("x,y\n1,a\n2,b\n")
    with pytest.raises(UserError, match=f"'{key}: "):
        csv(file=str(tmp_path / "a.csv"), label="y", **{key: value})


def _photos(folder, n=3):
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for i in range(n):
            Image.new("L", (8, 8), 40 * i).save(folder / name / f"{i}.png")


@pytest.mark.parametrize("damage", ["crossed links", "broken link", "no text"])
def test_folders_that_cannot_be_walked(tmp_path, damage):
    _photos(tmp_path)
    if damage == "crossed links":
        (tmp_path / "a" / "x").symlink_to(tmp_path / "b")
        (tmp_path / "b" / "y").symlink_to(tmp_path / "a")
        message = "symbolic link"
    elif damage == "broken link":
        (tmp_path / "a" / "x.png").symlink_to(tmp_path / "a" / "gone.png")
        message = r"x\.png"
    else:
        os.rename(os.fsencode(tmp_path / "a" / "0.png"), os.fsencode(tmp_path / "a") + b"/caf\xe9.png")
        message = "is no UTF-8 text; rename it"
    with pytest.raises(UserError, match=message):
        inspect_image_folder(folder=str(tmp_path))

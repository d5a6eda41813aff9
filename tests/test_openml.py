"""OpenML data sets: from a cache as the openml package lays it out, and from a server on this machine."""

import hashlib
import re
import shutil
import socket
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import openml
import pandas as pd
import pytest

from glitchmark import registry
from glitchmark.datasets.openml import openml as load
from glitchmark.errors import Unavailable, UserError

ID = 61
ARFF = """% a comment
@RELATION flowers

@ATTRIBUTE row      INTEGER
@ATTRIBUTE length   REAL
@ATTRIBUTE 'petal colour' {red, blue, 'dark green', unused}
@ATTRIBUTE wild     {0, 1}
@ATTRIBUTE shiny    {FALSE, TRUE}
@ATTRIBUTE place    STRING
@ATTRIBUTE class    {rose, tulip, lily, none}
@DATA
1, 1.5,  red,          0, TRUE,  'wood',  rose
2, ?,    blue,         1, FALSE, 'größe', tulip
3, -2,   ?,            1, ?,     'wood',  lily

4, 1e3,  'dark green', ?, TRUE,  ?,       rose
5, 7,    blue,         0, TRUE,  'field', tulip
6, 8,    red,          0, FALSE, 'wood',  lily
"""
X = np.array(
    [
        [1.5, np.nan, -2, 1e3, 7, 8],
        [2, 0, np.nan, 1, 0, 2],  # blue, dark green, red
        [0, 1, 1, np.nan, 0, 0],
        [1, 0, np.nan, 1, 1, 0],
        [2, 1, 2, np.nan, 0, 2],  # field, größe, wood
    ],
    np.float32,
).T
CATEGORIES = (0, 3, 0, 0, 3)
FRAME = pd.DataFrame(
    {
        "row": range(1, 7),
        "length": X[:, 0].astype(np.float64),
        "petal colour": pd.Categorical(
            ["red", "blue", None, "dark green", "blue", "red"], ["red", "blue", "dark green", "unused"]
        ),
        "wild": pd.Categorical(["0", "1", "1", None, "0", "0"]),
        "shiny": pd.array([True, False, None, True, True, False], dtype="boolean"),
        "place": ["wood", "größe", "wood", None, "field", "wood"],
        "class": pd.Categorical(["rose", "tulip", "lily"] * 2, ["rose", "tulip", "lily", "none"]),
    }
)
SERVER = "https://www.openml.org/api/v1/xml"

FEATURE = (
    "<oml:feature><oml:index>{}</oml:index><oml:name>{}</oml:name><oml:data_type>{}</oml:data_type>{}</oml:feature>"
)
NOMINAL = {
    "petal colour": ["red", "blue", "dark green", "unused"],
    "wild": ["0", "1"],
    "shiny": ["FALSE", "TRUE"],
    "class": ["rose", "tulip", "lily", "none"],
}
FEATURES = "<oml:data_features xmlns:oml='http://openml.org/openml'>{}</oml:data_features>".format(
    "".join(
        FEATURE.format(
            i,
            name,
            "nominal" if name in NOMINAL else "string" if name == "place" else "numeric",
            "".join(f"<oml:nominal_value>{value}</oml:nominal_value>" for value in NOMINAL.get(name, [])),
        )
        for i, name in enumerate(FRAME)
    )
)
QUALITIES = """<oml:data_qualities xmlns:oml="http://openml.org/openml">
  <oml:quality><oml:name>NumberOfInstances</oml:name><oml:value>6.0</oml:value></oml:quality>
  <oml:quality><oml:name>MinorityClassSize</oml:name><oml:value>{}</oml:value></oml:quality>
</oml:data_qualities>"""


def description(*, arff: str = ARFF, server: str = SERVER, parquet: bool = True, **more: str) -> str:
    """description.xml, as the server sends it and the package keeps it."""
    host = server.split("/api/")[0]
    fields = {
        "id": str(ID),
        "name": "flowers",
        "version": "1",
        "format": "ARFF",
        "licence": "Public",
        "url": f"{host}/data/v1/download/{ID}/flowers.arff",
        "default_target_attribute": "class",
        "row_id_attribute": "row",
        "md5_checksum": hashlib.md5(arff.encode()).hexdigest(),
    } | more
    if parquet:
        fields["parquet_url"] = f"{host.replace('https', 'http')}/datasets/0000/0061/dataset_{ID}.pq"
    inside = "".join(f"<oml:{key}>{value}</oml:{key}>\n" for key, value in fields.items() if value)
    return f'<oml:data_set_description xmlns:oml="http://openml.org/openml">\n{inside}</oml:data_set_description>\n'


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """This machine alone can be reached; the package tries once, and forgets what a test has set."""
    connect = socket.socket.connect

    def local(self, address):
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1"):
            raise ConnectionRefusedError(f"no network in tests: {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local)
    for name in ("server", "connection_n_retries", "show_progress", "_root_cache_directory"):
        monkeypatch.setattr(openml.config, name, getattr(openml.config, name))
    openml.config.server = SERVER
    openml.config.connection_n_retries = 1


@pytest.fixture
def cached(tmp_path):
    """Fill a cache as the package does -> its folder. files: "arff" or "pq"."""

    def fill(kind: str, *, arff: str = ARFF, frame: pd.DataFrame = FRAME, **more) -> str:
        folder = tmp_path / "cache" / "org" / "openml" / "www" / "datasets" / str(ID)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "description.xml").write_text(description(arff=arff, **more), encoding="utf-8")
        if kind == "arff":
            (folder / "dataset.arff").write_text(arff, encoding="utf-8")
        else:
            frame.to_parquet(folder / f"dataset_{ID}.pq")
        return str(tmp_path / "cache")

    return fill


def check(pool) -> None:
    np.testing.assert_array_equal(pool.x, X, strict=True)
    np.testing.assert_array_equal(pool.y, np.array([1, 2, 0, 1, 2, 0]), strict=True)
    assert pool.class_names == ("lily", "rose", "tulip")
    assert pool.categories == CATEGORIES
    assert pool.is_test is None


def content(folder: str | Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


# From the cache


@pytest.mark.parametrize("kind", ["arff", "pq"])
@pytest.mark.parametrize("parquet", [True, False])
def test_a_cached_data_set_is_read_without_network(cached, kind, parquet):
    cache = cached(kind, parquet=parquet)
    before = content(cache)
    check(load(id=ID, cache=cache))
    assert content(cache) == before


@pytest.mark.parametrize("kind", ["arff", "pq"])
def test_another_target_and_fewer_columns(cached, kind):
    cache = cached(kind, ignore_attribute="shiny,place")
    given = {"id": ID, "target": "wild", "drop": ("petal colour",), "cache": cache}
    with pytest.raises(UserError, match=r"data row 4 has no label \(column 'wild'\)"):
        load(**given)
    pool = load(**given | {"target": "class"})
    np.testing.assert_array_equal(pool.x, X[:, [0, 2]])


def test_a_column_that_is_to_be_ignored_can_be_the_label(cached):
    pool = load(id=ID, target="row", cache=cached("pq"))
    assert pool.class_names == ("1", "2", "3", "4", "5", "6")
    assert pool.categories == (*CATEGORIES, 3)


def test_the_package_reads_the_same_from_the_same_cache(cached):
    """Our way to the columns, and the package's own."""
    for kind in ("arff", "pq"):
        cache = cached(kind, parquet=kind == "pq")
        openml.config.set_root_cache_directory(cache)
        data, *_ = openml.datasets.get_dataset(ID).get_data()
        np.testing.assert_array_equal(load(id=ID, cache=cache).x[:, 0], data["length"].to_numpy(np.float32))
        assert data["petal colour"].map({"blue": 0, "dark green": 1, "red": 2}).tolist()[0] == 2
        shutil.rmtree(cache)


def test_a_sparse_data_set(cached):
    arff = "@RELATION s\n@ATTRIBUTE a REAL\n@ATTRIBUTE b REAL\n@ATTRIBUTE class {p,q}\n@DATA\n"
    arff += "{0 1.5}\n{1 ?, 2 q}\n{0 2, 1 3, 2 q}\n{}\n"
    pool = load(id=ID, cache=cached("arff", arff=arff, format="Sparse_ARFF", row_id_attribute=""))
    np.testing.assert_array_equal(pool.x, np.array([[1.5, 0], [0, np.nan], [2, 3], [0, 0]], np.float32))
    assert pool.y.tolist() == [0, 1, 1, 0]


def test_many_rows(cached):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60_000, 3)).round(3), rng.integers(3, size=60_000)
    lines = "\n".join(f"{a},{b},{c},{label}" for (a, b, c), label in zip(x.tolist(), y.tolist(), strict=True))
    names = "".join(f"@ATTRIBUTE c{i} NUMERIC\n" for i in range(3))
    arff = f"@RELATION m\n{names}@ATTRIBUTE class {{0,1,2}}\n@DATA\n{lines}\n"
    pool = load(id=ID, cache=cached("arff", arff=arff, row_id_attribute=""))
    np.testing.assert_array_equal(pool.x, x.astype(np.float32))
    np.testing.assert_array_equal(pool.y, y)


def test_a_damaged_file_is_found(cached):
    cache = cached("arff")
    path = next(Path(cache).rglob("dataset.arff"))
    path.write_text(path.read_text().replace("1.5", "1.6"))
    with pytest.raises(UserError, match=r"dataset\.arff: the file is damaged \(md5 .*remove it"):
        load(id=ID, cache=cache)
    cache = cached("pq")
    path = next(Path(cache).rglob("*.pq"))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match=r"OpenML data set 61 .*cannot be read as Parquet"):
        load(id=ID, cache=cache)


BAD = {
    "no such target": ({}, {"target": "clas"}, ["no column 'clas'", "did you mean 'class'?"]),
    "no default target": ({"default_target_attribute": ""}, {}, ["61 ('flowers') has no default target", "'target'"]),
    "several targets": ({"default_target_attribute": "wild,class"}, {}, ["several default targets: wild,class"]),
    "no such drop": ({}, {"drop": ("colour",)}, ["no column 'colour' ('drop')"]),
    "missing label": ({}, {"target": "length"}, ["data row 2 has no label (column 'length')"]),
    "regression": ({"arff": ARFF.replace("2, ?,", "2, 0,")}, {"target": "length"}, ["data row 1", "continuous"]),
    "not ARFF": ({"arff": "hello"}, {}, ["cannot be read as ARFF"]),
    "a date": ({"arff": ARFF.replace("INTEGER", "DATE")}, {}, ["cannot be read as ARFF", "line 4"]),
    "a wrong value": ({"arff": ARFF.replace("tulip\n", "tulips\n")}, {}, ["cannot be read as ARFF", "tulips"]),
}


@pytest.mark.parametrize("case", BAD)
def test_an_unusable_data_set_is_refused(cached, case):
    told, given, fragments = BAD[case]
    cache = cached("arff", **told)
    with pytest.raises(UserError) as caught:
        load(id=ID, cache=cache, **given)
    assert not [f for f in fragments if f not in str(caught.value)], str(caught.value)


def test_too_many_categories(cached):
    with pytest.raises(UserError, match="'petal colour' has 3 different values, more than 'max_categories: 2'"):
        load(id=ID, cache=cached("pq"), max_categories=2)


# Without network


def test_without_network_one_sentence_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Unavailable) as caught:
        load(id=ID, cache="cache")
    message = str(caught.value)
    assert "not in the cache and cannot be downloaded: tried https://www.openml.org/api/v1/xml/data/61" in message
    folder = "org/openml/www/datasets/61"
    assert f"put description.xml and dataset_61.pq (or dataset.arff) into {tmp_path / 'cache' / folder}" in message
    assert "--config cache_dir=DIR" in message
    assert "\n" not in message


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_without_network_nothing_of_the_user_s_is_removed(cached, damage):
    """The package itself removes the folder of a data set that it cannot describe."""
    cache = cached("pq")
    path = next(Path(cache).rglob("description.xml"))
    path.unlink() if damage == "missing" else path.write_text("<oml:data_set")
    before = content(cache)
    with pytest.raises(UserError, match=r"cannot be downloaded.*put description\.xml and"):
        load(id=ID, cache=cache)
    assert content(cache) == before


@pytest.mark.parametrize(
    ("name", "number", "shape", "classes"),
    [("jannis", 41168, (83733, 54), 4), ("forest_cover", 1596, (581012, 54), 7), ("epsilon", 45575, (500000, 2000), 2)],
)
def test_the_papers_tables_are_planned_without_network(tmp_path, name, number, shape, classes):
    plugin = registry.load("dataset", name)
    known = plugin.info["inspect"](cache=str(tmp_path))
    assert (known.n_samples, *known.shape) == shape
    assert (known.n_classes, known.modality, known.digest) == (classes, "table", "")
    with pytest.raises(UserError, match=rf"tried https://www.openml.org/api/v1/xml/data/{number} "):
        plugin.function(cache=str(tmp_path))


# From a server


class Server(ThreadingHTTPServer):
    """What openml.org answers: path -> content; ``broken``: how often a path's connection is closed instead."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/api/v1/xml"
        self.files: dict[str, bytes] = {}
        self.broken: Counter = Counter()
        self.asked: list[str] = []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.split("?")[0]
        if self.command == "GET":
            self.server.asked.append(path)
        if self.server.broken[path] > 0:
            self.server.broken[path] -= 1
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        error = (
            b"<oml:error xmlns:oml='o'><oml:code>111</oml:code><oml:message>Unknown dataset</oml:message></oml:error>"
        )
        found = self.server.files.get(path)
        body = error if found is None else found
        self.send_response((404 if path.startswith("/datasets/") else 412) if found is None else 200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.md5(body).hexdigest()}"')
        self.send_header("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


PARQUET, ARFF_FILE = f"/datasets/0000/0061/dataset_{ID}.pq", f"/data/v1/download/{ID}/flowers.arff"


@pytest.fixture
def server(tmp_path):
    """A server that has the data set, and that the package is told to use."""
    server = Server()
    openml.config.server = server.url
    FRAME.to_parquet(tmp_path / "flowers.pq")
    server.files = {
        f"/api/v1/xml/data/{ID}": description(server=server.url).encode(),
        f"/api/v1/xml/data/features/{ID}": FEATURES.encode(),
        f"/api/v1/xml/data/qualities/{ID}": QUALITIES.format(0).encode(),
        ARFF_FILE: ARFF.encode(),
        PARQUET: (tmp_path / "flowers.pq").read_bytes(),
    }
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("parquet", [True, False])
def test_a_data_set_is_downloaded_once(tmp_path, server, capfd, parquet):
    server.files[f"/api/v1/xml/data/{ID}"] = description(server=server.url, parquet=parquet).encode()
    cache = str(tmp_path / "cache")
    check(load(id=ID, cache=cache))
    assert server.asked == [f"/api/v1/xml/data/{ID}", PARQUET if parquet else ARFF_FILE]
    names = {Path(name).name for name in content(cache)}
    assert names == {"description.xml", f"dataset_{ID}.pq" if parquet else "dataset.arff"}
    if parquet:
        assert "100%" in capfd.readouterr().err  # the progress bar
    check(load(id=ID, cache=cache))
    assert len(server.asked) == 2


def test_a_lost_connection_is_tried_again(tmp_path, server):
    openml.config.connection_n_retries = 2
    server.broken[f"/api/v1/xml/data/{ID}"] = 1
    check(load(id=ID, cache=str(tmp_path)))
    assert server.asked == [f"/api/v1/xml/data/{ID}"] * 2 + [PARQUET]


def test_where_the_parquet_file_is_missing_the_arff_file_is_used(tmp_path, server):
    del server.files[PARQUET]
    check(load(id=ID, cache=str(tmp_path / "cache")))
    asked = len(server.asked)
    check(load(id=ID, cache=str(tmp_path / "cache")))
    assert len(server.asked) == asked


def test_a_damaged_download_does_not_reach_the_cache(tmp_path, server):
    server.files[f"/api/v1/xml/data/{ID}"] = description(server=server.url, parquet=False).encode()
    server.files[ARFF_FILE] = ARFF.replace("1.5", "1.6").encode()
    with pytest.raises(UserError, match=r"61 arrived damaged.*[Cc]hecksum"):
        load(id=ID, cache=str(tmp_path / "cache"))
    assert content(tmp_path / "cache") == {}


def test_an_unknown_id_is_named(tmp_path, server):
    with pytest.raises(UserError, match=r"OpenML refuses data set 62 .*Unknown dataset.*check 'id'"):
        load(id=62, cache=str(tmp_path))


@pytest.mark.parametrize("number", ["iris", 0, True, 1.5])
def test_an_id_is_a_number(tmp_path, number):
    with pytest.raises(UserError, match=f"'id: {number}' must be the number"):
        load(id=number, cache=str(tmp_path))


def test_a_cache_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=re.escape(f"the folder {tmp_path}/file/org/openml/www/datasets/61")):
        load(id=ID, cache=str(tmp_path / "file"))

"""Which edits make results be computed again, and which do not."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from glitchmark import registry, sources

PACKAGE = Path(sources.__file__).parent

SIGNAL = '''"""A signal of somebody's own."""

import numpy as np

from glitchmark.signals import signal


@signal("mine", targets="both", reference="me")
def mine(influence, *, power: int = 2):
    """Large where the influence is."""
    total = np.abs(influence.sums) ** power  # the power sharpens it
    return total.sum(axis=1)
'''

SAME = {
    "comment": SIGNAL.replace("  # the power sharpens it", ""),
    "docstring": SIGNAL.replace("Large where the influence is.", "Something else\n    over two lines."),
    "docstring removed": SIGNAL.replace('    """Large where the influence is."""\n', ""),
    "module docstring": SIGNAL.replace("A signal of somebody's own.", "Ours."),
    "module docstring removed": SIGNAL.replace('"""A signal of somebody\'s own."""\n', ""),
    "blank lines": SIGNAL.replace("\n\n\n", "\n\n\n\n\n"),
    "quotes": SIGNAL.replace('"both"', "'both'"),
    "line breaks": SIGNAL.replace(
        "mine(influence, *, power: int = 2)", "mine(\n    influence,\n    *,\n    power: int = 2,\n)"
    ),
    "parentheses": SIGNAL.replace("return total.sum(axis=1)", "return (total.sum(axis=1))"),
    "indentation": SIGNAL.replace("    ", "  "),
}

OTHER = {
    "constant": SIGNAL.replace("axis=1", "axis=0"),
    "default": SIGNAL.replace("int = 2", "int = 3"),
    "operator": SIGNAL.replace("** power", "* power"),
    "name": SIGNAL.replace("np.abs", "np.square"),
    "decorator": SIGNAL.replace('"both"', '"anomalous"'),
    "statement": SIGNAL.replace("    return", "    total += 1\n    return"),
    "order": SIGNAL.replace("    total = ", "    return 0\n    total = "),
    "string that is no docstring": SIGNAL.replace("    return", '    print("hm")\n    return'),
}


def forget():
    """Clear what sources remembers about files."""
    for value in vars(sources).values():
        if hasattr(value, "cache_clear"):
            value.cache_clear()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package that sources looks at in place of the real one, to be edited."""
    copy = tmp_path / "elsewhere" / "glitchmark"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(sources, "ROOT", copy)
    forget()
    yield copy
    forget()


def digest_of(folder: Path, text: str) -> str:
    folder.mkdir()
    (folder / "mine.py").write_text(text)
    return sources.digest(folder / "mine.py")


def edited_digest(entry: str, file: Path, text: str = "\nEDITED = True\n") -> str:
    file.write_text(file.read_text() + text)
    forget()
    return sources.digest(entry)


@pytest.mark.parametrize("change", SAME)
def test_cosmetic_changes_keep_the_digest(tmp_path, change):
    assert SAME[change] != SIGNAL
    assert digest_of(tmp_path / "a", SIGNAL) == digest_of(tmp_path / "b", SAME[change])


@pytest.mark.parametrize("change", OTHER)
def test_code_changes_change_the_digest(tmp_path, change):
    assert digest_of(tmp_path / "a", SIGNAL) != digest_of(tmp_path / "b", OTHER[change])


def test_moving_and_renaming_a_file_keeps_the_digest(tmp_path):
    before = digest_of(tmp_path / "a", SIGNAL)
    moved = (tmp_path / "a" / "mine.py").rename(tmp_path / "another_name.py")
    assert sources.digest(moved) == before


@pytest.mark.usefixtures("package")
def test_moving_the_package_keeps_the_digest():
    at_copy = sources.digest("glitchmark.signals.cfrank")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "ROOT", PACKAGE)
        forget()
        assert sources.digest("glitchmark.signals.cfrank") == at_copy


def test_the_order_of_entries_does_not_matter():
    names = ("glitchmark.stages.score", "glitchmark.signals.si", "glitchmark.influence.estimators.tracin")
    assert sources.digest(*names) == sources.digest(*reversed(names))
    assert sources.digest(*names) != sources.digest(*names[:2])


@pytest.mark.parametrize(
    "file",
    [
        "signals/cfrank.py",
        "signals/cnci.py",  # imported by cfrank
        "signals/pcid.py",
        "signals/__init__.py",  # the package that it lies in
        "influence/view.py",  # imported by that package
        "registry.py",
        "errors.py",  # imported by the registry
        "__init__.py",
    ],
)
def test_an_edit_of_anything_imported_changes_the_digest(package, file):
    before = sources.digest("glitchmark.signals.cfrank")
    assert edited_digest("glitchmark.signals.cfrank", package / file) != before


@pytest.mark.parametrize("file", ["signals/si.py", "signals/loss.py", "detectors/iforest.py", "cli.py"])
def test_an_edit_of_anything_else_keeps_the_digest(package, file):
    before = sources.digest("glitchmark.signals.cfrank")
    assert edited_digest("glitchmark.signals.cfrank", package / file) == before


def test_a_comment_in_an_imported_module_keeps_the_digest(package):
    before = sources.digest("glitchmark.signals.cfrank")
    assert edited_digest("glitchmark.signals.cfrank", package / "signals/cnci.py", "\n# a remark\n") == before


def test_imports_inside_functions_are_followed(package):
    before = sources.digest("glitchmark.models.resnet20")
    assert edited_digest("glitchmark.models.resnet20", package / "models/_cifar_resnet.py") != before


@pytest.mark.parametrize(
    "line",
    [
        "from glitchmark.signals import pcid",
        "import glitchmark.signals.pcid as p",
        "from glitchmark.signals.pcid import pcid",
    ],
)
def test_a_plugin_file_s_imports_are_followed(package, tmp_path, line):
    file = tmp_path / "mine.py"
    file.write_text(line + "\n")
    before = sources.digest(file)
    assert edited_digest(file, package / "signals/pcid.py") != before


def test_relative_imports_in_the_package_are_refused(package):
    (package / "signals" / "odd.py").write_text("from . import cnci\n")
    with pytest.raises(ValueError, match=r"odd\.py.*relative"):
        sources.digest("glitchmark.signals.odd")


def test_libraries_have_their_installed_versions():
    import scipy

    found = sources.libraries("glitchmark.signals.cfrank")
    assert found["scipy"] == scipy.__version__
    assert set(found) == {"numba", "numpy", "scipy", "threadpoolctl"}


def test_libraries_are_named_by_distribution(tmp_path):
    (tmp_path / "mine.py").write_text("import json\nimport sklearn.svm\nfrom PIL import Image\nimport glitchmark\n")
    assert set(sources.libraries(tmp_path / "mine.py")) == {"scikit-learn", "pillow"}


# read by torchvision, and loaded once in the job of their pool
TORCHVISION = ("mnist", "fashion_mnist", "cifar10", "cifar10n", "cifar100n", "imagenet_dogs", "torchvision")


def modules(folder: str) -> list[str]:
    return [f"glitchmark.{folder}.{path.stem}" for path in sorted((PACKAGE / folder).glob("*.py"))]


# PyOD's that train networks of their own
TRAINED = ("_pyod_deep", "deep_svdd", "deep_svdd_features", "dif", "dif_features")


@pytest.mark.parametrize(
    "module",
    [
        *(f"glitchmark.stages.{stage}" for stage in ("pool", "subset", "inject", "influence", "score", "detect")),
        *modules("evaluation"),
        *modules("figures"),
        *modules("signals"),
        *(name for name in modules("detectors") if name.rsplit("/", 1)[-1].rsplit(".", 1)[-1] not in TRAINED),
        *modules("glitches"),
        *(f"glitchmark.datasets.{name}" for name in registry.names("dataset") if name not in TORCHVISION),
        *modules("influence/estimators"),
    ],
)
def test_only_training_depends_on_torch(module):
    module = module.replace("/", ".").removesuffix(".__init__")
    assert sources.digest(module) != sources.digest()
    assert "torch" not in sources.libraries(module)


@pytest.mark.parametrize("detector", TRAINED)
def test_detectors_that_train_networks_depend_on_torch(detector):
    assert "torch" in sources.libraries(f"glitchmark.detectors.{detector}")


def test_training_depends_on_torch():
    assert "torch" in sources.libraries("glitchmark.stages.train")
    assert "torch" in sources.libraries("glitchmark.stages.crossval")


def test_loading_every_plugin_does_not_import_torch():
    # the plan does that, and torch takes seconds
    code = (
        "import sys; from glitchmark import registry\n"
        "loaded = [registry.load(kind, name) for kind in registry.PACKAGES for name in registry.names(kind)]\n"
        "print(len(loaded), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(sum(len(registry.names(kind)) for kind in registry.PACKAGES)), "False"]

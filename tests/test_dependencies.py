"""requirements.txt (pins), pyproject.toml (ranges) and environment.yml (the pins again) do not drift apart."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from glitchmark import sources

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RUNTIME = [Requirement(line) for line in PROJECT["dependencies"]]
RANGES = {
    canonicalize_name(r.name): r.specifier
    for r in (*RUNTIME, *map(Requirement, PROJECT["optional-dependencies"]["test"]))
}
LINES = [
    line.strip()
    for line in (ROOT / "requirements.txt").read_text().splitlines()
    if line.strip() and not line.startswith("#")
]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]


def pins(lines: list[str]) -> dict[str, str]:
    """Canonical name -> pinned version; a name that stands there twice is an error."""
    found = {}
    for line in lines:
        name, version = line.split("==")
        assert canonicalize_name(name) not in found, f"{name} is pinned twice"
        found[canonicalize_name(name)] = version
    return found


@pytest.mark.parametrize("line", LINES)
def test_requirements_are_exact_pins(line):
    # neither an address, nor an option such as --index-url, nor a range or an unpinned name
    assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.+]*", line), line
    assert not line.startswith("-")


def test_requirements_hold_no_address():
    text = (ROOT / "requirements.txt").read_text()
    assert "://" not in text
    assert not re.search(r"^\s*-", text, re.MULTILINE)


def test_requirements_and_pyproject_name_the_same_packages():
    assert set(pins(LINES)) == set(RANGES)


@pytest.mark.parametrize("name", sorted(pins(LINES)))
def test_pin_is_in_range(name):
    specifier = RANGES[name]
    assert len(specifier) > 0, f"{name} has no range in pyproject.toml"
    assert specifier.contains(pins(LINES)[name]), f"{name}=={pins(LINES)[name]} is outside {specifier}"


def test_environment_mirrors_the_pins():
    (pip,) = [entry["pip"] for entry in ENVIRONMENT if isinstance(entry, dict)]
    assert pip[-1] == "--editable ."
    assert pins(pip[:-1]) == pins(LINES)


def test_environment_has_the_same_python():
    (python,) = [e for e in ENVIRONMENT if isinstance(e, str) and e.startswith("python")]
    assert SpecifierSet(python.removeprefix("python")) == SpecifierSet(PROJECT["requires-python"])


def test_every_imported_library_is_a_runtime_dependency():
    used = sources.libraries(*(ROOT / "src" / "glitchmark").rglob("*.py"))
    assert {canonicalize_name(name) for name in used} <= {canonicalize_name(r.name) for r in RUNTIME}

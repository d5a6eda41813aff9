"""Plug-ins: one file each, found by name, described by their decorator.

A plug-in's module is called like the plug-in and lies in its kind's folder; helpers in such a folder start
with an underscore. Nothing else lists plug-ins. A file outside the package is loaded by its path.
"""

import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import blake2b
from pathlib import Path
from typing import Any

from glitchmark.errors import UserError

PACKAGES = {
    "dataset": "glitchmark.datasets",
    "glitch": "glitchmark.glitches",
    "model": "glitchmark.models",
    "estimator": "glitchmark.influence.estimators",
    "signal": "glitchmark.signals",
    "detector": "glitchmark.detectors",
    "toy": "glitchmark.toys",
    "figure": "glitchmark.figures",
}


@dataclass(frozen=True)
class Plugin:
    """What a plug-in's decorator and signature say about it.

    ``info`` holds the decorator's keywords; ``parameters`` the function's keyword-only arguments with their
    defaults (``inspect.Parameter.empty`` where there is none).
    """

    kind: str
    name: str
    function: Callable
    info: dict[str, Any]
    parameters: dict[str, Any]

    @property
    def origin(self) -> str | Path:
        """Where its code is: a module of the package, or a file outside it."""
        module = self.function.__module__
        return module if module.startswith("glitchmark.") else Path(inspect.getfile(self.function))

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.function) or "").split("\n")[0]

    def check_parameters(self, given: dict[str, Any], where: str, own: tuple[str, ...] = ()) -> None:
        """Raise UserError where ``given`` names an unknown parameter or leaves out a required one.

        own: keys of the config entry that are not the plug-in's.
        """
        for key in given:
            if key not in self.parameters:
                allowed = ", ".join((*self.parameters, *own)) or "it takes none"
                raise UserError(
                    f"{where}: unknown key '{key}' for {self.kind} '{self.name}'"
                    f"{suggestion(key, (*self.parameters, *own))}; its parameters: {allowed}."
                )
        for key, default in self.parameters.items():
            if default is inspect.Parameter.empty and key not in given:
                raise UserError(f"{where}: {self.kind} '{self.name}' needs the key '{key}'; add it to its entry.")
            if key in given and not _like(given[key], default):
                raise UserError(
                    f"{where}.{key}: {given[key]!r} must be {TYPES[type(default)]}, as its default {default!r} of "
                    f"{self.kind} '{self.name}' is."
                )


TYPES = {bool: "true or false", int: "a whole number", float: "a number", str: "text", tuple: "a list"}


def _like(value: Any, default: Any) -> bool:
    """Whether a config's value is of the type of a parameter's default; any is where the default tells none."""
    kinds = {bool: bool, int: int, float: int | float, str: str, tuple: list | tuple}
    kind = kinds.get(type(default), object)
    return isinstance(value, kind) and (isinstance(default, bool) or kind is object or not isinstance(value, bool))


def plugin(kind: str, name: str, /, **info: Any) -> Callable[[Callable], Callable]:
    """Mark a function or class as the plug-in of its file. The kinds' packages wrap this, e.g. ``@signal(...)``."""

    def mark(function: Callable) -> Callable:
        signature = inspect.signature(function)
        parameters = {
            p.name: p.default for p in signature.parameters.values() if p.kind is inspect.Parameter.KEYWORD_ONLY
        }
        function.plugin = Plugin(kind, name, function, info, parameters)
        return function

    return mark


def suggestion(word: str, known: Any) -> str:
    """``; did you mean 'x'?`` where something known is close to ``word``, else nothing."""
    close = get_close_matches(str(word), [str(k) for k in known], n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def names(kind: str) -> list[str]:
    """The plug-ins of one kind that ship with the package, sorted, without importing any."""
    folder = Path(__file__).parent.joinpath(*PACKAGES[kind].split(".")[1:])
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


_loaded_files: dict[tuple[str, str], Plugin] = {}


def load(kind: str, name: str, path: str | Path | None = None, where: str = "config") -> Plugin:
    """The plug-in called ``name``, or the one in the file ``path``, which from then on is found by its name as well.

    Raises UserError, naming ``where`` in the config, if there is none, or its file cannot be imported.
    """
    if path is not None:
        found = _load_file(kind, Path(path), where)
        _loaded_files[kind, found.name] = found
        return found
    if (kind, name) in _loaded_files:
        return _loaded_files[kind, name]
    known = names(kind)
    if name not in known:
        raise UserError(f"{where}: unknown {kind} '{name}'{suggestion(name, known)}; there are: {', '.join(known)}.")
    return _marked(importlib.import_module(f"{PACKAGES[kind]}.{name}"), kind, f"the module of {kind} '{name}'")


def _load_file(kind: str, path: Path, where: str) -> Plugin:
    if not path.is_file():
        raise UserError(f"{where}: the plug-in file '{path}' does not exist; give a path relative to the project root.")
    if path.suffix != ".py":
        raise UserError(f"{where}: the plug-in file '{path}' must be a .py file.")
    path = path.resolve()
    name = f"glitchmark_plugin_{blake2b(str(path).encode(), digest_size=8).hexdigest()}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # as an import would: dataclasses and inspect look there
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # as for a script: helpers beside it can be imported
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise UserError(f"{where}: the plug-in file '{path}'{line} cannot be imported: {reason}.") from error
    found = _marked(module, kind, f"{where}: '{path}'")
    if not re.fullmatch(r"[a-z0-9][a-z0-9_]*", found.name):
        raise UserError(f"{where}: '{path}' defines {kind} '{found.name}'; a name must be in lower snake case.")
    if found.name in names(kind):
        raise UserError(f"{where}: '{path}' defines {kind} '{found.name}', which ships with glitchmark; rename yours.")
    return found


def _marked(module: Any, kind: str, path: str) -> Plugin:
    # Only what the module itself defines counts: cfrank.py imports the marked functions of cnci.py and pcid.py.
    found = [
        value.plugin
        for value in vars(module).values()
        if isinstance(getattr(value, "plugin", None), Plugin)
        and value.plugin.kind == kind
        and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise UserError(f"{path}: expected one function marked with @{kind}(...), found {len(found)}.")
    return found[0]

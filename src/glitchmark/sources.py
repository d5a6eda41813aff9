"""What a result's code depends on: modules by static imports, and the libraries that they import.

The digest of a set of modules changes when their code changes, and not when comments, docstrings or formatting
do, nor when the files move. Nothing is imported to find it out.
"""

import ast
import sys
from functools import cache
from hashlib import blake2b
from importlib.metadata import packages_distributions, version
from pathlib import Path

PACKAGE = "glitchmark"
ROOT = Path(__file__).parent


def digest(*entries: str | Path) -> str:
    """Digest of the code of ``entries`` (module names or files) and of all that they import inside the package.

    Returns 32 hexadecimal digits, independent of the order of ``entries``.
    """
    parts = sorted({f"{_place(file)} {_code(file)}" for file in _files(entries)})
    return blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


def libraries(*entries: str | Path) -> dict[str, str]:
    """Distribution -> version of every third-party package that ``entries`` or their imports name."""
    tops = {name.split(".")[0] for file in _files(entries) for name in _imports(file)}
    distributions = _distributions()
    found = {d for top in tops - sys.stdlib_module_names - {PACKAGE} for d in distributions.get(top, ())}
    return {name: version(name) for name in sorted(found)}


def _files(entries: tuple[str | Path, ...]) -> list[Path]:
    """The files of ``entries`` and, transitively, of the package's modules that they import."""
    waiting = [f for entry in entries for f in ([entry] if isinstance(entry, Path) else _module_files(entry))]
    seen: dict[Path, None] = {}
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen[file] = None
            waiting += [f for name in _imports(file) for f in (*_module_files(name), *_beside(file, name))]
    return sorted(seen)


def _place(file: Path) -> str:
    """A module's place inside the package; files outside it have none, so that they may move."""
    return str(file.relative_to(ROOT)) if file.is_relative_to(ROOT) else ""


@cache
def _module_files(name: str) -> tuple[Path, ...]:
    """The file of a module of the package and those of its parent packages; none for other modules."""
    parts = name.split(".")
    if parts[0] != PACKAGE:
        return ()
    files = []
    for depth in range(1, len(parts) + 1):
        base = ROOT.joinpath(*parts[1:depth])
        for file in (base / "__init__.py", base.with_suffix(".py")):
            if file.is_file():
                files.append(file)
    return tuple(files)


def _beside(file: Path, name: str) -> list[Path]:
    """The file of a module that lies beside a plug-in file, which can import it."""
    helper = file.parent.joinpath(*name.split(".")).with_suffix(".py")
    return [helper] if not file.is_relative_to(ROOT) and helper.is_file() else []


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(), filename=str(file))


@cache
def _imports(file: Path) -> tuple[str, ...]:
    """Every module that a file may import, wherever in it the import stands."""
    found = []
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.append(node.module)
            # `from package import name` may name a module
            found += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and file.is_relative_to(ROOT):
            raise ValueError(f"{file}: relative imports are not followed; write the full module name")
    return tuple(found)


@cache
def _code(file: Path) -> str:
    """The digest of a file's syntax tree without docstrings (comments are not in it)."""
    tree = ast.parse(file.read_text(), filename=str(file))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and body:
            first = body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                body[:1] = [] if len(body) > 1 or isinstance(node, ast.Module) else [ast.Pass()]
    return blake2b(ast.dump(tree).encode(), digest_size=16).hexdigest()


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())

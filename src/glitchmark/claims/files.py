"""Reading files of claims: one clear sentence for what is wrong in them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from glitchmark.errors import UserError
from glitchmark.registry import suggestion

HERE = Path(__file__).parent
SHIPPED = HERE / "claims.yaml"
# what a quantity needs beside its threshold, and what it may have
NEEDS = {
    "value": ("a",),
    "difference": ("a", "b"),
    "ratio": ("a", "b"),
    "wins": ("a", "b"),
    "rank": ("a", "b"),
    "range": ("a",),
    "slope": ("a", "axis"),
    "spread_ratio": ("a", "b", "spread"),
    "rank_correlation": ("a", "b"),
    "correlation": ("a", "b"),
}
SPECIFIC = ("a", "b", "axis", "spread")  # keys that only some quantities have
TABLES = {"metrics": "metric", "series": "series", "costs": "stage"}  # table -> the column that names what is measured
COLUMNS = {  # of each table, as far as claims read it
    "metrics": (
        "dataset", "modality", "model", "estimator", "glitch", "ratio", "validation_ratio", "subset",
        "validation_noise", "action", "budget", "seed", "method", "variant", "class", "metric", "value", "status",
    ),
    "series": (
        "dataset", "modality", "model", "estimator", "glitch", "ratio", "validation_noise", "seed", "method", "variant",
        "action", "budget", "class", "series", "x", "value", "status",
    ),
    "costs": (
        "stage", "dataset", "modality", "model", "estimator", "glitch", "ratio", "validation_noise", "seed", "method",
        "key", "seconds",
    ),
}  # fmt: skip
ONLY_METRICS = ("rank_correlation", "correlation", "slope")


class Claim(NamedTuple):
    """One claim, as its file has it. a, b: filters of the two sides, laid over ``where``."""

    id: str
    source: str
    sentence: str
    quantity: str
    threshold: dict[str, Any]
    table: str = "metrics"
    where: dict[str, Any] = {}  # noqa: RUF012 - never changed
    a: dict[str, Any] = {}  # noqa: RUF012
    b: dict[str, Any] = {}  # noqa: RUF012
    over: tuple[str, ...] = ()
    take: str = ""
    axis: str = ""
    spread: str = ""
    note: str = ""


def read_claims(paths: Iterable[str | Path]) -> list[Claim]:
    """The shipped claims and those of the user's files. Raises UserError for the first mistake in them."""
    claims: dict[str, Claim] = {}
    for path in (SHIPPED, *map(Path, paths)):
        for number, entry in enumerate(_entries(path)):
            claim = _checked(entry, path)
            if claim.id in claims:
                raise UserError(
                    f"config: claims: {path}: [{number}].id: there are two claims '{claim.id}'; rename one."
                )
            claims[claim.id] = claim
    return list(claims.values())


def _entries(path: Path) -> list[dict[str, Any]]:
    """A file's entries, of the schema's form."""
    try:
        entries = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"config: claims: the file '{path}' cannot be read: {error}.") from error
    except yaml.YAMLError as error:
        raise UserError(f"config: claims: {path} is not valid YAML: {' '.join(str(error).split())}.") from error
    schema = yaml.safe_load((HERE / "schema.yaml").read_text())
    error = best_match(Draft202012Validator(schema).iter_errors(entries))
    if error is not None:
        raise UserError(_sentence(error, entries, path))
    return entries


def _checked(entry: dict[str, Any], path: Path) -> Claim:
    """The claim of an entry whose keys fit together."""
    claim = Claim(**entry | {"over": tuple(entry.get("over", ()))})
    name, needed = claim.quantity, NEEDS[claim.quantity]
    for key in SPECIFIC:
        if key in needed and not entry.get(key):
            raise _mistake(claim, path, key, f"is needed for the quantity '{name}'")
        if key not in needed and key in entry:
            having = ", ".join(quantity for quantity, keys in NEEDS.items() if key in keys)
            raise _mistake(claim, path, key, f"is not used by the quantity '{name}'; it is one of {having}")
    if name in ONLY_METRICS and claim.table != "metrics":
        raise _mistake(claim, path, "table", f"the quantity '{name}' is only defined on metrics")
    named = TABLES[claim.table]
    for side in ("a", "b"):
        filters = claim.where | getattr(claim, side)
        if side in needed and name != "rank_correlation" and named not in filters:
            raise _mistake(claim, path, side, f"says no '{named}', which table '{claim.table}' needs; add it to where")
        unknown = [column for column in filters if column not in COLUMNS[claim.table]]
        if unknown:
            other = f"; use '{named}'" if unknown[0] in TABLES.values() else ""
            raise _mistake(claim, path, side, f"table '{claim.table}' has no column '{unknown[0]}'{other}")
    for key, columns in (("over", claim.over), ("axis", (claim.axis,)), ("spread", (claim.spread,))):
        fixed = [column for column in columns if column in claim.a or column in claim.b]
        if fixed:
            raise _mistake(claim, path, key, f"'{fixed[0]}' is set by a or b, so that nothing is left to vary")
    if name != "wins" and bool(claim.over) != bool(claim.take):
        key, other = ("over", "take") if claim.over else ("take", "over")
        raise _mistake(claim, path, key, f"needs '{other}' beside it: of which groups, and the largest or smallest")
    bounds = claim.threshold.get("between", [0, 1])
    if bounds[0] >= bounds[1]:
        raise _mistake(claim, path, "threshold.between", f"{bounds} must hold the smaller number first")
    return claim


def _mistake(claim: Claim, path: Path, key: str, what: str) -> UserError:
    return UserError(f"config: claims: {path}: claim '{claim.id}': {key}: {what}.")


def _sentence(error: ValidationError, entries: Any, path: Path) -> str:
    place = list(error.absolute_path)
    if not place:
        return f"config: claims: {path}: must hold a list of claims."
    entry = entries[place[0]]
    name = entry.get("id") if isinstance(entry, dict) else None
    where = f"claim '{name}'" if isinstance(name, str) else f"claim number {place[0] + 1}"
    key = ".".join(map(str, place[1:])) or "entry"
    value = error.instance
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        unknown = min(set(value) - set(known), key=str)
        key = ".".join(map(str, [*place[1:], unknown]))
        what = f"is an unknown key{suggestion(unknown, known)}; allowed: {', '.join(known)}"
    elif error.validator == "required":
        lacking = next(k for k in error.validator_value if k not in value)
        key, what = lacking, f"is missing; every claim has {', '.join(error.validator_value)}"
    elif error.validator == "enum":
        allowed = error.validator_value
        what = f"{value!r} is unknown{suggestion(value, allowed)}; allowed: {', '.join(allowed)}"
    elif error.validator == "type":
        what = f"{value!r} must be of type {error.validator_value}"
    elif error.validator == "pattern":
        what = f"{value!r} must be in lower snake case"
    elif error.validator == "maxProperties":
        what = f"{value!r} must have one key: above, at_least, below, at_most or between"
    else:
        what = f"{value!r} is not allowed: {error.message}"
    return f"config: claims: {path}: {where}: {key}: {what}."

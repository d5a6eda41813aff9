"""Reading a config: merging, defaults and types from the schema, one clear sentence for what is wrong."""

import json
import math
import re
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError, best_match

from glitchmark.errors import UserError
from glitchmark.registry import suggestion

SCHEMA = Path("workflow/schemas/config.schema.yaml")
ENTRY_LISTS = ("datasets", "models", "glitches", "estimators", "signals", "detectors", "toys", "figures")


def read(root: Path, overlays: list[str], settings: list[str]) -> dict[str, Any]:
    """The project's config.yaml with overlay files and ``key=value`` settings laid over it, as Snakemake does it:
    mappings merge, everything else is replaced."""
    config = _read_yaml(root / "config.yaml")
    for overlay in overlays:
        config = _merged(config, _read_yaml(Path(overlay)))
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator:
            raise UserError(f"--config {setting}: expected key=value.")
        try:
            config[key] = retyped(yaml.safe_load(value))  # 1e-2 inside a list, as for snakemake
        except yaml.YAMLError as error:
            raise UserError(f"--config {setting}: not valid YAML: {' '.join(str(error).split())}.") from error
    return config


def validated(config: dict[str, Any], root: Path) -> dict[str, Any]:
    """The config with the schema's defaults filled in. Raises UserError for the first thing that is wrong."""
    schema = yaml.safe_load((root / SCHEMA).read_text())
    config = json.loads(json.dumps(config, default=str))  # a copy, free of Snakemake's types
    _check_finite(config, "")
    for key in ENTRY_LISTS:
        entries = config.setdefault(key, schema["properties"][key]["default"])
        config[key] = [_written_out(e) for e in entries] if isinstance(entries, list) else entries
    config["reference"] = _written_out(config.get("reference"))
    error = best_match(_with_defaults(schema).iter_errors(config))
    if error is not None:
        raise UserError(_sentence(error))
    return config


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the config file '{path}' cannot be read: {error}.") from error
    except yaml.YAMLError as error:
        raise UserError(f"the config file '{path}' is not valid YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(config, dict):
        raise UserError(f"the config file '{path}' must hold a mapping of keys to values.")
    return config


def _merged(base: Any, overlay: Any) -> Any:
    if isinstance(base, dict) and isinstance(overlay, dict):
        return base | {key: _merged(base.get(key), value) for key, value in overlay.items()}
    return overlay


def _check_finite(value: Any, where: str) -> None:
    """NaN and infinity pass every limit of a schema."""
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"config: {where.lstrip('.')}: {value} is not allowed; give a finite number.")
    if isinstance(value, dict):
        for key, item in value.items():
            _check_finite(item, f"{where}.{key}")
    if isinstance(value, list):
        for index, item in enumerate(value):
            _check_finite(item, f"{where}[{index}]")


def _written_out(entry: Any) -> Any:
    """An entry's short form, a name or the path of a plug-in file, as a mapping."""
    if not isinstance(entry, str):
        return entry
    return {"path": entry} if entry.endswith(".py") else {"name": entry}


def retyped(value: Any) -> Any:
    """A value of Snakemake's ``--config``, in which ``seeds=[0,1]`` is a list of strings, with YAML's types."""
    if isinstance(value, dict):
        return {key: retyped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [retyped(item) for item in value]
    if not isinstance(value, str):
        return value
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)e[+-]?\d+", value):
        return float(value)  # 1e-2, which YAML takes for text
    try:
        return yaml.safe_load(value) if value else value
    except yaml.YAMLError as error:
        raise UserError(f"--config: {value!r} is not valid YAML: {' '.join(str(error).split())}.") from error


def _with_defaults(schema: dict[str, Any]) -> Draft202012Validator:
    """A validator that fills in defaults as it goes (the extension that jsonschema's documentation gives)."""
    check = Draft202012Validator.VALIDATORS["properties"]

    def properties(validator, subschemas, instance, parent):
        if isinstance(instance, dict):
            for key, subschema in subschemas.items():
                if "default" in subschema:
                    instance.setdefault(key, subschema["default"])
        yield from check(validator, subschemas, instance, parent)

    types = Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, v: isinstance(v, int) and not isinstance(v, bool)
    )
    return validators.extend(Draft202012Validator, {"properties": properties}, type_checker=types)(schema)


def _sentence(error: ValidationError) -> str:
    where = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path).lstrip(".")
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        unknown = min(set(error.instance) - set(known), key=str)
        path = f"{where}.{unknown}" if where else unknown
        return f"config: unknown key '{path}'{suggestion(unknown, known)}; allowed here: {', '.join(known)}."
    value, what = error.instance, error.schema.get("description", "")
    return f"config: {where or 'top level'}: {_reason(error, value)}{f' ({what})' if what else ''}."


def _reason(error: ValidationError, value: Any) -> str:
    limits = {
        "minimum": "at least {}",
        "exclusiveMinimum": "greater than {}",
        "exclusiveMaximum": "less than {}",
        "pattern": "of the form {}",
        "minItems": "a list of at least {}",
    }
    if error.validator in limits:
        return f"{value!r} must be {limits[error.validator].format(error.validator_value)}"
    if error.validator == "type":
        kinds = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
        hint = "; write 1.0e-2, since YAML takes 1e-2 for text" if isinstance(value, str) and "number" in kinds else ""
        return f"{value!r} must be of type {' or '.join(kinds)}{hint}"
    if error.validator == "enum":
        allowed = ", ".join(map(str, error.validator_value))
        return f"{value!r} is unknown{suggestion(value, error.validator_value)}; allowed: {allowed}"
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in value)
        return f"the entry {value!r} lacks the key '{missing}'"
    if error.validator == "uniqueItems":
        return f"{value!r} holds a value twice"
    if error.validator == "anyOf":
        return f"{value!r} is not allowed"
    return error.message

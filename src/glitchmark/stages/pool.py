"""All samples of a data set, loaded once."""

from typing import Any

from glitchmark import registry
from glitchmark.datasets import Description
from glitchmark.datasets._checks import check_pool
from glitchmark.errors import Unavailable, UserError
from glitchmark.registry import Plugin


def compute(spec, inputs, runtime):
    """arrays: x, y, and where the source has them is_test, annotated and names. info: class_names, categories; see
    datasets.Pool."""
    source = registry.load("dataset", spec["loader"]["name"])
    given = spec["loader"]["params"] | runtime["paths"]
    known = _inspected(source, given)
    if known.digest != spec["digest"]:
        raise Unavailable(f"the file of data set '{spec['dataset']}' was changed since this run was planned; run again")
    pool = source.function(**given)
    check_pool(pool, known, spec["dataset"])
    arrays = {name: getattr(pool, name) for name in ("x", "y", "is_test", "annotated", "names")}
    info = {"class_names": list(pool.class_names), "categories": list(pool.categories)}
    return {name: values for name, values in arrays.items() if values is not None}, info


def _inspected(source: Plugin, given: dict[str, Any]) -> Description:
    """What is known of a source. Files of the user's passed this when the run was planned: if they do not now, that
    may pass as well."""
    try:
        return source.info["inspect"](**given)
    except (UserError, OSError) as error:
        raise Unavailable(str(error)) from error

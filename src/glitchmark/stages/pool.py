"""All samples of a data set, loaded once."""

from glitchmark import registry
from glitchmark.datasets._checks import check_pool
from glitchmark.errors import CellError


def compute(spec, inputs, runtime):
    """arrays: x, y, and where the source has them is_test and annotated. info: class_names, categories; see
    datasets.Pool."""
    source = registry.load("dataset", spec["loader"]["name"])
    given = spec["loader"]["params"] | runtime["paths"]
    known = source.info["inspect"](**given)
    if known.digest != spec["digest"]:
        raise CellError(f"the file of data set '{spec['dataset']}' was changed since this run was planned; run again")
    pool = source.function(**given)
    check_pool(pool, known, spec["dataset"])
    arrays = {name: getattr(pool, name) for name in ("x", "y", "is_test", "annotated")}
    info = {"class_names": list(pool.class_names), "categories": list(pool.categories)}
    return {name: values for name, values in arrays.items() if values is not None}, info

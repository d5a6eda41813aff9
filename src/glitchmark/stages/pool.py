"""All samples of a data set, loaded once."""

from glitchmark import registry
from glitchmark.errors import CellError


def compute(spec, inputs, runtime):
    """arrays: x, y (see datasets.Pool). info: class_names."""
    source = registry.load("dataset", spec["loader"]["name"])
    given = spec["loader"]["params"] | runtime["paths"]
    if spec["digest"] and source.info["inspect"](**given).digest != spec["digest"]:
        raise CellError(f"the file of data set '{spec['dataset']}' was changed since this run was planned; run again")
    pool = source.function(**given)
    if pool.y.min() < 0 or pool.y.max() >= len(pool.class_names) or len(pool.x) != len(pool.y):
        raise CellError(f"data set '{spec['dataset']}' returned labels outside its {len(pool.class_names)} classes")
    return {"x": pool.x, "y": pool.y}, {"class_names": list(pool.class_names)}

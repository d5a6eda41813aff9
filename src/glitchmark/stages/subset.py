"""Which samples of a pool are training, validation and test data."""

from glitchmark import seeds
from glitchmark.datasets._splits import Split, draw_parts


def compute(spec, inputs, runtime):
    """arrays: train (n,), val (m,), test (t,): int64 rows of the pool, disjoint."""
    rng = seeds.generator(spec["seed"], "subset", spec["dataset"])
    pool = inputs["pool"]
    names = tuple(pool.info["class_names"])
    parts = draw_parts(pool.arrays["y"], pool.arrays.get("is_test"), Split(**spec["split"]), names, rng)
    return {"train": parts["training"], "val": parts["validation"], "test": parts["test"]}, {}

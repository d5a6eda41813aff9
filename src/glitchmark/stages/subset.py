"""Which samples of a pool are training and validation data."""

from glitchmark import seeds
from glitchmark.datasets._splits import stratified_split


def compute(spec, inputs, runtime):
    """arrays: train (n,), val (m,): int64 rows of the pool."""
    rng = seeds.generator(spec["seed"], "subset", spec["dataset"])
    y = inputs["pool"].arrays["y"]
    train, val = stratified_split(y, spec["subset"], spec["validation"], rng)
    return {"train": train, "val": val}, {}

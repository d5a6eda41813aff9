"""One toy problem with one seed."""

from glitchmark import registry


def compute(spec, inputs, runtime):
    """info: see toys.Toy; metrics are lists [method, class, metric, value], series [method, class, series, x, values].
    No arrays."""
    toy = spec["toy"]
    found = registry.load("toy", toy["name"]).function(spec["seed"], **toy["params"])
    return {}, {
        "metrics": [list(metric) for metric in found.metrics],
        "series": [[*names, x.tolist(), values.tolist()] for *names, x, values in found.series],
        "ratio": found.ratio,
    }

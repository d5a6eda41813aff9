"""One module a figure of the papers, each drawn from the run's tables and nothing else."""

from collections.abc import Callable

from glitchmark.registry import plugin


def figure(name: str, *, title: str, reference: str) -> Callable[[Callable], Callable]:
    """Mark a function ``(metrics, **parameters) -> matplotlib.figure.Figure`` as a figure.

    metrics: the run's metrics.parquet as a DataFrame. Where a figure's cells were not run, it says so instead of
    failing.
    """
    return plugin("figure", name, title=title, reference=reference)

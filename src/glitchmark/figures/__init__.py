"""One module a figure of the papers, each drawn from the run's tables and nothing else."""

from collections.abc import Callable

from glitchmark.registry import plugin

TABLES = ("metrics", "series")


def figure(name: str, *, title: str, reference: str, reads: str = "metrics") -> Callable[[Callable], Callable]:
    """Mark a function ``(table, **parameters) -> matplotlib.figure.Figure`` as a figure.

    reads: which of the run's tables it is given as a DataFrame, "metrics" or "series". Where a figure's cells were not
    run, it says so instead of failing.
    """
    if reads not in TABLES:
        raise ValueError(f"figure '{name}' reads {reads!r}; allowed: {', '.join(TABLES)}")
    return plugin("figure", name, title=title, reads=reads, reference=reference)

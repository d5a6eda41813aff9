"""One module a figure or table of the papers, each made from the run's tables and nothing else."""

from collections.abc import Callable

from glitchmark.registry import plugin

# What a figure may read; see figures._inputs for what it is given
READS = ("metrics", "series", "costs", "claims", "top", "images", "pipeline", "methods")
FORMS = ("figure", "table")


def figure(
    name: str, *, title: str, reference: str, reads: tuple[str, ...] = ("metrics",), form: str = "figure"
) -> Callable[[Callable], Callable]:
    """Mark a function ``(*inputs, **parameters) -> matplotlib.figure.Figure`` as a figure.

    reads: the inputs that it is given, in this order, each one of READS. form: "figure", or "table", whose function
    returns a DataFrame. Where a figure's cells were not run, it says so instead of failing.
    """
    unknown = set(reads) - set(READS)
    if isinstance(reads, str) or unknown:
        raise ValueError(f"figure '{name}' reads {reads!r}; allowed is a tuple of: {', '.join(READS)}")
    if form not in FORMS:
        raise ValueError(f"figure '{name}' has the form {form!r}; allowed: {', '.join(FORMS)}")
    return plugin("figure", name, title=title, reads=tuple(reads), form=form, reference=reference)

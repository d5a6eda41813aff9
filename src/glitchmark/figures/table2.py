"""KDD'25, Table 2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd

YES, NO, UNDEFINED = "●", "○", "–"
FINDS = {"Mislabeled samples": ("mislabeled", "both"), "Anomalies": ("anomalous", "both")}


@figure(
    "table2",
    title="What each signal uses and finds",
    reference="Myrtakis et al., KDD 2025, Table 2",
    reads=("methods",),
    form="table",
)
def table2(methods: pd.DataFrame) -> pd.DataFrame:
    """What each signal of the run reads, whether it uses the sign, the magnitude and the class of influence, what it
    looks for, and whether it suggests labels, as its decorator says.

    ● yes, ○ no, – not defined for it (the influence of a sample on itself has no class to be conditioned on, and there
    is no label to repair an anomaly with); empty where a decorator does not say.
    """
    import pandas as pd

    from glitchmark.figures._style import label_of
    from glitchmark.figures._tables import not_there  # over a second to import

    signals = [fact for fact in methods.to_dict("records") if fact["kind"] == "signal"]
    if not signals:
        return not_there("not run: any signal (config.yaml has them)")
    rows = []
    for fact in signals:
        targets = {column: YES if fact["targets"] in found else NO for column, found in FINDS.items()}
        sign, magnitude, conditional, mixed, repair = (
            _mark(fact, use) for use in ("sign", "magnitude", "conditional", "mixed", "repair")
        )
        rows.append(
            {"Signal": label_of(fact["id"]), "Reads": fact["reads"], "Sign": sign, "Magnitude": magnitude}
            | {"Conditional": conditional, **targets, "Mixed": mixed, "Repair": repair}
        )
    return pd.DataFrame(rows)


def _mark(fact: dict, use: str) -> str:
    if not isinstance(fact["uses"], list | tuple):  # None, or NaN in a column of several kinds
        return ""
    return YES if use in fact["uses"] else UNDEFINED if use in fact["undefined"] else NO

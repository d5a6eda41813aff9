"""Outlier gradient analysis, Table 5."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd


@figure(
    "oga_budgets",
    title="Test accuracy by trimming budget",
    form="table",
    reference="Chhabra et al., ICML 2025, Table 5",
)
def oga_budgets(
    metrics: pd.DataFrame,
    *,
    methods: tuple[str, ...] = (),
    budgets: tuple[float, ...] = (0.025, 0.05, 0.075, 0.1, 0.125),
) -> pd.DataFrame:
    """Test accuracy in per cent after each method's most suspicious samples were removed, by the share that was;
    mean over data sets and models ± standard deviation over seeds."""
    import pandas as pd

    from glitchmark.figures._outlier_gradients import after_trimming, in_papers_order
    from glitchmark.figures._rows import over_seeds, percent, spread
    from glitchmark.figures._tables import not_there

    rows = [after_trimming(metrics, methods, budget).assign(share=f"{100 * budget:g} %") for budget in budgets]
    rows = [of for of in rows if len(of)]
    if len(rows) < 2:
        shares = ", ".join(f"{100 * budget:g}" for budget in budgets)
        return not_there(f"not run: training after removing several shares of {shares} %")
    rows = in_papers_order(pd.concat(rows, ignore_index=True)).sort_values("noise", kind="stable")
    table = over_seeds(rows, ["noise", "name", "share"])
    return spread(table, ["noise", "name"], "share", percent(table)).rename(columns={"name": "method"})

"""Class-based influence functions, appendix E, Table 3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd


@figure(
    "cb_table3",
    title="Test accuracy after removing and annotating what was found",
    form="table",
    reference="Nguyen-Duc et al., ACL 2023, appendix E, Table 3",
)
def cb_table3(
    metrics: pd.DataFrame,
    *,
    methods: tuple[str, ...] = ("model_based", "class_based", "cnci", "cleanlab"),
    budget: float = 0.1,
) -> pd.DataFrame:
    """Test accuracy in per cent (± standard deviation over seeds, over models), by data set and glitch.

    methods: those whose ranking decides what is removed, annotated or relabelled, as far as they were run. "Fixed" is
    the paper's word for labels that an annotator gives.
    """
    import pandas as pd

    from glitchmark.figures._rows import matching, of_same_models, over_seeds, percent, spread, with_noise
    from glitchmark.figures._style import label_of, not_run
    from glitchmark.figures._tables import not_there

    columns = {"": "original", "remove": "removed", "annotate": "fixed", "relabel": "relabelled", "perfect": "perfect"}
    rows = with_noise(matching(metrics, metric="test_accuracy", action=list(columns), **{"class": ""}))
    found = matching(rows, budget=budget, method=methods, action=["remove", "annotate", "relabel"])
    if found.empty:
        return not_there(
            not_run(f"training after removing or annotating {100 * budget:g} %", "config/class-based.yaml", metrics)
        )
    of_all = rows[rows["method"] == ""]
    shown = [name for name in methods if name in set(found["method"])]
    parts = [of_same_models(of_all, found[found["method"] == name]).assign(method=name) for name in shown]
    cells = ["dataset", "noise", "method"]
    rows = pd.concat([*parts, found]).sort_values("dataset", kind="stable")
    table = over_seeds(rows, [*cells, "action"])
    wide = spread(table, cells, "action", percent(table))
    wide = wide.reindex(columns=[*cells, *columns], fill_value="–").rename(columns=columns)
    wide["method"] = wide["method"].map(label_of)
    return wide.rename(columns={"dataset": "data set"})

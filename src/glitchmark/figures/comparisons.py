"""Method against method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd


@figure(
    "comparisons",
    title="Method against method",
    form="table",
    reference="Demšar, JMLR 2006, section 3.1.3 (Wilcoxon) and section 3.2.2 (Holm)",
)
def comparisons(
    metrics: pd.DataFrame,
    *,
    methods: tuple[str, ...] = (),
    metric: str = "f1",
    glitch: str = "uniform",
    ratio: float = 0.1,
    best: int = 8,
    rope: float = 0.0,
) -> pd.DataFrame:
    """Every pair of methods over data sets, models and seeds: Wilcoxon's signed-rank test with Holm's correction.

    methods: the ``best`` ones by their mean if none are named. rope: if above 0, the probabilities of the Bayesian
    signed-rank test are told besides, with differences up to it counting as none. "better" is a dash above 5 %.
    """
    import pandas as pd

    from glitchmark.evaluation import statistics
    from glitchmark.figures._rows import matching, of_largest_validation, with_names
    from glitchmark.figures._style import GLITCHES, failures_note, not_run
    from glitchmark.figures._tables import not_there

    rows = matching(metrics, metric=metric, glitch=glitch, ratio=ratio, action="", **{"class": ""})
    rows = of_largest_validation(rows[rows["method"].isin(methods)] if methods else rows[rows["method"] != ""])
    values = statistics.paired(with_names(rows).assign(method=lambda of: of["name"]))
    values = values[values.mean().sort_values(ascending=False, kind="stable").index]
    if not methods:
        values = values.iloc[:, :best]
    if values.shape[1] < 2 or len(values) < 2:
        what = f"two methods on two data sets, models or seeds, {GLITCHES.get(glitch, glitch)}, ratio {ratio:g}"
        return not_there(failures_note(rows) or not_run(what, "config.yaml", metrics))
    found = statistics.compare(values)
    known = found["p_holm"] < 0.05
    better = found["first"].where(found["difference"] > 0, found["second"]).where(known, "–")
    counts = [f"{row.wins}/{row.ties}/{row.losses}" for row in found.itertuples()]
    table = pd.DataFrame(
        {
            "method": found["first"],
            "against": found["second"],
            "blocks": found["n_blocks"],
            "left out": found["n_incomplete"],
            "difference": found["difference"].map("{:+.3f}".format),
            "wins/ties/losses": counts,
            "p": found["p_value"].map("{:.2g}".format),
            "p (Holm)": found["p_holm"].map("{:.2g}".format),
            "better": better,
        }
    )
    if rope > 0:
        pairs = [values[[row.first, row.second]].dropna() for row in found.itertuples()]
        bayes = [statistics.bayesian_signed_rank(*pair.to_numpy().T, rope=rope) for pair in pairs]
        for name, key in (("P(better)", "first"), ("P(equal)", "equal"), ("P(worse)", "second")):
            table[name] = [f"{of[key]:.2f}" for of in bayes]
    return table

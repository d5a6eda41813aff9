"""Which rows of a table a list or a figure is about, and the ranked lists that a person can work through."""

import pandas as pd

RANKED = [
    "dataset", "model", "estimator", "validation_noise", "seed", "method", "sample_id", "name", "observed_label",
    "suggested_label", "kind", "rank",
]  # fmt: skip


def of_cleanest_validation(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with the least noise in the validation labels that their method and estimator was run with."""
    least = rows.groupby(["method", "estimator"])["validation_noise"].transform("min")
    return rows[rows["validation_noise"] == least]


def of_largest_ratio(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the largest validation ratio that their method and estimator was run with."""
    largest = rows.groupby(["method", "estimator"])["validation_ratio"].transform("max")
    return rows[rows["validation_ratio"] == largest]


def representative(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the first influence estimator in the table and of methods that read no influence, each with the least
    noise in the validation labels."""
    names = [name for name in rows["estimator"].unique() if name]
    return of_cleanest_validation(rows[rows["estimator"].isin(["", *names[:1]])])


def ranked_lists(samples: pd.DataFrame, by: str) -> dict[str, pd.DataFrame]:
    """For data without known glitches, a list a data set and model that a person can work through.

    samples: rows of samples.parquet with the columns RANKED, of cells in which nothing was broken. by: the method that
    orders the lists. Of several estimators, the first one counts.
    Each list has a row a sample: its name (a file, where the source has such), its given and suggested label, the kind
    of glitch that it would be, in how many seeds it was training data, and its mean rank under every method, as a share
    of the training set (0 = most suspicious).
    """
    lists = {}
    samples = representative(samples)
    # detectors that read no model are listed with every model
    models = samples.loc[samples["model"] != ""].groupby("dataset", sort=False)["model"].unique()
    for dataset, names in models.items():
        for model in names:
            rows = samples[(samples["dataset"] == dataset) & samples["model"].isin([model, ""])]
            lists[f"{dataset}-{model}"] = _ranked(rows, by)
    return lists


def _ranked(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    size = rows.groupby(["method", "estimator", "seed"])["rank"].transform("max")
    place = rows.assign(place=(rows["rank"] - 1) / size)
    places = place.pivot_table(index="sample_id", columns="method", values="place", aggfunc="mean")
    first = rows.groupby("sample_id")
    table = pd.DataFrame({"name": first["name"].first(), "observed_label": first["observed_label"].first()})
    for column in ("suggested_label", "kind"):
        told = rows[rows[column] != ""]
        preferred = told[told["method"] == by] if by in set(told["method"]) else told
        # most frequent over seeds, the first in the alphabet on a tie
        counts = preferred.groupby(["sample_id", column]).size().rename("count").reset_index()
        counts = counts.sort_values(["sample_id", "count", column], ascending=[True, False, True])
        table[column] = counts.drop_duplicates("sample_id").set_index("sample_id")[column]
    table["seeds"] = first["seed"].nunique()
    table = table.fillna({"suggested_label": "", "kind": ""}).join(places.add_prefix("rank_"))
    first_by = [column for column in (f"rank_{by}",) if column in table]  # gone if the method failed everywhere
    return table.sort_values([*first_by, "sample_id"], kind="stable").reset_index()

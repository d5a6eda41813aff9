"""Which rows of a table a list or a figure is about."""

import pandas as pd


def of_cleanest_validation(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with the least noise in the validation labels that their method and estimator was run with."""
    least = rows.groupby(["method", "estimator"])["validation_noise"].transform("min")
    return rows[rows["validation_noise"] == least]


def representative(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the first influence estimator in the table and of methods that read no influence, each with the least
    noise in the validation labels."""
    names = [name for name in rows["estimator"].unique() if name]
    return of_cleanest_validation(rows[rows["estimator"].isin(["", *names[:1]])])

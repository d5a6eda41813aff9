"""Which rows of a table a list or a figure is about."""

import pandas as pd


def of_first_estimator(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the first influence estimator in the table, and of methods that read no influence."""
    names = [name for name in rows["estimator"].unique() if name]
    return rows[rows["estimator"].isin(["", *names[:1]])]

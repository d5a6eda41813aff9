"""Tables as a network reads them: nothing missing, no codes, every number at the same scale."""

import numpy as np


def encode(x_train: np.ndarray, *others: np.ndarray, categories: tuple[int, ...] = ()) -> tuple[np.ndarray, ...]:
    """Fill, one-hot encode and standardise tables; everything is fitted on the training rows alone.

    x_train, others: float32 (n, d), (m, d), ...; NaN is a missing value. categories: see datasets.Pool.

    Numeric columns come first: the training median where missing, then (x - mean) / deviation of the training rows,
    computed in double precision; a column that is constant there becomes zero, in all tables. Then, for each
    categorical column, one column for each category seen in training: the most frequent one where missing, all zeros
    for a category not seen. Returns float32 (n, D), (m, D), ..., the training rows first.
    """
    from sklearn.compose import ColumnTransformer  # one second to import
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    sizes = np.array(categories or [0] * x_train.shape[1])
    numeric, categorical = np.flatnonzero(sizes == 0), np.flatnonzero(sizes)
    table = ColumnTransformer(
        [
            (
                "numbers",
                make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()),
                numeric,
            ),
            (
                "categories",
                make_pipeline(
                    SimpleImputer(strategy="most_frequent", keep_empty_features=True),
                    OneHotEncoder(handle_unknown="ignore", sparse_output=False),
                ),
                categorical,
            ),
        ]
    )
    train = table.fit_transform(x_train.astype(np.float64))
    # scikit-learn takes no empty table
    rest = [table.transform(x.astype(np.float64)) if len(x) else np.empty((0, train.shape[1])) for x in others]
    constant = np.flatnonzero(np.ptp(train[:, : len(numeric)], axis=0) == 0)
    for encoded in (train, *rest):
        encoded[:, constant] = 0  # not the rounding error of their mean
    return tuple(encoded.astype(np.float32) for encoded in (train, *rest))

"""Statistics against published worked examples and closed forms."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from glitchmark.evaluation.statistics import (
    Ranks,
    average_ranks,
    bayesian_signed_rank,
    compare,
    critical_difference,
    friedman,
    holm,
    mean_interval,
    paired,
    run_everywhere,
)

# Demsar, JMLR 7 (2006), table 6: AUC of C4.5 with and without tuning of m and cf on 14 data sets
C45 = pd.DataFrame(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],  # printed as equal, but ranked 2 and 3 there
        [0.957, 0.978, 0.946, 0.970],
    ],
    columns=["c45", "c45_m", "c45_cf", "c45_m_cf"],
)


def test_average_ranks_of_demsar():
    found = average_ranks(C45)
    assert found.ranks.round(3).to_dict() == {"c45": 3.143, "c45_m": 2.0, "c45_cf": 2.893, "c45_m_cf": 1.964}
    assert (found.n_blocks, found.n_incomplete) == (14, 0)


def test_friedman_of_demsar():
    found = friedman(average_ranks(C45))
    assert found.chi2 == pytest.approx(9.28, abs=0.005)
    assert found.f == pytest.approx(3.69, abs=0.005)
    assert found.p_value == pytest.approx(stats.f.sf(3.69, 3, 39), abs=2e-4)
    assert found.f > 2.85  # the critical value of F(3, 39) that is given there


def test_friedman_without_ties_is_scipys():
    values = pd.DataFrame(np.random.default_rng(3).normal(size=(12, 5)))
    assert friedman(average_ranks(values)).chi2 == pytest.approx(
        stats.friedmanchisquare(*values.to_numpy().T).statistic
    )


def test_friedman_of_equal_orders_is_certain():
    assert friedman(average_ranks(pd.DataFrame([[1.0, 2, 3]] * 6))).p_value == 0


@pytest.mark.parametrize(("methods", "blocks"), [(1, 9), (3, 1)])
def test_friedman_needs_two_of_each(methods, blocks):
    with pytest.raises(ValueError, match="two methods and two complete blocks"):
        friedman(Ranks(pd.Series(np.ones(methods)), blocks, 0))


def test_critical_differences_of_demsar():
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)
    # the q values of his table 5a: .05 for 2 to 10 methods
    q = [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]
    found = [critical_difference(k, 1) / np.sqrt(k * (k + 1) / 6) for k in range(2, 11)]
    assert found == pytest.approx(q, abs=2e-3)
    assert critical_difference(4, 14, level=0.1) == pytest.approx(2.291 * np.sqrt(20 / 84), abs=1e-3)


def test_wilcoxon_of_demsar():
    # his table 2: C4.5 against C4.5+m; R+ = 93, R- = 12 with the ranks of two zeros split
    row = compare(C45[["c45", "c45_m"]]).iloc[0]
    assert row["statistic"] == 12
    assert (row["wins"], row["ties"], row["losses"], row["n_blocks"]) == (2, 2, 10, 14)
    assert row["p_value"] < 0.05
    z = (12 - 14 * 15 / 4) / np.sqrt(14 * 15 * 29 / 24)
    assert row["p_value"] == pytest.approx(2 * stats.norm.cdf(z), rel=0.03)  # scipy corrects for ties


def test_wilcoxon_of_hollander_and_wolfe():
    """Depression scale factors of nine patients (Hollander and Wolfe 1973, p. 29), exact: W+ = 40, one-sided .01953."""
    before = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
    after = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
    difference = np.subtract(before, after)
    ranks = stats.rankdata(abs(difference))
    assert ranks[difference > 0].sum() == 40
    row = compare(pd.DataFrame({"before": before, "after": after})).iloc[0]
    assert row["statistic"] == 5
    assert row["p_value"] == pytest.approx(2 * 0.01953, abs=1e-5)


def test_holm_of_demsar():
    """His Sec. 3.2.2: p = .016, .019, .607 against .05/3, .05/2, .05: the first two are rejected."""
    adjusted = holm(np.array([0.607, 0.016, 0.019]))
    assert adjusted == pytest.approx([0.607, 0.048, 0.048])
    ranks = average_ranks(C45).ranks
    z = (ranks["c45"] - ranks.drop("c45")) / np.sqrt(4 * 5 / (6 * 14))
    assert 2 * stats.norm.sf(z) == pytest.approx([0.019, 0.609, 0.016], abs=1e-3)


def test_holm_counts_only_tests_that_were_made():
    assert holm(np.array([np.nan, 0.01, 0.04])) == pytest.approx([np.nan, 0.02, 0.04], nan_ok=True)
    assert np.isnan(holm(np.array([np.nan]))).all()


def test_compare_all_pairs_and_missing_cells():
    values = C45.copy()
    values.loc[[0, 3], "c45_cf"] = np.nan
    found = compare(values).set_index(["first", "second"])
    assert len(found) == 6
    assert found.loc[("c45", "c45_cf"), ["n_blocks", "n_incomplete"]].tolist() == [12, 2]
    assert found.loc[("c45", "c45_m"), ["n_blocks", "n_incomplete"]].tolist() == [14, 0]
    assert (found["p_holm"] >= found["p_value"]).all()
    kept = average_ranks(values)
    assert (kept.n_blocks, kept.n_incomplete) == (12, 2)
    pd.testing.assert_series_equal(kept.ranks, average_ranks(C45.drop(index=[0, 3])).ranks)


def test_equal_methods_do_not_differ():
    row = compare(pd.DataFrame({"a": [0.1, 0.2], "b": [0.1, 0.2]})).iloc[0]
    assert (row["p_value"], row["ties"], row["difference"]) == (1, 2, 0)


def test_nothing_in_common_is_nan():
    row = compare(pd.DataFrame({"a": [0.1, np.nan], "b": [np.nan, 0.2]})).iloc[0]
    assert row["n_blocks"] == 0
    assert np.isnan([row["p_value"], row["p_holm"], row["difference"]]).all()
    assert average_ranks(pd.DataFrame({"a": [np.nan], "b": [1.0]})).ranks.isna().all()
    assert compare(pd.DataFrame({"a": [1.0]})).empty


@pytest.mark.parametrize("seed", range(5))
def test_interval_against_the_normal_one(seed):
    values = np.random.default_rng(seed).normal(3, 2, 400)
    found = mean_interval(values)
    assert found.mean == values.mean()
    half = 1.96 * values.std(ddof=1) / np.sqrt(400)
    assert (found.lower, found.upper) == pytest.approx((found.mean - half, found.mean + half), abs=0.03)
    assert mean_interval(values) == found
    assert mean_interval(np.append(values, np.nan)) == found


@pytest.mark.parametrize(("n", "seed"), [(5, 0), (5, 1), (12, 2), (40, 3)])
def test_interval_against_scipy(n, seed):
    values = np.random.default_rng(seed).normal(size=n)
    reference = stats.bootstrap(
        (values,), np.mean, n_resamples=20000, method="percentile", rng=np.random.default_rng(seed)
    ).confidence_interval
    assert mean_interval(values)[1:] == pytest.approx(tuple(reference), abs=0.12 * values.std() / np.sqrt(n) * 2)


def test_methods_that_were_run_everywhere():
    rows = pd.DataFrame(
        [(d, m, s, method, 1.0) for d in "xy" for m in "ab" for s in (0, 1) for method in ("all", "some")],
        columns=["dataset", "model", "seed", "method", "value"],
    )
    rows = rows[(rows["method"] == "all") | (rows["model"] == "a")]
    rows.loc[(rows["method"] == "all") & (rows["seed"] == 0), "value"] = np.nan  # failed, but run
    raw = pd.DataFrame([(d, "", s, "raw", 1.0) for d in "xy" for s in (0, 1)], columns=rows.columns)
    assert run_everywhere(pd.concat([rows, raw])) == ["all", "raw"]


def test_interval_of_few_values():
    assert mean_interval(np.array([0.5]))[0] == 0.5
    assert np.isnan(mean_interval(np.array([0.5]))[1:]).all()
    assert np.isnan(mean_interval(np.array([]))).all()
    assert mean_interval(np.full(5, 0.5)) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("seed", range(3))
def test_bayesian_signed_rank(seed):
    rng = np.random.default_rng(seed)
    base = rng.uniform(0.4, 0.6, 20)
    better = bayesian_signed_rank(base + 0.05, base)
    assert better["first"] > 0.99
    assert bayesian_signed_rank(base, base + 0.05)["second"] > 0.99
    assert bayesian_signed_rank(base, base + 0.001)["equal"] > 0.99
    assert sum(better.values()) == pytest.approx(1)
    assert bayesian_signed_rank(base + 0.05, base) == better


def test_paired_blocks():
    cells = [("d1", "m1"), ("d1", "m2"), ("d2", "m1")]
    rows = [[d, m, s, "si", i + s] for i, (d, m) in enumerate(cells) for s in (0, 1)]
    rows += [["d1", "m1", 0, "cnci", 4.0], ["d1", "m1", 0, "cnci", 6.0], ["d1", "m2", 0, "cnci", np.nan]]
    rows += [["d1", "", 0, "iforest", 7.0], ["d2", "", 1, "iforest", 8.0]]
    table = paired(pd.DataFrame(rows, columns=["dataset", "model", "seed", "method", "value"]))
    assert len(table) == 6
    assert table.loc[("d1", "m1", 0)].to_dict() == {"cnci": 5, "iforest": 7, "si": 0}
    assert table.loc[("d1", "m2", 0), "iforest"] == 7
    assert np.isnan(table.loc[("d1", "m2", 0), "cnci"])
    assert table["iforest"].notna().sum() == 3
    assert average_ranks(table).n_blocks == 1


def test_detectors_alone_are_paired():
    rows = pd.DataFrame(
        [["d", "", s, m, 0.1] for s in (0, 1) for m in "ab"], columns=["dataset", "model", "seed", "method", "value"]
    )
    assert paired(rows).shape == (2, 2)

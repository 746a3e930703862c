"""What recorded scores say, on results made by hand."""

import numpy as np
import pandas as pd
import pytest

from companion.comparison import (
    best_settings,
    broke_down,
    curves,
    margin,
    rank_correlation,
    scores,
)
from companion.recorded.store import Result

PAIRS = [(1, 0), (2, 0), (1, 5)]
FOUND = {
    ("iVAE", "as released"): np.array([0.9, 0.7, 0.8]),
    ("VAE", "as released"): np.array([0.5, 0.6, 0.7]),
    ("β-VAE", "as released"): np.array([0.4, 0.4, 0.4]),
    ("β-VAE", "β = 4"): np.array([0.9, 0.6, 0.6]),
    ("β-VAE", "β = 10"): np.array([0.95, 0.3, 0.3]),
}


def table_of(found, pairs=PAIRS):
    """Return the table of a comparison that gave these scores, and curves that end with them."""
    return pd.DataFrame(
        [
            {
                "contender": contender,
                "setting": setting,
                "data_seed": pair[0],
                "seed": pair[1],
                "mcc_sampled": value,
                "mcc": value + 0.01,
                "mcc_curve": [0.1, value / 2, value],
            }
            for (contender, setting), values in found.items()
            for pair, value in zip(pairs, values, strict=True)
        ]
    )


def recorded(table):
    """Return a result whose runs, values and curves are those of a table."""
    runs = table[["contender", "setting", "data_seed", "seed"]].to_dict("records")
    values = {name: table[name].to_numpy() for name in ("mcc_sampled", "mcc")}
    arrays = {"mcc_curve": np.array(table["mcc_curve"].tolist())}
    none = np.empty(0, int)
    return Result("some", 1, {}, runs, values, arrays, np.ones(len(runs)), none, {})


def test_scores_are_each_settings_in_the_order_of_the_pairs():
    found = scores(recorded(table_of(FOUND)))
    assert list(found) == list(FOUND)
    for name, values in FOUND.items():
        np.testing.assert_array_equal(found[name], values)
    means = scores(recorded(table_of(FOUND)), "mcc")
    np.testing.assert_allclose(means["VAE", "as released"], [0.51, 0.61, 0.71])


def test_scores_do_not_depend_on_how_settings_are_interleaved():
    table = table_of(FOUND)
    by_pair = table.sort_values(["data_seed", "seed"], kind="stable")
    found, pairs = scores(recorded(by_pair)), [(1, 0), (1, 5), (2, 0)]
    for name, values in FOUND.items():
        of_pair = dict(zip(PAIRS, values, strict=True))
        np.testing.assert_array_equal(found[name], [of_pair[pair] for pair in pairs])


def test_the_best_setting_has_the_highest_mean():
    best = best_settings(FOUND)  # Not "β = 10", which has the highest single score.
    assert best == {"iVAE": "as released", "VAE": "as released", "β-VAE": "β = 4"}
    backwards = dict(reversed(FOUND.items()))
    assert best_settings(backwards) == best


def test_the_margin_is_over_the_baseline_of_the_highest_mean():
    one = margin(FOUND)
    assert (one.contender, one.setting) == ("β-VAE", "β = 4")
    np.testing.assert_array_equal(one.ivae, FOUND["iVAE", "as released"])
    np.testing.assert_array_equal(one.baseline, FOUND["β-VAE", "β = 4"])
    np.testing.assert_allclose(one.values, [0.0, 0.1, 0.2])


def test_the_margin_takes_the_ivaes_best_setting_and_may_be_negative():
    worse = {("iVAE", "other"): np.array([0.2, 0.2, 0.2])} | FOUND
    np.testing.assert_array_equal(margin(worse).ivae, FOUND["iVAE", "as released"])
    lost = {name: values for name, values in worse.items() if name != ("iVAE", "as released")}
    np.testing.assert_allclose(margin(lost).values, [-0.7, -0.4, -0.4])


def test_who_is_best_does_not_depend_on_the_order_where_a_run_diverged():
    found = {("VAE", "a"): np.array([0.5, np.nan]), ("VAE", "b"): np.array([0.1, 0.1])}
    assert best_settings(found) == best_settings(dict(reversed(found.items())))


def test_curves_are_one_settings_over_training():
    found = curves(recorded(table_of(FOUND)), "β-VAE", "β = 4")
    np.testing.assert_allclose(found, [[0.1] * 3, [0.45, 0.3, 0.3], [0.9, 0.6, 0.6]])


def test_a_run_broke_down_if_its_objective_ends_far_below_its_best():
    curves_of = {
        "rises": [1.0, 5.0, 10.0],
        "dips a little": [1.0, 10.0, 8.5],
        "falls": [1.0, 10.0, 7.9],
        "negative, holds": [-20.0, -10.0, -11.9],
        "negative, falls": [-20.0, -10.0, -12.1],
        "diverged": [1.0, 10.0, np.nan],
        "diverged at once": [],
    }
    ends = [curve[-1] if curve else np.nan for curve in curves_of.values()]
    as_recorded = [curve or 3 * [np.nan] for curve in curves_of.values()]
    arrays, values = {"objective_curve": np.array(as_recorded)}, {"objective": np.array(ends)}
    runs, none = [{}] * len(ends), np.empty(0, int)
    result = Result("some", 1, {}, runs, values, arrays, np.array(ends), none, {})
    found = dict(zip(curves_of, broke_down(result), strict=True))
    assert [name for name, broke in found.items() if broke] == [
        "falls",
        "negative, falls",
        "diverged",
        "diverged at once",
    ]


def test_a_diverged_run_is_left_out_of_a_rank_correlation():
    """One run without a score once failed the whole book."""
    conditions, found = [2.0, 4.0, 5.0, 6.0], [0.9, 0.7, np.nan, 0.6]
    assert rank_correlation(conditions, found) == pytest.approx(-1)
    assert rank_correlation([1, 2, 3], [1, 3, 2]) == pytest.approx(0.5)
    assert np.isnan(rank_correlation([1.0, 2.0], [np.nan, 0.5]))

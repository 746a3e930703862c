"""Chapter 3's experiments: runs alone give what they give together, and see what they are of."""

import numpy as np
import pytest

from companion.c03 import experiments
from ivae.theory import equivalence, rank

TESTS = {"seed": 1, "n_tests": 12, "size_erased": 300, "size_moved": 200, "n_permutations": 39}
LEARNED = {"seed": 1, "n_runs": 2, "epochs": 1, "samples_per_segment": 8}
GAPS = {"seed": 1, "n_datasets": 1, "epochs": 1, "samples_per_segment": 8, "rows": 40}
GAPS |= {"fit_steps": 60, "draws": 40}


def same(one, other, relative=1e-4):
    assert one.values == pytest.approx(other.values, rel=relative, abs=1e-6, nan_ok=True)
    assert set(one.arrays) == set(other.arrays)


@pytest.fixture(scope="module")
def p_values():
    plan, made = experiments.plan_tests(**TESTS), experiments.tests(**TESTS)
    again = experiments.tests.make([plan[-1]], 0.0)[0]
    assert again == made[-1]
    assert [run["comparison"] for run in plan[:: TESTS["n_tests"]]] == [
        *experiments.ERASED,
        *experiments.MOVED,
    ]
    return {
        comparison: np.array(
            [one.values["p_value"] for one, run in zip(made, plan, strict=True)
             if run["comparison"] == comparison]
        )
        for comparison in (*experiments.ERASED, *experiments.MOVED)
    }  # fmt: skip


def test_each_test_has_draws_of_its_own(p_values):
    every = np.concatenate(list(p_values.values()))
    assert len(np.unique(every)) > 15
    assert (every >= 1 / 40).all()


def test_what_differs_gets_small_p_values_and_what_does_not_any(p_values):
    """Of 12 tests at 10 %: 9 and more of equal laws reject with a probability of 1e-7."""
    rejected = {name: int((values <= 0.1).sum()) for name, values in p_values.items()}
    assert min(rejected["shifted"], rejected["segment_3"]) >= 9
    for name in ("noisy", "unmoved", "segment_1", "segment_2"):
        assert rejected[name] < 7


def test_a_nudge_moves_the_data_a_little():
    run = experiments.plan_tests(**TESTS)[0]
    one, other = (experiments.one_test(run, nudge).values["distance"] for nudge in (0, 1e-6))
    assert 0 < abs(one - other) < 1e-5


@pytest.fixture(scope="module")
def learned():
    plan = experiments.plan_learned(**LEARNED)
    return plan, experiments.learned(**LEARNED)


def test_members_alone_learn_what_they_learn_together(learned):
    plan, made = learned
    assert [run["case"] for run in plan[:: LEARNED["n_runs"]]] == list(experiments.DATASETS)
    backwards = experiments.learned.make(plan[::-2], 0.0)
    for one, other in zip(made[::-2], backwards, strict=True):
        same(one, other, 1e-2)
        np.testing.assert_allclose(one.arrays["matrix"], other.arrays["matrix"], atol=1e-2)
    assert made[0].values != made[1].values


def test_learned_statistics_are_held_against_those_of_their_case(learned):
    for run, one in zip(*learned, strict=True):
        family = experiments.DATASETS[run["case"]](1, 2).family
        table = one.arrays["lam"]
        assert table.shape == (40, 5, 1)
        assert rank.finding_of_segments(table, family, 8).condition == "(iii) segments"
        assert (table < 0).all() == (run["case"] != "location")
        assert one.values["r2"] == one.arrays["r2_each"].min()
        assert one.values["amari"] == pytest.approx(
            equivalence.amari_distance(one.arrays["standard"])
        )
        assert np.abs(one.arrays["latents"]).max() > 0.1


def test_latents_are_kept_of_the_first_runs_alone():
    plan = experiments.plan_learned(**LEARNED | {"n_runs": 5})
    assert sum(run["is_kept"] for run in plan) == 2 * len(experiments.DATASETS)
    (other,) = experiments.learned.make([plan[4]], 0.0)
    assert not other.arrays["latents"].any()


def test_only_means_move_in_location_and_they_are_not_the_draws():
    one = experiments.location(1, 50)
    np.testing.assert_array_equal(one.variance, 1)
    assert one.mean.std() == pytest.approx(2, abs=0.3)
    inside = (one.z - one.mean[one.u])[::50]
    assert abs(np.corrcoef(inside.ravel(), one.mean.ravel())[0, 1]) < 0.25
    np.testing.assert_array_equal(
        one.mixing.matrices[0], experiments.squares(1, 50).mixing.matrices[0]
    )


def test_gaps_at_the_truth_and_after_training():
    plan, made = experiments.plan_gaps(**GAPS), experiments.gaps(**GAPS)
    found = {(run["preset"], run["where"]): one for run, one in zip(plan, made, strict=True)}
    assert len(found) == 6
    for (_, where), one in found.items():
        values = one.values
        assert values["mean_field"] < values["log_likelihood"] + 0.1
        assert 0 < values["effective"] <= 1
        assert np.isnan(values["fresh"]) == (where == "truth")
        assert one.arrays["full"].mean() == pytest.approx(values["full"], rel=0.01)
    assert found["linear", "truth"].values["effective"] > 0.6
    bounds = [found["paper", "truth"].values[name] for name in ("mean_field", "full")]
    assert bounds[1] > bounds[0] + 0.5
    same(experiments.gaps.make([plan[-1]], 0.0)[0], found["paper", "trained"])

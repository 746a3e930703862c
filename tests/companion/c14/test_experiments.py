"""Chapter 14's runs give alone what they give together, and score what they say they score."""

from dataclasses import asdict

import numpy as np
import pytest

from companion.c14 import experiments, known_sources
from companion.recorded import trained
from ivae.recipe.stages import RECIPE, Settings
from ivae.support.records import plain

ROWS = {"samples_per_segment": 30}
RECOVERY = {"n_steps": 120, "n_steps_generative": 30, "hidden": 16, "n_blocks": 1}
SETS = {"seed": 1, "develop": [1, 2], "confirm": [101], "settings": ["M = 5", "means move (k = 2)"]}
ALL = {
    "seed": 1,
    "develop": [*range(1, 9)],
    "confirm": [*range(101, 117)],
    "settings": list(known_sources.other_settings()),
}
STARTS = {"seed": 1, "data_seeds": [1, 2], "n_networks": 3}
PLANS = {
    "recoveries": (SETS | {"n_starts": 2}, RECOVERY),
    "starts": (STARTS, RECOVERY),
    "elbo": (SETS | {"dimensions": [2, 3], "steps": 20, "epochs": 1}, {}),
    "neighbours": ({"seed": 1, "develop": [1, 2], "epochs": 1}, {"n_steps": 200, "hidden": 16}),
}


def planned(name):
    settings, smaller = PLANS[name]
    runs = getattr(experiments, name).plan(**settings, **smaller, **ROWS)
    return runs if len(runs) <= 10 else runs[:5] + runs[-5:]


@pytest.fixture(scope="module", params=PLANS)
def made(request):
    runs = planned(request.param)
    experiment = getattr(experiments, request.param)
    return request.param, experiment, runs, experiment.make(runs, 0.0)


def test_a_run_alone_is_what_it_is_together(made):
    name, experiment, runs, together = made
    for number in (1, len(runs) - 1):
        (alone,) = experiment.make([plain(dict(runs[number]), name)], 0.0)
        assert alone.values == pytest.approx(together[number].values, abs=1e-3, nan_ok=True)
        for key, array in alone.arrays.items():
            np.testing.assert_allclose(array, together[number].arrays[key], atol=1e-3)


def test_every_run_is_of_its_own(made):
    _, _, runs, together = made
    assert len({frozenset(run) for run in runs}) == 1
    assert len({one.values["mcc"] for one in together}) == len(runs)


def test_a_nudge_moves_what_is_found_by_little(made):
    _, experiment, runs, together = made
    (moved,) = experiment.make(runs[-1:], 1e-6)
    assert 0 < abs(moved.values["mcc"] - together[-1].values["mcc"]) < 0.01


def test_the_full_plans_have_the_chapters_runs():
    recoveries = experiments.recoveries.plan(**ALL, n_starts=4)
    assert len(recoveries) == 8 + 16 + 13
    of_recipe = asdict(RECIPE)
    for run in recoveries:
        changed = {name for name, value in of_recipe.items() if run[name] != value}
        assert changed == ({"n_steps"} if run["family"] == "gaussian" else set())
    elbo = experiments.elbo.plan(**ALL, dimensions=[2, 3, 4, 5], steps=12_500, epochs=20)
    assert len({trained.run_of(run) for run in elbo}) == len(elbo) == 2 * 37 + 2 * 4
    datasets = [run["setting"] for run in recoveries]
    for method in experiments.BOUNDS.values():
        assert [run["setting"] for run in elbo if run["method"] == method] == datasets
    released = [trained.run_of(run).data for run in elbo if run["method"] == "released"]
    assert released == [experiments._data_of(run) for run in recoveries]


def test_single_starts_are_of_every_variant_and_of_networks_for_the_recipe():
    runs = experiments.starts.plan(**STARTS)
    kinds = known_sources.variants(Settings(n_starts=1))
    assert len(runs) == 2 * len(kinds) + 2
    for run in runs:
        assert experiments._settings_of(run) == kinds[run["variant"]]
    assert [(run["data_seed"], run["seed"]) for run in runs if run["variant"] == "the recipe"] == [
        (1, 1),
        (2, 1),
        (1, 2),
        (1, 3),
    ]


def test_a_recovery_scores_the_chosen_start_and_all_starts():
    run = experiments.recoveries.plan(
        seed=1, develop=[1], confirm=[], settings=[], n_starts=3, **RECOVERY, **ROWS
    )[0]
    run |= {"preset": "linear", "n_latents": 2, "n_segments": 10, "noise_variance": 0.01}
    values, arrays = experiments.recovery(run | {"samples_per_segment": 100}, 0.0)
    assert arrays["starts"].shape == arrays["agreements"].shape == (3,)
    # The second stage leaves h as it is, so that the chosen start's score is among the starts'.
    assert min(abs(arrays["starts"] - values["fresh"])) < 1e-6
    assert values["worst_start"] == arrays["starts"].min() <= values["fresh"]
    assert values["fresh"] <= values["best_start"] == arrays["starts"].max()
    assert arrays["agreements"].max() == pytest.approx(1)
    assert values["agreement"] == arrays["agreements"].min()
    # What was learned knows no more than the truth; .1 is for the chance of 100 held-out rows.
    assert values["cross_entropy"] in arrays["cross_entropies"]
    assert values["cross_entropy"] > values["bayes"] - 0.1
    assert values["elbo_after"] > values["elbo_before"]
    assert values["decoder_variance"] > 0


def test_a_linear_mixing_is_undone_by_the_linear_neighbour():
    runs = experiments.neighbours.plan(seed=1, develop=[1, 2], epochs=1, samples_per_segment=200)
    linear = {"preset": "linear", "spread": "deviation", "noise_variance": 0.0}
    asked = [run | linear for run in runs if run["method"] == experiments.LINEAR]
    for one in experiments.neighbours.make(asked, 0.0):
        assert one.values["within_given"] > 0.95
        assert one.values["mcc"] > 0.95
        assert np.isnan(one.values["absolute"])


def test_statistics_are_scored_of_tcl_alone():
    runs = planned("neighbours")
    for run, one in zip(runs, experiments.neighbours.make(runs, 0.0), strict=True):
        assert np.isfinite(one.values["absolute"]) == (run["method"] in experiments.TCL)

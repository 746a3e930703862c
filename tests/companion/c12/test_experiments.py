"""Runs made together are what they are alone; a ceiling is above what was trained, and moves."""

import numpy as np
import pytest

from companion.c12 import experiments
from companion.recorded import trained

SIZES = {"sizes": [(2, 6), (3, 12)], "n_datasets": 2, "samples_per_segment": 64}
TRAINING = SIZES | {"seed": 1, "n_seeds": 1, "epochs": 2, "longer": 3}


@pytest.fixture(scope="module")
def ceilings():
    runs = experiments.datasets_plan(seed=1, **SIZES)
    return runs, experiments.ceilings.make(runs, 0.0)


def test_the_plan_holds_every_contender_and_trains_some_longer():
    runs = experiments.plan(**TRAINING | {"sizes": [(2, 6), (3, 9), (3, 12)], "n_seeds": 2})
    assert len(runs) == (3 * 3 + 2 + 2 * 2) * 2 * 2
    asked = [trained.run_of(run) for run in runs]
    assert len(set(asked)) == len(runs)
    for run, one in zip(runs, asked, strict=True):
        assert (one.model == "vae") == run["contender"].startswith("VAE")
        assert (one.network.decoder_layers == 1) == ("linear" in run["contender"])
        assert one.schedule.epochs == 2 * run["longer"]
        steps_per_epoch = one.data.n_segments * one.data.samples_per_segment / 64
        assert one.schedule.evaluate_every == run["longer"] * steps_per_epoch
    longer = [run for run in runs if run["longer"] == 3]
    assert {run["n_latents"] for run in longer} == {3}
    assert {run["model"] for run in longer} == {"ivae"}
    milder = [run for run in runs if run["spread"] == "variance"]
    assert {(run["n_observed"], run["longer"]) for run in milder} == {(12, 1), (12, 3)}


def test_trainings_made_together_are_those_made_alone():
    runs = [run for run in experiments.plan(**TRAINING) if run["n_latents"] == 3]
    together = experiments.bits.make(runs, 0.0)
    shapes = {one.arrays["mcc_curve"].shape for one in together}
    assert shapes == {(2,)}
    for number in (1, len(runs) - 1):
        (alone,) = experiments.bits.make([runs[number]], 0.0)
        for name, value in alone.values.items():
            assert together[number].values[name] == pytest.approx(value, abs=1e-4), name


def test_ceilings_made_together_are_those_made_alone(ceilings):
    runs, together = ceilings
    (alone,) = experiments.ceilings.make(runs[-1:], 0.0)
    assert together[-1].values == alone.values
    np.testing.assert_array_equal(together[-1].arrays["floors"], alone.arrays["floors"])


def test_a_nudge_moves_a_ceiling_by_little(ceilings):
    runs, before = ceilings
    (moved,) = experiments.ceilings.make(runs[:1], 1e-6)
    assert 0 < abs(moved.values["fresh"] - before[0].values["fresh"]) < 1e-5


def test_means_score_more_than_draws_and_rotations(ceilings):
    for _, one in zip(*ceilings, strict=True):
        values = one.values
        assert values["fresh"] > values["fresh_sampled"] + 0.03
        assert values["within"] > values["within_sampled"] + 0.03
        assert values["floor_low"] < values["floor"] < values["floor_high"]
        assert values["floor"] < values["fresh"]
        assert values["floor_within"] < values["within"]
        assert np.median(one.arrays["floors"]) == values["floor"]


def test_more_bits_and_wider_variances_raise_the_ceiling():
    sizes = [(2, 6), (2, 24)]
    runs = experiments.datasets_plan(seed=3, **SIZES | {"sizes": sizes, "n_datasets": 1})
    few, many, milder = (one.values["fresh"] for one in experiments.ceilings.make(runs, 0.0))
    assert many > few + 0.03
    assert many > milder + 0.01


def test_a_network_trained_on_the_sources_stays_below_the_posterior_mean():
    settings = SIZES | {"seed": 1, "n_datasets": 1, "samples_per_segment": 256}
    plans = experiments.supervised_plan(**settings, epochs=4), experiments.datasets_plan(**settings)
    (reached,), (best,) = (
        experiment.make(runs[:1], 0.0)
        for experiment, runs in zip(
            (experiments.supervised, experiments.ceilings), plans, strict=True
        )
    )
    assert best.values["floor"] < reached.values["fresh"] < best.values["fresh"] + 0.005

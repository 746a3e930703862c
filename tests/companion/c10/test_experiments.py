"""Chapter 10's trainings: one thing varies at a time, and a run is the same alone."""

import pytest

from companion.c10 import experiments
from companion.recorded import trained as trainings

SIZES = {"seed": 1, "total": 120, "n_datasets": 2, "n_few": 1, "steps": 4}
VARIED = {"samples": [16], "spread": [2.0], "condition": [3.0], "noise": [0.1]}


def plan(which, **changes):
    asked = SIZES | {"segments": [2, 3], "varied": VARIED}
    if which is experiments.trained:
        asked |= {"n_networks": 2, "others_at": [3]}
    return which.plan(**(asked | changes))


def made(which, runs):
    """What all runs give, made in the batches that they are made in."""
    found = {}
    for batch in which.batches(runs, range(len(runs))):
        found |= zip(batch, which.make([runs[number] for number in batch], 0.0), strict=True)
    return [found[number] for number in range(len(runs))]


EXPERIMENTS = pytest.mark.parametrize(
    "which", [experiments.trained, experiments.true_decoder], ids=["trained", "true decoder"]
)


def test_each_setting_is_changed_alone():
    runs = plan(experiments.trained)
    (usual, *_) = (run for run in runs if run["varies"] == "segments" and run["value"] == 3)
    changed = {
        run["varies"]: {name for name in run if run[name] != usual[name]} - {"varies", "value"}
        for run in runs
        if run["varies"] != "segments"
    }
    assert changed == {
        "VAE": {"model"},
        "common factor": {"common_factor"},
        "linear mixing": {"preset"},
        "samples": {"samples_per_segment"},
        "spread": {"spread"},
        "condition": {"condition"},
        "noise": {"noise_variance", "decoder_variance"},
    }
    assert {run["varies"]: run["value"] for run in runs if run["varies"] in VARIED} == {
        name: value for name, (value,) in VARIED.items()
    }


@EXPERIMENTS
def test_more_segments_are_no_more_data_and_no_longer_training(which):
    runs = [run for run in plan(which) if run["varies"] == "segments"]
    assert {run["n_segments"] * run["samples_per_segment"] for run in runs} == {120}
    assert len({(run.get("steps"), run.get("epochs")) for run in runs}) == 1


@EXPERIMENTS
def test_no_training_is_planned_twice(which):
    runs = [trainings.run_of(run) for run in plan(which)]
    assert len(set(runs)) == len(runs)


def test_the_reference_has_the_steps_of_the_trainings_with_few_rows_too():
    run = plan(experiments.true_decoder, varied={"samples": [16]}, steps=60)[-1]
    assert run["epochs"] * run["n_segments"] * run["samples_per_segment"] == 60 * 64


@EXPERIMENTS
def test_made_alone_a_run_gives_what_it_gives_with_others(which):
    runs = plan(which)
    together = made(which, runs)
    assert {frozenset(one.arrays) for one in together} == {frozenset(together[0].arrays)}
    shapes = {name: array.shape for name, array in together[0].arrays.items()}
    for number in (1, len(runs) - 1):
        (alone,) = which.make([runs[number]], 0.0)
        assert alone.values == pytest.approx(together[number].values, abs=1e-4)
        assert {name: array.shape for name, array in alone.arrays.items()} == shapes


@EXPERIMENTS
def test_each_varied_setting_changes_what_a_run_gives(which):
    runs = plan(which, segments=[3], n_datasets=1)
    fresh = [one.values["fresh"] for one in made(which, runs)]
    assert len(set(fresh)) == len(fresh)

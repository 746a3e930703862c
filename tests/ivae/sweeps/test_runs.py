"""Runs by flat names, grids of them, and their packing into ensembles."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ivae import data
from ivae.data import PRESETS, DataSettings
from ivae.nets import Network
from ivae.objectives import Bound, Decomposition, ImportanceWeighted
from ivae.schedules import Ramp, Schedule
from ivae.sweeps.runs import (
    FLAT_NAMES,
    Run,
    bytes_of_member,
    grid,
    model_of,
    objective_of,
    pack,
    schedule_of,
)

SMALL = {"n_latents": 2, "n_observed": 3, "n_segments": 4, "samples_per_segment": 10}


def test_a_run_by_flat_names_is_the_run_of_its_parts():
    flat = Run.of(
        preset="paper",
        data_seed=7,
        n_latents=3,
        spread="deviation",
        seed=3,
        n_components=2,
        hidden=50,
        objective="decomposition",
        weights=(100, 1, 0, 10),
        estimator="stratified",
        learning_rate=0.001,
        held_out=0.1,
    )
    parts = Run(
        DataSettings("paper", 7, 3, spread="deviation"),
        seed=3,
        n_components=2,
        network=Network(hidden=50),
        objective=Decomposition(100.0, 1.0, 0.0, 10.0, "stratified"),
        schedule=Schedule(learning_rate=0.001, held_out=0.1),
    )
    assert flat == parts
    assert tuple(flat.values) == FLAT_NAMES
    assert Run.of(**flat.values) == flat
    assert (flat.values["data_seed"], flat.values["seed"]) == (7, 3)
    assert (flat.values["beta"], flat.values["weights"]) == (1.0, (100, 1, 0, 10))


@pytest.mark.parametrize(
    ("given", "equal"),
    [
        ({"preset": "orthogonal", "noise_variance": 0.01, "spread": 1}, {"preset": "orthogonal"}),
        ({"spread": 2.0, "one_matrix": True, "condition": 1, "nested": False}, {}),
        ({"preset": "linear", "one_matrix": True}, {"preset": "linear"}),
        ({"mixing_activation": "xtanh", "source_family": "gaussian"}, {}),
        ({"prior": "laplace"}, {}),
        ({"model": "vae", "n_components": 2}, {"model": "vae"}),
        ({"beta": 4.0, "objective": "decomposition"}, {"objective": "decomposition"}),
        ({"weights": (100, 1, 0, 10), "n_draws": 3, "estimator": "stratified"}, {}),
        ({"weights": (1, 1, 1, 1), "objective": "decomposition"}, {"objective": "decomposition"}),
        ({"decoder_layers": 3}, {}),
        (
            {"preset": "bernoulli", "decoder_variance": 0.1, "noise_variance": 0.1},
            {"preset": "bernoulli"},
        ),
        ({"seed": np.int64(0), "learning_rate": np.float64(0.01), "beta": 1}, {}),
    ],
    ids=str,
)
def test_equal_trainings_are_equal_values_and_a_grid_keeps_one(given, equal):
    one, other = Run.of(**given), Run.of(**equal)
    assert one == other
    assert hash(one) == hash(other)
    assert one.values == other.values
    assert pack([*grid(**given), *grid(**equal)]) == [[other]]


@pytest.mark.parametrize("preset", PRESETS)
def test_a_presets_own_is_no_change(preset):
    assert Run.of(preset=preset, **PRESETS[preset]) == Run.of(preset=preset)
    nothing = dict.fromkeys(PRESETS[preset])
    assert Run.of(preset=preset, **nothing) == Run.of(preset=preset)


def test_a_grid_is_every_combination_and_tuples_are_values():
    weights = (100, 1, 0, 10)
    same = {"objective": "decomposition", "weights": weights, "epochs": 5}
    runs = grid(model=["ivae", "vae"], seed=range(3), **same)
    assert len(runs) == len(set(runs)) == 6
    assert {run.objective.weights for run in runs} == {weights}
    assert {(run.model, run.seed) for run in runs} == {
        (model, seed) for model in ("ivae", "vae") for seed in range(3)
    }


def test_runs_of_one_shape_share_an_ensemble():
    varied = grid(seed=range(2), data_seed=[1, 2], learning_rate=[0.01, 0.001], beta=[1.0, 4.0])
    shapes = grid(seed=range(2), hidden=[50, 200], model=["ivae", "vae"])
    ensembles = pack([*varied, *shapes, *varied], memory_gb=100)
    assert sorted(len(ensemble) for ensemble in ensembles) == [2, 2, 2, 2, 16]
    assert {run for ensemble in ensembles for run in ensemble} == {*varied, *shapes}


@pytest.mark.parametrize(
    "change",
    [
        {"initialisation": "xavier"},
        {"spread": "variance"},
        {"noise_variance": 0.1},
        {"one_matrix": False},
        {"spread": 0.3},
        {"common_factor": True},
        {"mixing_activation": "leaky-relu"},
        {"activation": "leaky-relu"},
        {"source_family": "laplace"},
        {"objective": "importance-weighted"},
        {"steps": 10},
    ],
    ids=str,
)
def test_members_of_an_ensemble_agree_in_networks_and_law_of_the_data(change):
    runs = [Run.of(seed=1), Run.of(seed=2), Run.of(seed=1, **change)]
    assert [len(ensemble) for ensemble in pack(runs, memory_gb=100)] == [2, 1]


def test_memory_bounds_an_ensemble():
    runs = grid(seed=range(10))
    each = bytes_of_member(runs[0]) / 1e9
    assert [len(e) for e in pack(runs, memory_gb=3.5 * each)] == [2, 3, 2, 3]
    assert [len(e) for e in pack(runs, memory_gb=each / 2)] == [1] * 10


@pytest.mark.parametrize(
    "larger",
    [{"hidden": 200}, {"n_layers": 5}, {"samples_per_segment": 9000}, {"batch_size": 640}],
)
def test_larger_runs_take_more_memory(larger):
    assert bytes_of_member(Run.of(**larger)) > bytes_of_member(Run.of())


@pytest.mark.parametrize(
    "change", [{"model": "vae"}, *({"decoder_layers": n} for n in (1, 2, 3, 5))]
)
def test_the_memory_of_weights_counts_every_weight(change):
    run = Run.of(n_segments=1, samples_per_segment=1, batch_size=1, **change)
    n_weights = sum(parameter.numel() for parameter in model_of([run]).parameters())
    # The count leaves out the biases, a percent or two.
    assert 4 * 7.8 * n_weights < bytes_of_member(run) < 4 * 9 * n_weights


def test_an_ensemble_has_its_runs_settings_member_by_member():
    runs = [
        Run.of(seed=3, objective="decomposition", weights=(100, 1, 0, 10), decoder_variance=0.1),
        Run.of(seed=5, objective="decomposition", learning_rate=0.001, decay="plateau"),
    ]
    (ensemble,) = pack(runs)
    model, objective, schedule = model_of(ensemble), objective_of(ensemble), schedule_of(ensemble)
    assert model.seeds == (3, 5)
    assert model.decoder_variance.tolist() == [0.1, 0.01]
    assert objective == Decomposition([100, 1], [1, 1], [0, 1], [10, 1])
    assert list(schedule.learning_rate) == [0.01, 0.001]
    assert list(schedule.decay) == ["cosine", "plateau"]
    assert objective_of(grid(beta=[1, 4])) == Bound([1.0, 4.0])
    drawn = [Run.of(objective="importance-weighted", n_draws=3)]
    assert objective_of(drawn) == ImportanceWeighted(3)


@pytest.mark.parametrize(
    "change",
    [
        {"preset": "released", "spread": "variance"},
        {"preset": "released", "noise_variance": 0.05},
        {"preset": "released", "one_matrix": False},
        {"preset": "paper", "spread": 0.5},
        {"preset": "released", "common_factor": True},
        {"preset": "linear", "condition": 4.0, "nested": True},
        {"preset": "paper", "source_family": "laplace"},
        {"preset": "orthogonal", "mixing_activation": "leaky-relu"},
    ],
    ids=lambda change: ", ".join(map(str, change.values())),
)
def test_what_is_changed_about_a_preset_reaches_the_data(change):
    run = Run.of(**change, **SMALL, data_seed=3)
    found, expected = run.data.generate(), data.generate(seed=3, **change, **SMALL)
    np.testing.assert_array_equal(found.x, expected.x)
    unchanged = data.generate(change["preset"], 3, **SMALL)
    assert not np.array_equal(found.x, unchanged.x)
    assert model_of([run]).decoder.activation == "xtanh"  # That of the networks is their own.


def test_the_initialisation_reaches_every_network():
    uniform, xavier = (model_of([Run.of(initialisation=i)]) for i in ("uniform", "xavier"))
    both = zip(uniform.named_parameters(), xavier.parameters(), strict=True)
    seen = {name.split(".")[0]: set() for name, _ in uniform.named_parameters()}
    for (name, one), other in both:
        assert torch.equal(one, other) == name.endswith("bias")
        seen[name.split(".")[0]].add(torch.equal(one, other))
    assert set(seen) == {"decoder", "encoder", "prior_net"}
    assert all(found == {True, False} for found in seen.values())


@pytest.mark.parametrize("model", ["ivae", "vae"])
def test_a_run_on_bits_has_a_bernoulli_decoder_of_its_own_depth(model):
    run = Run.of(preset="bernoulli", model=model, decoder_layers=1, **SMALL)
    built, bits = model_of([run]), run.data.generate()
    assert built.likelihood.name == "bernoulli"
    assert built.decoder.first.weight.shape == (1, 2, 3)
    assert len(built.decoder.rest) == 0
    assert len(built.encoder.net.rest) == 2
    built.check_data(bits.x, bits.u)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sed": 3}, "every name must be one of .*; got 'sed'"),
        ({"model": "gan"}, "model must be one of ivae, vae; got 'gan'"),
        ({"objective": "mse"}, "objective must be one of elbo, decomposition, importance-"),
        ({"preset": "mnist"}, "preset must be one of paper, released"),
        ({"hidden": 0}, "hidden must be a whole number >= 1; got 0"),
        ({"learning_rate": -1.0}, "learning_rate must be a finite number above 0"),
        (
            {"learning_rate": (0.1, 0.2)},
            r"one number for each weight and rate, since members are runs; got \(0.1, 0.2\)",
        ),
        ({"decay": "step"}, "decay must be one of cosine, constant, plateau"),
        ({"decay": ("cosine", "plateau")}, "must have one decay, since members are runs; got"),
        ({"weights": (1, 1, -1, 1), "objective": "decomposition"}, "weight c must be"),
        ({"weights": (1, 1, 0)}, "weights must be four numbers a, b, c, d; got"),
        ({"weights": 100}, "weights must be .*got 100.*as a tuple"),
        ({"n_components": 3}, "n_components must be 1 or 2; got 3"),
        ({"prior": "cauchy"}, "prior must be one of gaussian, laplace; got 'cauchy'"),
        ({"n_latents": 9}, "n_latents must be at most n_observed = 5.*got 9"),
        ({"data_seed": -1}, "seed must be a whole number >= 0; got -1"),
        ({"seed": -1}, "seed must be a whole number >= 0; got -1"),
        ({"spread": "sd"}, "spread must be one of variance, deviation; got 'sd'"),
        ({"decoder_variance": 0}, "decoder_variance must be a finite number above 0; got 0"),
    ],
)
def test_bad_runs_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        Run.of(**values)


def test_a_run_has_one_weight_and_pack_a_memory():
    with pytest.raises(
        ValueError, match="one number for each weight and rate, since members are runs; got Ramp"
    ):
        replace(Run.of(), objective=Bound(Ramp(0, 1)))
    with pytest.raises(ValueError, match="memory_gb must be a finite number above 0; got 0"):
        pack([Run.of()], memory_gb=0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"beta": True}, "beta must be a number >= 0"),
        ({"beta": "x"}, "beta must be a number >= 0"),
        ({"beta": (1.0, 2.0)}, "beta of a run must be one number"),
        (
            {"objective": "decomposition", "weights": (1, -1, 1, 1)},
            "weight b must be a number >= 0",
        ),
    ],
)
def test_a_weight_of_a_run_is_one_number(values, message):
    with pytest.raises(ValueError, match=message):
        Run.of(**values)


def test_a_run_says_that_flat_names_go_elsewhere():
    with pytest.raises(ValueError, match=r"data must be a DataSettings.*Run\.of takes flat names"):
        Run("released")

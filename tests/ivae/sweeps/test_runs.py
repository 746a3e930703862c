"""Grids of runs, and their packing into ensembles."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from ivae import data, recipes
from ivae.sweeps.runs import (
    Run,
    bytes_of_member,
    dataset_of,
    grid,
    model_of,
    objective_of,
    pack,
    schedule_of,
)

SMALL = {"n_latents": 2, "n_observed": 3, "n_segments": 4, "samples_per_segment": 10}


def test_a_grid_is_every_combination_and_tuples_are_values():
    runs = grid(
        model=["ivae", "vae"],
        seed=range(3),
        objective="decomposition",
        weights=(100, 1, 0, 10),
        epochs=5,
    )
    assert len(runs) == len(set(runs)) == 6
    assert {run.weights for run in runs} == {(100, 1, 0, 10)}
    assert {(run.model, run.seed) for run in runs} == {
        (model, seed) for model in ("ivae", "vae") for seed in range(3)
    }


def test_runs_of_one_shape_share_an_ensemble():
    varied = grid(seed=range(2), data_seed=[1, 2], learning_rate=[0.01, 0.001], beta=[1.0, 4.0])
    shapes = grid(seed=range(2), hidden=[50, 200], model=["ivae", "vae"])
    ensembles = pack([*varied, *shapes, *varied], memory_gb=100)
    assert sorted(len(ensemble) for ensemble in ensembles) == [2, 2, 2, 2, 16]
    assert {run for ensemble in ensembles for run in ensemble} == {*varied, *shapes}


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
    assert bytes_of_member(replace(Run(), **larger)) > bytes_of_member(Run())


@pytest.mark.parametrize("model", ["ivae", "vae"])
def test_the_memory_of_weights_counts_every_weight(model):
    run = Run(model=model, n_segments=1, samples_per_segment=1, batch_size=1)
    built = model_of([run])
    n_weights = sum(parameter.numel() for parameter in built.parameters())
    assert 4 * 8 * n_weights < bytes_of_member(run) < 4 * 9 * n_weights


def test_an_ensemble_has_its_runs_settings_member_by_member():
    runs = [
        Run(seed=3, objective="decomposition", weights=(100, 1, 0, 10), decoder_variance=0.1),
        Run(seed=5, objective="decomposition", learning_rate=0.001, decay="plateau"),
    ]
    (ensemble,) = pack(runs)
    model, objective, schedule = model_of(ensemble), objective_of(ensemble), schedule_of(ensemble)
    assert model.seeds == (3, 5)
    assert model.decoder_variance.tolist() == [0.1, 0.01]
    assert objective.dimension_wise_kl == [10, 1.0]
    assert list(schedule.learning_rate) == [0.01, 0.001]
    assert list(schedule.decay) == ["cosine", "plateau"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: grid(sed=range(3)), "every axis must be one of .*; got 'sed'"),
        (lambda: Run(model="gan"), "model must be one of ivae, vae; got 'gan'"),
        (lambda: Run(objective="mse"), "objective must be one of elbo, decomposition, importance-"),
        (lambda: Run(preset="mnist"), "preset must be one of paper, released"),
        (lambda: Run(hidden=0), "hidden must be a whole number >= 1; got 0"),
        (lambda: Run(learning_rate=-1.0), "learning_rate must be a finite number above 0"),
        (lambda: Run(decay="step"), "decay must be one of cosine, constant, plateau"),
        (lambda: Run(weights=(1, 1, -1, 1), objective="decomposition"), "weight c must be"),
        (lambda: Run(weights=(1, 1, 0)), "weights must be four numbers a, b, c, d; got"),
        (lambda: grid(weights=[100, 1, 0, 10]), "weights must be .*got 100.*as a tuple"),
        (lambda: Run(weights=(100, 1, 0, 10)), "weights = .* has no effect .*'decomposition'"),
        (lambda: Run(beta=4.0, objective="decomposition"), "beta = 4.0 has no effect"),
        (lambda: Run(prior="laplace"), "prior = 'laplace' has no effect .*belongs to 'vae'"),
        (lambda: Run(model="vae", n_components=2), "n_components = 2 has no effect"),
        (lambda: Run(n_components=3), "n_components must be 1 or 2; got 3"),
        (lambda: Run(prior="cauchy"), "prior must be one of gaussian, laplace; got 'cauchy'"),
        (lambda: Run(n_latents=9), "n_latents must be at most n_observed = 5; got 9"),
        (lambda: Run(data_seed=-1), "data_seed must be a whole number >= 0; got -1"),
        (lambda: Run(spread="sd"), "spread must be one of variance, deviation; got 'sd'"),
        (lambda: Run(noise_variance=-1.0), "noise_variance must be a finite number above 0"),
        (lambda: Run(spread=1.0), "spread = 1.0 has a name: give 'variance'"),
        (lambda: Run(condition=2.0), "condition can be changed .*; got 'released'"),
        (lambda: Run(preset="linear", condition=0.5), "condition must be at least 1; got 0.5"),
        (lambda: Run(nested=True), "nested can be changed .*; got 'released'"),
        (
            lambda: Run(preset="linear", n_latents=1, condition=2.0),
            "n_latents must be at least 2 for condition",
        ),
        (lambda: Run(source_family="cauchy"), "source_family must be one of gaussian, laplace"),
        (lambda: Run(source_family="laplace", centred=False), "centred must be True for source_fa"),
        (
            lambda: Run(preset="bernoulli", source_family="laplace"),
            r"source_family can be changed for .* alone; got 'bernoulli'",
        ),
        (lambda: Run(mixing_activation="relu"), "activation of the mixing must be one of xtanh"),
        (
            lambda: Run(preset="linear", mixing_activation="leaky-relu"),
            r"activation can be changed for .* alone; got 'linear'",
        ),
        (lambda: Run(one_matrix="no"), "one_matrix must be True or False; got 'no'"),
        (
            lambda: Run(initialisation="he"),
            "initialisation must be one of uniform, xavier, lecun; got",
        ),
        (lambda: pack([Run()], memory_gb=0), "memory_gb must be a finite number above 0; got 0"),
    ],
)
def test_bad_runs_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "change",
    [
        {"preset": "released", "spread": "variance"},
        {"preset": "released", "noise_variance": 0.05},
        {"preset": "released", "one_matrix": False},
        {"preset": "paper", "spread": "deviation"},
        {"preset": "paper", "noise_variance": 0.0},
        {"preset": "paper", "one_matrix": True},
        {"preset": "paper", "spread": "deviation", "noise_variance": 0.5, "one_matrix": True},
        {"preset": "paper", "spread": 0.5},
        {"preset": "released", "spread": 3},
        {"preset": "released", "common_factor": True},
        {"preset": "orthogonal", "condition": 4.0},
        {"preset": "linear", "condition": 4.0, "nested": True},
        {"preset": "paper", "nested": True},
        {"preset": "paper", "source_family": "laplace"},
        {"preset": "released", "source_family": "laplace"},
    ],
    ids=lambda change: ", ".join(map(str, change.values())),
)
def test_what_is_changed_about_a_preset_reaches_the_data(change):
    found = dataset_of(Run(**change, **SMALL, data_seed=3))
    expected = data.generate(seed=3, **change, **SMALL)
    np.testing.assert_array_equal(found.x, expected.x)
    unchanged = dataset_of(Run(preset=change["preset"], **SMALL, data_seed=3))
    assert not np.array_equal(found.x, unchanged.x)


OWN = ["spread", "noise_variance", "one_matrix", "condition", "common_factor", "nested"]
OWN += ["source_family"]


@pytest.mark.parametrize("name", [*OWN, "mixing_activation"])
@pytest.mark.parametrize("preset", recipes.PRESETS)
def test_a_presets_own_is_no_change(preset, name):
    own = getattr(recipes.RECIPES[preset], name.removeprefix("mixing_"))
    with pytest.raises(ValueError, match=f"{name} = {own!r} has no effect: the preset '{preset}'"):
        Run(preset=preset, **{name: own})


def test_every_field_of_a_recipe_is_a_runs_too():
    names = {field.name for field in fields(recipes.Recipe)}
    assert {name.removeprefix("mixing_") for name in [*OWN, "mixing_activation"]} == names


@pytest.mark.parametrize("preset", ["paper", "released", "orthogonal"])
def test_the_activations_of_mixing_and_networks_are_set_apart(preset):
    mixing, networks = (
        Run(preset=preset, mixing_activation="leaky-relu", **SMALL),
        Run(preset=preset, activation="leaky-relu", **SMALL),
    )
    assert dataset_of(mixing).mixing.activation == "leaky-relu"
    assert dataset_of(networks).mixing.activation == "xtanh"
    expected = data.generate(preset, 1, **SMALL, activation="leaky-relu")
    np.testing.assert_array_equal(dataset_of(mixing).x, expected.x)
    assert model_of([mixing]).decoder.activation != model_of([networks]).decoder.activation
    assert [len(ensemble) for ensemble in pack([mixing, networks])] == [1, 1]


def test_a_linear_mixing_has_one_matrix_anyway():
    with pytest.raises(ValueError, match="one_matrix = True has no effect"):
        Run(preset="linear", one_matrix=True)


def test_the_initialisation_reaches_every_network():
    uniform, xavier = (model_of([Run(initialisation=i)]) for i in ("uniform", "xavier"))
    both = zip(uniform.named_parameters(), xavier.parameters(), strict=True)
    seen = {name.split(".")[0]: set() for name, _ in uniform.named_parameters()}
    for (name, one), other in both:
        assert torch.equal(one, other) == name.endswith("bias")
        seen[name.split(".")[0]].add(torch.equal(one, other))
    assert set(seen) == {"decoder", "encoder", "prior_net"}
    assert all(found == {True, False} for found in seen.values())


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
        {"source_family": "laplace"},
    ],
    ids=str,
)
def test_members_of_an_ensemble_agree_in_networks_and_law_of_the_data(change):
    runs = [Run(seed=1), Run(seed=2), Run(seed=1, **change)]
    assert [len(ensemble) for ensemble in pack(runs, memory_gb=100)] == [2, 1]


@pytest.mark.parametrize("model", ["ivae", "vae"])
def test_a_run_on_bits_has_a_bernoulli_decoder_of_its_own_depth(model):
    run = Run(preset="bernoulli", model=model, decoder_layers=1, **SMALL)
    built = model_of([run])
    assert built.likelihood.name == "bernoulli"
    assert built.decoder.first.weight.shape == (1, 2, 3)
    assert len(built.decoder.rest) == 0
    assert len(built.encoder.rest) == 2
    built.check_data(dataset_of(run).x, dataset_of(run).u)


@pytest.mark.parametrize("layers", [1, 2, 5])
def test_the_memory_of_weights_counts_the_decoders_layers(layers):
    run = Run(decoder_layers=layers, n_segments=1, samples_per_segment=1, batch_size=1)
    n_weights = sum(parameter.numel() for parameter in model_of([run]).parameters())
    # The count leaves out the biases, a percent or two.
    assert 4 * 7.8 * n_weights < bytes_of_member(run) < 4 * 9 * n_weights


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"decoder_variance": 0.1}, "decoder_variance = 0.1 has no effect on a Bernoulli decoder"),
        ({"noise_variance": 0.1}, "noise_variance = 0.1 has no effect"),
        ({"one_matrix": True}, "one_matrix = True has no effect"),
        ({"decoder_layers": 3}, "decoder_layers = 3 has no effect: n_layers is the same"),
        ({"decoder_layers": 0}, "decoder_layers must be a whole number >= 1; got 0"),
    ],
)
def test_what_has_no_effect_on_bits_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Run(preset="bernoulli", **values)

"""The protocols hold what they say, and each step between them is one change."""

from dataclasses import fields, replace
from itertools import pairwise

import pytest
from companion.protocols import (
    BETAS,
    GRID,
    LIKELIHOOD_WEIGHT,
    PROTOCOLS,
    contenders,
    ladder,
    run_of,
    turned_back,
)

from ivae.recipes import RECIPES
from ivae.sweeps.runs import Run, grid

protocols = pytest.mark.parametrize("protocol", PROTOCOLS)
LAW = ("spread", "noise_variance", "one_matrix")


def recipe(run):
    """Return the law of a run's data, whichever generator draws them."""
    changes = {name: getattr(run, name) for name in LAW}
    changed = {name: value for name, value in changes.items() if value is not None}
    return replace(RECIPES[run.preset], **changed)


def differences(one, other):
    return {f.name for f in fields(Run) if getattr(one, f.name) != getattr(other, f.name)}


def released_ivae():
    (ivae,) = [one for one in contenders("released") if one.model == "iVAE"]
    return run_of("released", ivae)


@protocols
def test_contenders_are_distinct_runs_with_distinct_names(protocol):
    everyone = contenders(protocol)
    runs = {run_of(protocol, one) for one in everyone}
    assert len(runs) == len(everyone) == len({(one.model, one.setting) for one in everyone})


@protocols
def test_one_contender_sees_the_segments_and_the_others_are_vaes(protocol):
    for one in contenders(protocol):
        assert run_of(protocol, one).model == ("ivae" if one.model == "iVAE" else "vae")
    models = [one.model for one in contenders(protocol)]
    assert set(models) == {"iVAE", "VAE", "VAE, Laplace", "β-VAE", "β-TC-VAE"}
    assert models.count("iVAE") == 1


@protocols
def test_contenders_share_all_that_the_protocol_says(protocol):
    own = {"model", "prior", "objective", "weights", "beta"}
    runs = [run_of(protocol, one) for one in contenders(protocol)]
    for run in runs:
        assert differences(run, runs[0]) <= own
        assert run.preset == PROTOCOLS[protocol]["preset"]
        assert run.decoder_variance == PROTOCOLS[protocol]["decoder_variance"]


@protocols
def test_the_laplace_prior_is_one_baselines_alone(protocol):
    for one in contenders(protocol):
        laplace = run_of(protocol, one).prior == "laplace"
        assert laplace == (one.model == "VAE, Laplace")


@protocols
def test_the_grids_of_both_protocols_weigh_the_same_terms(protocol):
    """Up to a factor: a released weight of 100 for the likelihood comes with a VAE's 1."""
    for one in contenders(protocol):
        run = run_of(protocol, one)
        if not one.setting.startswith("β = "):
            continue
        beta = float(one.setting.removeprefix("β = "))
        assert beta in BETAS[one.model]
        if run.objective == "elbo":
            assert (one.model, run.beta) == ("β-VAE", beta)
            continue
        wanted = (beta, beta, beta) if one.model == "β-VAE" else (1.0, beta, 1.0)
        likelihood = LIKELIHOOD_WEIGHT if protocol == "released" else 1.0
        assert run.weights == (likelihood, *wanted)


def test_released_baselines_of_the_grid_weigh_the_likelihood_as_the_ivae_does():
    weight = released_ivae().weights[0]
    for one in contenders("released"):
        equal = run_of("released", one).weights[0] == weight
        assert equal == (one.model == "iVAE" or one.setting != "as released")


def test_betas_are_inside_the_papers_ranges_and_above_the_vaes():
    for name, highest in (("β-VAE", 45), ("β-TC-VAE", 35)):
        assert 1 < min(BETAS[name]) <= max(BETAS[name]) == highest
        assert len(set(BETAS[name])) == len(BETAS[name])


def test_the_grid_has_48_settings_that_runs_take():
    assert len(set(grid(**GRID))) == 48


def test_seeds_and_sizes_of_a_run_are_the_callers():
    contender = contenders("text")[0]
    run = run_of("text", contender, data_seed=7, seed=3, n_latents=2, decay="plateau")
    assert differences(run, run_of("text", contender)) == {
        "data_seed",
        "seed",
        "n_latents",
        "decay",
    }
    assert (run.data_seed, run.seed, run.n_latents) == (7, 3, 2)


def test_unknown_protocols_are_named():
    with pytest.raises(ValueError, match="protocol must be one of text, released; got 'paper'"):
        contenders("paper")


def test_the_ladder_starts_with_the_words_of_the_text():
    first = Run(**next(iter(ladder().values())))
    assert recipe(first) == RECIPES["paper"]
    assert (first.objective, first.beta, first.decoder_variance) == ("elbo", 1.0, 0.01)
    assert (first.activation, first.decay) == ("leaky-relu", "constant")


def test_each_rung_of_the_ladder_is_one_change():
    *rungs, last = (Run(**rung) for rung in ladder().values())
    changed = [differences(one, other) for one, other in pairwise(rungs)]
    for change in changed:
        # The decomposition's weights belong to its objective: one change in two fields.
        assert len(change - {"weights"}) == 1
        assert "weights" not in change or "objective" in change
    names = [name for change in changed for name in change]
    assert len(names) == len(set(names))
    assert differences(rungs[-1], last) == {"preset", *LAW}


def test_the_last_rung_changes_the_generator_and_not_the_law():
    before, last = [Run(**rung) for rung in ladder().values()][-2:]
    assert recipe(before) == recipe(last) == RECIPES["released"]
    assert (before.preset, last.preset) == ("paper", "released")


def test_all_ways_to_the_released_protocol_end_at_one_run():
    *_, last = ladder().values()
    assert Run(**last) == Run(**turned_back()["as released"]) == released_ivae()


def test_what_is_turned_back_is_one_thing_each():
    runs = {name: Run(**settings) for name, settings in turned_back().items()}
    released = runs.pop("as released")
    assert len(set(runs.values())) == len(runs)
    for run in runs.values():
        assert len(differences(run, released)) == 1


def test_the_data_are_turned_back_to_the_texts():
    text, released = RECIPES["paper"], RECIPES["released"]
    turned = [recipe(Run(**settings)) for settings in turned_back().values()]
    for name in LAW:
        assert replace(released, **{name: getattr(text, name)}) in turned

"""The protocols hold what they say, and who is compared under them differs in what is said."""

import pytest

from companion.protocols import (
    BETAS,
    PROTOCOLS,
    contenders,
    run_of,
)
from ivae.objectives import RELEASED_WEIGHTS, Bound
from ivae.sweeps.runs import FLAT_NAMES

protocols = pytest.mark.parametrize("protocol", PROTOCOLS)


def differences(one, other):
    return {name for name in FLAT_NAMES if one.values[name] != other.values[name]}


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
        assert run.data.preset == PROTOCOLS[protocol]["preset"]
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
        if isinstance(run.objective, Bound):
            assert (one.model, run.objective.beta) == ("β-VAE", beta)
            continue
        wanted = (beta, beta, beta) if one.model == "β-VAE" else (1.0, beta, 1.0)
        likelihood = RELEASED_WEIGHTS[0] if protocol == "released" else 1.0
        assert run.objective.weights == (likelihood, *wanted)


def test_released_baselines_of_the_grid_weigh_the_likelihood_as_the_ivae_does():
    weight = RELEASED_WEIGHTS[0]
    for one in contenders("released"):
        equal = run_of("released", one).objective.weights[0] == weight
        assert equal == (one.model == "iVAE" or one.setting != "as released")


def test_betas_are_inside_the_papers_ranges_and_above_the_vaes():
    for name, highest in (("β-VAE", 45), ("β-TC-VAE", 35)):
        assert 1 < min(BETAS[name]) <= max(BETAS[name]) == highest
        assert len(set(BETAS[name])) == len(BETAS[name])


def test_seeds_and_sizes_of_a_run_are_the_callers():
    contender = contenders("text")[0]
    changes = {"data_seed": 7, "seed": 3, "n_latents": 2, "decay": "plateau"}
    run = run_of("text", contender, **changes)
    assert differences(run, run_of("text", contender)) == set(changes)
    assert {name: run.values[name] for name in changes} == changes


def test_unknown_protocols_are_named():
    with pytest.raises(ValueError, match="protocol must be one of text, released; got 'paper'"):
        contenders("paper")

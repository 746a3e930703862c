"""Fits from the truth against exact answers, and drifts that begin where they say."""

import numpy as np
import pytest
import torch

from companion import ceilings
from companion.c13 import drift
from companion.c13.truth import write_truth
from ivae import data, metrics, models
from ivae.nets import Network
from ivae.objectives import Bound, ImportanceWeighted, elbo, released_objective
from ivae.schedules import Schedule
from ivae.theory import linear

SIZES = {"n_latents": 2, "n_observed": 3, "n_segments": 5, "samples_per_segment": 200}
NET = Network(hidden=12)


@pytest.fixture
def case():
    datasets = [data.generate("released", seed, **SIZES) for seed in (1, 2)]
    model = models.ivae(2, 3, 5, seeds=[0, 1], network=NET, decoder_variance=[0.1, 0.01])
    return model, data.stack(datasets), datasets


def test_the_mean_of_the_bound_is_the_elbos(case):
    model, (x, u, _), _ = case
    found = drift.mean_terms(model, x, u, Bound())
    rows, labels = model.check_data(x, u)
    generator = torch.Generator().manual_seed(5)
    draws = [
        elbo(model, rows, labels, torch.randn(2, 1000, 2, generator=generator)).value.mean(1)
        for _ in range(20)
    ]
    expected = torch.stack(draws).detach()
    spread = expected.std(0).numpy()
    assert (np.abs(found.value - expected.mean(0).numpy()) < 5 * spread).all()
    np.testing.assert_allclose(found.reconstruction - found.kl, found.value, rtol=1e-6)
    assert np.isnan(found.total_correlation).all()


def test_the_parts_of_a_decomposition_add_up(case):
    model, (x, u, _), _ = case
    found = drift.mean_terms(model, x, u, released_objective())
    parts = found.mutual_information + found.total_correlation + found.dimension_wise_kl
    np.testing.assert_allclose(parts, found.kl, rtol=1e-5)
    weighed = 100 * found.reconstruction - found.mutual_information - 10 * found.dimension_wise_kl
    np.testing.assert_allclose(found.value, weighed, rtol=1e-5)


@pytest.mark.parametrize("objective", [Bound(), ImportanceWeighted(2)])
def test_the_encoder_alone_moves_and_raises_the_objective(case, objective):
    model, (x, u, _), datasets = case
    write_truth(model, datasets)
    before = drift.mean_terms(model, x, u, objective).value
    others = [*model.decoder.parameters(), *model.prior_net.parameters()]
    kept = [parameter.detach().clone() for parameter in others]
    drift.fit_encoder(model, x, u, objective, epochs=2)
    assert (drift.mean_terms(model, x, u, objective).value > before + 1).all()
    assert all(torch.equal(a, b) for a, b in zip(kept, others, strict=True))
    assert all(p.requires_grad for p in model.parameters())


@pytest.mark.slow
def test_under_a_true_orthonormal_mixing_the_encoder_reaches_the_likelihood():
    """Its posterior is diagonal, so that Eq. (8) loses nothing but what the network misses."""
    made = data.generate("linear", 1, **SIZES | {"samples_per_segment": 400})
    network = Network(hidden=30, decoder_layers=1)
    model = models.ivae(2, 3, 5, seeds=[0], network=network, decoder_variance=0.01)
    write_truth(model, [made])
    drift.fit_encoder(model, made.x, made.u, Bound(), epochs=60)
    exact = linear.LinearModel(made.mixing.matrices[0], made.variance, 0.01)
    best = exact.log_likelihood(made.x, made.u).mean()
    found = drift.mean_terms(model, made.x, made.u, Bound()).value[0]
    assert best - 0.03 < found < best + 0.02


def test_a_start_keeps_the_taught_means_and_fits_the_rest(case):
    model, (x, u, _), datasets = case
    net = ceilings.supervised_network(datasets, [3, 4], network=NET, epochs=15)
    drift.start_at_sources(model, net, [1, 0], x[::-1].copy(), u, Bound(), epochs=15)
    posterior = model.infer(x[::-1].copy(), u)
    with torch.no_grad():
        taught = net(torch.as_tensor(x).float(), torch.as_tensor(u)).flip(0)
    np.testing.assert_allclose(posterior.mean, taught, atol=1e-5)
    # The best prior has the second moments of the posterior, segment by segment.
    second = posterior.mean.square() + posterior.log_variance.exp()
    wanted = torch.stack([second[:, u[0] == s].mean(1) for s in range(5)], 1)
    _, variance = model.prior_moments()
    assert (torch.log(variance / wanted).abs() < 0.35).all()
    assert torch.log(variance / wanted).abs().mean() < 0.12


def test_nothing_drifts_at_no_rate_and_a_drift_begins_at_its_start(case):
    model, (x, u, z), _ = case
    value = drift.mean_terms(model, x, u, Bound()).value
    scores = [metrics.mcc(a, b) for a, b in zip(z, model.infer(x, u).mean.numpy(), strict=True)]
    still = Schedule(steps=20, learning_rate=1e-12, evaluate_every=10)
    found = drift.follow(model, x, u, z, Bound(), still, progress=False)
    assert found.steps.tolist() == [0, 10, 20]
    np.testing.assert_allclose(found.objective[0], value)
    np.testing.assert_allclose(found.end, value, rtol=1e-5)
    np.testing.assert_allclose(found.mcc, [scores] * 3, atol=1e-5)


def test_a_drift_raises_the_objective(case):
    model, (x, u, z), _ = case
    schedule = Schedule(epochs=3)
    found = drift.follow(model, x, u, z, released_objective(), schedule, progress=False)
    assert (found.end > found.objective[0] + 10).all()
    assert found.mcc.shape == (4, 2)

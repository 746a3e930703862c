"""The short way to the gradients leads where autograd's long one does."""

import pytest
import torch

from ivae import models
from ivae.engine.gradients import gradients
from ivae.models import Network
from ivae.objectives import Bound, Decomposition, ImportanceWeighted

MODELS = {
    "iVAE k=1": lambda **o: models.ivae(2, 3, 4, seeds=[0, 1], **o),
    "iVAE k=2": lambda **o: models.ivae(2, 3, 4, seeds=[0, 1], n_components=2, **o),
    "VAE gaussian": lambda **o: models.vae(2, 3, seeds=[0, 1], **o),
    "VAE laplace": lambda **o: models.vae(2, 3, seeds=[0, 1], prior="laplace", **o),
}
OBJECTIVES = {
    "ELBO": (Bound(), [[1.0], [1.0]]),
    "beta-VAE": (Bound(), [[0.5], [4.0]]),
    "released": (Decomposition(), [[100.0, 1, 0, 10], [100, 1, 0, 10]]),
    "one member pairwise": (Decomposition(), [[1.0, 1, 1, 1], [1, 1, 7, 1]]),
    "no member pairwise": (Decomposition(), [[1.0, 1, 1, 1], [500, 5, 5, 5]]),
    "stratified": (Decomposition(estimator="stratified"), [[1.0, 2, 3, 4], [1, 0, 0, 0]]),
    "importance-weighted": (ImportanceWeighted(3), [[], []]),
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("network", [Network(hidden=20), Network(6, 4, "leaky-relu")])
def test_gradients_are_autograds(model, objective, network):
    model = MODELS[model](network=network, decoder_variance=[0.1, 0.3]).double()
    check(model, *OBJECTIVES[objective])


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("decoder_layers", [None, 1])
def test_gradients_of_a_bernoulli_decoder_are_autograds(model, objective, decoder_layers):
    network = Network(hidden=20, decoder_layers=decoder_layers)
    model = MODELS[model](network=network, likelihood="bernoulli").double()
    check(model, *OBJECTIVES[objective])


def check(model, objective, weights):
    """Hold the short way's sums and gradients against autograd's."""
    weights = torch.tensor(weights, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    draws = () if objective.n_draws == 1 else (objective.n_draws,)
    x = torch.randn(2, 7, 3, dtype=torch.float64, generator=generator)
    if model.likelihood.name == "bernoulli":
        x = (x > 0).double()
    noise = torch.randn(2, 7, *draws, 2, dtype=torch.float64, generator=generator)
    u = torch.randint(0, 4, (2, 7), generator=generator)
    parameters = list(model.parameters())
    found = [torch.full_like(parameter, torch.nan) for parameter in parameters]
    sums = gradients(model, objective, x, u, noise, weights, 50, found)

    *terms, parts = objective.terms(model(x, u, noise), weights, 50)
    expected = torch.stack((*terms, *parts)).sum(-1)
    loss = -terms[0].mean(1).sum()
    torch.testing.assert_close(sums, expected.detach(), equal_nan=True)
    for ours, autograds in zip(found, torch.autograd.grad(loss, parameters), strict=True):
        torch.testing.assert_close(ours, autograds)
        assert bool((ours != 0).any())

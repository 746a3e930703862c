"""The short way to the gradients leads where autograd's long one does, member by member.

That it does for every model and objective is tested in tests/ivae/test_all_models.py; here are
members that weigh differently, and networks of other shapes.
"""

import pytest
import torch

from ivae import models
from ivae.engine.gradients import gradients
from ivae.nets import Network
from ivae.objectives import Bound, Decomposition

DOUBLE = torch.float64
MODELS = {
    "iVAE": lambda **how: models.ivae(2, 3, 4, seeds=[0, 1], **how),
    "VAE": lambda **how: models.vae(2, 3, seeds=[0, 1], **how),
}
OBJECTIVES = {
    "beta": (Bound(), [[0.5], [4.0]]),
    "one member pairwise": (Decomposition(), [[1.0, 1, 1, 1], [1, 1, 7, 1]]),
    "no member pairwise": (Decomposition(), [[1.0, 1, 1, 1], [500, 5, 5, 5]]),
    "stratified": (Decomposition(estimator="stratified"), [[1.0, 2, 3, 4], [1, 0, 0, 0]]),
}
NETWORKS = {
    "wide": Network(hidden=20),
    "deep": Network(6, 4, "leaky-relu"),
    "linear decoder": Network(hidden=20, decoder_layers=1),
}


def batch(bits):
    generator = torch.Generator().manual_seed(0)
    x, noise = (torch.randn(2, 7, n, dtype=DOUBLE, generator=generator) for n in (3, 2))
    return (x > 0).double() if bits else x, torch.randint(0, 4, (2, 7), generator=generator), noise


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("bits", [False, True])
def test_sums_and_gradients_are_autograds(model, objective, network, bits):
    law = {"likelihood": "bernoulli"} if bits else {"decoder_variance": [0.1, 0.3]}
    one = MODELS[model](network=NETWORKS[network], **law).double()
    kind, weights = OBJECTIVES[objective]
    given = torch.tensor(weights, dtype=DOUBLE)
    found = [torch.full_like(parameter, torch.nan) for parameter in one.parameters()]
    sums = gradients(one, kind, *batch(bits), given, 50, found)

    *terms, parts = kind.terms(one(*batch(bits)), given, 50)
    expected = torch.stack((*terms, *parts)).sum(-1)
    torch.testing.assert_close(sums, expected.detach(), equal_nan=True)
    autograds = torch.autograd.grad(-terms[0].mean(1).sum(), list(one.parameters()))
    for ours, theirs in zip(found, autograds, strict=True):
        torch.testing.assert_close(ours, theirs)

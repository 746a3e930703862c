"""The truth written into a model's weights is the truth, and leaves the rest free to learn."""

import numpy as np
import pytest
import torch

from companion.c13.truth import write_truth
from ivae import data, models
from ivae.nets import Network
from ivae.objectives import Bound
from ivae.schedules import Schedule
from ivae.training import train

SMALL = {"n_latents": 3, "n_observed": 4, "n_segments": 6, "samples_per_segment": 20}


def pair(preset="released", k=1, **network):
    datasets = [data.generate(preset, seed, centred=k == 1, **SMALL) for seed in (1, 2)]
    shape = Network(**{"hidden": 9, **network})
    return models.ivae(3, 4, 6, seeds=[0, 1], n_components=k, network=shape), datasets


@pytest.mark.parametrize(
    ("preset", "k", "network"),
    [
        ("released", 1, {}),
        ("paper", 2, {}),
        ("linear", 1, {"decoder_layers": 1}),
        ("orthogonal", 1, {"n_layers": 2, "decoder_layers": 3}),
        ("released", 1, {"n_layers": 5, "decoder_layers": 3}),
    ],
)
def test_decoder_and_prior_are_the_true_ones(preset, k, network):
    model, datasets = pair(preset, k, **network)
    model = model.double()
    write_truth(model, datasets)
    z = torch.as_tensor(np.stack([one.z for one in datasets]), dtype=torch.float64)
    decoded = model.decode(z).detach().numpy()
    mean, variance = (part.numpy() for part in model.prior_moments())
    for member, one in enumerate(datasets):
        np.testing.assert_allclose(decoded[member], one.mixing(one.z), atol=2e-6)
        np.testing.assert_allclose(mean[member], one.mean, atol=1e-6)
        np.testing.assert_allclose(variance[member], one.variance, rtol=1e-6)


def test_encoder_is_left_as_it_was():
    model, datasets = pair()
    before = [p.detach().clone() for p in model.encoder.parameters()]
    write_truth(model, datasets)
    for old, new in zip(before, model.encoder.parameters(), strict=True):
        assert torch.equal(old, new)


def test_units_that_the_truth_does_not_need_can_still_learn():
    """Were they dead, a training from the truth could not leave the mixing's own width."""
    model, datasets = pair()
    write_truth(model, datasets)
    x, u, _ = data.stack(datasets)
    last = model.decoder.rest[-1].weight
    assert not last[:, 4:].any()
    train(model, x, u, objective=Bound(), schedule=Schedule(steps=2), progress=False)
    assert last[:, 4:].abs().amin((1, 2)).min() > 0

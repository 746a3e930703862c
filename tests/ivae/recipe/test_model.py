"""The recipe's encoder, and p(u|z) by Bayes' rule on its prior, which is p(u|x) without noise."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import silu

from ivae import data
from ivae.families import FAMILIES, family_named
from ivae.recipe.model import (
    ACTIVATIONS,
    SegmentClassifier,
    Separator,
    compose,
    log_probabilities,
    separator_of,
)
from ivae.support.seeds import seeded_generator

E, B, M, N = 2, 30, 4, 3
each_family = pytest.mark.parametrize("name", list(FAMILIES))
seeds = st.integers(0, 10_000)


def generators(seeds):
    return [seeded_generator(seed, "initialisation") for seed in seeds]


def drawn(name, seed):
    """The family, lambda (E, M, n, k), unequal log p(u) (E, M), latents (E, B, n) and labels."""
    family, rng = family_named(name), np.random.default_rng(seed)
    variance = rng.uniform(0.3, 3, (E, M, N)) if family.has_variance else np.ones((E, M, N))
    mean = rng.normal(0, 2, (E, M, N)) if family.has_mean else np.zeros((E, M, N))
    lam = family.natural_parameters(torch.as_tensor(variance), torch.as_tensor(mean))
    share = torch.as_tensor(rng.dirichlet(np.full(M, 0.7), E)).clamp_min(1e-6)
    z = torch.as_tensor(rng.normal(0, 2, (E, B, N)))
    return family, lam, share.log(), z, torch.as_tensor(rng.integers(0, M, (E, B)))


def by_bayes(family, lam, log_share, z):
    """p(u) p(z|u) / sum_v p(v) p(z|v), from densities, the base measure included."""
    log_p = torch.stack(
        [family.log_density(z, lam[:, v : v + 1].expand(E, B, N, -1)).sum(-1) for v in range(M)], -1
    )
    joint = (log_p + log_share[:, None]).exp()
    return (joint / joint.sum(-1, keepdim=True)).log()


def classifier(family, log_share=None):
    shares = torch.full((M,), -np.log(M)) if log_share is None else log_share
    return SegmentClassifier(generators(range(E)), family, N, shares).double()


@each_family
@given(seed=seeds)
def test_it_is_bayes_rule(name, seed):
    family, lam, log_share, z, _ = drawn(name, seed)
    ours, theirs = log_probabilities(family, lam, log_share, z), by_bayes(*drawn(name, seed)[:4])
    near = theirs > -300  # Below, the densities of the oracle underflow.
    torch.testing.assert_close(ours[near], theirs[near], rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(ours.exp().sum(-1), torch.ones(E, B, dtype=torch.float64))


@each_family
@given(seed=seeds)
def test_a_classifier_with_the_priors_numbers_is_the_rule(name, seed):
    family, lam, log_share, z, u = drawn(name, seed)
    net = classifier(family)
    with torch.no_grad():
        net.weight.copy_(lam.flatten(2))
        net.bias.copy_((log_share - family.log_normalizer(lam).sum(-1))[:, None])
        said, own = net(z), net.cross_entropy(z, u)
    theirs = log_probabilities(family, lam, log_share, z)
    torch.testing.assert_close(said, theirs, rtol=1e-9, atol=1e-9)
    for e, b in np.ndindex(E, B):
        assert float(own[e, b]) == pytest.approx(-float(theirs[e, b, u[e, b]]), rel=1e-9, abs=1e-9)


@each_family
@given(seed=seeds)
def test_what_all_segments_share_cannot_be_learned(name, seed):
    family, _, _, z, _ = drawn(name, seed)
    net = classifier(family)
    shift = torch.randn(E, 1, N * family.k, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        before = net(z)
        net.weight.add_(shift)
        torch.testing.assert_close(net(z), before, rtol=1e-9, atol=1e-9)
        net.weight[:, 0].add_(shift[:, 0])  # One segment alone: now something changes.
        assert not torch.allclose(net(z), before, atol=1e-3)


@each_family
def test_it_starts_near_the_shares_and_members_differ(name):
    family, log_share = family_named(name), torch.tensor([0.1, 0.2, 0.3, 0.4]).double().log()
    net = classifier(family, log_share)
    at_zero = net(torch.zeros(E, 5, N, dtype=torch.float64))
    torch.testing.assert_close(at_zero, log_share.expand(E, 5, M))
    assert not torch.equal(net.weight[0], net.weight[1])
    assert 0.05 < float(net.weight.detach().std()) < 0.2


@pytest.mark.parametrize("preset", ["linear", "orthogonal", "paper"])
@pytest.mark.parametrize("means", [True, False])
def test_without_noise_the_volume_factor_cancels(preset, means):
    """p(u|x) from densities of x = f(z), |det J_f| included, is log p(u|z) at z = f^-1(x)."""
    truth = data.generate(preset, 3, 2, 2, 5, 40, centred=not means, noise_variance=0.0)
    family = truth.family
    lam = torch.as_tensor(truth.natural_parameters)[None]
    z = torch.as_tensor(np.asarray(truth.z, np.float64))[None]
    log_share = torch.tensor([[0.4, 0.3, 0.15, 0.1, 0.05]]).double().log()
    _, log_det = np.linalg.slogdet(truth.mixing.jacobian(truth.z))
    log_p = torch.stack(
        [family.log_density(z, lam[:, v : v + 1].expand(1, *z.shape[1:], -1)) for v in range(5)], -1
    ).sum(2)
    of_x = log_p - torch.as_tensor(log_det)[None, :, None]
    joint = of_x + log_share[:, None]
    theirs = joint - joint.logsumexp(-1, keepdim=True)
    assert float(np.std(log_det)) > 0.01 or preset == "linear"
    torch.testing.assert_close(
        log_probabilities(family, lam, log_share, z), theirs, rtol=1e-8, atol=1e-8
    )


# The encoder.


def separator(seeds, n_blocks=2, activation="silu", d=4, n=3, hidden=16):
    return Separator(generators(seeds), d, n, hidden, n_blocks, activation)


def rows(n_members, n_rows=300, d=4):
    return torch.randn(n_members, n_rows, d, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_log_variance_starts_near_minus_four(activation):
    said = separator(range(8), activation=activation)(rows(8)).log_variance.detach()
    assert abs(float(said.mean()) + 4) < 0.3
    assert float(said.std()) < 1.5


def test_it_is_a_linear_map_beside_a_residual_network():
    """By plain matrix products, one member at a time."""
    net, x = separator((3,)), rows(1)
    weights = {name: parameter.detach()[0] for name, parameter in net.named_parameters()}

    def layer(name, a):
        return a @ weights[f"{name}.weight"] + weights[f"{name}.bias"]

    a = silu(layer("first", x[0]))
    a = a + silu(layer("blocks.0", a))
    a = a + silu(layer("blocks.1", a))
    said = net(x)
    torch.testing.assert_close(said.mean[0], layer("mean", a) + layer("skip", x[0]))
    torch.testing.assert_close(said.log_variance[0], layer("log_variance", a))


def test_activations_are_what_they_are_named():
    a = torch.linspace(-3, 3, 13, dtype=torch.float64)
    torch.testing.assert_close(ACTIVATIONS["silu"](a), a / (1 + torch.exp(-a)))
    torch.testing.assert_close(ACTIVATIONS["xtanh"](a), torch.tanh(a) + 0.1 * a)


def test_an_unknown_activation_is_named():
    with pytest.raises(ValueError, match="activation must be one of silu, xtanh; got 'relu'"):
        separator((0,), activation="relu")


def test_a_composed_model_has_the_encoder_and_a_classifier_of_its_own():
    share = torch.tensor([0.4, 0.3, 0.2, 0.1]).log()
    model, of_segments = compose((1, 2), 3, 2, share, family_named("laplace"), 8, 0, "xtanh")
    encoder = separator_of(model)
    assert (encoder.hidden, encoder.n_blocks, encoder.activation) == (8, 0, "xtanh")
    assert model.decoder.shape == {"hidden": 8, "n_layers": 3, "activation": "xtanh"}
    assert (model.n_latents, model.n_observed, model.n_segments) == (2, 3, 4)
    assert (model.seeds, model.family.name) == ((1, 2), "laplace")
    torch.testing.assert_close(model.decoder_variance, torch.ones(2, dtype=torch.float64))
    assert of_segments(torch.zeros(2, 5, 2)).exp()[1, 3].tolist() == pytest.approx(
        [0.4, 0.3, 0.2, 0.1]
    )
    alone = compose((2,), 3, 2, share, family_named("laplace"), 8, 0, "xtanh")[1]
    assert torch.equal(of_segments.weight[1], alone.weight[0])

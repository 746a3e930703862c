"""Shapes, gradients, seeds, inference and refusals of the two models."""

import pytest
import torch

from ivae import models, objectives
from ivae.models import Network

SMALL = Network(hidden=8)
MODELS = {
    "iVAE k=1": lambda seeds: models.ivae(2, 3, 4, seeds=seeds, network=SMALL),
    "iVAE k=2": lambda seeds: models.ivae(2, 3, 4, seeds=seeds, n_components=2, network=SMALL),
    "VAE gaussian": lambda seeds: models.vae(2, 3, seeds=seeds, network=SMALL),
    "VAE laplace": lambda seeds: models.vae(2, 3, seeds=seeds, prior="laplace", network=SMALL),
}
each_model = pytest.mark.parametrize("make", MODELS.values(), ids=list(MODELS))


def batch(members=2, rows=9):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(members, rows, 3, generator=generator)
    u = torch.randint(0, 4, (members, rows), generator=generator)
    return x, u, torch.randn(members, rows, 2, generator=generator)


@each_model
def test_every_parameter_receives_a_gradient(make):
    model = make([0, 1])
    x, u, noise = batch(rows=64)
    objectives.elbo(model, x, u, noise).value.mean(1).sum().backward()
    for name, parameter in model.named_parameters():
        for member in range(2):
            assert parameter.grad[member].abs().max() > 0, (name, member)


@each_model
def test_a_members_gradient_does_not_depend_on_the_others(make):
    model, alone = make([0, 1, 2]).double(), make([1]).double()
    x, u, noise = (t.double() if t.is_floating_point() else t for t in batch(3))
    objectives.elbo(model, x, u, noise).value.mean(1).sum().backward()
    objectives.elbo(alone, x[1:2], u[1:2], noise[1:2]).value.mean(1).sum().backward()
    for both, single in zip(model.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(both.grad[1:2], single.grad)


@each_model
def test_shapes(make):
    model = make([5, 6])
    x, u, noise = batch()
    posterior = model.encode(x, u)
    assert posterior.mean.shape == posterior.log_variance.shape == (2, 9, 2)
    assert model.decode(posterior.sample(noise)).shape == (2, 9, 3)
    assert model.prior(u).shape == (2, 9, 2, model.family.k)
    segments = 4 if model.is_conditional else 1
    assert model.prior_table().shape == (2, segments, 2, model.family.k)
    assert (model.family.moments(model.prior(u))[1] > 0).all()


def test_the_prior_of_a_sample_is_its_segments_row():
    model = MODELS["iVAE k=2"]([0, 1])
    _, u, _ = batch()
    table, picked = model.prior_table(), model.prior(u)
    for member in range(2):
        torch.testing.assert_close(picked[member], table[member, u[member]])


@pytest.mark.parametrize("prior", ["gaussian", "laplace"])
def test_the_vae_has_a_prior_of_mean_0_and_variance_1_and_ignores_u(prior):
    model = models.vae(2, 3, seeds=[0], prior=prior, network=SMALL)
    mean, variance = model.prior_moments()
    torch.testing.assert_close(mean, torch.zeros(1, 1, 2))
    torch.testing.assert_close(variance, torch.ones(1, 1, 2))
    x, u, _ = batch(1)
    torch.testing.assert_close(model.encode(x, u).mean, model.encode(x, 3 - u).mean)


def test_a_decoder_of_one_layer_is_a_linear_map_and_leaves_the_other_networks():
    network = Network(hidden=8, decoder_layers=1)
    model = models.ivae(2, 3, 4, seeds=[0, 1], network=network).double()
    z = torch.randn(2, 5, 2, dtype=torch.float64)
    first = model.decoder.first
    torch.testing.assert_close(model.decode(z), z @ first.weight + first.bias)
    deep = models.ivae(2, 3, 4, seeds=[0, 1], network=SMALL)
    for name in ("encoder", "prior_net"):
        shapes = [[p.shape for p in getattr(m, name).parameters()] for m in (model, deep)]
        assert shapes[0] == shapes[1]


def test_a_bernoulli_model_takes_bits_alone_and_has_no_variance():
    model = models.ivae(2, 3, 4, seeds=[0, 1], network=SMALL, likelihood="bernoulli")
    x, u, _ = batch()
    bits = (x > 0).int()
    assert model.infer(bits, u).mean.shape == (2, 9, 2)
    with pytest.raises(ValueError, match="x must hold nothing but 0 and 1 for a Bernoulli"):
        model.infer(x, u)
    with pytest.raises(ValueError, match="a bernoulli decoder has no decoder_variance"):
        _ = model.decoder_variance
    gaussian = models.vae(2, 3, seeds=[0, 1], network=SMALL, decoder_variance=[0.1, 0.2])
    assert gaussian.of([1]).decoder_variance.tolist() == [0.2]


def test_the_decoders_jacobian_is_its_derivative():
    model = MODELS["iVAE k=1"]([0, 1]).double()
    z = torch.randn(2, 5, 2, dtype=torch.float64)
    jacobian = model.decoder_jacobian(z)
    assert jacobian.shape == (2, 5, 2, 3)
    for i in range(2):
        step = 1e-6 * torch.eye(2, dtype=torch.float64)[i]
        slope = (model.decode(z + step) - model.decode(z - step)) / 2e-6
        torch.testing.assert_close(jacobian[:, :, i], slope.detach(), atol=1e-8, rtol=1e-6)


def test_inference_in_pieces_equals_inference_at_once():
    model = MODELS["iVAE k=1"]([0, 1])
    x, u, _ = batch()
    x, u = x[0].repeat(600, 1), u[0].repeat(600)  # More rows than go through at once.
    pieces = model.infer(x, u)
    whole = model.encode(x.expand(2, -1, -1), u.expand(2, -1))
    torch.testing.assert_close(pieces.mean, whole.mean)
    torch.testing.assert_close(pieces.log_variance, whole.log_variance)


def test_draws_repeat_and_differ_by_number():
    model = MODELS["iVAE k=1"]([0, 1])
    x, u, _ = batch()
    assert torch.equal(model.draw_latents(x, u), model.draw_latents(x, u))
    assert not torch.equal(model.draw_latents(x, u, 0), model.draw_latents(x, u, 1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, x, u: m.decode(x), r"z must have shape \(2, B, 2\); got \(2, 9, 3\)"),
        (lambda m, x, u: m.encode(x[:1], u), r"x must have shape \(2, B, 3\); got \(1, 9, 3\)"),
        (lambda m, x, u: m.encode(x, u[:, :5]), r"u must have shape \(2, 9\); got \(2, 5\)"),
        (lambda m, x, u: m.infer(x[0, :, :2], u[0]), r"x must have shape \(N, 3\); got \(9, 2\)"),
        (lambda m, x, u: m.infer(x[0], u[0] + 4), "u must hold labels below n_segments = 4"),
        (lambda m, x, u: m.draw_latents(x * torch.nan, u), "x has 54 NaN or infinite values"),
    ],
)
def test_bad_data_are_named(call, message):
    x, u, _ = batch()
    with pytest.raises(ValueError, match=message):
        call(MODELS["iVAE k=1"]([0, 1]), x, u)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: models.ivae(3, 2, 4, seeds=[0]), "n_latents must be at most n_observed = 2"),
        (lambda: models.ivae(2, 2, 0, seeds=[0]), "n_segments must be a whole number >= 1; got 0"),
        (lambda: models.ivae(2, 2, 4, seeds=[]), "seeds must name at least one member"),
        (lambda: models.ivae(2, 2, 4, seeds=[-1]), "every seed must be a whole number >= 0"),
        (lambda: models.ivae(2, 2, 4, seeds=[0], n_components=3), "n_components must be 1 or 2"),
        (
            lambda: models.ivae(2, 2, 4, seeds=[0], decoder_variance=0.0),
            "decoder_variance must be a finite number above 0; got 0.0",
        ),
        (lambda: models.vae(2, 2, seeds=[0], prior="cauchy"), "prior must be one of gaussian, lap"),
        (
            lambda: models.vae(2, 2, seeds=[0], likelihood="bernoulli", decoder_variance=0.1),
            "decoder_variance = 0.1 has no effect on a Bernoulli decoder",
        ),
        (lambda: models.ivae(2, 2, 4, seeds=[0], likelihood="poisson"), "likelihood must be one"),
        (lambda: Network(decoder_layers=0), "decoder_layers must be a whole number >= 1; got 0"),
        (lambda: Network(hidden=0), "hidden must be a whole number >= 1; got 0"),
        (lambda: Network(activation="relu"), "activation must be one of xtanh, leaky-relu"),
    ],
)
def test_bad_input_is_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()

"""What a model can do, however it is composed: shapes, inference, draws, priors, refusals."""

import numpy as np
import pytest
import torch

from ivae import models
from ivae.families import FAMILIES, family_named
from ivae.nets import Network, PriorTable
from ivae.recipe.model import compose

D, N, M = 3, 2, 4
SEEDS = (3, 4, 5)
SMALL = Network(hidden=8)


def ivae(seeds=SEEDS, **how):
    return models.ivae(N, D, M, seeds=seeds, network=SMALL, **how)


def vae(seeds=SEEDS):
    return models.vae(N, D, seeds=seeds, network=SMALL)


def recipes(seeds=SEEDS, family="gaussian-scale"):
    share = torch.full((M,), 1 / M).log()
    return compose(seeds, D, N, share, family_named(family), 8, 1, "silu")[0]


each_model = pytest.mark.parametrize("build", [ivae, vae, recipes])


def rows(n_rows=60):
    rng = np.random.default_rng(1)
    return rng.normal(size=(n_rows, D)), rng.integers(0, M, n_rows)


@each_model
def test_shapes(build):
    model, (x, u) = build(), build().check_data(*rows())
    posterior = model.encode(x, u)
    assert posterior.mean.shape == posterior.log_variance.shape == (3, 60, N)
    noise = torch.zeros(3, 60, 5, N)
    done = model(x, u, noise)
    assert done.z.shape == (3, 60, 5, N)
    assert done.decoded.shape == (3, 300, D)
    assert done.prior.shape == (3, 60, N, 1)
    assert model.prior_table().shape == (3, M if model.is_conditional else 1, N, 1)
    assert (model.n_latents, model.n_observed, model.n_members) == (N, D, 3)


@each_model
def test_of_copies_and_assign_writes_back(build):
    whole, other = build(), build((7, 8, 9))
    part = whole.of([2, 0])
    assert part.seeds == (5, 3)
    for own, cut in zip(whole.parameters(), part.parameters(), strict=True):
        assert torch.equal(own[[2, 0]], cut)
    part.assign([0, 1], other.of([1, 2]))
    for cut, new in zip(part.parameters(), other.parameters(), strict=True):
        assert torch.equal(cut, new[[1, 2]])
    for own, fresh in zip(whole.parameters(), build().parameters(), strict=True):
        assert torch.equal(own, fresh)  # The copy's weights were its own.


@each_model
def test_inference_in_pieces_is_inference_at_once(build):
    x, u = rows(3000)  # More than the 1365 rows of a piece.
    one = build()
    observed, labels = one.check_data(x, u)
    with torch.no_grad():
        at_once = one.encode(observed, labels)
    for part, whole in zip(one.infer(x, u), at_once, strict=True):
        torch.testing.assert_close(part, whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("build", [vae, recipes])
def test_who_does_not_see_u_infers_the_same_whatever_it_is(build):
    x, u = rows()
    for part, same in zip(build().infer(x, u), build().infer(x, (u + 1) % M), strict=True):
        assert torch.equal(part, same)
    assert not torch.equal(ivae().infer(x, u).mean, ivae().infer(x, (u + 1) % M).mean)


@each_model
def test_the_jacobian_is_the_slope_of_the_decoder(build):
    one = build().double()
    z = torch.randn(3, 5, N, dtype=torch.float64, generator=torch.manual_seed(0))
    jacobian = one.decoder_jacobian(z)
    assert jacobian.shape == (3, 5, N, D)
    for i in range(N):
        step = 1e-6 * torch.eye(N, dtype=torch.float64)[i]
        with torch.no_grad():
            slope = (one.decode(z + step) - one.decode(z - step)) / 2e-6
        torch.testing.assert_close(jacobian[:, :, i], slope, rtol=1e-5, atol=1e-7)


@each_model
def test_the_prior_of_a_row_is_that_of_its_segment(build):
    one = build()
    u = torch.as_tensor(rows()[1]).expand(3, -1)
    table, picked = one.prior_table(), one.prior(u)
    for member in range(3):
        segments = u[member] if one.is_conditional else torch.zeros_like(u[member])
        assert torch.equal(picked[member], table[member, segments])


@pytest.mark.parametrize("name", list(FAMILIES))
def test_the_prior_has_the_moments_of_its_numbers(name):
    """Log variances, then means; all 0 at first, which is a mean of 0 and a variance of 1."""
    one, family = recipes(family=name), family_named(name)
    mean, variance = one.prior_moments()
    assert (mean == 0).all()
    torch.testing.assert_close(variance, torch.ones_like(variance))
    assert isinstance(one.prior_net, PriorTable)
    with torch.no_grad():
        raw = one.prior_net.values.copy_(torch.randn(3, family.k, M, N))
    mean, variance = one.prior_moments()
    if family.has_variance:
        torch.testing.assert_close(variance, raw[:, 0].exp())
    else:
        assert (variance == 1).all()
    expected = raw[:, -1] if family.has_mean else torch.zeros_like(mean)
    torch.testing.assert_close(mean, expected)


@pytest.mark.parametrize("prior", ["gaussian", "laplace"])
def test_the_vae_has_a_prior_of_mean_0_and_variance_1_that_nothing_trains(prior):
    model = models.vae(2, 3, seeds=[0], prior=prior, network=SMALL)
    mean, variance = model.prior_moments()
    torch.testing.assert_close(mean, torch.zeros(1, 1, 2))
    torch.testing.assert_close(variance, torch.ones(1, 1, 2))
    assert not list(model.prior_net.parameters())


@each_model
def test_draws_depend_on_their_number_and_the_members_seed_alone(build):
    x, u = rows()
    one = build()
    first, again, other = (one.draw_latents(x, u, draw) for draw in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
    torch.testing.assert_close(one.of([1]).draw_latents(x, u)[0], first[1])
    posterior = one.infer(x, u)
    standard = (first - posterior.mean) / (0.5 * posterior.log_variance).exp()
    assert abs(float(standard.detach().std()) - 1) < 0.2


def test_a_decoder_of_one_layer_is_a_linear_map_and_leaves_the_other_networks():
    network = Network(hidden=8, decoder_layers=1)
    model = models.ivae(2, 3, 4, seeds=[0, 1], network=network).double()
    z = torch.randn(2, 5, 2, dtype=torch.float64)
    first = model.decoder.first
    torch.testing.assert_close(model.decode(z), z @ first.weight + first.bias)
    deep = ivae((0, 1))
    for name in ("encoder", "prior_net"):
        shapes = [[p.shape for p in getattr(m, name).parameters()] for m in (model, deep)]
        assert shapes[0] == shapes[1]


def test_a_bernoulli_model_takes_bits_alone_and_has_no_variance():
    model = ivae(likelihood="bernoulli")
    x, u = rows()
    assert model.infer((x > 0).astype(int), u).mean.shape == (3, 60, N)
    with pytest.raises(ValueError, match="x must hold nothing but 0 and 1 for a Bernoulli"):
        model.infer(x, u)
    with pytest.raises(ValueError, match="a bernoulli decoder has no decoder_variance"):
        _ = model.decoder_variance
    gaussian = models.vae(2, 3, seeds=[0, 1], network=SMALL, decoder_variance=[0.1, 0.2])
    assert gaussian.of([1]).decoder_variance.tolist() == [0.2]


@each_model
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, x, u: m.decode(torch.zeros(3, 9, D)), r"z must have shape \(3, B, 2\); got \(3"),
        (lambda m, x, u: m.encode(*m.of([0]).check_data(x, u)), r"x must have shape \(3, B, 3\)"),
        (lambda m, x, u: m.encode(m.check_data(x, u)[0], torch.zeros(3, 5)), r"u must .*\(3, 60\)"),
        (lambda m, x, u: m.infer(x[:, :2], u), r"x must have shape \(N, 3\); got \(60, 2\)"),
        (lambda m, x, u: m.infer(x, u[:-1]), "one segment label for each of the 60 rows"),
        (lambda m, x, u: m.infer(x, u + 0.5), "integer segment labels"),
        (lambda m, x, u: m.draw_latents(x * np.nan, u), "x has 180 NaN or infinite values"),
    ],
)
def test_bad_data_are_named(build, call, message):
    with pytest.raises(ValueError, match=message):
        call(build(), *rows())


def test_labels_that_no_prior_has_are_named():
    x, u = rows()
    for build in (ivae, recipes):
        with pytest.raises(ValueError, match="u must hold labels below n_segments = 4; got 7"):
            build().infer(x, u + 4)


@pytest.mark.parametrize(
    ("make", "values", "message"),
    [
        (models.ivae, {"n_latents": 4}, "n_latents must be at most n_observed = 3"),
        (models.ivae, {"n_segments": 0}, "n_segments must be a whole number >= 1; got 0"),
        (models.ivae, {"seeds": []}, "seeds must name at least one member"),
        (models.ivae, {"seeds": [-1]}, "every seed must be a whole number >= 0"),
        (models.ivae, {"n_components": 3}, "n_components must be 1 or 2; got 3"),
        (models.ivae, {"n_components": 2, "family": "laplace"}, "n_components must be 1 for the l"),
        (models.ivae, {"family": "cauchy"}, "family must be one of gaussian-scale"),
        (models.ivae, {"decoder_variance": 0.0}, "decoder_variance must be .* above 0; got 0.0"),
        (models.ivae, {"likelihood": "poisson"}, "likelihood must be one of gaussian, bernoulli"),
        (models.vae, {"prior": "cauchy"}, "prior must be one of gaussian, laplace; got 'cauchy'"),
    ],
)
def test_bad_input_is_named(make, values, message):
    given = {"n_latents": 2, "n_observed": 3, "seeds": [0]} | values
    if make is models.ivae:
        given = {"n_segments": 4} | given
    with pytest.raises(ValueError, match=message):
        make(**given)

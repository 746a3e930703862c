"""The stages train each start by itself, on rows that are not held out, towards what they say."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from ivae import data
from ivae.families import family_named
from ivae.likelihoods import gaussian_log_density
from ivae.objectives import kl_to_prior
from ivae.recipe.model import compose, separator_of
from ivae.recipe.stages import (
    RECIPE,
    Settings,
    Split,
    _elbo,
    elbo_on,
    first_stage,
    generative_stage,
)

TINY = Settings(hidden=12, n_blocks=1, n_starts=3, n_steps=40, batch_size=64, n_steps_generative=60)
NO_NOTE = float  # Something to tell how far a stage is.
TRUTH = data.generate("linear", 2, 2, 3, 6, 100, noise_variance=0.0)


def split():
    x = torch.as_tensor((TRUTH.x - TRUTH.x.mean(0)) / TRUTH.x.std(0))
    held = torch.arange(len(x)) % 10 == 3
    return Split(x, torch.tensor(TRUTH.u), held)


def model(seeds=(1, 2, 3), family="gaussian-scale"):
    """A model and its classifier, in float64: what is left of differences is then rounding."""
    share = torch.full((6,), 1 / 6).log()
    shape = TINY.hidden, TINY.n_blocks, TINY.activation
    both = compose(seeds, 3, 2, share, family_named(family), *shape)
    return [net.double() for net in both]


def trained(pair, settings=TINY, of=None):
    return first_stage(*pair, split() if of is None else of, settings, NO_NOTE)


def state(one):
    return {name: value.clone() for name, value in one.state_dict().items()}


def test_held_out_rows_are_the_same_for_every_start_and_in_no_minibatch():
    one = split()
    one.x[:, 0] = torch.arange(600)
    held, labels = one.for_members(3, held=True)
    assert (held[..., 0] == torch.arange(3, 600, 10)).all()
    assert torch.equal(labels[0], one.u[3::10])
    seen = [x for x, _, _ in one.batches(model()[0], TINY).of_epoch(0)]
    for member in range(3):
        rows = torch.cat([x[member, :, 0] for x in seen])
        assert sorted(rows.tolist()) == [k for k in range(600) if k % 10 != 3]
    assert not torch.equal(seen[0][0], seen[0][1])  # Each start has its own order.


@pytest.mark.parametrize("classify_draws", [True, False])
@pytest.mark.parametrize("elbo_weight", [0.0, 0.01])
def test_starts_together_are_starts_alone(classify_draws, elbo_weight):
    settings = replace(TINY, classify_draws=classify_draws, elbo_weight=elbo_weight)
    together = model()
    said = trained(together, settings)
    for i, seed in enumerate((1, 2, 3)):
        alone = model((seed,))
        own = trained(alone, settings)
        np.testing.assert_allclose([part[0] for part in own], [part[i] for part in said], 1e-6)
        for net, whole in zip(alone, together, strict=True):
            for one, all_three in zip(net.parameters(), whole.parameters(), strict=True):
                torch.testing.assert_close(one[0], all_three[i], rtol=1e-5, atol=1e-6)


def test_labels_of_held_out_rows_are_not_trained_on():
    """All they can do is choose: with a single look, between the start and the end."""
    one, other = split(), split()
    other.u[other.held] = (other.u[other.held] + 1) % 6
    settings = replace(TINY, n_steps=1)
    first, second = model(), model()
    said = [trained(nets, settings, of) for nets, of in ((first, one), (second, other))]
    assert not np.allclose(said[0].cross_entropy, said[1].cross_entropy)
    for fresh, ours, theirs in zip(model(), first, second, strict=True):
        before, own = state(fresh), state(theirs)
        for name, value in ours.state_dict().items():
            for member in range(3):
                candidates = (value[member], before[name][member])
                assert any(torch.equal(own[name][member], one) for one in candidates), name


def test_the_first_stage_raises_the_objective():
    before = trained(model(), replace(TINY, n_steps=1))
    after = trained(model(), replace(TINY, n_steps=300))
    assert (after.objective > before.objective).all()


def test_the_share_of_steps_made_is_told():
    told = []
    first_stage(*model(), split(), TINY, told.append)
    generative_stage(model((1,))[0], split(), TINY, told.append)
    np.testing.assert_allclose(told, np.tile(np.arange(1, 21) / 20, 2))


def test_segments_are_classified_from_draws_or_from_means():
    """With draws as wide as this nothing is told apart; the means are as far apart as before."""
    spoken = {}
    for draws in (True, False):
        one = model()
        with torch.no_grad():
            separator_of(one[0]).log_variance.bias.fill_(9.0)
        settings = replace(TINY, n_steps=1, classify_draws=draws)
        spoken[draws] = trained(one, settings).cross_entropy
    assert (spoken[True] > 10 * spoken[False]).all()


def test_without_a_weight_the_elbo_trains_nothing():
    one, classifier = model()
    before, weight = state(one), classifier.weight.clone()
    trained((one, classifier), replace(TINY, elbo_weight=0.0))
    for name, value in one.state_dict().items():
        if name.startswith(("decoder", "prior_net")):
            assert torch.equal(value, before[name]), name
    assert ((classifier.weight - weight).flatten(1).abs().amax(1) > 0).all()


def test_the_elbo_is_that_of_the_best_decoder_variance():
    one, (x, u) = model()[0], split().for_members(3, held=False)
    with torch.no_grad():
        posterior = one.encode(x, u)
        z = posterior.sample(one.evaluation_noise(posterior.mean, 0))
        ours = _elbo(one, x, u, posterior, z)
        kl = kl_to_prior(posterior, one.family, one.prior(u)).mean(1)
        best = (x - one.decode(z)).square().mean((1, 2))

        def at(factor):
            variance = (factor * best).unsqueeze(1)
            return gaussian_log_density(x, one.decode(z), variance).mean(1) - kl

    torch.testing.assert_close(ours, at(1.0), rtol=1e-6, atol=1e-6)
    for factor in (0.8, 0.97, 1.03, 1.2):
        assert (at(factor) < ours).all()


@pytest.mark.parametrize("family", ["gaussian-scale", "gaussian", "gaussian-location", "laplace"])
def test_the_second_stage_trains_all_but_h(family):
    pair = model((1,), family)
    trained(pair)
    one, _ = pair
    before, bound = state(one), elbo_on(split(), one)
    began = generative_stage(one, split(), TINY, NO_NOTE)
    assert began == bound
    assert elbo_on(split(), one) > bound
    for name, value in one.state_dict().items():
        kept = name.startswith("encoder") and "log_variance" not in name
        assert torch.equal(value, before[name]) == kept, name


def test_the_decoder_variance_is_what_the_decoder_misses():
    one, of = model((1,))[0], split()
    generative_stage(one, of, TINY, NO_NOTE)
    x, u = of.for_members(1, held=False)
    z = one.draw_latents(x, u)
    with torch.no_grad():
        missed = float((x - one.decode(z)).square().mean())
    assert float(one.decoder_variance) == pytest.approx(missed, rel=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden": 0}, "hidden must be a whole number >= 1"),
        ({"n_blocks": -1}, "n_blocks must be a whole number >= 0"),
        ({"activation": "relu"}, "activation must be one of silu, xtanh; got 'relu'"),
        ({"n_starts": 0}, "n_starts must be a whole number >= 1"),
        ({"n_steps": 2.5}, "n_steps must be a whole number >= 1; got 2.5"),
        ({"batch_size": True}, "batch_size must be a whole number >= 1"),
        ({"learning_rate": 0}, "learning_rate must be a finite number above 0"),
        ({"elbo_weight": -1}, "elbo_weight must be a finite number above 0"),
        ({"elbo_weight": np.nan}, "elbo_weight must be a finite number above 0"),
        ({"held_out": 0}, "held_out must be a finite number above 0"),
        ({"held_out": 1.0}, "held_out must be a share below 1; got 1.0"),
        ({"n_steps_generative": 0}, "n_steps_generative must be a whole number >= 1"),
    ],
)
def test_bad_settings_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        Settings(**asdict(RECIPE) | changes)

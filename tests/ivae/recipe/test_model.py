"""The recipe's iVAE is a generative model like the others, with an encoder that ignores u."""

import numpy as np
import pytest
import torch

from ivae.families import FAMILIES, family_named
from ivae.recipe.model import RecoveredModel

D, N, M = 4, 2, 5
SHARE = torch.full((M,), 1 / M)


def model(seeds=(0, 1, 2), family="gaussian-scale"):
    return RecoveredModel(seeds, D, N, SHARE.log(), family_named(family), 8, 1, "silu")


def rows(n_rows=50):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n_rows, D)), rng.integers(0, M, n_rows)


def test_the_posterior_does_not_see_u():
    x, u = rows()
    one, other = (model().infer(x, labels) for labels in (u, (u + 1) % M))
    for part, same in zip(one, other, strict=True):
        assert torch.equal(part, same)


def test_members_together_are_members_alone():
    x, u = rows()
    together = model((4, 5, 6))
    for i, seed in enumerate((4, 5, 6)):
        for alone in (model((seed,)), together.of([i])):
            assert alone.seeds == (seed,)
            torch.testing.assert_close(alone.infer(x, u).mean[0], together.infer(x, u).mean[i])
            z = torch.ones(1, 3, N)
            torch.testing.assert_close(alone.decode(z)[0], together.decode(z.expand(3, 3, N))[i])
            torch.testing.assert_close(
                alone.classifier(z)[0], together.classifier(z.expand(3, 3, N))[i]
            )


@pytest.mark.parametrize("name", list(FAMILIES))
def test_the_prior_has_the_moments_of_its_numbers(name):
    one, family = model(family=name), family_named(name)
    with torch.no_grad():
        one.raw_prior.copy_(torch.randn(one.raw_prior.shape, generator=torch.manual_seed(0)))
    mean, variance = one.prior_moments()
    assert one.prior_table().shape == (3, M, N, family.k)
    raw = one.raw_prior.detach()
    if family.has_variance:
        torch.testing.assert_close(variance, raw[:, 0].exp())
    else:
        assert (variance == 1).all()
    expected = raw[:, -1] if family.has_mean else torch.zeros_like(mean)
    torch.testing.assert_close(mean, expected)


def test_every_prior_starts_at_mean_0_and_variance_1():
    for name in FAMILIES:
        mean, variance = model(family=name).prior_moments()
        assert (mean == 0).all()
        torch.testing.assert_close(variance, torch.ones_like(variance))


def test_shapes_are_checked():
    one = model()
    with pytest.raises(ValueError, match=r"z must have shape \(3, B, 2\); got \(3, 7, 4\)"):
        one.decode(torch.zeros(3, 7, D))
    with pytest.raises(ValueError, match=r"x must have shape \(3, B, 4\)"):
        one.encode(torch.zeros(3, 7, N), torch.zeros(3, 7, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"u must have shape \(3, 7\)"):
        one.encode(torch.zeros(3, 7, D), torch.zeros(3, 6, dtype=torch.int64))
    with pytest.raises(ValueError, match="labels below n_segments = 5; got 5"):
        one.infer(rows()[0], np.full(50, 5))

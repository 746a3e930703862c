"""What every generative model can do, whichever way it is built: both ways are tried."""

import numpy as np
import pytest
import torch

from ivae import models
from ivae.families import family_named
from ivae.models import Network
from ivae.recipe.model import RecoveredModel

D, N, M = 3, 2, 4
SEEDS = (3, 4, 5)


def recovered(seeds=SEEDS):
    share = torch.full((M,), 1 / M).log()
    return RecoveredModel(seeds, D, N, share, family_named("gaussian-scale"), 8, 1, "silu")


def paper(seeds=SEEDS):
    return models.ivae(N, D, M, seeds=seeds, network=Network(hidden=8))


def vae(seeds=SEEDS):
    return models.vae(N, D, seeds=seeds, network=Network(hidden=8))


each_model = pytest.mark.parametrize("build", [recovered, paper, vae])


def rows(n_rows=60):
    rng = np.random.default_rng(1)
    return rng.normal(size=(n_rows, D)), rng.integers(0, M, n_rows)


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


@each_model
def test_the_jacobian_is_the_slope_of_the_decoder(build):
    one = build().double()
    z = torch.randn(3, 5, N, dtype=torch.float64, generator=torch.manual_seed(0))
    jacobian = one.decoder_jacobian(z)
    for i in range(N):
        step = torch.zeros(N, dtype=torch.float64)
        step[i] = 1e-6
        with torch.no_grad():
            slope = (one.decode(z + step) - one.decode(z - step)) / 2e-6
        torch.testing.assert_close(jacobian[:, :, i], slope, rtol=1e-5, atol=1e-7)


@each_model
def test_the_prior_of_a_row_is_that_of_its_segment(build):
    one = build()
    u = torch.as_tensor(rows()[1]).expand(3, -1)
    table, picked = one.prior_table(), one.prior(u)
    for e, b in np.ndindex(3, 60):
        segment = int(u[e, b]) if one.is_conditional else 0
        assert torch.equal(picked[e, b], table[e, segment])


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


@each_model
def test_data_are_checked(build):
    x, u = rows()
    one = build()
    with pytest.raises(ValueError, match="x has 1 NaN"):
        one.infer(np.where(np.arange(180).reshape(60, 3) == 7, np.nan, x), u)
    with pytest.raises(ValueError, match=r"x must have shape \(N, 3\)"):
        one.infer(x[:, :2], u)
    with pytest.raises(ValueError, match="one segment label for each of the 60 rows"):
        one.infer(x, u[:-1])
    with pytest.raises(ValueError, match="integer segment labels"):
        one.infer(x, u + 0.5)

"""The recipe finds sources from x and u, the same each time, and refuses what it cannot use."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from companion.simulation import simulate
from ivae import data
from ivae.metrics import mcc, rotation_floor
from ivae.recipe import recovery
from ivae.recipe.model import separator_of
from ivae.recipe.recovery import recover
from ivae.recipe.stages import HeldOut, Settings
from ivae.support.progress import ProgressLine

SMALL = Settings(
    hidden=24, n_blocks=1, n_starts=2, n_steps=800, batch_size=128, n_steps_generative=100
)
TINY = replace(SMALL, n_steps=25, n_steps_generative=15)
EASY = data.generate("linear", 1, 3, 3, 20, 200, noise_variance=0.0)


def quiet(x, u, n_latents=3, settings=SMALL, **how):
    return recover(x, u, n_latents, settings=settings, progress=False, **how)


@pytest.fixture(scope="module")
def found():
    return quiet(EASY.x, EASY.u)


def test_the_sources_are_found(found):
    score = mcc(found.latents(EASY.x, EASY.u), EASY.z)
    assert score > np.quantile(rotation_floor(EASY.z), 0.95)
    assert score > 0.97
    assert found.agreement.min() > 0.97
    assert (found.held_out.cross_entropy < np.log(20)).all()


def test_more_observations_than_sources_through_a_nonlinear_mixing():
    one = data.generate("orthogonal", 2, 2, 4, 20, 200, noise_variance=0.0)
    found = quiet(one.x, one.u, 2)
    assert mcc(found.latents(one.x, one.u), one.z) > 0.9


@pytest.mark.parametrize(
    ("family", "changes"), [("gaussian", {}), ("laplace", {"source_family": "laplace"})]
)
def test_other_families(family, changes):
    """Sources without means, also where the family has some. With means, starts end apart."""
    one = data.generate("linear", 4, 2, 2, 20, 200, noise_variance=0.0, **changes)
    found = quiet(one.x, one.u, 2, family=family)
    assert found.model.family.name == family
    assert mcc(found.latents(one.x, one.u), one.z) > 0.95


def test_means_that_move_are_learned():
    """Both starts tell segments apart better than those that know variances alone."""
    one = data.generate("linear", 4, 2, 2, 20, 200, noise_variance=0.0, centred=False)
    both, scale = (quiet(one.x, one.u, 2, family=f) for f in ("gaussian", "gaussian-scale"))
    assert (both.held_out.cross_entropy < scale.held_out.cross_entropy.min()).all()
    learned, _ = both.model.prior_moments()
    assert float(learned.std()) > 0.3


def test_segments_of_different_sizes():
    sizes = np.geomspace(30, 800, 20).astype(int)
    one = simulate(
        EASY.mean,
        EASY.variance,
        EASY.mixing,
        samples_per_segment=sizes[np.random.default_rng(0).permutation(20)],
        noise_variance=0.0,
        seed=5,
    )
    found = quiet(one.x, one.u)
    assert mcc(found.latents(one.x, one.u), one.z) > 0.95


def test_the_names_of_segments_and_the_order_of_rows_do_not_matter(found):
    names, rows = (np.random.default_rng(i).permutation(k) for i, k in ((0, 20), (1, 4000)))
    other = quiet(EASY.x[rows], names[EASY.u][rows])
    latents = other.latents(EASY.x, names[EASY.u])
    assert mcc(latents, found.latents(EASY.x, EASY.u)) > 0.97


def test_units_do_not_matter():
    scale, centre = np.array([1e3, 1e-6, 0.5]), np.array([-4e5, 1e-5, 0.0])
    one, other = (quiet(x, EASY.u, settings=TINY) for x in (EASY.x, EASY.x * scale + centre))
    latents = one.latents(EASY.x, EASY.u), other.latents(EASY.x * scale + centre, EASY.u)
    np.testing.assert_allclose(*latents, atol=1e-2)


def test_a_seed_decides_everything():
    one, same, other = (quiet(EASY.x, EASY.u, settings=TINY, seed=s) for s in (3, 3, 4))
    for a, b in zip(one.model.state_dict().values(), same.model.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    np.testing.assert_array_equal(one.held_out.objective, same.held_out.objective)
    assert (one.elbo, one.chosen) == (same.elbo, same.chosen)
    assert not np.allclose(one.latents_of_starts(EASY.x)[0], other.latents_of_starts(EASY.x)[0])


def test_the_global_streams_are_neither_used_nor_moved():
    torch.manual_seed(1)
    np.random.seed(1)
    expected = torch.rand(3), np.random.rand(3)
    torch.manual_seed(1)
    np.random.seed(1)
    quiet(EASY.x, EASY.u, settings=TINY)
    assert torch.equal(torch.rand(3), expected[0])
    np.testing.assert_array_equal(np.random.rand(3), expected[1])


@pytest.mark.slow
def test_processes_do_not_matter(monkeypatch):
    one = quiet(EASY.x, EASY.u, settings=TINY)
    monkeypatch.setattr(recovery, "choose_processes", lambda *_: 2)
    other = quiet(EASY.x, EASY.u, settings=TINY)
    pair = one.latents_of_starts(EASY.x), other.latents_of_starts(EASY.x)
    np.testing.assert_allclose(*pair, atol=1e-3)
    np.testing.assert_allclose(one.held_out.objective, other.held_out.objective, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_progress_is_told_from_both_stages_wherever_they_run(processes, monkeypatch):
    lines = []

    class Line(ProgressLine):
        def __init__(self, label, shown):
            super().__init__(label, shown=False)
            lines.append((label, shown, told := []))
            self.report_share = told.append

    monkeypatch.setattr(recovery, "ProgressLine", Line)
    monkeypatch.setattr(recovery, "choose_processes", lambda *_: processes)
    recover(EASY.x, EASY.u, 3, settings=replace(SMALL, n_steps=1500), label="here")
    assert [line[:2] for line in lines] == [("here", True), ("here, second stage", True)]
    for _, _, told in lines:
        shares = [share for share in told if share > 0]
        assert len(set(shares)) > 3
        assert shares == sorted(shares)
        assert shares[-1] <= 1


def test_the_number_of_threads_is_as_before():
    before = torch.get_num_threads()
    quiet(EASY.x, EASY.u, settings=TINY)
    assert torch.get_num_threads() == before


def test_the_start_with_the_highest_objective_is_chosen(found):
    assert found.chosen == np.argmax(found.held_out.objective)
    assert found.agreement[found.chosen] == pytest.approx(1)
    start, kept = found.starts.of([found.chosen]), found.model
    assert torch.equal(separator_of(start).mean.weight, separator_of(kept).mean.weight)


@pytest.mark.parametrize(
    ("objective", "chosen"), [([2.0, 1.0], 0), ([1.0, 2.0], 1), ([np.nan, -9], 1)]
)
def test_the_choice_is_by_the_objective_alone(monkeypatch, objective, chosen):
    train = recovery.first_stage

    def claimed(*arguments):
        said = train(*arguments)
        return HeldOut(-said.cross_entropy, said.elbo, np.array(objective))

    monkeypatch.setattr(recovery, "first_stage", claimed)
    assert quiet(EASY.x, EASY.u, settings=TINY).chosen == chosen


def test_the_objective_is_what_it_is_said_to_be(found):
    expected = SMALL.elbo_weight * found.held_out.elbo - found.held_out.cross_entropy
    np.testing.assert_allclose(found.held_out.objective, expected, rtol=1e-5)


def test_the_second_stage_leaves_h_and_raises_the_bound(found):
    rows = torch.as_tensor(found.standardise(EASY.x), dtype=torch.float32)[None]
    start = found.starts.of([found.chosen])
    with torch.no_grad():
        before, after = start.encoder(rows), found.model.encoder(rows)
    assert torch.equal(before.mean, after.mean)
    assert not torch.allclose(before.log_variance, after.log_variance)
    np.testing.assert_array_equal(
        found.latents(EASY.x, EASY.u), found.latents(EASY.x, (EASY.u + 1) % 20)
    )
    np.testing.assert_allclose(
        found.latents(EASY.x, EASY.u), found.latents_of_starts(EASY.x)[found.chosen], atol=1e-5
    )
    assert found.elbo[1] > found.elbo[0]
    assert found.elbo[0] == pytest.approx(found.held_out.elbo[found.chosen], abs=1e-4)


@pytest.mark.parametrize("n_steps", [1, 3])
def test_even_a_short_second_stage_does_not_lower_the_bound(n_steps):
    found = quiet(EASY.x, EASY.u, settings=replace(TINY, n_steps_generative=n_steps))
    assert found.elbo[1] >= found.elbo[0]


def test_rows_are_held_out_of_every_segment_alike():
    u = np.repeat(np.arange(4), [10, 25, 100, 7])
    held = recovery._hold_out(u, 0.2, np.random.default_rng(0))
    assert np.bincount(u[held], minlength=4).tolist() == [2, 5, 20, 1]
    other = recovery._hold_out(u, 0.2, np.random.default_rng(1))
    assert (held != other).any()


def test_a_start_that_diverges_is_not_chosen(monkeypatch):
    train = recovery.first_stage

    def broken(model, *arguments):
        with torch.no_grad():
            separator_of(model).first.weight[0] = np.inf
        return train(model, *arguments)

    monkeypatch.setattr(recovery, "first_stage", broken)
    found = quiet(EASY.x, EASY.u, settings=TINY)
    assert found.chosen == 1
    assert np.isnan(found.agreement[0])
    assert np.isfinite(found.latents(EASY.x, EASY.u)).all()


def test_a_recovery_of_which_every_start_diverges_says_so():
    with pytest.raises(FloatingPointError, match="mine: all 2 starts have diverged"):
        quiet(EASY.x, EASY.u, settings=replace(TINY, learning_rate=1e30), label="mine")


X, U = EASY.x, EASY.u


@pytest.mark.parametrize(
    ("arguments", "changes", "message"),
    [
        ((np.where(np.arange(12000).reshape(-1, 3) == 4, np.nan, X), U), {}, "x has 1 NaN"),
        ((X * [1, 0, 1] + 5, U), {}, "column 1 is constant"),
        ((X[:, 0], U), {}, r"x must have shape \(N, d\)"),
        ((X.astype(str), U), {}, "x must be an array of real numbers"),
        ((X, 0 * U), {}, "u must have at least two segments"),
        ((X, U[1:]), {}, "one segment label for each of the 4000 rows"),
        ((X, 2 * U), {}, "u leaves 19 of its 39 segments empty"),
        ((X, U - 1), {}, "labels from 0 upwards; got -1"),
        ((X, U.astype(str)), {}, "integer segment labels"),
        ((X, U, 4), {}, "n_latents must be at most d = 3; got 4"),
        ((X, U, 0), {}, "n_latents must be a whole number >= 1"),
        ((X[::40], U[::40]), {}, "held_out = 0.1 of 100 rows in 20 segments holds none out"),
        ((X, U), {"family": "cauchy"}, "family must be one of gaussian-scale, .*; got 'cauchy'"),
        ((X, U), {"seed": -1}, "seed must be a whole number >= 0"),
    ],
)
def test_bad_input_is_named(arguments, changes, message):
    with pytest.raises(ValueError, match=message):
        quiet(*arguments, settings=TINY, **changes)


def test_new_rows_are_checked(found):
    for of in (found.standardise, found.latents_of_starts, lambda x: found.latents(x, U)):
        with pytest.raises(ValueError, match=r"x must have shape \(N, 3\)"):
            of(X[:, :2])

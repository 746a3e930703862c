"""Time-contrastive learning tells segments apart as well as can be, and finds the statistics."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from companion.neighbours.contrastive import Features, Settings, learn
from companion.neighbours.fastica import resolve
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from ivae import data
from ivae.metrics import mcc
from ivae.nets import Network
from ivae.support.seeds import seeded_generator

SIZES = {"n_latents": 2, "n_observed": 2, "n_segments": 8, "samples_per_segment": 250}
LINEAR = Settings(Network(n_layers=1), epochs=30)
SMALL = Settings(Network(hidden=20, activation="leaky-relu"), epochs=4)


@pytest.fixture
def double():
    """Networks in float64: what is left of differences is then rounding, far below 1e-5."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def linear(seed, **changes):
    return data.generate("linear", seed, **SIZES | changes, noise_variance=0.0)


def best_cross_entropy(one):
    """Mean of -log p(u|z) under the true model, the least that features of an invertible x have."""
    log_p = -0.5 * (one.z**2 @ (1 / one.variance).T + np.log(one.variance).sum(1))
    return -log_softmax(log_p, 1)[np.arange(len(one.u)), one.u].mean()


def features(signed):
    statistics = np.abs(signed)
    found = resolve(statistics)
    return Features(signed[None], found.apply(statistics)[None], (found.outcome,), np.zeros(1))


def test_linear_features_recover_the_sources_of_a_linear_mixing():
    """\\|a\\| is a monotone function of the statistic, and a linear a cannot fold."""
    datasets = [linear(seed) for seed in (1, 2, 3)]
    x, u, z = data.stack(datasets)
    found = learn(x, u, 2, [0, 1, 2], LINEAR)
    scores = found.scores(z)
    assert scores.sources.min() > 0.98
    assert scores.folded.min() > 0.9
    assert max(mcc(one.z, one.x) for one in datasets) < 0.95  # There was something to do.


def test_networks_find_the_statistics_and_tell_segments_apart_as_well_as_can_be():
    """With many segments the statistics are independent, pooled over them, as FastICA asks."""
    datasets = [linear(seed, n_segments=40) for seed in (1, 2)]
    x, u, z = data.stack(datasets)
    found = learn(x, u, 2, [0, 0])
    scores = found.scores(z)
    assert scores.squares.min() > 0.95  # q(z) = z^2, found up to little but its scale.
    assert scores.absolute.max() < scores.squares.min()
    # 1000 rows are held out; their mean scatters by some .02 around that of all.
    best = [best_cross_entropy(one) for one in datasets]
    np.testing.assert_allclose(found.cross_entropy, best, atol=0.06)
    assert found.cross_entropy.max() < np.log(40) - 0.03


@pytest.mark.slow
def test_statistics_of_a_nonlinear_mixing_are_found():
    datasets = [data.generate("released", seed, 3, 3, 20, 500) for seed in (1, 2, 3)]
    x, u, z = data.stack(datasets)
    scores = learn(x, u, 3, [0, 0, 0]).scores(z)
    untouched = [mcc(np.abs(one.z), np.abs(one.x)) for one in datasets]
    assert (scores.folded > np.array(untouched) + 0.1).all()
    assert scores.folded.min() > 0.85


def test_labels_that_say_nothing_leave_chance():
    one = linear(1)
    shuffled = np.random.default_rng(0).permutation(one.u)
    found = learn(one.x, shuffled, 2, [0], SMALL)
    # More than log M is what fitting chance costs on rows that were not seen.
    assert np.log(8) - 0.02 < found.cross_entropy[0] < np.log(8) + 0.1
    assert found.scores(one.z).absolute[0] < 0.8


def test_members_together_are_members_alone(double):
    x, u, _ = data.stack([linear(seed) for seed in (1, 2, 3)])
    together = learn(x, u, 2, [5, 6, 7], SMALL)
    for member in range(3):
        alone = learn(x[member], u[member], 2, [5 + member], SMALL)
        np.testing.assert_allclose(together.signed[member], alone.signed[0], atol=1e-5)
        np.testing.assert_allclose(together.cross_entropy[member], alone.cross_entropy[0])
    assert np.abs(together.signed[0] - together.signed[1]).max() > 0.1


def test_one_dataset_for_all_is_a_copy_for_each(double):
    one = linear(1)
    shared = learn(one.x, one.u, 2, [0, 1], SMALL)
    copies = learn(np.stack([one.x] * 2), np.stack([one.u] * 2), 2, [0, 1], SMALL)
    np.testing.assert_allclose(shared.signed, copies.signed, atol=1e-8)
    # Members of one dataset differ in weights, in minibatches, and in the rows held out.
    assert shared.cross_entropy[0] != shared.cross_entropy[1]


def test_names_of_segments_do_not_matter(double):
    one = linear(1)
    renamed = np.random.default_rng(0).permutation(8)[one.u]
    first, other = (learn(one.x, u, 2, [0], SMALL) for u in (one.u, renamed))
    np.testing.assert_allclose(first.signed, other.signed, atol=1e-8)
    np.testing.assert_allclose(first.cross_entropy, other.cross_entropy)


def test_rows_held_out_are_not_trained_on(double):
    """Their labels decide the cross-entropy reported, and no feature."""
    one = linear(1)
    order = torch.randperm(len(one.u), generator=seeded_generator(4, "held out")).numpy()
    held = order[-200:]  # 10 % of 2000.
    changed = one.u.copy()
    changed[held] = (changed[held] + 1) % 8
    first, other = (learn(one.x, u, 2, [4], SMALL) for u in (one.u, changed))
    np.testing.assert_allclose(first.signed, other.signed, atol=1e-10)
    assert abs(first.cross_entropy - other.cross_entropy)[0] > 0.01


def test_more_observations_than_sources_and_directions_without_variance():
    one = linear(2, n_observed=5)
    assert np.linalg.matrix_rank(one.x) == 2
    scores = learn(one.x, one.u, 2, [0], LINEAR).scores(one.z)
    assert scores.sources[0] > 0.98


@given(seed=st.integers(0, 1000))
def test_a_folded_feature_scores_in_the_statistics_alone(seed):
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((4000, 2)) * rng.uniform(0.5, 3, (40, 2))[np.arange(4000) // 100]
    plain, folded = (features(a).scores(z) for a in (z, z**2))
    assert plain.sources[0] == pytest.approx(1)
    assert plain.folded[0] == pytest.approx(1)
    assert folded.sources[0] < 0.2
    assert folded.folded[0] > 0.8
    assert folded.squares[0] > 0.95
    assert plain.absolute[0] > plain.squares[0]


def test_scores_take_sources_of_each_member_or_of_all():
    z = np.random.default_rng(0).laplace(size=(2, 500, 2))
    both = Features(z, np.abs(z), ("converged",) * 2, np.zeros(2))
    np.testing.assert_allclose(both.scores(z).sources, 1)
    shared = both.scores(z[0])
    assert shared.sources[0] == pytest.approx(1)
    assert shared.sources[1] < 0.2
    with pytest.raises(ValueError, match=r"z must have shape \(500, 2\)"):
        both.scores(z[0, :-1])
    with pytest.raises(ValueError, match="z has 1 NaN"):
        both.scores(np.where(np.arange(1000).reshape(500, 2) == 3, np.nan, z[0]))


X, U = linear(1).x, linear(1).u


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((X, U, 3, [0]), "n_latents must be at most d = 2; got 3"),
        ((X, U, 1, [0]), "n_latents must be a whole number >= 2"),
        ((X, U, 2, []), "seeds must name at least one member"),
        ((X, U, 2, [-1]), "every seed must be a whole number >= 0"),
        ((X, U[:-1], 2, [0]), "u must hold one segment label for each of the 2000 rows"),
        ((X, U + 1, 2, [0]), "u leaves 1 of its 9 segments empty"),
        ((X, 0 * U, 2, [0]), r"at least two segments, and as many for every member; got \[1\]"),
        ((X, np.stack([U, U // 2]), 2, [0, 1]), r"got \[8, 4\]"),
        ((np.stack([X, X]), U, 2, [0]), r"x must have shape \(1, N, d\)"),
        ((X * [1, np.nan], U, 2, [0]), "x has 2000 NaN"),
        ((X[:, :1] * 0, U, 2, [0]), "x must vary"),
        ((X[:4], [0, 0, 1, 1], 2, [0]), "leaves 4 to train on and 0 to evaluate"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        learn(*arguments)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number >= 1"),
        ({"batch_size": 1.5}, "batch_size must be a whole number >= 1"),
        ({"learning_rate": 0}, "learning_rate must be a finite number above 0"),
        ({"held_out": 1.0}, "held_out must be a share of the rows, below 1"),
        ({"held_out": 0.0}, "held_out must be a finite number above 0"),
        ({"network": Network(decoder_layers=1)}, "network must leave decoder_layers out"),
    ],
)
def test_bad_settings_are_named(setting, message):
    with pytest.raises(ValueError, match=message):
        Settings(**setting)


def test_a_member_that_diverges_is_named():
    with pytest.raises(FloatingPointError, match=r"member 0 \(seed 3\) diverged"):
        learn(X, U, 2, [3], replace(SMALL, learning_rate=1e30))

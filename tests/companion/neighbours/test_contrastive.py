"""Time-contrastive learning tells segments apart as well as can be, and finds the statistics."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from companion.neighbours import contrastive
from companion.neighbours.contrastive import Features, TclSettings, learn
from companion.neighbours.fastica import resolve
from ivae import data
from ivae.metrics import mcc
from ivae.nets import Network
from ivae.support.seeds import seeded_generator

SIZES = {"n_latents": 2, "n_observed": 2, "n_segments": 8, "samples_per_segment": 250}
LINEAR = TclSettings(Network(n_layers=1), epochs=30)
SMALL = TclSettings(Network(hidden=20, activation="leaky-relu"), epochs=4)


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
    return Features(signed[None], resolve(statistics).apply(statistics)[None], np.zeros(1))


def learn_one(x, u, seed, settings=SMALL):
    return learn(x[None], u[None], 2, [seed], settings)


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
    found = learn(x, u, 2, [0, 0], TclSettings())
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
    scores = learn(x, u, 3, [0, 0, 0], TclSettings()).scores(z)
    untouched = [mcc(np.abs(one.z), np.abs(one.x)) for one in datasets]
    assert (scores.folded > np.array(untouched) + 0.1).all()
    assert scores.folded.min() > 0.85


def test_labels_that_say_nothing_leave_chance():
    one = linear(1)
    shuffled = np.random.default_rng(0).permutation(one.u)
    found = learn_one(one.x, shuffled, 0)
    # More than log M is what fitting chance costs on rows that were not seen.
    assert np.log(8) - 0.02 < found.cross_entropy[0] < np.log(8) + 0.1
    assert found.scores(one.z[None]).absolute[0] < 0.8


def test_members_together_are_members_alone(double):
    x, u, _ = data.stack([linear(seed) for seed in (1, 2, 3)])
    together = learn(x, u, 2, [5, 6, 7], SMALL)
    for member in range(3):
        alone = learn_one(x[member], u[member], 5 + member)
        np.testing.assert_allclose(together.signed[member], alone.signed[0], atol=1e-5)
        np.testing.assert_allclose(together.cross_entropy[member], alone.cross_entropy[0])
    assert np.abs(together.signed[0] - together.signed[1]).max() > 0.1


def test_members_of_one_dataset_differ():
    """In weights, in minibatches, and in the rows held out."""
    x, u, _ = data.stack([linear(1)] * 2)
    first, second = learn(x, u, 2, [0, 1], SMALL).cross_entropy
    assert first != second


def test_names_of_segments_do_not_matter(double):
    one = linear(1)
    renamed = np.random.default_rng(0).permutation(8)[one.u]
    first, other = (learn_one(one.x, u, 0) for u in (one.u, renamed))
    np.testing.assert_allclose(first.signed, other.signed, atol=1e-8)
    np.testing.assert_allclose(first.cross_entropy, other.cross_entropy)


def test_rows_held_out_are_not_trained_on(double):
    """Their labels decide the cross-entropy reported, and no feature."""
    one = linear(1)
    order = torch.randperm(len(one.u), generator=seeded_generator(4, "held out")).numpy()
    held = order[-200:]  # 10 % of 2000.
    changed = one.u.copy()
    changed[held] = (changed[held] + 1) % 8
    first, other = (learn_one(one.x, u, 4) for u in (one.u, changed))
    np.testing.assert_allclose(first.signed, other.signed, atol=1e-10)
    assert abs(first.cross_entropy - other.cross_entropy)[0] > 0.01


def test_more_observations_than_sources_and_directions_without_variance():
    one = linear(2, n_observed=5)
    assert np.linalg.matrix_rank(one.x) == 2
    scores = learn_one(one.x, one.u, 0, LINEAR).scores(one.z[None])
    assert scores.sources[0] > 0.98


@given(seed=st.integers(0, 1000))
def test_a_folded_feature_scores_in_the_statistics_alone(seed):
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((4000, 2)) * rng.uniform(0.5, 3, (40, 2))[np.arange(4000) // 100]
    plain, folded = (features(a).scores(z[None]) for a in (z, z**2))
    assert plain.sources[0] == pytest.approx(1)
    assert plain.folded[0] == pytest.approx(1)
    assert folded.sources[0] < 0.2
    assert folded.folded[0] > 0.8
    assert folded.squares[0] > 0.95
    assert plain.absolute[0] > plain.squares[0]


def test_a_member_that_diverges_is_named(monkeypatch):
    monkeypatch.setattr(contrastive, "LEARNING_RATE", 1e30)
    one = linear(1)
    with pytest.raises(FloatingPointError, match=r"members of seeds \[3\] diverged"):
        learn_one(one.x, one.u, 3)

"""The estimator is the recipe in scikit-learn's clothes: labels, units, refusals."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ivae import data
from ivae.estimator import IVAE
from ivae.metrics import mcc
from ivae.recipe.recovery import recover
from ivae.recipe.stages import Settings

SMALL = Settings(
    hidden=16, n_blocks=1, n_starts=2, n_steps=300, batch_size=128, n_steps_generative=200
)
TINY = replace(SMALL, n_steps=20, n_steps_generative=20)
TRUTH = data.generate("linear", 1, 2, 3, 8, 150, noise_variance=0.0)
X = TRUTH.x * [2.0, 30.0, 0.1] + [1.0, -5.0, 0.0]
NAMES = np.array(["h", "b", "é", "a", "z", "k", "two words", "d"])
U = NAMES[TRUTH.u]


def ivae(settings=SMALL, **changes):
    return IVAE(**{"n_latents": 2, "settings": settings, "random_state": 3} | changes)


@pytest.fixture(scope="module")
def fitted():
    return ivae().fit(X, U)


def test_it_is_the_recipe(fitted):
    index = np.argsort(np.argsort(NAMES))[TRUTH.u]
    direct = recover(X, index, 2, settings=SMALL, seed=3, progress=False)
    np.testing.assert_array_equal(fitted.transform(X, U), direct.latents(X, index))
    np.testing.assert_array_equal(fitted.agreement_, direct.agreement)
    np.testing.assert_array_equal(
        fitted.transform(X), fitted.recovery_.latents(X, np.zeros(len(X), int))
    )
    assert fitted.classes_.tolist() == sorted(NAMES)
    assert (fitted.n_features_in_, len(fitted.agreement_)) == (3, 2)


def test_transform_needs_no_labels_and_fit_transform_is_both(fitted):
    z = fitted.transform(X, U)
    np.testing.assert_array_equal(z, fitted.transform(X))
    np.testing.assert_array_equal(z, fitted.transform(x=X, u=U[::-1]))
    np.testing.assert_array_equal(z, ivae().fit_transform(X, U))
    np.testing.assert_allclose(fitted.transform(X[5:6]), z[5:6], atol=1e-5)
    assert mcc(z, TRUTH.z) > 0.9


@pytest.mark.parametrize(
    "names",
    [
        np.arange(8) * 10 - 7,
        np.linspace(-1.5, 2, 8),
        np.array(list("abcdefgh"), object),
        [f"{k}" for k in range(8)],
    ],
)
def test_labels_of_any_type(names, tmp_path):
    """Sorted names in the order of the segments: the same training as with 0 .. 7."""
    u = np.array(names)[TRUTH.u]
    one, plain = ivae(TINY).fit(X, u.tolist()), ivae(TINY).fit(X, TRUTH.u)
    assert one.classes_.tolist() == list(names)
    assert one.score(X, u) == plain.score(X, TRUTH.u)
    pair = zip(one.sample(list(names)), plain.sample(range(8)), strict=True)
    for own, other in pair:
        np.testing.assert_array_equal(own, other)
    again = IVAE.load(one.save(tmp_path / "model"))
    assert again.classes_.tolist() == list(names)
    assert again.score(X, u) == one.score(X, u)


def test_what_is_decoded_is_in_the_units_of_x(fitted):
    decoded = fitted.inverse_transform(fitted.transform(X))
    assert decoded.shape == X.shape
    for column, own in zip(X.T, decoded.T, strict=True):
        assert np.mean((own - column) ** 2) < 0.2 * column.var()


def test_samples_follow_prior_and_decoder(fitted):
    n_draws, place = 4000, fitted.classes_.tolist().index("k")
    z, x = fitted.sample(np.repeat("k", n_draws))
    mean, variance = (part[0, place].numpy() for part in fitted.recovery_.model.prior_moments())
    error = np.sqrt(variance / n_draws)
    assert (abs(z.mean(0) - mean) < 5 * error).all()
    np.testing.assert_allclose(z.var(0), variance, rtol=0.12)
    noise = (x - fitted.inverse_transform(z)) / fitted.recovery_.scale
    np.testing.assert_allclose(noise.var(), fitted.recovery_.model.decoder_variance, rtol=0.1)
    assert abs(np.corrcoef(noise[:, 0], z[:, 0])[0, 1]) < 0.1


def test_samples_depend_on_the_random_state_alone(fitted):
    for one, same in zip(fitted.sample(U), fitted.sample(U, random_state=3), strict=True):
        np.testing.assert_array_equal(one, same)
    assert not np.allclose(fitted.sample(U)[0], fitted.sample(U, random_state=4)[0])


def by_hand(fitted, x, u, n_draws):
    """The mean ELBO in the units of x, from densities and numpy's draws, with no formula of a KL.

    E_q [log p(x|z) + log p(z|u) - log q(z|x)], x and its decoder in original units.
    """
    rng = np.random.default_rng(0)
    recovery = fitted.recovery_
    model = recovery.model
    index = np.searchsorted(fitted.classes_, u)
    posterior = model.infer(recovery.standardise(x), index)
    mean, log_variance = (part[0].double().numpy() for part in posterior)
    prior_variance = model.prior_moments()[1][0].double().numpy()[index]
    of_x = float(model.decoder_variance) * recovery.scale**2
    total = np.zeros(len(x))
    for _ in range(n_draws):
        noise = rng.standard_normal(mean.shape)
        z = mean + np.exp(log_variance / 2) * noise
        residual = x - fitted.inverse_transform(z)
        total += -0.5 * (residual**2 / of_x + np.log(2 * np.pi * of_x)).sum(1)
        total += -0.5 * (z**2 / prior_variance + np.log(2 * np.pi * prior_variance)).sum(1)
        total += 0.5 * (noise**2 + log_variance + np.log(2 * np.pi)).sum(1)
    return total.mean() / n_draws


def test_the_score_is_the_bound_in_the_units_of_x(fitted):
    assert fitted.score(X, U) == pytest.approx(by_hand(fitted, X, U, 100), abs=0.05)
    assert fitted.score(X[:7], U[:7]) == pytest.approx(by_hand(fitted, X[:7], U[:7], 3000), abs=1)
    assert fitted.score(X, U) == fitted.score(X, U)
    assert fitted.score(X, U) > fitted.score(X, U[::-1])


def test_other_units_shift_the_score_by_their_logarithm(fitted):
    factor = np.array([4.0, 0.125, 1024.0])
    other = copy.deepcopy(fitted)
    recovery = fitted.recovery_
    other.recovery_ = replace(
        recovery, centre=factor * recovery.centre, scale=factor * recovery.scale
    )
    expected = fitted.score(X, U) - np.log(factor).sum()
    assert other.score(X * factor, U) == pytest.approx(expected, abs=1e-9)


def test_scikit_learn_can_copy_and_chain_it(fitted):
    copied = clone(fitted)
    assert copied.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        copied.transform(X)
    assert "n_latents=2" in repr(fitted)
    chain = make_pipeline(StandardScaler(), ivae(TINY)).fit(X, U)
    assert chain.transform(X).shape == (1200, 2)
    assert np.isfinite(chain.score(X, U))
    same = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(same.transform(X), fitted.transform(X))
    assert (IVAE().n_latents, IVAE().family) == (5, "gaussian-scale")


@pytest.mark.parametrize(
    "call",
    [
        lambda one, path: one.transform(X),
        lambda one, path: one.inverse_transform(TRUTH.z),
        lambda one, path: one.sample(U),
        lambda one, path: one.score(X, U),
        lambda one, path: one.save(path),
    ],
)
def test_before_fit_everything_says_so(call, tmp_path):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        call(ivae(), tmp_path / "model")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda one: one.transform(X, U[:40]), "u has 40 rows but x has 1,200"),
        (lambda one: one.score(X, U[:40]), "u has 40 rows but x has 1,200"),
        (lambda one: one.transform(X[:, :2]), r"x must have shape \(N, 3\); got \(1200, 2\)"),
        (lambda one: one.transform(X * np.nan), "x has 3600 NaN"),
        (
            lambda one: one.transform(X[:2], ["a", "q"]),
            "u has the label 'q', which fit has not seen; it knows 8: 'a', 'b', 'd', 'h', 'k', ...",
        ),
        (lambda one: one.sample(["é", 3.5]), "u has the label '3.5', which fit has not seen"),
        (lambda one: one.sample([0]), "u has the label 0, which fit has not seen"),
        (lambda one: one.sample([]), "one segment label for each row"),
        (lambda one: one.sample("a"), "one segment label for each row"),
        (lambda one: one.sample(["a"], random_state=-1), "random_state must be a whole number"),
        (lambda one: one.inverse_transform(X), r"z must have shape \(N, 2\); got \(1200, 3\)"),
    ],
)
def test_bad_calls_are_named(fitted, call, message):
    with pytest.raises(ValueError, match=message):
        call(fitted)


@pytest.mark.parametrize(
    ("x", "u", "changes", "message"),
    [
        (X, U[:40], {}, "u has 40 rows but x has 1,200"),
        (X, U[:, None], {}, r"shape \(N,\); got shape \(1200, 1\)"),
        (X, np.where(TRUTH.u == 2, np.nan, TRUTH.u), {}, "150 missing labels .* at row 300"),
        (X, np.where(TRUTH.u == 2, None, U), {}, "150 missing labels .* at row 300"),
        (X, np.where(TRUTH.u == 2, 1, U.astype(object)), {}, "labels that can be sorted"),
        (X, ["a"] * 1200, {}, "u must have at least two segments"),
        (X[:, 0], U, {}, r"x must have shape \(N, d\)"),
        (X, U, {"n_latents": 4}, "n_latents must be at most d = 3; got 4"),
        (X, U, {"family": "cauchy"}, "family must be one of"),
        (X, U, {"random_state": None}, "random_state must be a whole number >= 0; got None"),
        (X, U, {"settings": {"hidden": 3}}, "settings must be an ivae.Settings"),
    ],
)
def test_bad_data_are_named(x, u, changes, message):
    with pytest.raises(ValueError, match=message):
        ivae(**{"settings": TINY} | changes).fit(x, u)

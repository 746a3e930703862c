"""Both likelihoods against scipy; bits' probabilities add up; refusals."""

import itertools

import numpy as np
import pytest
import torch
from scipy.special import expit
from scipy.stats import bernoulli, multivariate_normal

from ivae.likelihoods import (
    BernoulliLikelihood,
    GaussianLikelihood,
    gaussian_log_density,
    likelihood_named,
)

DOUBLE = torch.float64


def case(likelihood):
    """x and a decoder's output for 2 members, 5 samples, 3 observed."""
    rng = np.random.default_rng(0)
    decoded = 2 * rng.standard_normal((2, 5, 3))
    x = rng.standard_normal((2, 5, 3))
    if likelihood.name == "bernoulli":
        x = (x > 0).astype(float)
    return torch.as_tensor(x), torch.as_tensor(decoded)


def test_gaussian_log_density_is_scipys():
    rng = np.random.default_rng(3)
    x, mean = rng.standard_normal((2, 4, 3))
    pairs = zip(x, mean, strict=True)
    expected = [multivariate_normal(m, 0.3 * np.eye(3)).logpdf(row) for row, m in pairs]
    ours = gaussian_log_density(torch.as_tensor(x), torch.as_tensor(mean), 0.3)
    np.testing.assert_allclose(ours, expected)


def test_each_member_has_its_own_gaussian_variance():
    likelihood = GaussianLikelihood([0.1, 2.0])
    x, decoded = case(likelihood)
    found = likelihood.log_density(x, decoded)
    for member, variance in enumerate((0.1, 2.0)):
        expected = gaussian_log_density(x[member], decoded[member], variance)
        torch.testing.assert_close(found[member], expected)


def test_bernoulli_log_density_is_scipys():
    likelihood = BernoulliLikelihood()
    x, logits = case(likelihood)
    expected = bernoulli.logpmf(x.numpy(), expit(logits.numpy())).sum(-1)
    np.testing.assert_allclose(likelihood.log_density(x, logits), expected)


def test_the_probabilities_of_all_bits_sum_to_1():
    x = torch.tensor(list(itertools.product((0.0, 1.0), repeat=4)), dtype=DOUBLE)
    logits = torch.randn(1, 1, 4, dtype=DOUBLE, generator=torch.Generator().manual_seed(0))
    log_p = BernoulliLikelihood().log_density(x[None], logits.expand(1, 16, -1))
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-14)


def test_extreme_logits_stay_finite_and_exact():
    logits = torch.tensor([[[500.0], [-500.0], [-40.0]]], dtype=DOUBLE)
    log_p = BernoulliLikelihood().log_density(torch.ones(1, 3, 1, dtype=DOUBLE), logits)
    np.testing.assert_allclose(log_p[0], [0.0, -500.0, -40.0], rtol=1e-12, atol=1e-12)


def test_bits_alone_are_taken_for_bernoulli():
    likelihood_named("gaussian", 0.1, 2).check(np.array([[0.5]]))
    likelihood = likelihood_named("bernoulli", None, 2)
    likelihood.check(np.array([[0, 1], [1, 0]]))
    x = np.array([[0.0, 1.0], [1.0, 0.25], [2.0, 0.0]])
    with pytest.raises(ValueError, match=r"nothing but 0 and 1 .* got 0.25 at index \(1, 1\), and"):
        likelihood.check(x)
    with pytest.raises(ValueError, match=r"2 such values in all\. Use likelihood='gaussian'"):
        likelihood.check(x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("poisson", None, 2), "likelihood must be one of gaussian, bernoulli; got 'poisson'"),
        (("bernoulli", 0.01, 2), "decoder_variance = 0.01 has no effect on a Bernoulli decoder"),
        (("gaussian", -1.0, 2), "decoder_variance must be a finite number above 0; got -1.0"),
        (("gaussian", [0.1], 2), "decoder_variance must be one value, or one for each of the 2"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        likelihood_named(*arguments)


def test_settings_say_what_decides_the_numbers():
    assert likelihood_named("gaussian", None, 2).settings["variance"] == [0.01, 0.01]
    assert likelihood_named("bernoulli", None, 2).settings == {"name": "bernoulli"}

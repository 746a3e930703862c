"""The four levels from likelihood to bound against the linear case, where each is exact."""

from dataclasses import replace

import numpy as np
import pytest

from companion.c13 import diagnosis
from companion.c13.diagnosis import Account, advantage, verdict
from companion.c13.truth import write_truth
from ivae import data, models
from ivae.mixing import Mixing
from ivae.nets import Network
from ivae.theory import exact, linear

VARIANCES = [0.3, 0.01, 1e-4]
ROWS = np.arange(0, 120, 3)


@pytest.fixture(scope="module")
def case():
    """Noise-free data with a linear f that is not orthogonal, and models that assume noise."""
    rng = np.random.default_rng(0)
    made = data.generate("linear", 0, 3, 4, 6, 20)
    matrix = rng.standard_normal((3, 4))
    made = replace(made, x=made.z @ matrix, mixing=Mixing((matrix,)), noise_variance=0.0)
    network = Network(hidden=8, decoder_layers=1)
    model = models.ivae(3, 4, 6, seeds=[0, 1, 2], network=network, decoder_variance=VARIANCES)
    write_truth(model, [made] * 3)
    exactly = [linear.LinearModel(matrix, made.variance, s2) for s2 in VARIANCES]
    found = diagnosis.account(model, [made] * 3, ROWS, at_truth=True, n_draws=4000)
    return made, model, exactly, found


def elbo(model, x, u, mean, variance):
    """Eq. (8) of a linear model for q = N(mean, diag(variance)), (N, n) each."""
    s2, prior = model.noise_variance, model.variance[u]
    error = ((x - mean @ model.matrix) ** 2).sum(1) + variance @ (model.matrix**2).sum(1)
    reconstruction = -0.5 * (error / s2 + x.shape[1] * np.log(2 * np.pi * s2))
    ratio = variance / prior
    return reconstruction - 0.5 * (ratio + mean**2 / prior - np.log(ratio) - 1).sum(1)


def test_likelihood_and_full_gaussian_are_exact(case):
    made, _, exactly, found = case
    for member, one in enumerate(exactly):
        wanted = one.log_likelihood(made.x[ROWS], made.u[ROWS])
        np.testing.assert_allclose(found.log_likelihood[member], wanted, atol=0.06)
        np.testing.assert_allclose(found.full[member], wanted, atol=0.06)
    assert (found.fewest_effective() >= diagnosis.FEWEST).all()


def test_the_diagonal_costs_what_the_formula_says(case):
    made, _, exactly, found = case
    for member, one in enumerate(exactly):
        slopes = np.broadcast_to(one.matrix, (len(ROWS), 3, 4))
        v = made.variance[made.u[ROWS]]
        cost = exact.mean_field_gap(slopes, VARIANCES[member], prior_variance=v)
        assert found.costs["diagonal"][member] == pytest.approx(cost, abs=0.04)
        assert cost > 0.1


def test_the_network_level_is_the_elbo_of_the_encoder(case):
    made, model, exactly, found = case
    x, u = made.x[ROWS], made.u[ROWS]
    posterior = model.infer(x, u)
    for member, one in enumerate(exactly):
        spread = np.exp(posterior.log_variance[member].numpy().astype(float))
        wanted = elbo(one, x, u, posterior.mean[member].numpy(), spread)
        # Antithetic pairs: what is left is the noise of a quadratic form.
        np.testing.assert_allclose(found.network[member], wanted, rtol=0.2)
        assert found.network[member].mean() == pytest.approx(wanted.mean(), rel=0.02)


def test_the_costs_add_up_to_the_gap(case):
    *_, found = case
    total = sum(found.costs.values())
    np.testing.assert_allclose(total, (found.log_likelihood - found.network).mean(1))


def test_the_model_at_the_truth_and_the_dataset_give_the_same_account(case):
    made, model, _, found = case
    other = diagnosis.account(model, [made] * 3, ROWS, n_draws=4000)
    for name, values in other.means.items():
        np.testing.assert_allclose(values, found.means[name], atol=0.04, rtol=1e-3)


def test_at_small_variances_the_likelihood_is_the_density_without_noise():
    """By change of variables; the full Gaussian then loses next to nothing, the diagonal does."""
    made = data.generate("released", 1, 3, 3, 6, 50)
    network = Network(hidden=8)
    model = models.ivae(3, 3, 6, seeds=[0, 0], network=network, decoder_variance=[1e-3, 1e-7])
    found = diagnosis.account(model, [made] * 2, np.arange(0, 300, 6), at_truth=True)
    density = exact.log_density_given_segment(made)[::6].mean()
    assert found.means["log_likelihood"][1] == pytest.approx(density, abs=0.02)
    assert found.costs["gaussian"][1] < 0.05 < found.costs["gaussian"][0]
    slopes = made.mixing.jacobian(made.z[::6])
    cost = exact.mean_field_gap(slopes, 1e-7, prior_variance=made.variance[made.u[::6]])
    assert found.costs["diagonal"][1] == pytest.approx(cost, abs=0.15)
    assert cost > 0.5


def account_of(*steps, effective=100.0):
    rows = [np.full((2, 5), float(step)) for step in steps]
    return Account(*rows, np.full((2, 5), effective))


def test_an_advantage_is_a_difference_of_means():
    lead = advantage(account_of(3, 2, 1, -4), account_of(2, 2.5, 1, -9))
    assert [v.tolist() for v in lead.values()] == [[1, 1], [-0.5, -0.5], [0, 0], [5, 5]]


def test_a_tenth_of_the_observations_has_fewer_effective_draws():
    found = account_of(1, 1, 1, 1)._replace(effective=np.array([np.arange(11.0), np.full(11, 5)]))
    np.testing.assert_allclose(found.fewest_effective(), [1.0, 5.0])


@pytest.mark.parametrize(
    ("lead", "expected"),
    [
        ([1, 1, 1, 1], "likelihood"),
        ([-1, 1, 1, 1], "gaussian"),
        ([-1, -1, 1, 1], "diagonal"),
        ([-1, -1, -1, 1], "network"),
        ([1, -1, -1, 1], "network"),
        ([1, -1, 1, 1], "diagonal"),
        ([0.01, 1, 1, 1], "gaussian"),
        ([1, 1, 1, 0], "search"),
        ([1, 1, 1, 0.01], "search"),
        ([-1, -1, -1, -1], "search"),
    ],
)
def test_the_highest_level_from_which_it_leads_is_named(lead, expected):
    assert verdict(lead) == expected


def test_a_table_has_the_means_of_each_setting():
    rows = [np.repeat([[4.0], [2.0], [0.0], [6.0]], 3, 1) - step for step in range(4)]
    found = diagnosis.table(Account(*rows, rows[0]), ["a", "b"], {"MCC": [0.2, 0.4, 0.6, 1.0]})
    assert found.loc["a"].tolist() == pytest.approx([3, -1, -1, -1, 0, 0.3])
    assert found.loc["b"].tolist() == pytest.approx([3, -1, -1, -1, 0, 0.8])
    steps = ["Gaussian", "diagonal", "network"]
    np.testing.assert_allclose(found["log p(x|u)"] + found[steps].sum(axis=1), found["ELBO"])


def test_settings_come_first_and_datasets_second():
    settings, datasets, rest = np.indices((3, 2, 4))
    given = (100 * settings + 10 * datasets + rest).reshape(6, 4)
    found = diagnosis.by_setting(given, 2)
    assert found.shape == (3, 2, 4)
    assert found[2, 1].tolist() == [210, 211, 212, 213]
    assert diagnosis.by_setting(given[:, 0], 2)[1].tolist() == [100, 110]


def test_every_lead_has_its_own_verdict():
    leads = np.array([[[-1, -1, -1, 1], [1, 1, 1, 1]], [[-1, -1, 1, 1], [-1, 1, 1, 1]]])
    found = diagnosis.verdicts(dict(zip(diagnosis.LEVELS, np.moveaxis(leads, -1, 0), strict=True)))
    assert found.tolist() == [["network", "likelihood"], ["diagonal", "gaussian"]]


def test_rounded_numbers_of_a_table_are_round():
    rows = [np.full((1, 3), level, np.float32) for level in (-529.6789, -530, -531, -532.3)]
    found = diagnosis.table(Account(*rows, rows[0]), ["a"], {}).round(2)
    assert found.loc["a", "log p(x|u)"] == -529.68

"""Data from tables: their moments and their law."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import ortho_group

from companion.simulation import simulate
from ivae.data import generate
from ivae.mixing import Mixing
from ivae.theory.exact import log_density_given_segment


def a_simulation(**changes):
    rng = np.random.default_rng(5)
    given = {
        "mean": rng.uniform(-5, 5, (4, 3)),
        "variance": rng.uniform(0.5, 3, (4, 3)),
        "mixing": Mixing((np.eye(3)[:, [2, 0, 1]],)),
        "samples_per_segment": 5000,
        "noise_variance": 0.25,
        "seed": 6,
    }
    return simulate(**(given | changes))


def test_a_simulation_has_the_moments_and_segments_it_was_given():
    made = a_simulation()
    assert (made.n_segments, made.preset) == (4, "simulated")
    np.testing.assert_array_equal(made.u, np.repeat(np.arange(4), 5000))
    for segment in range(4):
        z = made.z[made.u == segment]
        np.testing.assert_allclose(z.mean(0), made.mean[segment], atol=0.1)
        np.testing.assert_allclose(z.var(0), made.variance[segment], rtol=0.1)
    noise = made.x - made.mixing(made.z)
    np.testing.assert_allclose(np.cov(noise.T), 0.25 * np.eye(3), atol=0.01)
    quiet = a_simulation(noise_variance=0)
    np.testing.assert_array_equal(quiet.x, quiet.mixing(quiet.z))
    np.testing.assert_array_equal(quiet.z, made.z)
    np.testing.assert_array_equal(a_simulation().x, made.x)
    assert np.abs(a_simulation(seed=7).z - made.z).max() > 1


def test_segments_may_differ_in_size_and_keep_their_moments():
    sizes = [3000, 9000, 1, 6000]
    made = a_simulation(samples_per_segment=sizes)
    np.testing.assert_array_equal(made.u, np.repeat(np.arange(4), sizes))
    assert made.x.shape == made.z.shape == (18_001, 3)
    assert made.n_segments == 4
    for segment in (0, 1, 3):
        z = made.z[made.u == segment]
        np.testing.assert_allclose(z.mean(0), made.mean[segment], atol=0.15)
        np.testing.assert_allclose(z.var(0), made.variance[segment], rtol=0.15)
    uniform, equal = a_simulation(), a_simulation(samples_per_segment=np.full(4, 5000))
    np.testing.assert_array_equal(equal.x, uniform.x)


def test_simulated_laplace_sources_have_their_family_and_kurtosis():
    made = a_simulation(mean=np.zeros((4, 3)), family="laplace")
    assert made.family.name == "laplace"
    np.testing.assert_allclose(made.natural_parameters[..., 0], -np.sqrt(2 / made.variance))
    scaled = made.z / np.sqrt(made.variance)[made.u]
    # 5 standard errors: E z^4 = 6, E z^8 = 2,520.
    assert (scaled**2).mean() == pytest.approx(1, abs=5 * np.sqrt(5 / scaled.size))
    assert (scaled**4).mean() == pytest.approx(6, abs=5 * np.sqrt(2484 / scaled.size))


@pytest.mark.parametrize(
    ("family", "message"),
    [
        ("cauchy", "family must be one of gaussian-scale, gaussian, .*, laplace"),
        ("laplace", "mean must be 0 .* for the laplace family"),
        ("gaussian-location", "variance must be 1 for the gaussian-location family"),
    ],
)
def test_tables_that_are_not_of_the_family_are_refused(family, message):
    with pytest.raises(ValueError, match=message):
        a_simulation(family=family)


@pytest.mark.parametrize(
    ("tables", "family", "name", "k"),
    [
        ({}, None, "gaussian", 2),
        ({"mean": np.zeros((4, 3))}, None, "gaussian-scale", 1),
        ({"variance": np.ones((4, 3))}, None, "gaussian", 2),
        ({"variance": np.ones((4, 3))}, "gaussian-location", "gaussian-location", 1),
        ({"mean": np.zeros((4, 3))}, "gaussian", "gaussian", 2),
    ],
)
def test_the_family_of_a_simulation_is_the_named_one(tables, family, name, k):
    made = a_simulation(**tables, family=family)
    assert made.family.name == name
    lam = torch.as_tensor(made.natural_parameters)
    assert lam.shape == (4, 3, k)
    for moment, given in zip(made.family.moments(lam), (made.mean, made.variance), strict=True):
        np.testing.assert_allclose(moment, given, atol=1e-12)


def test_turned_means_leave_the_law_of_x_as_it_was_in_every_segment():
    """Only means move: z' = R z has means R m(u), and f' = f R' the same densities given u."""
    rng = np.random.default_rng(8)
    f = generate("orthogonal", 3, 2, 2, 2, 1).mixing
    mean, rotation = rng.uniform(-5, 5, (6, 2)), ortho_group.rvs(2, random_state=9)
    options = {"samples_per_segment": 50, "noise_variance": 0, "seed": 1}
    options["family"] = "gaussian-location"
    one = simulate(mean, np.ones((6, 2)), f, **options)
    z = one.z @ rotation.T
    turned = replace(one, z=z, mean=mean @ rotation.T, mixing=f.absorb(rotation))
    np.testing.assert_allclose(turned.mixing(z), one.x, atol=1e-12)
    density = log_density_given_segment(one)
    np.testing.assert_allclose(log_density_given_segment(turned), density, atol=1e-9)
    # With variances that differ between sources the same turn is seen.
    uneven = replace(one, variance=np.tile([0.5, 2.0], (6, 1)))
    bent = replace(turned, variance=uneven.variance)
    gap = log_density_given_segment(bent) - log_density_given_segment(uneven)
    assert np.abs(gap).max() > 0.1

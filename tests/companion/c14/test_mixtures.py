"""Tests of the mixtures that a classifier with tied constants does not exclude."""

import numpy as np
import pytest
from scipy.stats import norm

from companion.c14 import mixtures

LAM = -0.5 / np.array([[8.2, 2.84], [4.0, 5.21], [3.35, 4.24]])
MIXED = np.array([[0.1, 1.0], [1.0, 0.1]])
FIRST = -0.5 / np.array([5.47, 0.45])
SQUARES = np.random.default_rng(0).chisquare(1, (200, 2)) * 4


def test_probabilities_are_those_of_bayes_rule():
    densities = [norm.pdf(np.sqrt(SQUARES), scale=(-2 * one) ** -0.5).prod(1) for one in LAM]
    expected = np.transpose(densities) / np.sum(densities, 0)[:, None]
    np.testing.assert_allclose(mixtures.probabilities(LAM, SQUARES), expected)


def test_the_twin_classifies_as_the_truth_and_another_offset_does_not():
    lam, offset = mixtures.tied_twin(LAM, MIXED, FIRST)
    truth = mixtures.probabilities(LAM, SQUARES)
    found = mixtures.probabilities(lam, SQUARES @ MIXED + offset)
    np.testing.assert_allclose(found, truth, atol=1e-12)
    assert np.abs(mixtures.probabilities(lam, SQUARES @ MIXED) - truth).max() > 0.01
    np.testing.assert_array_equal(lam[0], FIRST)


def test_a_matrix_that_only_swaps_has_the_truth_for_its_twin():
    swap = np.array([[0.0, 1.0], [1.0, 0.0]])
    lam, offset = mixtures.tied_twin(LAM, swap, LAM[0, ::-1])
    np.testing.assert_allclose(lam, LAM[:, ::-1])
    assert offset == pytest.approx([0, 0], abs=1e-12)

"""Agreements are of their own model and dataset; moved runs are those that were asked for."""

import numpy as np
import pytest

from companion.c01 import agreement
from companion.recorded.store import Result


@pytest.fixture
def result():
    """Eight runs, two of each setting; those at 1, 4, 5 and 7 were made twice."""
    runs = [
        {"preset": preset, "model": model, "seed": seed}
        for preset in ("linear", "released")
        for model in ("vae", "ivae")
        for seed in (0, 1)
    ]
    values = {name: place + np.arange(8.0) for place, name in enumerate(("elbo", "fresh"))}
    values["within"] = -np.arange(8.0)
    doubled = np.array([1, 4, 5, 7])
    moved = {"fresh": values["fresh"][doubled] + [0.5, 0.1, -0.3, 4.0]}
    return Result("agreement", 1, {}, runs, values, {}, np.zeros(8), doubled, moved)


def test_agreements_are_those_of_their_setting(result):
    def matrix(pair):
        return np.array([[1.0, pair, 0.7], [pair, 1.0, 0.8], [0.7, 0.8, 1.0]])

    shown = {"released": {"iVAE": matrix(0.4), "VAE": matrix(0.3)}, "linear": {"VAE": matrix(0.2)}}
    found = agreement.by_setting(result, shown)
    assert set(found) == {("released", "ivae"), ("released", "vae"), ("linear", "vae")}
    assert [found[setting].between.tolist() for setting in found] == [[0.4], [0.3], [0.2]]
    ivae = found["released", "ivae"]
    np.testing.assert_array_equal(ivae.elbo, [6, 7])
    np.testing.assert_array_equal(ivae.truth, [7, 8])
    np.testing.assert_array_equal(ivae.within, [-6, -7])
    np.testing.assert_array_equal(found["linear", "vae"].elbo, [0, 1])


def test_moves_are_those_of_the_runs_of_a_setting_that_were_made_twice(result):
    recorded, change = agreement.moves(result, "fresh", preset="released", model="vae")
    assert recorded.tolist() == [5, 6]
    assert change == pytest.approx([0.1, 0.3])
    assert agreement.moves(result, "fresh", preset="linear")[1] == pytest.approx([0.5])
    assert agreement.moves(result, "fresh")[0].tolist() == [2, 5, 6, 8]


def test_runs_that_were_made_once_have_no_move(result):
    recorded, change = agreement.moves(result, "fresh", preset="linear", model="ivae")
    assert len(recorded) == len(change) == 0

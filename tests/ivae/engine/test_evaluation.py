"""Improvement, plateaus and waiting."""

import numpy as np
import torch

from ivae.engine.evaluation import Standing
from ivae.schedules import Schedule


def test_plateaus_are_those_of_torch():
    """Values above 0, where torch's relative threshold means the same as ours."""
    rng = np.random.default_rng(0)
    values = 5 + rng.standard_normal(60).cumsum() * 0.1
    for patience in (0, 1, 3):
        optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        torchs = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimiser, mode="max", patience=patience, eps=0
        )
        standing, schedule = Standing.of(1), Schedule(patience=patience)
        for value in values:
            torchs.step(value)
            standing.judge([0], np.array([value]), schedule)
            assert np.isclose(0.1 ** standing.falls[0], torchs.get_last_lr()[0])


def test_only_judged_members_change():
    standing = Standing.of(3)
    standing.judge([0, 2], np.array([1.0, -3.0]), Schedule())
    standing.judge([0, 2], np.array([0.5, -2.0]), Schedule())
    np.testing.assert_array_equal(standing.best, [1.0, -np.inf, -2.0])
    np.testing.assert_array_equal(standing.waited, [1, 0, 0])


def test_a_gain_within_rounding_is_none():
    standing = Standing.of(2)
    standing.judge([0, 1], np.array([-100.0, -100.0]), Schedule())
    standing.judge([0, 1], np.array([-100 + 1e-3, -100 + 1e-1]), Schedule())
    np.testing.assert_array_equal(standing.waited, [1, 0])

"""The figure of training shows every run."""

import numpy as np
import pytest

from companion.c04 import figures

pytestmark = pytest.mark.usefixtures("book_style")


def test_training_curves_show_every_run_its_mean_and_the_floor():
    epochs = np.arange(1, 6)
    runs = np.random.default_rng(2).uniform(0.5, 0.9, (5, 3))
    figure = figures.training_curves(
        {"iVAE": (epochs, runs)}, {"iVAE": (epochs, runs)}, np.array([0.6, 0.7, 0.8])
    )
    right = figure.axes[1]
    drawn = [line.get_ydata() for line in right.lines]
    for run in runs.T:
        assert any(np.array_equal(run, line) for line in drawn)
    assert any(np.array_equal(runs.mean(1), line) for line in drawn)
    assert any(np.allclose(line, 0.7) for line in drawn)

"""Figures show what they are given: every point, every number, every segment."""

import numpy as np
import pytest
from matplotlib.patches import Ellipse

from ivae import plots


@pytest.fixture(autouse=True)
def closed():
    plots.use_style()
    yield
    plots.plt.close("all")


def test_scatters_draw_every_point_and_number_the_marks():
    cloud = np.random.default_rng(0).standard_normal((30, 2))
    figure = plots.scatters(
        {"a": cloud, "b": 2 * cloud}, cloud[:, 0], ("z", "x"), {"a": cloud[:2], "b": cloud[:2]}
    )
    for axis, scale in zip(figure.axes, (1, 2), strict=True):
        np.testing.assert_allclose(axis.collections[0].get_offsets(), scale * cloud)
        assert [text.get_text() for text in axis.texts] == ["1", "2"]


def test_agreement_prints_each_pair_once():
    matrix = np.array([[1.0, 0.61, 0.72], [0.61, 1.0, 0.83], [0.72, 0.83, 1.0]])
    (axis,) = plots.agreement({"VAE": matrix}).axes
    assert sorted(text.get_text() for text in axis.texts) == ["0.61", "0.72", "0.83"]


def test_figure_1_draws_two_ellipses_for_each_segment_at_its_mean():
    rng = np.random.default_rng(1)
    u = np.repeat(np.arange(3), 5)
    clouds = dict.fromkeys("abcd", rng.standard_normal((15, 2)))
    mean, deviation = rng.standard_normal((3, 2)), np.full((3, 2), 0.5)
    figure = plots.figure_1(clouds, u, {"e": (mean, deviation), "true": (mean, deviation)})
    for axis in figure.axes[4:]:
        ellipses = [patch for patch in axis.patches if isinstance(patch, Ellipse)]
        np.testing.assert_allclose([e.center for e in ellipses], np.repeat(mean, 2, 0))
        assert [e.width for e in ellipses] == [1.0, 2.0] * 3


def test_training_curves_show_every_run_its_mean_and_the_floor():
    epochs = np.arange(1, 6)
    runs = np.random.default_rng(2).uniform(0.5, 0.9, (5, 3))
    figure = plots.training_curves(
        {"iVAE": (epochs, runs)}, {"iVAE": (epochs, runs)}, np.array([0.6, 0.7, 0.8])
    )
    right = figure.axes[1]
    drawn = [line.get_ydata() for line in right.lines]
    for run in runs.T:
        assert any(np.array_equal(run, line) for line in drawn)
    assert any(np.array_equal(runs.mean(1), line) for line in drawn)
    assert any(np.allclose(line, 0.7) for line in drawn)


def test_against_segments_leaves_out_what_is_not_finite():
    segments = np.arange(2, 6)
    values = np.array([[np.nan, np.nan], [1.0, 3.0], [2.0, 4.0], [3.0, 5.0]])
    (axis,) = plots.against_segments({"k": (segments, values)}, "margin", {"k": 3}).axes
    np.testing.assert_array_equal(axis.lines[0].get_xdata(), [3, 4, 5])
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), [2.0, 3.0, 4.0])

"""Figures show what they are given: every run, every number, every segment."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from companion import plots, style
from matplotlib.patches import Ellipse


@pytest.fixture(autouse=True)
def closed():
    style.use_style()
    yield
    plt.close("all")


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


def test_mcc_by_size_draws_every_run_and_both_ceilings_in_its_column():
    groups = {
        "small": {"iVAE": np.array([0.8, 0.9]), "VAE": np.array([0.6, 0.5])},
        "large": {"iVAE": np.array([0.7, 0.75]), "VAE": np.array([0.4, 0.45])},
    }
    floors = dict.fromkeys(groups, np.array([0.5, 0.6, 0.7]))
    ceilings = {"small": {"best": 0.95, "net": 0.93}, "large": {"best": 0.9, "net": 0.88}}
    (axis,) = plots.mcc_by_size(groups, floors, ceilings).axes
    dots = [line for line in axis.lines if line.get_marker() in "os^"]
    drawn = [(round(line.get_xdata().mean()), *line.get_ydata()) for line in dots]
    expected = [(0, 0.8, 0.9), (0, 0.6, 0.5), (1, 0.7, 0.75), (1, 0.4, 0.45)]
    assert drawn == expected
    levels = [line.get_ydata()[0] for line in axis.lines if line.get_color() == "black"]
    assert levels == [0.95, 0.93, 0.9, 0.88]


def test_by_segments_draws_medians_and_a_floor_where_there_is_one():
    scores = {10: np.array([0.6, 0.7, 0.9]), 100: np.array([0.8, 0.9, 1.0])}
    floors = {"five": np.linspace(0.6, 0.8, 21)}
    figure = plots.by_segments({"five": {"a": scores}, "all": {"b": scores}}, floors, "MCC")
    five, every = figure.axes
    (curve,) = [line for line in five.lines if line.get_label() == "a"]
    np.testing.assert_array_equal(curve.get_xdata(), [10, 100])
    np.testing.assert_allclose(curve.get_ydata(), [0.7, 0.9])
    assert [line.get_ydata()[0] for line in five.lines[:1]] == [pytest.approx(0.7)]
    assert len(every.lines) == 1

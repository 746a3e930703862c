"""Figures of what an objective prefers show every dataset and the means."""

import numpy as np
import pytest

from companion.c13 import figures

pytestmark = pytest.mark.usefixtures("book_style")


VARIANCES = (0.01, 1.0, 1e-5)


def by_variance(seed):
    return np.random.default_rng(seed).normal(0, 10, (3, 4))


def points(axis):
    return {
        (float(x), float(y))
        for line in axis.lines
        if line.get_linestyle() == "None" or len(line.get_xdata()) > 2
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    }


def labels(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_leads_show_every_dataset_and_join_means_in_order():
    given = {"likelihood": by_variance(0), "diagonal": by_variance(1)}
    figure = figures.leads(VARIANCES, given)
    (axis,) = figure.axes
    for values in given.values():
        for variance, each in zip(VARIANCES, values, strict=True):
            assert {(variance, y) for y in each} <= points(axis)
    means = [one for one in axis.lines if one.get_label() in given]
    assert [line.get_xdata().tolist() for line in means] == [[1e-5, 0.01, 1.0]] * 2
    np.testing.assert_allclose(means[1].get_ydata(), given["diagonal"].mean(1)[[2, 0, 1]])
    assert (axis.get_xscale(), axis.get_yscale()) == ("log", "symlog")
    assert labels(figure) == ["likelihood", "diagonal"]
    markers = {line.get_marker() for line in means}
    assert len(markers) == 2  # Not told apart by colour alone.


def test_costs_have_a_panel_for_each_solution_on_one_scale():
    given = {"truth": {"network": by_variance(2)}, "end": {"network": by_variance(3)}}
    figure = figures.costs(VARIANCES, given)
    assert [axis.get_title() for axis in figure.axes] == ["truth", "end"]
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    assert labels(figure) == ["network"]


def test_drifts_show_the_gain_since_the_start_beside_the_score():
    epochs = np.array([0.0, 0.5, 1.0])
    objective = np.array([[-100.0, -50.0], [-40.0, -45.0], [-10.0, -20.0]])
    mcc = np.array([[0.9, 0.95], [0.8, 0.9], [0.6, 0.7]])
    upper, lower = figures.drifts({"a": (epochs, objective, mcc)}, np.array([0.6, 0.7, 0.8])).axes
    (gain,) = [line for line in upper.lines if line.get_label() == "a"]
    np.testing.assert_allclose(gain.get_ydata(), [0, (60 + 5) / 2, (90 + 30) / 2])
    drawn = [line.get_ydata() for line in lower.lines if len(line.get_ydata()) == 3]
    for wanted in (mcc[:, 0], mcc[:, 1], mcc.mean(1)):
        assert any(np.allclose(one, wanted) for one in drawn)
    assert any(np.allclose(line.get_ydata(), 0.7) for line in lower.lines)

"""The figure of methods shows every run in its method's colour, and the mean of several."""

import numpy as np
import pytest
from matplotlib.colors import same_color
from scipy.stats import ttest_1samp

from companion.c14 import figures
from companion.style import CONTENDER_COLOURS

pytestmark = pytest.mark.usefixtures("book_style")


def test_every_run_is_a_dot_in_its_row_and_its_methods_colour():
    rows = {
        "one": {"the recipe": [0.9, 0.95], "released": [0.5, np.nan]},
        "two": {"the recipe": [0.8], "released": [0.6]},
    }
    figure = figures.strips(rows, np.linspace(0.6, 0.8, 11))
    (axis,) = figure.axes
    dots = [line for line in axis.lines if line.get_marker() in set(figures.MARKS)]
    assert [list(line.get_xdata()) for line in dots] == [[0.9, 0.95], [0.5], [0.8], [0.6]]
    assert [round(line.get_ydata()[0]) for line in dots] == [0, 0, 1, 1]
    names = ["the recipe", "iVAE"] * 2
    for line, name in zip(dots, names, strict=True):
        assert same_color(line.get_markeredgecolor(), CONTENDER_COLOURS[name])
    assert [text.get_text() for text in axis.get_yticklabels()] == ["one", "two"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["the recipe", "released"]


def test_several_runs_have_a_mean_and_its_interval():
    values = np.random.default_rng(0).uniform(0.4, 0.9, 8)
    figure = figures.strips({"many": {"TCL": values}, "few": {"TCL": values[:2]}})
    (axis,) = figure.axes
    (line,) = [line for line in axis.lines if line.get_marker() == "None"]
    interval = ttest_1samp(values, 0).confidence_interval(0.95)
    np.testing.assert_allclose(line.get_xdata(), interval)
    (mark,) = [line for line in axis.lines if line.get_marker() == "|"]
    assert mark.get_xdata()[0] == pytest.approx(values.mean())
    assert not figure.legends

"""Figures of scores against a setting show every run, median, ceiling, floor and mark."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from companion import style
from companion.c10.increments import rises
from companion.trends import ASIDE, Trend, against_setting, rises_between
from matplotlib.colors import same_color


@pytest.fixture(autouse=True)
def closed():
    style.use_style()
    yield
    plt.close("all")


def runs(seed, *shape):
    return np.random.default_rng(seed).uniform(0.3, 0.9, shape)


def lines(axis, marker):
    return [line for line in axis.lines if line.get_marker() == marker]


def drawn_through(axis, x, y):
    found = [np.array(line.get_data(), float) for line in lines(axis, "None")]
    return any(one.shape == (2, len(x)) and np.allclose(one, [x, y]) for one in found)


@pytest.mark.parametrize("log", [False, True])
def test_every_run_is_a_dot_and_medians_are_joined_in_order(log):
    ours = {10: runs(0, 3), 2: runs(1, 4), 5: runs(2, 1)}  # Not in order.
    trend = Trend("segments", {"iVAE": ours, "VAE": {2: runs(3, 2)}}, log=log)
    (axis,) = against_setting([trend]).axes
    dots = {tuple(point) for line in lines(axis, "o") for point in np.column_stack(line.get_data())}
    assert dots == {
        (x, y) for by_value in trend.runs.values() for x, ys in by_value.items() for y in ys
    }
    assert drawn_through(axis, [2, 5, 10], [np.median(ours[v]) for v in (2, 5, 10)])
    assert axis.get_xscale() == ("log" if log else "linear")
    assert axis.get_xlabel() == "segments"


def test_ceiling_floor_and_marks_are_where_they_belong():
    floor = runs(4, 200)
    trend = Trend(
        "x",
        {"iVAE": {1: [0.5], 4: [0.6]}},
        ceilings={4: 0.95, 1: 0.93},
        floor=floor,
        marks={"$nk+1$": 3.0},
        ticks=[1, 3, 4],
    )
    figure = against_setting([trend], ceiling="top", y_label="score")
    (axis,) = figure.axes
    assert drawn_through(axis, [1, 4], [0.93, 0.95])
    assert drawn_through(axis, [0, 1], [np.median(floor)] * 2)
    assert drawn_through(axis, [3, 3], [0, 1])
    (band,) = axis.patches
    low, high = np.quantile(floor, (0.05, 0.95))
    assert (band.get_y(), band.get_height()) == pytest.approx((low, high - low))
    assert [(text.get_text(), text.xy[0]) for text in axis.texts] == [("$nk+1$", 3.0)]
    assert axis.texts[0].get_fontsize() >= 9
    assert [label.get_text() for label in axis.get_xticklabels()] == ["1", "3", "4"]
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == ["iVAE", "random rotation", "top"]
    assert axis.get_ylabel() == "score"
    assert axis.get_ylim()[1] == 1


def test_a_name_has_one_colour_on_every_panel_and_another_than_others():
    first = Trend("a", {"iVAE": {1: [0.5], 2: [0.6]}, "VAE": {1: [0.4], 2: [0.4]}})
    second = Trend("b", {"VAE": {1: [0.3], 2: [0.3]}})
    figure = against_setting([first, second])
    colours = [{line.get_label(): line.get_color() for line in a.lines} for a in figure.axes]
    assert same_color(colours[0]["VAE"], colours[1]["VAE"])
    assert not same_color(colours[0]["VAE"], colours[0]["iVAE"])
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["iVAE", "VAE"]


def test_diverged_runs_are_left_out():
    trend = Trend("x", {"iVAE": {1: [np.nan, 0.5, 0.7], 2: [np.nan], 3: [0.8]}})
    (axis,) = against_setting([trend]).axes
    assert drawn_through(axis, [1, 3], [0.6, 0.8])
    assert sum(len(line.get_xdata()) for line in lines(axis, "o")) == 3


def test_a_log_axis_is_numbered_at_the_runs():
    trend = Trend("x", {"iVAE": {0.001: [0.5], 0.1: [0.6], 1.0: [0.6]}}, log=True)
    (axis,) = against_setting([trend]).axes
    assert [label.get_text() for label in axis.get_xticklabels()] == ["0.001", "0.1", "1"]
    assert not len(axis.xaxis.get_minorticklocs())


@pytest.mark.parametrize("trends", [[], [Trend("x", {})]])
def test_nothing_to_draw_is_refused(trends):
    with pytest.raises(ValueError, match="trends must hold at least one Trend, each with runs"):
        against_setting(trends)


def test_rises_are_drawn_with_their_intervals():
    found = rises([2, 3, 5, 9], runs(5, 4, 6))
    (axis,) = rises_between(found, marks={"$nk+1$": 5}).axes
    drawn = np.column_stack(lines(axis, "o")[0].get_data())
    np.testing.assert_allclose(drawn, np.column_stack(([3, 5, 9], found.mean)))
    (bars,) = [c for c in axis.collections if len(c.get_segments()) == 3]
    for bar, x, low, high in zip(
        bars.get_segments(), [3, 5, 9], found.low, found.high, strict=True
    ):
        np.testing.assert_allclose(bar, [[x, low], [x, high]])
    dots = {tuple(point) for line in lines(axis, ".") for point in np.column_stack(line.get_data())}
    wanted = {(x - ASIDE, v) for x, vs in zip([3, 5, 9], found.values, strict=True) for v in vs}
    assert dots == wanted
    assert [text.get_text() for text in axis.texts] == ["$nk+1$"]

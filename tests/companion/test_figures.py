"""Figures of several chapters show every run, mean, median, floor, mark and name."""

import numpy as np
import pytest
from matplotlib.colors import same_color, to_rgb

from companion import figures
from companion.figures import Trend, against_setting

pytestmark = pytest.mark.usefixtures("book_style")


FLOOR = np.linspace(0.3, 0.6, 21)


def has_line(axis, x, y):
    found = [np.array(line.get_data(), float) for line in axis.lines if line.get_marker() == "None"]
    return any(one.shape == (2, len(x)) and np.allclose(one, [x, y]) for one in found)


def levels(axis, vertical=False):
    """Return where lines across the whole axis are."""
    pairs = [line.get_data() if vertical else line.get_data()[::-1] for line in axis.lines]
    return [level[0] for level, across in pairs if tuple(across) == (0, 1)]


def dots(axis):
    """Return all dots, (N, 2)."""
    drawn = [np.column_stack(line.get_data()) for line in axis.lines if line.get_marker() == "o"]
    return np.concatenate(drawn)


def heights_of_texts(axis):
    return {text.get_text(): text.xy[1] for text in axis.texts}


def runs(seed, *shape):
    return np.random.default_rng(seed).uniform(0.2, 0.9, shape)


def test_scatters_draw_every_point_and_number_the_marks():
    cloud = np.random.default_rng(0).standard_normal((30, 2))
    figure = figures.scatters(
        {"a": cloud, "b": 2 * cloud}, cloud[:, 0], ("z", "x"), {"a": cloud[:2], "b": cloud[:2]}
    )
    for axis, scale in zip(figure.axes, (1, 2), strict=True):
        np.testing.assert_allclose(axis.collections[0].get_offsets(), scale * cloud)
        assert [text.get_text() for text in axis.texts] == ["1", "2"]


def test_frames_keep_the_limits_of_what_moves():
    cloud = np.random.default_rng(0).standard_normal((30, 2))
    for points in (cloud, 0.1 * cloud):
        figure = figures.scatters(
            {"moves": points, "stays": cloud},
            cloud[:, 0],
            ("z", "x"),
            width=5,
            half_widths=(4, None),
        )
        figure.canvas.draw()
        moves, stays = figure.axes
        assert figure.get_figwidth() == 5
        assert moves.get_xlim() == moves.get_ylim() == (-4, 4)
        assert stays.get_xlim()[1] < 3.5


def test_by_dimension_draws_every_run_and_the_means():
    groups = {
        "one": {"iVAE": {2: runs(0, 3), 5: runs(1, 3)}, "VAE": {2: runs(2, 3), 5: runs(3, 3)}},
        "two": {"β-VAE": {2: runs(4, 2), 5: runs(5, 2)}},
    }
    floors = {5: runs(6, 40), 2: runs(7, 40)}  # Not in order.
    ceilings = {"one": {2: 0.99, 5: 0.95}}
    figure = figures.by_dimension(groups, floors, ceilings)
    for axis, (title, by_name) in zip(figure.axes, groups.items(), strict=True):
        assert axis.get_title() == title
        drawn = dots(axis)
        expected = [(n, v) for by_n in by_name.values() for n, vs in by_n.items() for v in vs]
        assert len(drawn) == len(expected)
        for n, value in expected:
            at = drawn[drawn[:, 1] == value, 0]
            np.testing.assert_allclose(at, n, atol=0.2)  # Beside each other, at their n.
        for by_n in by_name.values():
            assert has_line(axis, [2, 5], [by_n[2].mean(), by_n[5].mean()])
        assert has_line(axis, [2, 5], [np.median(floors[2]), np.median(floors[5])])
        assert has_line(axis, [2, 5], [0.99, 0.95]) == (title == "one")
        supervised = {"supervised"} if title == "one" else set()
        assert set(heights_of_texts(axis)) == {*by_name, "rotation"} | supervised
        assert list(axis.get_xticks()) == [2, 5]


def test_a_line_over_dimensions_is_named_at_its_last():
    groups = {"": {"iVAE": {2: np.full(3, 0.1), 5: np.full(3, 0.9)}}}
    floors = {2: np.full(9, 0.8), 5: np.full(9, 0.3)}
    (axis,) = figures.by_dimension(groups, floors, {"": {2: 0.2, 5: 0.6}}).axes
    assert heights_of_texts(axis) == pytest.approx(
        {"iVAE": 0.9, "rotation": 0.3, "supervised": 0.6}
    )


def test_by_setting_draws_a_row_for_each_setting_with_its_runs_and_medians():
    rows = {
        "first": {"seeds": runs(0, 5), "datasets": runs(1, 4)},
        "second": {"seeds": runs(2, 5)},
        "third": {"seeds": [0.5]},
    }
    figure = figures.by_setting(rows, runs(3, 2, 30), lines={"supervised": 0.97}, x_label="score")
    (axis,) = figure.axes
    assert [label.get_text() for label in axis.get_yticklabels()] == list(rows)
    assert axis.get_xlabel() == "score"
    drawn = dots(axis)
    medians = [
        (line.get_xdata()[0], line.get_ydata().mean())
        for line in axis.lines
        if line.get_linewidth() == 2.5
    ]
    for row, (place, by_group) in zip(axis.get_yticks(), enumerate(rows.values()), strict=True):
        assert row == place
        here = drawn[np.abs(drawn[:, 1] - row) < 0.5, 0]
        expected = np.concatenate([np.asarray(values) for values in by_group.values()])
        np.testing.assert_array_equal(np.sort(here), np.sort(expected))
        at = sorted(x for x, y in medians if abs(y - row) < 0.5)
        several = [values for values in by_group.values() if len(values) > 1]
        assert at == sorted(np.median(values) for values in several)
    assert axis.get_ylim()[0] > axis.get_ylim()[1]  # The first row is on top.
    np.testing.assert_allclose(levels(axis, True), [np.median(runs(3, 2, 30)), 0.97])
    assert [text.get_text() for text in axis.texts] == ["supervised"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["seeds", "datasets"]


def test_one_group_of_settings_needs_no_legend_and_no_floor():
    figure = figures.by_setting({"only": {"runs": [0.5, 0.7]}})
    assert not figure.legends
    assert not levels(figure.axes[0], True)


def test_groups_of_a_setting_differ_in_colour_and_the_first_alone_is_filled():
    rows = {"one": {name: [0.5] for name in ("a", "b", "c")}}
    figure = figures.by_setting(rows)
    lines = figure.axes[0].lines
    assert len({to_rgb(line.get_markeredgecolor()) for line in lines}) == 3
    assert [line.get_markerfacecolor() == "none" for line in lines] == [False, True, True]


def test_traces_draw_sources_and_estimates_of_every_model():
    z = runs(0, 30, 3)
    estimates = {"iVAE": runs(1, 30, 3), "VAE": runs(2, 30, 3)}
    correlations = {"iVAE": np.array([0.99, 0.98, 0.97]), "VAE": np.array([0.5, 0.61, 0.72])}
    axes = np.reshape(figures.traces(z, estimates, correlations).axes, (3, 2))
    for column, name in enumerate(estimates):
        assert axes[0, column].get_title(loc="left") == name
        for i, axis in enumerate(axes[:, column]):
            drawn = {line.get_linestyle(): line.get_ydata() for line in axis.lines}
            np.testing.assert_array_equal(drawn["-"], estimates[name][:, i])
            np.testing.assert_array_equal(drawn["--"], z[:, i])
            assert axis.get_title(loc="right") == f"{correlations[name][i]:.2f}"
            assert axis.get_ylim() == axes[i, 0].get_ylim()


@pytest.mark.parametrize("log", [False, True])
def test_every_run_is_a_dot_and_medians_are_joined_in_order(log):
    ours = {10: runs(0, 3), 2: runs(1, 4), 5: runs(2, 1)}  # Not in order.
    trend = Trend("segments", {"iVAE": ours, "VAE": {2: runs(3, 2)}}, FLOOR, log=log)
    (axis,) = against_setting([trend]).axes
    drawn = {tuple(point) for point in dots(axis)}
    assert drawn == {
        (x, y) for by_value in trend.runs.values() for x, ys in by_value.items() for y in ys
    }
    assert has_line(axis, [2, 5, 10], [np.median(ours[v]) for v in (2, 5, 10)])
    assert axis.get_xscale() == ("log" if log else "linear")
    assert axis.get_xlabel() == "segments"


def test_ceiling_floor_and_marks_are_where_they_belong():
    floor = runs(4, 200)
    trend = Trend(
        "x",
        {"iVAE": {1: [0.5], 4: [0.6]}},
        floor,
        ceilings={4: 0.95, 1: 0.93},
        marks={"$nk+1$": 3.0},
        ticks=[1, 3, 4],
    )
    figure = against_setting([trend])
    (axis,) = figure.axes
    assert has_line(axis, [1, 4], [0.93, 0.95])
    assert has_line(axis, [0, 1], [np.median(floor)] * 2)
    assert has_line(axis, [3, 3], [0, 1])
    (band,) = axis.patches
    low, high = np.quantile(floor, (0.05, 0.95))
    assert (band.get_y(), band.get_height()) == pytest.approx((low, high - low))
    assert [(text.get_text(), text.xy[0]) for text in axis.texts] == [("$nk+1$", 3.0)]
    assert axis.texts[0].get_fontsize() >= 9
    assert [label.get_text() for label in axis.get_xticklabels()] == ["1", "3", "4"]
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == ["iVAE", "random rotation", "true decoder"]
    assert axis.get_ylim()[1] == 1


def test_a_name_has_one_colour_on_every_panel_and_another_than_others():
    first = Trend("a", {"iVAE": {1: [0.5], 2: [0.6]}, "VAE": {1: [0.4], 2: [0.4]}}, FLOOR)
    second = Trend("b", {"VAE": {1: [0.3], 2: [0.3]}}, FLOOR)
    figure = against_setting([first, second])
    colours = [{line.get_label(): line.get_color() for line in a.lines} for a in figure.axes]
    assert same_color(colours[0]["VAE"], colours[1]["VAE"])
    assert not same_color(colours[0]["VAE"], colours[0]["iVAE"])
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["iVAE", "VAE", "random rotation"]


def test_diverged_runs_are_left_out():
    trend = Trend("x", {"iVAE": {1: [np.nan, 0.5, 0.7], 2: [np.nan], 3: [0.8]}}, FLOOR)
    (axis,) = against_setting([trend]).axes
    assert has_line(axis, [1, 3], [0.6, 0.8])
    assert len(dots(axis)) == 3


def test_a_log_axis_is_numbered_at_the_runs():
    trend = Trend("x", {"iVAE": {0.001: [0.5], 0.1: [0.6], 1.0: [0.6]}}, FLOOR, log=True)
    (axis,) = against_setting([trend]).axes
    assert [label.get_text() for label in axis.get_xticklabels()] == ["0.001", "0.1", "1"]
    assert not len(axis.xaxis.get_minorticklocs())

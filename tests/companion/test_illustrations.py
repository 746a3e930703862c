"""Figures show every point they are given, and leave out what is not finite."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from companion import illustrations, style


@pytest.fixture(autouse=True)
def closed():
    style.use_style()
    yield
    plt.close("all")


def test_scatters_draw_every_point_and_number_the_marks():
    cloud = np.random.default_rng(0).standard_normal((30, 2))
    figure = illustrations.scatters(
        {"a": cloud, "b": 2 * cloud}, cloud[:, 0], ("z", "x"), {"a": cloud[:2], "b": cloud[:2]}
    )
    for axis, scale in zip(figure.axes, (1, 2), strict=True):
        np.testing.assert_allclose(axis.collections[0].get_offsets(), scale * cloud)
        assert [text.get_text() for text in axis.texts] == ["1", "2"]


def test_frames_keep_the_limits_of_what_moves():
    cloud = np.random.default_rng(0).standard_normal((30, 2))
    for points in (cloud, 0.1 * cloud):
        figure = illustrations.scatters(
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


def test_rows_of_clouds_share_their_columns_limits_and_show_every_point():
    rng = np.random.default_rng(1)
    clouds = rng.standard_normal((2, 3, 50, 2)) * [[[[1.0]], [[2]], [[3]]], [[[4]], [[5]], [[6]]]]
    grid = np.linspace(-4, 4, 201)
    density = np.exp(-0.5 * (grid[:, None] ** 2 + grid**2))
    rows = [dict(zip("abc", row, strict=True)) for row in clouds]
    figure = illustrations.scatter_rows(
        rows, rng.random(50), ("z", "y", "z"), (grid, grid, density)
    )
    for number, axis in enumerate(figure.axes):
        cloud = clouds[number // 3, number % 3]
        np.testing.assert_allclose(axis.collections[0].get_offsets(), cloud)
        assert axis.get_xlim() == figure.axes[number % 3].get_xlim()
        assert np.abs(cloud[:, 0]).max() <= np.abs(axis.get_xlim()).max()
        # A standard Gaussian's mass within r is 1 - exp(-r^2 / 2).
        lines = axis.collections[1:]
        assert len(lines) == (0 if number % 3 == 1 else 1)
        for line in lines:
            outer, inner = (np.linalg.norm(path.vertices, axis=1) for path in line.get_paths())
            np.testing.assert_allclose(outer, np.sqrt(-2 * np.log(0.05)), rtol=0.01)
            np.testing.assert_allclose(inner, np.sqrt(-2 * np.log(0.5)), rtol=0.01)


def test_against_angle_draws_each_curve():
    angles = np.arange(0, 95, 5)
    curves = {"one": (angles, np.cos(np.radians(angles))), "two": (angles, 0.5 + 0 * angles)}
    figure = illustrations.against_angle(curves)
    (axis,) = figure.axes
    for line, (name, (x, y)) in zip(axis.lines, curves.items(), strict=True):
        assert line.get_label() == name
        np.testing.assert_array_equal(line.get_xdata(), x)
        np.testing.assert_array_equal(line.get_ydata(), y)


def test_more_segments_than_colours_are_all_drawn():
    rows = np.arange(25 * 4).reshape(25, 4)
    (axis,) = illustrations.prior_densities(np.arange(4), {"priors": rows}).axes
    assert len(axis.lines) == 25


def test_against_segments_leaves_out_what_is_not_finite():
    segments = np.arange(2, 6)
    values = np.array([[np.nan, np.nan], [1.0, 3.0], [2.0, 4.0], [3.0, 5.0]])
    (axis,) = illustrations.against_segments({"k": (segments, values)}, "margin", {"k": 3}).axes
    np.testing.assert_array_equal(axis.lines[0].get_xdata(), [3, 4, 5])
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), [2.0, 3.0, 4.0])


def test_relaxed_bits_draw_every_curve_and_its_limit():
    q, t = np.linspace(0.1, 0.9, 5), np.array([0.1, 1.0])
    figure = illustrations.relaxed_bits(
        {"T = 1": (q, q), "T = 2": (q, q**2)}, {"m = 0": (t, t / 2, t), "m = 1": (t, t / 3, t)}
    )
    left, right = figure.axes
    np.testing.assert_array_equal(left.lines[1].get_ydata(), q**2)
    assert [line.get_linestyle() for line in right.lines] == ["None", ":", "None", ":"]
    np.testing.assert_array_equal(right.lines[2].get_ydata(), t / 3)


def test_probability_maps_have_a_panel_for_each_bit_of_each_decoder():
    axis = np.linspace(-1, 1, 4)
    rising = np.broadcast_to(np.linspace(0.1, 0.9, 4)[:, None, None], (4, 4, 3))
    figure = illustrations.probability_maps(axis, {"f": rising, "g": 1 - rising})
    titles = [panel.get_title() for panel in figure.axes[:6]]
    assert [title.split(":")[0] for title in titles] == ["f"] * 3 + ["g"] * 3
    # z_1 runs to the right: the line of one half stands upright.
    lines = figure.axes[0].collections[-1].get_paths()[0].vertices
    np.testing.assert_allclose(lines[:, 0], 0, atol=1e-12)


def test_distribution_gaps_draw_every_segment_and_entry():
    s = np.linspace(-1, 1, 5)
    gaps = np.random.default_rng(0).standard_normal((4, 3, 5))
    (axis,) = illustrations.distribution_gaps(s, gaps).axes
    drawn = [line.get_ydata() for line in axis.lines[:12]]
    np.testing.assert_array_equal(drawn, gaps.transpose(1, 0, 2).reshape(12, 5))

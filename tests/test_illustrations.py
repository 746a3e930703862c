"""Figures show every point they are given, and leave out what is not finite."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from ivae import illustrations, style


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

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

"""The figure of linear ICA shows medians, and a floor where there is one."""

import numpy as np
import pytest

from companion.c11 import figures

pytestmark = pytest.mark.usefixtures("book_style")


def test_by_segments_draws_medians_and_a_floor_where_there_is_one():
    scores = {10: np.array([0.6, 0.7, 0.9]), 100: np.array([0.8, 0.9, 1.0])}
    floors = {"five": np.linspace(0.6, 0.8, 21)}
    figure = figures.by_segments({"five": {"a": scores}, "all": {"b": scores}}, floors)
    five, every = figure.axes
    (curve,) = [line for line in five.lines if line.get_label() == "a"]
    np.testing.assert_array_equal(curve.get_xdata(), [10, 100])
    np.testing.assert_allclose(curve.get_ydata(), [0.7, 0.9])
    assert [line.get_ydata()[0] for line in five.lines[:1]] == [pytest.approx(0.7)]
    assert len(every.lines) == 1

"""The figures of linear ICA show medians, a floor where there is one, and every run."""

import numpy as np
import pytest

from companion.c11 import figures
from companion.recorded.store import Result

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


def test_before_and_after_draws_every_run_pooled_and_within_segments():
    names = ("before", "after", "within_before", "within_after")
    values = dict(zip(names, np.arange(8).reshape(4, 2) / 10, strict=True))
    nothing = np.empty(0, np.int64)
    runs = Result("trained", 1, {}, 2 * [{}], values, {}, np.zeros(2), nothing, {})
    cases = {("Gaussian means", "orthogonal"): runs}
    (axis,) = figures.before_and_after(cases, np.linspace(0.6, 0.8, 21)).axes
    rows = [label.get_text() for label in axis.get_yticklabels()]
    assert rows == ["Gaussian, three layers", "Gaussian, three layers, within"]
    dots = [line for line in axis.lines if line.get_marker() == "o"]
    assert [line.get_xdata().tolist() for line in dots] == [values[name].tolist() for name in names]
    assert [line.get_ydata().mean().round() for line in dots] == [0, 0, 1, 1]
    assert [text.get_text() for text in axis.figure.legends[0].get_texts()] == [
        "posterior means",
        "after FastICA",
    ]

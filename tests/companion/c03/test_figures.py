"""Figures of the theory draw what they are given, and leave out what is not finite."""

import numpy as np
import pytest

from companion.c03 import figures
from ivae.theory.rank import spread_report

pytestmark = pytest.mark.usefixtures("book_style")


def test_against_segments_leaves_out_what_is_not_finite():
    segments = np.arange(2, 6)
    values = np.array([[np.nan, np.nan], [1.0, 3.0], [2.0, 4.0], [3.0, 5.0]])
    (axis,) = figures.against_segments({"k": (segments, values)}, "margin", {"k": 3}).axes
    np.testing.assert_array_equal(axis.lines[0].get_xdata(), [3, 4, 5])
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), [2.0, 3.0, 4.0])


def test_both_models_are_in_both_panels():
    x, t = np.linspace(-1, 1, 5), np.linspace(0, 2, 4)
    clean = {"one": x + 2, "two": x + 3}
    noisy = {"one": x + 4, "two": x + 4}
    left, middle, right = figures.erased(x, clean, noisy, t, 1 - t / 2).axes
    for axis, curves in ((left, clean), (right, noisy)):
        drawn = [line.get_ydata() for line in axis.lines]
        np.testing.assert_array_equal(drawn, list(curves.values()))
    np.testing.assert_array_equal(middle.lines[0].get_ydata(), 1 - t / 2)


def test_every_entry_is_written():
    matrix = np.array([[0.123, -0.9], [0.5, 1.0]])
    (axis,) = figures.matrices({"A": matrix}, "T", "T'").axes
    assert [text.get_text() for text in axis.texts] == ["0.12", "-0.90", "0.50", "1.00"]
    assert axis.texts[1].get_color() == "white"


def test_segments_without_a_place_in_the_rank_show_no_singular_value():
    lam = np.random.default_rng(0).standard_normal((3, 4, 1))
    report = spread_report(lam)
    left, right = figures.spanned(report, 10, 1.0).axes
    heights = [bar.get_height() for bar in right.patches]
    np.testing.assert_allclose(heights[:3], report.singular_values[:3])
    assert heights[3] == 0
    image = left.images[0].get_array()
    np.testing.assert_allclose(image[:, :3], (lam - lam.mean(0))[:, :, 0].T)
    assert np.ma.is_masked(image[:, 3:]) or np.isnan(np.asarray(image)[:, 3:]).all()


def test_bounds_have_a_line_for_every_dataset_of_either_model():
    rng = np.random.default_rng(0)
    values = {name: rng.standard_normal((4, 3)) for name in ("truth", "trained")}
    levels = ("diagonal", "full", "likelihood")
    figure = figures.bounds({"linear": values, "paper": values}, levels)
    assert [axis.get_title() for axis in figure.axes] == ["linear", "paper"]
    for axis in figure.axes:
        lines = axis.get_lines()
        np.testing.assert_array_equal([line.get_ydata() for line in lines[:4]], values["truth"])
        assert lines[3].get_color() != lines[4].get_color()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["truth", "trained"]

"""The figures draw what they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from companion import sketches

from ivae.theory.rank import spread_report


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_both_models_are_in_both_panels():
    x, t = np.linspace(-1, 1, 5), np.linspace(0, 2, 4)
    clean = {"one": x + 2, "two": x + 3}
    noisy = {"one": x + 4, "two": x + 4}
    left, middle, right = sketches.erased(x, clean, noisy, t, 1 - t / 2).axes
    for axis, curves in ((left, clean), (right, noisy)):
        drawn = [line.get_ydata() for line in axis.lines]
        np.testing.assert_array_equal(drawn, list(curves.values()))
    np.testing.assert_array_equal(middle.lines[0].get_ydata(), 1 - t / 2)


def test_every_entry_is_written():
    matrix = np.array([[0.123, -0.9], [0.5, 1.0]])
    (axis,) = sketches.matrices({"A": matrix}, "T", "T'").axes
    assert [text.get_text() for text in axis.texts] == ["0.12", "-0.90", "0.50", "1.00"]
    assert axis.texts[1].get_color() == "white"


def test_segments_without_a_place_in_the_rank_show_no_singular_value():
    lam = np.random.default_rng(0).standard_normal((3, 4, 1))
    report = spread_report(lam)
    left, right = sketches.spanned(report, 10, 1.0).axes
    heights = [bar.get_height() for bar in right.patches]
    np.testing.assert_allclose(heights[:3], report.singular_values[:3])
    assert heights[3] == 0
    image = left.images[0].get_array()
    np.testing.assert_allclose(image[:, :3], (lam - lam.mean(0))[:, :, 0].T)
    assert np.ma.is_masked(image[:, 3:]) or np.isnan(np.asarray(image)[:, 3:]).all()

"""Figures of bits show every curve, panel and run."""

import numpy as np
import pytest

from companion.c12 import figures

pytestmark = pytest.mark.usefixtures("book_style")


def test_relaxed_bits_draw_every_curve_and_its_limit():
    q, t = np.linspace(0.1, 0.9, 5), np.array([0.1, 1.0])
    figure = figures.relaxed_bits(
        {"T = 1": (q, q), "T = 2": (q, q**2)}, {"m = 0": (t, t / 2, t), "m = 1": (t, t / 3, t)}
    )
    left, right = figure.axes
    np.testing.assert_array_equal(left.lines[1].get_ydata(), q**2)
    assert [line.get_linestyle() for line in right.lines] == ["None", ":", "None", ":"]
    np.testing.assert_array_equal(right.lines[2].get_ydata(), t / 3)


def test_probability_maps_have_a_panel_for_each_bit_of_each_decoder():
    axis = np.linspace(-1, 1, 4)
    rising = np.broadcast_to(np.linspace(0.1, 0.9, 4)[:, None, None], (4, 4, 3))
    figure = figures.probability_maps(axis, {"f": rising, "g": 1 - rising})
    titles = [panel.get_title() for panel in figure.axes[:6]]
    assert [title.split(":")[0] for title in titles] == ["f"] * 3 + ["g"] * 3
    # z_1 runs to the right: the line of one half stands upright.
    lines = figure.axes[0].collections[-1].get_paths()[0].vertices
    np.testing.assert_allclose(lines[:, 0], 0, atol=1e-12)


def test_distribution_gaps_draw_every_segment_and_entry():
    s = np.linspace(-1, 1, 5)
    gaps = np.random.default_rng(0).standard_normal((4, 3, 5))
    (axis,) = figures.distribution_gaps(s, gaps).axes
    drawn = [line.get_ydata() for line in axis.lines[:12]]
    np.testing.assert_array_equal(drawn, gaps.transpose(1, 0, 2).reshape(12, 5))


def test_mcc_by_size_draws_every_run_and_both_ceilings_in_its_column():
    groups = {
        "small": {"iVAE": np.array([0.8, 0.9]), "VAE": np.array([0.6, 0.5])},
        "large": {"iVAE": np.array([0.7, 0.75]), "VAE": np.array([0.4, 0.45])},
    }
    floors = dict.fromkeys(groups, np.array([0.5, 0.6, 0.7]))
    ceilings = {"small": {"best": 0.95, "net": 0.93}, "large": {"best": 0.9, "net": 0.88}}
    (axis,) = figures.mcc_by_size(groups, floors, ceilings).axes
    dots = [line for line in axis.lines if line.get_marker() in "os^"]
    drawn = [(round(line.get_xdata().mean()), *line.get_ydata()) for line in dots]
    expected = [(0, 0.8, 0.9), (0, 0.6, 0.5), (1, 0.7, 0.75), (1, 0.4, 0.45)]
    assert drawn == expected
    levels = [line.get_ydata()[0] for line in axis.lines if line.get_color() == "black"]
    assert levels == [0.95, 0.93, 0.9, 0.88]

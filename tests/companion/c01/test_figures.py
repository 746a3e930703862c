"""Figures of latents show every point, and runs are compared once."""

import numpy as np
import pytest

from companion.c01 import figures

pytestmark = pytest.mark.usefixtures("book_style")


def test_latents_turn_and_what_they_make_does_not():
    z = np.random.default_rng(0).standard_normal((40, 2))
    marked = np.array([[1.0, 0.0], [0.0, 2.0]])
    for degrees, score in ((0, "1.00"), (90, "1.00")):
        left, right = figures.turned(z, lambda z: 3 * z**3, marked, degrees).axes
        assert left.get_title().endswith(score)
        turned = z if degrees == 0 else np.column_stack((-z[:, 1], z[:, 0]))
        np.testing.assert_allclose(left.collections[0].get_offsets(), turned, atol=1e-12)
        np.testing.assert_allclose(right.collections[0].get_offsets(), 3 * z**3)
        first = [float(line.get_xdata()[0]) for line in left.lines]
        np.testing.assert_allclose(first, [1, 0] if degrees == 0 else [0, -2], atol=1e-12)
        np.testing.assert_allclose([line.get_xdata()[0] for line in right.lines], [3, 0])
    left, _ = figures.turned(z, lambda z: z, marked, 45).axes
    assert not left.get_title().endswith("1.00")


def test_rows_of_clouds_share_their_columns_limits_and_show_every_point():
    rng = np.random.default_rng(1)
    clouds = rng.standard_normal((2, 3, 50, 2)) * [[[[1.0]], [[2]], [[3]]], [[[4]], [[5]], [[6]]]]
    grid = np.linspace(-4, 4, 201)
    density = np.exp(-0.5 * (grid[:, None] ** 2 + grid**2))
    rows = [dict(zip("abc", row, strict=True)) for row in clouds]
    figure = figures.scatter_rows(rows, rng.random(50), ("z", "y", "z"), (grid, grid, density))
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
    figure = figures.against_angle(curves)
    (axis,) = figure.axes
    for line, (name, (x, y)) in zip(axis.lines, curves.items(), strict=True):
        assert line.get_label() == name
        np.testing.assert_array_equal(line.get_xdata(), x)
        np.testing.assert_array_equal(line.get_ydata(), y)


def test_pairwise_mcc_prints_each_pair_once():
    matrix = np.array([[1.0, 0.61, 0.72], [0.61, 1.0, 0.83], [0.72, 0.83, 1.0]])
    (axis,) = figures.pairwise_mcc({"VAE": matrix}).axes
    assert sorted(text.get_text() for text in axis.texts) == ["0.61", "0.72", "0.83"]

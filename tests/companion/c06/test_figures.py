"""The figure of training shows every contender, named at the end of its line."""

import numpy as np
import pytest
from matplotlib.colors import same_color

from companion.c06 import figures

pytestmark = pytest.mark.usefixtures("book_style")


def runs(seed, *shape):
    return np.random.default_rng(seed).uniform(0.2, 0.9, shape)


def has_line(axis, x, y):
    """Whether a line through exactly these points was drawn."""
    points = np.array([x, y], float)
    plain = [line for line in axis.lines if line.get_marker() == "None"]
    return any(np.array_equal(np.array(line.get_data(), float), points) for line in plain)


def levels(axis):
    """Return where lines across the whole axis are."""
    pairs = [line.get_data()[::-1] for line in axis.lines]
    return [level[0] for level, across in pairs if tuple(across) == (0, 1)]


def heights_of_texts(axis):
    return {text.get_text(): text.xy[1] for text in axis.texts}


def test_over_training_draws_mean_and_range_of_every_contender():
    groups = {
        "one": {"iVAE": runs(0, 6, 3), "VAE": runs(1, 6, 3)},
        "two": {"iVAE": runs(2, 4, 2), "β-TC-VAE": runs(3, 4, 2)},
    }
    floors = {"one": runs(4, 50), "two": runs(5, 50)}
    ceilings = {"one": {"supervised": 0.93, "true decoder": 0.4}, "two": {}}
    figure = figures.over_training(groups, floors, ceilings)
    assert len(figure.axes) == 2
    for axis, (title, curves) in zip(figure.axes, groups.items(), strict=True):
        assert axis.get_title() == title
        ranges = [path.vertices for area in axis.collections for path in area.get_paths()]
        for values in curves.values():
            epochs = range(1, len(values) + 1)
            assert has_line(axis, epochs, values.mean(1))
            edges = [{*zip(epochs, edge, strict=True)} for edge in (values.min(1), values.max(1))]
            assert any(edges[0] | edges[1] <= {*map(tuple, area)} for area in ranges)
        np.testing.assert_allclose(
            sorted(levels(axis)), sorted([np.median(floors[title]), *ceilings[title].values()])
        )
        (floor,) = axis.patches
        low, high = np.quantile(floors[title], (0.05, 0.95))
        assert (floor.get_y(), floor.get_height()) == pytest.approx((low, high - low))
        assert set(heights_of_texts(axis)) == {*curves, *ceilings[title]}


def test_a_name_at_the_end_of_a_line_has_its_colour_and_level():
    curves = {"iVAE": np.full((3, 2), 0.9), "VAE": np.full((3, 2), 0.3)}
    figure = figures.over_training({"": curves}, {"": np.full(5, 0.6)}, {"": {"top": 0.7}})
    (axis,) = figure.axes
    assert heights_of_texts(axis) == pytest.approx({"iVAE": 0.9, "VAE": 0.3, "top": 0.7})
    for text in axis.texts:
        level = text.xy[1]
        (line,) = [one for one in axis.lines if np.allclose(one.get_ydata(), level)]
        assert same_color(text.get_color(), line.get_color())

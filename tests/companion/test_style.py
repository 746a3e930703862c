"""What figures share: the floor, names at the ends of lines, colours."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from companion import style

pytestmark = pytest.mark.usefixtures("book_style")


@pytest.mark.parametrize("upright", [False, True])
def test_the_floor_is_a_band_across_the_axis_with_the_median_dashed(upright):
    floor, axis = np.random.default_rng(0).uniform(size=(2, 40)), Figure().subplots()
    style.floor_band(axis, floor, upright=upright, label="floor")
    (band,), (line,) = axis.patches, axis.lines
    start, size = band.get_x(), band.get_width()
    if not upright:
        start, size = band.get_y(), band.get_height()
    low, middle, high = np.quantile(floor, (0.05, 0.5, 0.95))
    assert (start, start + size) == pytest.approx((low, high))
    across, level = line.get_data()[::-1] if upright else line.get_data()
    assert (list(across), list(level)) == ([0, 1], [middle] * 2)
    assert (line.get_linestyle(), line.get_label()) == ("--", "floor")


def test_the_floor_at_each_place_is_that_of_the_place():
    floors, axis = np.random.default_rng(1).uniform(size=(3, 40)), Figure().subplots()
    style.floor_band(axis, list(floors), [2, 3, 5])
    (line,), (band,) = axis.lines, axis.collections
    np.testing.assert_array_equal(line.get_data(), ([2, 3, 5], np.median(floors, 1)))
    corners = band.get_paths()[0].vertices
    for place, floor in zip((2, 3, 5), floors, strict=True):
        at = corners[corners[:, 0] == place, 1]
        np.testing.assert_allclose([at.min(), at.max()], np.quantile(floor, (0.05, 0.95)))


def places_of(values, limits=(0.0, 1.0)):
    """Return where labels of these levels are put, in the order of the levels given."""
    axis = Figure().subplots()
    axis.set_ylim(limits)
    style.label_ends(axis, {str(i): (value, "black") for i, value in enumerate(values)})
    heights = {text.get_text(): text.xy[1] for text in axis.texts}
    return np.array([heights[str(i)] for i in range(len(values))])


@settings(max_examples=60)
@given(
    levels=st.lists(st.floats(0, 1), min_size=1, max_size=7),
    bottom=st.floats(-2, 2),
    height=st.floats(0.1, 10),
)
def test_labels_are_pushed_apart_by_the_gap_and_keep_their_order(levels, bottom, height):
    values = bottom + height * np.array(levels)
    places = places_of(values, (bottom, bottom + height))
    order = np.argsort(values, kind="stable")
    gap = style.LEAST_GAP * height
    assert (np.diff(places[order]) > 0.999 * gap).all()
    assert places.mean() == pytest.approx(
        values.mean(), abs=1e-6 * height
    )  # None more than others.
    if len(values) == 1 or np.diff(values[order]).min() >= gap:
        np.testing.assert_array_equal(places, values)


def test_a_label_far_from_others_stays_where_it_is():
    places = places_of([0.5, 0.9, 0.51])
    assert places[1] == 0.9
    assert places[2] - places[0] == pytest.approx(style.LEAST_GAP)


def test_each_contender_has_a_colour_of_its_own():
    colours = style.CONTENDER_COLOURS.values()
    assert len({to_rgb(colour) for colour in colours}) == len(colours)

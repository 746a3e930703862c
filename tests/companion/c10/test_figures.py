"""The figure of increments shows every dataset."""

import numpy as np
import pytest

from companion.c10 import figures
from companion.c10.increments import increments

pytestmark = pytest.mark.usefixtures("book_style")


def lines(axis, marker):
    return [line for line in axis.lines if line.get_marker() == marker]


def test_increments_are_drawn_with_their_intervals():
    found = increments([2, 3, 5, 9], np.random.default_rng(5).uniform(0.3, 0.9, (4, 6)))
    (axis,) = figures.increments_between(found, {"$nk+1$": 5}).axes
    drawn = np.column_stack(lines(axis, "o")[0].get_data())
    np.testing.assert_allclose(drawn, np.column_stack(([3, 5, 9], found.mean)))
    (bars,) = [c for c in axis.collections if len(c.get_segments()) == 3]
    for bar, x, low, high in zip(
        bars.get_segments(), [3, 5, 9], found.low, found.high, strict=True
    ):
        np.testing.assert_allclose(bar, [[x, low], [x, high]])
    dots = {tuple(point) for line in lines(axis, ".") for point in np.column_stack(line.get_data())}
    wanted = {
        (x - figures.ASIDE, v) for x, vs in zip([3, 5, 9], found.values, strict=True) for v in vs
    }
    assert dots == wanted
    assert [text.get_text() for text in axis.texts] == ["$nk+1$"]

"""Figure 1 shows every segment."""

import numpy as np
import pytest
from matplotlib.patches import Ellipse

from companion.c05 import figures

pytestmark = pytest.mark.usefixtures("book_style")


def test_figure_1_draws_two_ellipses_for_each_segment_at_its_mean():
    rng = np.random.default_rng(1)
    u = np.repeat(np.arange(3), 5)
    clouds = dict.fromkeys("abcd", rng.standard_normal((15, 2)))
    mean, deviation = rng.standard_normal((3, 2)), np.full((3, 2), 0.5)
    figure = figures.figure_1(clouds, u, {"e": (mean, deviation), "true": (mean, deviation)})
    for axis in figure.axes[4:]:
        ellipses = [patch for patch in axis.patches if isinstance(patch, Ellipse)]
        np.testing.assert_allclose([e.center for e in ellipses], np.repeat(mean, 2, 0))
        assert [e.width for e in ellipses] == [1.0, 2.0] * 3

"""Figures of the model show what they are given."""

import numpy as np
import pytest

from companion.c02 import figures

pytestmark = pytest.mark.usefixtures("book_style")


def test_more_segments_than_colours_are_all_drawn():
    rows = np.arange(25 * 4).reshape(25, 4)
    (axis,) = figures.prior_densities(np.arange(4), {"priors": rows}).axes
    assert len(axis.lines) == 25

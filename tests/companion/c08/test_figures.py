"""The tables beside Figure 4 hold every number they are given."""

import numpy as np
import pytest

from companion.c08 import figures

pytestmark = pytest.mark.usefixtures("book_style")


def test_a_table_holds_every_correlation_and_is_named():
    rng = np.random.default_rng(1)
    given = {"iVAE": rng.random((3, 3)), "VAE": rng.random((3, 3))}
    figure = figures.pairs(given)
    assert [axis.get_title() for axis in figure.axes] == list(given)
    for axis, matrix in zip(figure.axes, given.values(), strict=True):
        assert [text.get_text() for text in axis.texts] == [f"{v:.2f}" for v in matrix.ravel()]
        assert {text.get_fontsize() for text in axis.texts} == {figures.DIGITS}

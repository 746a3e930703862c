"""The figure of methods shows each by a named line."""

import numpy as np
import pytest
from matplotlib.colors import same_color

from companion.c14 import figures

pytestmark = pytest.mark.usefixtures("book_style")


def test_by_dataset_draws_a_named_line_for_each_method():
    scores = {"ours": {1: 0.9, 4: 0.95}, "theirs": {1: 0.5, 4: 0.6}}
    (axis,) = figures.by_dataset(scores, np.linspace(0.6, 0.8, 11)).axes
    drawn = {tuple(line.get_ydata()): line for line in axis.lines}
    for by_seed in scores.values():
        assert tuple(by_seed.values()) in drawn
    assert [label.get_text() for label in axis.get_xticklabels()] == ["1", "4"]
    assert drawn[0.9, 0.95].get_linewidth() > drawn[0.5, 0.6].get_linewidth()
    colours = {text.get_text(): text.get_color() for text in axis.texts}
    assert same_color(colours["ours"], drawn[0.9, 0.95].get_color())
    assert same_color(colours["theirs"], drawn[0.5, 0.6].get_color())

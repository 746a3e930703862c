"""Figures of settings print every number and name every run."""

import numpy as np
import pytest

from companion.c09 import figures

pytestmark = pytest.mark.usefixtures("book_style")


def runs(seed, *shape):
    return np.random.default_rng(seed).uniform(0.2, 0.9, shape)


@pytest.mark.parametrize("n_panels", [1, 2, 3, 4])
def test_sensitivity_prints_every_number_in_its_square(n_panels):
    tables = {f"rate {i}": runs(i, 3, 2) for i in range(n_panels)}
    figure = figures.sensitivity(tables, ["3 layers", "4 layers", "5 layers"], ["50", "100"])
    axes = {axis.get_title(): axis for axis in figure.axes if axis.images}
    assert list(axes) == list(tables)
    limits = set()
    for title, table in tables.items():
        printed = {text.get_position(): text.get_text() for text in axes[title].texts}
        wanted = {(j, i): f"{value:.2f}" for (i, j), value in np.ndenumerate(table)}
        assert printed == wanted
        (image,) = axes[title].images
        np.testing.assert_array_equal(image.get_array(), table)
        limits.add(image.get_clim())
        assert [label.get_text() for label in axes[title].get_xticklabels()] == ["50", "100"]
        assert axes[title].get_yticklabels()[2].get_text() == "5 layers"
    every = np.stack(list(tables.values()))
    assert limits == {(every.min(), every.max())}  # One scale: equal numbers, equal colours.


def test_sensitivity_prints_light_on_dark_and_dark_on_light():
    (axis,) = figures.sensitivity({"": np.array([[0.0, 1.0]])}, ["a"], ["b", "c"]).axes
    assert [text.get_color() for text in axis.texts] == ["white", "black"]


def test_sensitivity_says_where_a_run_diverged():
    (axis,) = figures.sensitivity({"": np.array([[0.25, np.nan, 0.5]])}, ["a"], list("bcd")).axes
    assert [text.get_text() for text in axis.texts] == ["0.25", "div.", "0.50"]
    assert axis.images[0].get_clim() == (0.25, 0.5)


def test_against_draws_each_run_with_its_name_and_open_where_it_broke_down():
    condition, mcc, broken = runs(0, 4), runs(1, 4), np.array([False, True, False, True])
    (axis,) = figures.against(condition, mcc, list("abcd"), broken).axes
    sound, hollow = axis.lines
    for line, chosen in ((sound, ~broken), (hollow, broken)):
        np.testing.assert_array_equal(line.get_data(), (condition[chosen], mcc[chosen]))
    assert hollow.get_markerfacecolor() == "none" != sound.get_markerfacecolor()
    beside = [(text.get_text(), *text.xy) for text in axis.texts]
    assert beside == list(zip("abcd", condition, mcc, strict=True))

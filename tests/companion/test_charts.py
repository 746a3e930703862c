"""Figures of comparisons show what they are given: every run, every mean, every name."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from companion import charts, style
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import same_color, to_rgb
from matplotlib.figure import Figure


@pytest.fixture(autouse=True)
def closed():
    style.use_style()
    yield
    plt.close("all")


def has_line(axis, x, y):
    """Whether a line through exactly these points was drawn."""
    points = np.array([x, y], float)
    plain = [line for line in axis.lines if line.get_marker() == "None"]
    return any(np.array_equal(np.array(line.get_data(), float), points) for line in plain)


def levels(axis, vertical=False):
    """Return where lines across the whole axis are."""
    pairs = [line.get_data() if vertical else line.get_data()[::-1] for line in axis.lines]
    return [level[0] for level, across in pairs if tuple(across) == (0, 1)]


def dots(axis):
    """Return all dots, (N, 2)."""
    drawn = [np.column_stack(line.get_data()) for line in axis.lines if line.get_marker() == "o"]
    return np.concatenate(drawn)


def heights_of_texts(axis):
    return {text.get_text(): text.xy[1] for text in axis.texts}


def runs(seed, *shape):
    return np.random.default_rng(seed).uniform(0.2, 0.9, shape)


def test_over_training_draws_mean_and_range_of_every_contender():
    groups = {
        "one": {"iVAE": runs(0, 6, 3), "VAE": runs(1, 6, 3)},
        "two": {"iVAE": runs(2, 4, 2), "β-TC-VAE": runs(3, 4, 2)},
    }
    floors = {"one": runs(4, 50), "two": runs(5, 50)}
    ceilings = {"one": {"supervised": 0.93, "true decoder": 0.4}, "two": {}}
    figure = charts.over_training(groups, floors, ceilings)
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
    figure = charts.over_training({"": curves}, {"": np.full(5, 0.6)}, {"": {"top": 0.7}})
    (axis,) = figure.axes
    assert heights_of_texts(axis) == pytest.approx({"iVAE": 0.9, "VAE": 0.3, "top": 0.7})
    for text in axis.texts:
        level = text.xy[1]
        (line,) = [one for one in axis.lines if np.allclose(one.get_ydata(), level)]
        assert same_color(text.get_color(), line.get_color())


def test_each_contender_has_a_colour_of_its_own():
    colours = charts.CONTENDER_COLOURS.values()
    assert len({to_rgb(colour) for colour in colours}) == len(colours)


def test_by_dimension_draws_every_run_and_the_means():
    groups = {
        "one": {"iVAE": {2: runs(0, 3), 5: runs(1, 3)}, "VAE": {2: runs(2, 3), 5: runs(3, 3)}},
        "two": {"β-VAE": {2: runs(4, 2), 5: runs(5, 2)}},
    }
    floors = {5: runs(6, 40), 2: runs(7, 40)}  # Not in order.
    ceilings = {"one": {2: 0.99, 5: 0.95}}
    figure = charts.by_dimension(groups, floors, ceilings)
    for axis, (title, by_name) in zip(figure.axes, groups.items(), strict=True):
        assert axis.get_title() == title
        drawn = dots(axis)
        expected = [(n, v) for by_n in by_name.values() for n, vs in by_n.items() for v in vs]
        assert len(drawn) == len(expected)
        for n, value in expected:
            at = drawn[drawn[:, 1] == value, 0]
            np.testing.assert_allclose(at, n, atol=0.2)  # Beside each other, at their n.
        for by_n in by_name.values():
            assert has_line(axis, [2, 5], [by_n[2].mean(), by_n[5].mean()])
        assert has_line(axis, [2, 5], [np.median(floors[2]), np.median(floors[5])])
        assert has_line(axis, [2, 5], [0.99, 0.95]) == (title == "one")
        supervised = {"supervised"} if title == "one" else set()
        assert set(heights_of_texts(axis)) == {*by_name, "rotation"} | supervised
        assert list(axis.get_xticks()) == [2, 5]


def test_a_line_over_dimensions_is_named_at_its_last():
    groups = {"": {"iVAE": {2: np.full(3, 0.1), 5: np.full(3, 0.9)}}}
    floors = {2: np.full(9, 0.8), 5: np.full(9, 0.3)}
    (axis,) = charts.by_dimension(groups, floors, {"": {2: 0.2, 5: 0.6}}).axes
    assert heights_of_texts(axis) == pytest.approx(
        {"iVAE": 0.9, "rotation": 0.3, "supervised": 0.6}
    )


def test_by_setting_draws_a_row_for_each_setting_with_its_runs_and_medians():
    rows = {
        "first": {"seeds": runs(0, 5), "datasets": runs(1, 4)},
        "second": {"seeds": runs(2, 5)},
        "third": {"seeds": [0.5]},
    }
    figure = charts.by_setting(rows, runs(3, 2, 30), lines={"supervised": 0.97}, x_label="score")
    (axis,) = figure.axes
    assert [label.get_text() for label in axis.get_yticklabels()] == list(rows)
    assert axis.get_xlabel() == "score"
    drawn = dots(axis)
    medians = [
        (line.get_xdata()[0], line.get_ydata().mean())
        for line in axis.lines
        if line.get_linewidth() == 2.5
    ]
    for row, (place, by_group) in zip(axis.get_yticks(), enumerate(rows.values()), strict=True):
        assert row == place
        here = drawn[np.abs(drawn[:, 1] - row) < 0.5, 0]
        expected = np.concatenate([np.asarray(values) for values in by_group.values()])
        np.testing.assert_array_equal(np.sort(here), np.sort(expected))
        at = sorted(x for x, y in medians if abs(y - row) < 0.5)
        several = [values for values in by_group.values() if len(values) > 1]
        assert at == sorted(np.median(values) for values in several)
    assert axis.get_ylim()[0] > axis.get_ylim()[1]  # The first row is on top.
    np.testing.assert_allclose(levels(axis, True), [np.median(runs(3, 2, 30)), 0.97])
    assert [text.get_text() for text in axis.texts] == ["supervised"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["seeds", "datasets"]


def test_one_group_of_settings_needs_no_legend_and_no_floor():
    figure = charts.by_setting({"only": {"runs": [0.5, 0.7]}})
    assert not figure.legends
    assert not levels(figure.axes[0], True)


def test_traces_draw_sources_and_estimates_of_every_model():
    z = runs(0, 30, 3)
    estimates = {"iVAE": runs(1, 30, 3), "VAE": runs(2, 30, 3)}
    correlations = {"iVAE": np.array([0.99, 0.98, 0.97]), "VAE": np.array([0.5, 0.61, 0.72])}
    axes = np.reshape(charts.traces(z, estimates, correlations).axes, (3, 2))
    for column, name in enumerate(estimates):
        assert axes[0, column].get_title(loc="left") == name
        for i, axis in enumerate(axes[:, column]):
            drawn = {line.get_linestyle(): line.get_ydata() for line in axis.lines}
            np.testing.assert_array_equal(drawn["-"], estimates[name][:, i])
            np.testing.assert_array_equal(drawn["--"], z[:, i])
            assert axis.get_title(loc="right") == f"{correlations[name][i]:.2f}"
            assert axis.get_ylim() == axes[i, 0].get_ylim()


@pytest.mark.parametrize(
    "n_panels",
    [
        1,
        2,
        3,
        4,
    ],
)
def test_sensitivity_prints_every_number_in_its_square(n_panels):
    tables = {f"rate {i}": runs(i, 3, 2) for i in range(n_panels)}
    figure = charts.sensitivity(tables, ["3 layers", "4 layers", "5 layers"], ["50", "100"])
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
    (axis,) = charts.sensitivity({"": np.array([[0.0, 1.0]])}, ["a"], ["b", "c"]).axes
    assert [text.get_color() for text in axis.texts] == ["white", "black"]


def test_sensitivity_says_where_a_run_diverged():
    (axis,) = charts.sensitivity({"": np.array([[0.25, np.nan, 0.5]])}, ["a"], list("bcd")).axes
    assert [text.get_text() for text in axis.texts] == ["0.25", "div.", "0.50"]
    assert axis.images[0].get_clim() == (0.25, 0.5)


@pytest.mark.parametrize("names", [None, ["a", "b", "c", "d"]])
def test_against_draws_each_pair_with_its_name(names):
    x, y = runs(0, 4), runs(1, 4)
    (axis,) = charts.against(list(x), y, "condition", "score", names).axes
    np.testing.assert_array_equal(dots(axis), np.column_stack((x, y)))
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("condition", "score")
    beside = [(text.get_text(), *text.xy) for text in axis.texts]
    assert beside == ([] if names is None else list(zip(names, x, y, strict=True)))


def places_of(values, limits=(0.0, 1.0)):
    """Return where labels of these levels are put, in the order of the levels given."""
    axis = Figure().subplots()
    axis.set_ylim(limits)
    charts.label_ends(axis, {str(i): (value, "black") for i, value in enumerate(values)})
    heights = heights_of_texts(axis)
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
    gap = charts.LEAST_GAP * height
    assert (np.diff(places[order]) > 0.999 * gap).all()
    assert places.mean() == pytest.approx(
        values.mean(), abs=1e-6 * height
    )  # None more than others.
    if len(values) == 1 or np.diff(values[order]).min() >= gap:
        np.testing.assert_array_equal(places, values)


def test_a_label_far_from_others_stays_where_it_is():
    places = places_of([0.5, 0.9, 0.51])
    assert places[1] == 0.9
    assert places[2] - places[0] == pytest.approx(charts.LEAST_GAP)


def test_by_dataset_draws_a_named_line_for_each_method():
    scores = {"ours": {1: 0.9, 4: 0.95}, "theirs": {1: 0.5, 4: 0.6}}
    (axis,) = charts.by_dataset(scores, np.linspace(0.6, 0.8, 11)).axes
    drawn = {tuple(line.get_ydata()): line for line in axis.lines}
    for by_seed in scores.values():
        assert tuple(by_seed.values()) in drawn
    assert [label.get_text() for label in axis.get_xticklabels()] == ["1", "4"]
    assert drawn[0.9, 0.95].get_linewidth() > drawn[0.5, 0.6].get_linewidth()
    colours = {text.get_text(): text.get_color() for text in axis.texts}
    assert same_color(colours["ours"], drawn[0.9, 0.95].get_color())
    assert same_color(colours["theirs"], drawn[0.5, 0.6].get_color())


def test_groups_of_a_setting_differ_in_colour_and_the_first_alone_is_filled():
    rows = {"one": {name: [0.5] for name in ("a", "b", "c")}}
    figure = charts.by_setting(rows)
    lines = figure.axes[0].lines
    assert len({to_rgb(line.get_markeredgecolor()) for line in lines}) == 3
    assert [line.get_markerfacecolor() == "none" for line in lines] == [False, True, True]

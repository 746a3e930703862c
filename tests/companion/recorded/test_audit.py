"""The audit trips where something is wrong, and lets pass what rounding does."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from companion.recorded import audit as auditing
from companion.recorded import store, trained
from companion.recorded.audit import (
    Audited,
    alarms,
    audit,
    chance_to_find,
    chances,
    chaotic,
    compare,
    difference,
    line,
    of_experiments,
    p_value,
)
from companion.recorded.experiment import NUDGE, Experiment, Outcome, one_by_one
from companion.recorded.making import make_result, shuffled
from companion.recorded.store import Result
from ivae.data import DataSettings
from ivae.sweeps import runs as sweep_runs

from .small import PLAIN, SMALL

N = 15


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """The recorded result of a small book."""
    place = tmp_path_factory.mktemp("book")
    return make_result("small", SMALL, {"n": N}, place / "small", place / "unfinished")


def found(result, key="a", size=2):
    return audit("small", SMALL, result, size, key)


def test_the_same_program_passes(book):
    several = found(book)
    assert len(several) == 2
    assert not alarms(several)
    assert max(one.difference for one in several) < 1e-4


def test_other_threads_pass(book):
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            assert not alarms(found(book, key=f"threads {threads}"))
    finally:
        torch.set_num_threads(before)


def test_members_in_other_company_pass(book):
    several = SMALL.make([book.runs[number] for number in (3, 7, 1)], 0.0)
    again = {number: one.values for number, one in zip((3, 7, 1), several, strict=True)}
    assert chances(book, again)[0] > auditing.DOUBT


def heavier(runs):
    objective = sweep_runs.objective_of(runs)
    return replace(objective, mutual_information=[1.5] * len(runs))


def another_rate(runs):
    return replace(sweep_runs.schedule_of(runs), decay=["constant"] * len(runs))


def another_seed(runs):
    return sweep_runs.model_of([replace(run, seed=run.seed + 100) for run in runs])


BROKEN = {
    "a wrong weight of the objective": ("objective_of", heavier),
    "a schedule that does not fall": ("schedule_of", another_rate),
    "another network seed": ("model_of", another_seed),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_mistake_in_the_program_trips(book, monkeypatch, name):
    attribute, wrong = BROKEN[name]
    monkeypatch.setattr(trained, attribute, wrong)
    for key, size in (("a", 1), ("b", 1), ("c", 2)):
        assert alarms(found(book, key, size)) == ["small"], key


def test_a_swapped_dataset_trips(book, monkeypatch):
    generate = DataSettings.generate
    swapped = lambda self: generate(replace(self, seed=self.seed + 1))  # noqa: E731
    monkeypatch.setattr(DataSettings, "generate", swapped)
    assert alarms(found(book, size=1)) == ["small"]


def test_edited_records_trip_even_with_a_new_checksum(book, tmp_path):
    """One that is edited by hand, and keeps its checksum, is not even read."""
    name = "mcc_sampled"
    edited = replace(
        book,
        values=book.values | {name: book.values[name] + 0.1},
        moved=book.moved | {name: book.moved[name] + 0.1},
    )
    store.save(edited, tmp_path / "small")
    assert alarms(found(store.load(tmp_path / "small"), size=1)) == ["small"]


@pytest.mark.slow
def test_of_200_builds_on_machines_that_round_otherwise_at_most_two_fail(book, monkeypatch):
    """Every build has its own perturbation of initial weights, by up to a millionth."""
    pool = []
    for number, nudge in enumerate((1e-6, 3e-7, 1e-7, 1e-6)):
        monkeypatch.setattr(trained, "nudge_weights", partial(moved, seed=100 + number))
        pool.append(SMALL.make(book.runs, nudge))
    rng = np.random.default_rng(0)
    failed = 0
    for build in range(200):
        machine = pool[rng.integers(len(pool))]
        monkeypatch.setattr(auditing, "make_again", partial(taken_from, machine, book.runs))
        failed += bool(alarms(found(book, str(build), 1 + build % 2)))
    assert failed <= 2


def moved(model, nudge, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(1 + nudge * torch.randn(weights.shape, generator=generator))


def test_the_p_value_is_uniform_or_larger_where_runs_are_alike():
    rng = np.random.default_rng(0)
    for law in (
        rng.standard_normal,
        lambda n: rng.standard_cauchy(n),
        lambda n: 10 ** (4 * rng.random(n)),
    ):
        drawn = np.abs([law(13) for _ in range(4000)])
        p = np.array([p_value(row[:1], row[1:]) for row in drawn])
        for level in (0.5, 0.2, 0.1, 1 / 13, 0.05):
            assert (p <= level).mean() <= level + 4 * np.sqrt(level / 4000), (law, level)


def taken_from(outcomes, runs, experiment, run, nudge=0.0):
    """Stand in for make_again: runs as another machine made them."""
    return outcomes[runs.index(run)].values, 1.0


LAWS = {
    "as heavy as is assumed": lambda rng, n: (1 - rng.random(n)) ** -2.0,
    "normal": lambda rng, n: np.abs(rng.standard_normal(n)),
    "Cauchy": lambda rng, n: np.abs(rng.standard_cauchy(n)),
    "over four orders": lambda rng, n: 10 ** (4 * rng.random(n)),
}


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("law", LAWS)
def test_p_keeps_its_law_though_runs_share_what_they_are_held_against(monkeypatch, law, size):
    rng, p, counts = np.random.default_rng(3), [], []
    for i in range(4000):
        drawn = 1e-4 * LAWS[law](rng, 36)
        again = [Outcome({"mcc": d}) for d in drawn[12:]]
        result = a_result(np.zeros(24), drawn[:12])
        monkeypatch.setattr(auditing, "make_again", partial(taken_from, again, result.runs))
        several = audit("e", PLAIN, result, size, str(i))
        p.append(of_experiments(several)["e"])
        counts.append(len(several))
        assert len({one.run for one in several}) == len(several)
    assert set(counts) <= {size, size + auditing.MORE}
    for level in (0.001, 0.01, 0.05, 0.2, 0.5):
        assert np.mean(np.array(p) <= level) <= level + 4 * np.sqrt(level / 4000), level


def test_runs_that_are_wrong_alike_are_found_sooner_than_one():
    result = a_result(np.zeros(24), np.geomspace(1e-7, 1e-5, 12))
    alone = chances(result, {0: {"mcc": 1e-3}})[0]
    four = chances(result, {i: {"mcc": 1e-3} for i in range(4)})[0]
    assert alone == pytest.approx(0.1 / 13)
    assert four == pytest.approx(4 * 0.1**4 / 1820)
    one_of_four = chances(result, {i: {"mcc": 1e-3 if i else 1e-6} for i in range(4)})[0]
    assert four < one_of_four


def test_p_values_by_hand():
    spread = np.array([1.0, 2.0, 3.0])
    assert p_value(np.array([2.5]), spread) == 2 / 4
    assert p_value(np.array([0.5]), spread) == 1.0
    assert p_value(np.array([30.0]), spread, 1.0) == pytest.approx(0.1 / 4)
    assert p_value(np.array([30.0]), spread) == pytest.approx(np.sqrt(0.1) / 4)
    assert p_value(np.array([0.0]), np.zeros(3)) == 1.0
    assert p_value(np.array([1e-6]), np.zeros(3), 1.0) == pytest.approx(0.1 / 4)


def test_differences():
    assert difference(np.nan, np.nan) == 0.0
    assert difference(np.nan, 1.0) == difference(1.0, -np.inf) == auditing.MOST
    assert difference(-np.inf, -np.inf) == 0.0
    assert difference(1.0, 0.75) == 0.25
    assert difference(-30.0, -33.0) == pytest.approx(1 / 11)  # Relative, above 1.
    assert difference(1e31, 1e3) == pytest.approx(1.0)  # Exploded: no more than diverged.
    assert difference(-1e31, 1e31) == auditing.MOST


def test_a_run_that_diverges_by_chance_does_not_fail_a_build_though_no_double_did():
    result = twice(np.geomspace(1e-4, 0.3, 12))
    lost = chances(result, {0: {"mcc": np.nan}})[0]
    assert lost > 0.01
    assert chances(twice(np.geomspace(1e-7, 1e-5, 12)), {0: {"mcc": np.nan}})[0] < 1e-3


def at_the_edge(flips):
    """An experiment of which one run, number 3, diverges or not by the last digits of its start."""

    def one(run, nudge):
        lost = run["number"] == 3 and flips[round(nudge / NUDGE)]
        return Outcome({"mcc": np.nan if lost else run["number"] / 100 + nudge})

    return Experiment(PLAIN.plan, one_by_one(one))


@pytest.mark.parametrize(
    ("flips", "fails"),
    [
        ([True, False, True, True], False),  # Diverged now, and a moved copy did not.
        ([True, True, True, True], True),  # Nothing that moves it brings the record back.
    ],
)
def test_a_run_that_a_nudge_throws_as_far_says_nothing(flips, fails):
    result = a_result(np.arange(15) / 100, np.geomspace(1e-7, 1e-5, 3))
    result = replace(result, runs=[{"number": i} for i in range(15)])
    keys = (str(i) for i in range(1000))
    key = next(key for key in keys if shuffled(15, key)[0] == 3)
    several = audit("edge", at_the_edge(flips), result, 1, key)
    others = [an_audited(f"r{i}", i, 0.5) for i in range(20)]
    assert len(several) == (4 if fails else 1)
    assert (several[0].p_of_all < auditing.DOUBT) == fails
    assert several[0].difference == auditing.MOST
    assert not alarms([*several, *others])


def an_audited(name, run, p):
    return Audited(name, run, "", "mcc", 0.0, 0.0, 0.0, "mcc", p, p, 1.0, 1.0)


def a_result(values, differences):
    """A result whose first runs, when they were made twice, gave values so far apart."""
    n, m = len(values), len(differences)
    return Result(
        "r", 1, {}, [{"seed": i} for i in range(n)], {"mcc": np.asarray(values)}, {}, np.ones(n),
        np.arange(m), {"mcc": values[:m] + np.asarray(differences, float)},
    )  # fmt: skip


def twice(differences):
    """A result of runs that gave 0, and were all made twice."""
    return a_result(np.zeros(len(differences)), differences)


def test_chaotic_runs_are_marked_by_what_a_nudge_does():
    assert chaotic(twice([1e-6, 2e-6, 1e-6, 0.2])) == [3]
    assert chaotic(twice([1e-6, 2e-6, 1e-6, 5e-4])) == []  # Not to be seen.
    assert chaotic(twice([0.1, 0.2, 0.1, 0.3])) == []  # All alike: not told apart.


def test_one_chaotic_run_does_not_fail_a_build_of_many():
    result = twice(np.geomspace(1e-7, 1e-5, 12))
    lucky = chances(result, {i: {"mcc": 0.2 if i == 3 else 1e-6} for i in range(4)})[0]
    others = [an_audited(f"r{i}", i, 0.5) for i in range(20)]
    assert not alarms([an_audited("r", 3, lucky), *others])
    four = chances(result, {i: {"mcc": 0.2} for i in range(4)})[0]
    assert alarms([an_audited("r", 3, four), *others]) == ["r"]


def test_the_test_on_a_build_has_its_size(monkeypatch):
    monkeypatch.setattr(auditing, "SIZE", 0.05)
    rng = np.random.default_rng(1)
    failed = 0
    for _ in range(3000):
        failed += bool(alarms([an_audited(f"e{i}", i, p) for i, p in enumerate(rng.random(20))]))
    assert 0.03 < failed / 3000 < 0.06


def test_a_little_wrong_everywhere_is_found():
    def some(p):
        return [an_audited(f"e{i}", i, p) for i in range(40)]

    assert not alarms(some(0.4))
    assert alarms(some(0.05))


def test_other_names_of_numbers_ask_for_a_new_revision():
    with pytest.raises(ValueError, match="count the experiment's revision up"):
        compare("r", twice([1.0]), 0, {"mcc": 1.0, "elbo": 2.0}, 1.0, 1.0)


def test_the_chance_to_find_is_hypergeometric():
    assert chance_to_find(10, 0.5, 1) == pytest.approx(0.5)
    assert chance_to_find(10, 0.5, 2) == pytest.approx(1 - (5 / 10) * (4 / 9))
    assert chance_to_find(10, 1.0, 1) == 1.0
    assert chance_to_find(10, 0.0, 5) == 0.0
    assert chance_to_find(3, 0.4, 9) == 1.0


def test_the_line_under_a_figure():
    several = [
        Audited("e", i, "", "mcc", 0.5, 0.5 + d, d, "mcc", 1.0, 1.0, 1.0, 1.0)
        for i, d in enumerate((0.0, 0.0031))
    ]
    assert line(150, several) == (
        "From 150 recorded runs; this build made 2 of them again: largest difference .0031."
    )
    lost = replace(several[0], difference=auditing.MOST)
    assert line(150, [lost]).endswith("that of a run which diverged one of the two times.")
    assert line(1, several[:1]).endswith("less than .0001.")
    assert line(1500, []) == "From 1,500 recorded runs; none was made again in this execution."


def test_nothing_is_made_again_when_none_is_asked_for(monkeypatch):
    monkeypatch.setattr(auditing, "make_again", lambda *_: pytest.fail("made"))
    assert audit("plain", PLAIN, twice([1.0]), 0, "a") == []

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
    chaotic,
    compare,
    difference,
    line,
    of_experiments,
    p_value,
)
from companion.recorded.making import make_result
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
    compared = [
        compare("small", book, number, outcome.values, 1.0)
        for number, outcome in zip((3, 7, 1), several, strict=True)
    ]
    assert not alarms(compared)


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
        again = lambda *which, m=machine: compare("small", book, which[-1], m[which[-1]].values, 1)  # noqa: E731
        monkeypatch.setattr(auditing, "_again", again)
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
        p = np.array([p_value(row[0], row[1:], 1e-12) for row in drawn])
        for level in (0.5, 0.2, 0.1, 1 / 13, 0.05):
            assert (p <= level).mean() <= level + 4 * np.sqrt(level / 4000), (law, level)


@pytest.mark.parametrize("size", [1, 2])
def test_in_doubt_more_runs_are_made_and_p_keeps_its_law(monkeypatch, size):
    """Uniform p-values of runs must give an experiment's p that is uniform or larger."""
    rng = np.random.default_rng(3)
    monkeypatch.setattr(auditing, "_again", lambda *which: an_audited("e", which[-1], rng.random()))
    made = [audit("e", PLAIN, a_result(np.ones(30)), size, str(i)) for i in range(6000)]
    p = np.array([of_experiments(several)["e"] for several in made])
    for level in (0.001, 0.01, 0.05, 0.2, 0.5):
        assert (p <= level).mean() <= level + 4 * np.sqrt(level / 6000), level
    counts = np.array([len(several) for several in made])
    assert set(counts) == {size, size + auditing.MORE}
    assert 0.03 < (counts > size).mean() < 0.07
    assert all(len({one.run for one in several}) == len(several) for several in made)


def test_p_values_by_hand():
    spread = np.array([1.0, 2.0, 3.0])
    assert p_value(2.5, spread, 1e-9) == 2 / 4
    assert p_value(0.5, spread, 1e-9) == 1.0
    assert p_value(30.0, spread, 1e-9, 1.0) == pytest.approx(0.1 / 4)
    assert p_value(30.0, spread, 1e-9) == pytest.approx(np.sqrt(0.1) / 4)
    assert p_value(0.0, np.zeros(3), 1e-9) == 1.0
    assert p_value(1e-6, np.zeros(3), 1e-9, 1.0) == pytest.approx(1e-3 / 4)
    assert p_value(np.inf, spread, 1e-9) < 1e-3
    assert p_value(np.inf, np.array([1.0, np.inf, 2.0]), 1e-9) == 2 / 4


def test_differences():
    assert difference(np.nan, np.nan) == 0.0
    assert difference(np.nan, 1.0) == np.inf
    assert difference(-np.inf, -np.inf) == 0.0
    assert difference(1.0, 0.75) == 0.25


def an_audited(name, run, p):
    return Audited(name, run, "", "mcc", 0.0, 0.0, 0.0, "mcc", p, 1.0, 1.0)


def a_result(differences):
    m = len(differences)
    return Result(
        "r", 1, {}, [{"seed": i} for i in range(m)], {"mcc": np.zeros(m)}, {}, np.ones(m),
        np.arange(m), {"mcc": np.asarray(differences, float)},
    )  # fmt: skip


def test_chaotic_runs_are_marked_by_what_a_nudge_does():
    assert chaotic(a_result([1e-6, 2e-6, 1e-6, 0.2])) == [3]
    assert chaotic(a_result([1e-6, 2e-6, 1e-6, 5e-4])) == []  # Not to be seen.
    assert chaotic(a_result([0.1, 0.2, 0.1, 0.3])) == []  # All alike: not told apart.


def test_one_chaotic_run_does_not_fail_a_build_of_many():
    result = a_result(np.geomspace(1e-7, 1e-5, 12))
    luck = compare("r", result, 3, {"mcc": 0.2}, 1.0)
    others = [compare(f"r{i}", result, i % 12, {"mcc": 1e-6}, 1.0) for i in range(20)]
    assert not alarms([luck, compare("r", result, 4, {"mcc": 1e-6}, 1.0), *others])
    both = [luck, compare("r", result, 4, {"mcc": 0.2}, 1.0), *others]
    assert alarms(both) == ["r"]


def test_the_test_on_a_build_has_its_size():
    rng = np.random.default_rng(1)
    failed = 0
    for _ in range(3000):
        several = [an_audited(f"e{i // 2}", i, p) for i, p in enumerate(rng.random(40))]
        failed += bool(alarms(several, 0.05))
    assert 0.03 < failed / 3000 < 0.06


def test_a_little_wrong_everywhere_is_found():
    def some(p):
        return [an_audited(f"e{i // 2}", i, p) for i in range(40)]

    assert not alarms(some(0.4))
    assert alarms(some(0.05))


def test_runs_of_one_experiment_are_joined():
    several = [an_audited("e", i, p) for i, p in enumerate((0.01, 0.02))]
    product = 0.01 * 0.02
    assert of_experiments(several)["e"] == pytest.approx(product * (1 - np.log(product)))


def test_other_names_of_numbers_ask_for_a_new_revision():
    with pytest.raises(ValueError, match="count the experiment's revision up"):
        compare("r", a_result([1.0]), 0, {"mcc": 1.0, "elbo": 2.0}, 1.0)


def test_the_chance_to_find_is_hypergeometric():
    assert chance_to_find(10, 0.5, 1) == pytest.approx(0.5)
    assert chance_to_find(10, 0.5, 2) == pytest.approx(1 - (5 / 10) * (4 / 9))
    assert chance_to_find(10, 1.0, 1) == 1.0
    assert chance_to_find(10, 0.0, 5) == 0.0
    assert chance_to_find(3, 0.4, 9) == 1.0


def test_the_line_under_a_figure():
    several = [
        Audited("e", i, "", "mcc", 0.5, 0.5 + d, d, "mcc", 1.0, 1.0, 1.0)
        for i, d in enumerate((0.0, 0.0031))
    ]
    assert line(150, several) == (
        "From 150 recorded runs; this build made 2 of them again: largest difference .0031."
    )
    assert line(1, several[:1]).endswith("less than .0001.")
    assert line(1500, []) == "From 1,500 recorded runs; none was made again in this execution."


def test_nothing_is_made_again_when_none_is_asked_for(monkeypatch):
    monkeypatch.setattr(auditing, "make_again", lambda *_: pytest.fail("made"))
    assert audit("plain", PLAIN, a_result([1.0]), 0, "a") == []

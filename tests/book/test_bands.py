"""Bands let repetitions of the same thing through, as often as they say, and little else."""

import json

import bands
import numpy as np
import pytest

from companion.protocols import PROTOCOLS
from ivae.objectives import RELEASED_WEIGHTS
from ivae.support.records import Record, save
from ivae.sweeps.runs import Run
from ivae.sweeps.sweep import fit

VALUES = [0.80, 0.85, 0.90, 0.95, 0.70]
OF = bands.band(VALUES)


def test_a_band_is_mean_deviation_and_number():
    mean = sum(VALUES) / 5
    assert OF["mean"] == pytest.approx(mean)
    assert OF["sd"] == pytest.approx((sum((v - mean) ** 2 for v in VALUES) / 4) ** 0.5)
    assert OF["n"] == 5


@pytest.mark.parametrize("values", [[], [0.5], [0.5, np.nan], [0.5, np.inf]])
def test_a_band_needs_two_numbers(values):
    with pytest.raises(ValueError, match="a band needs at least two numbers; got "):
        bands.band(values)


def test_limits_lie_around_the_mean_and_shrink_with_repetitions():
    halves = []
    for k in (1, 2, 10, 1000):
        low, high = bands.limits(OF, k)
        assert low + high == pytest.approx(2 * OF["mean"])
        halves.append(high - OF["mean"])
    assert halves == sorted(set(halves), reverse=True)
    # However many new ones there are, the record's own mean stays as uncertain as it is.
    assert halves[-1] > OF["sd"] / 5**0.5


def test_limits_shrink_with_the_record_and_grow_with_its_spread():
    def width(**changes):
        low, high = bands.limits({**OF, **changes}, 3)
        return high - low

    assert width(n=10) < width(n=5) < width(n=3)
    assert width(sd=2 * OF["sd"]) == pytest.approx(2 * width(), rel=1e-3)
    assert width(mean=OF["mean"] + 1) == pytest.approx(width(), rel=1e-3)


def test_measures_that_do_not_vary_still_round():
    constant = bands.band([5.0] * 3)
    assert bands.is_inside(constant, [5.0 + 1e-7])
    assert not bands.is_inside(constant, [5.001])


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("n", [3, 10])
def test_false_alarms_are_as_rare_as_they_are_said_to_be(monkeypatch, n, k):
    monkeypatch.setattr(bands, "FALSE_ALARMS", 0.05)
    draws = np.random.default_rng(n + k).normal(3.0, 2.0, (3000, n + k))
    alarms = [not bands.is_inside(bands.band(row[:n]), row[n:]) for row in draws]
    # The standard error of 5 % of 3,000 is .4 %.
    assert np.mean(alarms) == pytest.approx(0.05, abs=0.016)


def test_one_in_a_thousand_is_a_wider_band_than_one_in_twenty(monkeypatch):
    rare = bands.limits(OF, 3)
    monkeypatch.setattr(bands, "FALSE_ALARMS", 0.05)
    often = bands.limits(OF, 3)
    assert rare[0] < often[0] < often[1] < rare[1]


def test_the_limits_themselves_are_inside_and_beyond_them_is_outside():
    low, high = bands.limits(OF, 1)
    assert bands.is_inside(OF, [low])
    assert bands.is_inside(OF, [high])
    assert not bands.is_inside(OF, [np.nextafter(low, -np.inf)])
    assert not bands.is_inside(OF, [np.nextafter(high, np.inf)])


@pytest.mark.parametrize("values", [[np.nan], [0.84, np.nan], [np.inf, 0.84]])
def test_what_is_not_a_number_is_outside(values):
    assert not bands.is_inside(OF, values)


def write_records(folder, **by_chapter):
    for chapter, values in by_chapter.items():
        save(Record(chapter, {"mode": "fast"}, values), folder / f"{chapter}.json")


def test_what_is_outside_is_named_with_its_limits(tmp_path):
    write_records(tmp_path, one={"mcc": [0.84], "elbo": [-300.0, -300.2]}, two={"mcc": [0.2]})
    found = bands.outside(
        tmp_path,
        {
            "one": {"mcc": OF, "elbo": bands.band([-100.0, -101.0, -99.0])},
            "two": {"mcc": bands.band([0.5, 0.51, 0.49, 0.5])},
        },
    )
    first, second = found
    assert first.startswith("one, elbo: the mean of 2 runs is -300.1000, outside ")
    assert second.startswith("two, mcc: the mean of 1 runs is 0.2000, outside ")
    low, high = bands.limits(bands.band([0.5, 0.51, 0.49, 0.5]), 1)
    assert f"outside {low:.4f} to {high:.4f}, which 4 runs of the full record allow" in second


def test_a_record_is_inside_its_own_bands(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    records = {
        chapter: {name: rng.normal(size=10) for name in names}
        for chapter, names in bands.MEASURES.items()
    }
    write_records(tmp_path, **records)
    derived = bands.derive(tmp_path)
    assert {chapter: list(of) for chapter, of in derived.items()} == bands.MEASURES
    for chapter, names in bands.MEASURES.items():
        for name in names:
            assert derived[chapter][name] == pytest.approx(bands.band(records[chapter][name]))
    assert bands.outside(tmp_path, derived) == []
    records["06_figure_2"]["released_ivae_objective"][:] += 10
    write_records(tmp_path, **records)
    (line,) = bands.outside(tmp_path, derived)
    assert line.startswith("06_figure_2, released_ivae_objective: ")


def test_bands_are_read_as_they_were_written(tmp_path, monkeypatch):
    derived = {"06_figure_2": {"every: seeds, β-VAE, as released": OF}}
    monkeypatch.setattr(bands, "BANDS", tmp_path / "bands.json")
    monkeypatch.setattr(bands, "derive", lambda: derived)
    bands.write()
    assert json.loads((tmp_path / "bands.json").read_text(encoding="utf-8")) == derived


def test_the_committed_bands_are_those_of_the_committed_records():
    if not all((bands.FULL / f"{chapter}.json").exists() for chapter in bands.MEASURES):
        pytest.skip("not every chapter with a band has a full record yet")
    assert json.loads(bands.BANDS.read_text(encoding="utf-8")) == bands.derive()


MUTATIONS = {
    "correct": {},
    "weight of TC 1 instead of 0": {"weights": (100.0, 1.0, 1.0, 10.0)},
    "weight of the likelihood 10 instead of 100": {"weights": (10.0, 1.0, 0.0, 10.0)},
    "weight of KL' 1 instead of 10": {"weights": (100.0, 1.0, 0.0, 1.0)},
    "constant rate": {"decay": "constant"},
}
N_SEEDS = 3


@pytest.mark.slow
@pytest.mark.skipif(not bands.BANDS.exists(), reason="no full records have been made yet")
def test_a_wrong_weight_or_schedule_is_outside_a_band():
    of_chapter = json.loads(bands.BANDS.read_text(encoding="utf-8"))["06_figure_2"]
    released = PROTOCOLS["released"] | {"weights": RELEASED_WEIGHTS}
    runs = [
        Run.of(**(released | change), data_seed=1, seed=seed)
        for change in MUTATIONS.values()
        for seed in range(1, 1 + N_SEEDS)
    ]
    history = fit(runs, progress=False).history
    shape = (len(MUTATIONS), N_SEEDS)
    measured = {
        "released_ivae_by_seed": history.mcc_sampled[-1].reshape(shape),
        "released_ivae_objective": history.objective[-1].reshape(shape),
    }
    outside = {
        name: [m for m, of in measured.items() if not bands.is_inside(of_chapter[m], of[place])]
        for place, name in enumerate(MUTATIONS)
    }
    assert outside.pop("correct") == []
    assert all(outside.values()), (outside, measured)

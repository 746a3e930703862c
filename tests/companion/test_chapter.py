"""A chapter's numbers reach its record, once each."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from companion.chapter import Chapter
from ivae.support import records
from ivae.sweeps.runs import Run


def test_numbers_settings_and_series_are_in_the_record(tmp_path, monkeypatch):
    monkeypatch.setenv("IVAE_RECORDS", str(tmp_path))
    chapter = Chapter("00_test", mode="full", seed=3)
    assert chapter.choose("epochs", fast=1, full=20) == 20
    chapter.number("mcc", np.float32(0.25))
    chapter.series("runs", np.arange(3))
    chapter.save()
    record = records.load(tmp_path / "00_test.json")
    assert record.settings == {"mode": "full", "seed": 3, "epochs": 20}
    assert record.values == {"mcc": 0.25, "runs": [0, 1, 2]}
    assert record.provenance["seconds"] >= 0


def test_a_name_is_used_once():
    chapter = Chapter("00_test", mode="fast", seed=0)
    chapter.number("mcc", 0.5)
    with pytest.raises(ValueError, match="mcc is already recorded in chapter 00_test"):
        chapter.number("mcc", 0.6)


@pytest.mark.parametrize("value", [[1, 2], "0.5", None, True, np.ones(2)])
def test_a_number_is_one_number(value):
    with pytest.raises(ValueError, match=r"mcc must be one number|can only convert|size 1"):
        Chapter("00_test", mode="fast", seed=0).number("mcc", value)


def test_unknown_modes_are_refused():
    with pytest.raises(ValueError, match="mode must be one of fast, full; got 'quick'"):
        Chapter("00_test", mode="quick", seed=0)


def chapter_in(mode="fast"):
    return Chapter("00_test", mode=mode, seed=0)


def test_a_word_is_in_the_record(tmp_path, monkeypatch):
    monkeypatch.setenv("IVAE_RECORDS", str(tmp_path))
    chapter = chapter_in()
    chapter.word("rival", "β-VAE (β = 4)")
    chapter.save()
    assert records.load(tmp_path / "00_test.json").values == {"rival": "β-VAE (β = 4)"}


def test_a_name_is_a_words_or_a_numbers():
    chapter = chapter_in()
    chapter.word("rival", "VAE")
    for again in (lambda: chapter.word("rival", "VAE"), lambda: chapter.number("rival", 1)):
        with pytest.raises(ValueError, match="rival is already recorded in chapter 00_test"):
            again()


@pytest.mark.parametrize("text", [0.5, None, ["VAE"], b"VAE"])
def test_a_word_is_one_text(text):
    with pytest.raises(ValueError, match="rival must be a text; got "):
        chapter_in().word("rival", text)


def test_values_are_what_was_recorded_to_read():
    chapter = chapter_in()
    assert dict(chapter.values) == {}
    values = chapter.values
    chapter.number("mcc", 0.5)
    chapter.word("rival", "VAE")
    assert dict(values) == dict(chapter.values) == {"mcc": 0.5, "rival": "VAE"}
    with pytest.raises(TypeError, match="does not support item assignment"):
        values["mcc"] = 0.9
    with pytest.raises(AttributeError):
        chapter.values = {}


@pytest.mark.parametrize("mode", ["fast", "full"])
def test_sweeps_of_a_mode_are_where_the_environment_says(monkeypatch, tmp_path, mode):
    monkeypatch.setenv("IVAE_SWEEPS", str(tmp_path / "kept"))
    assert chapter_in(mode).sweeps == tmp_path / "kept" / mode
    monkeypatch.delenv("IVAE_SWEEPS")
    assert chapter_in(mode).sweeps == Path("_build/sweeps") / mode


def table_of(*runs, seconds=1.5, commit="abc"):
    measured = {
        "status": "done",
        "seconds": seconds,
        "commit": commit,
        "mcc": 0.5,
        "mcc_curve": [0.1, 0.5],
    }
    return pd.DataFrame([run.values | measured for run in runs])


def test_the_cost_counts_a_run_in_two_tables_once():
    first, second, third = Run.of(seed=1), Run.of(seed=2), Run.of(seed=1, hidden=50)
    chapter = chapter_in()
    chapter.cost(
        table_of(first, second),
        table_of(second, third, commit="def").assign(contender="iVAE"),
        table_of(first),
    )
    assert dict(chapter.values) == {
        "runs_trained": 3,
        "seconds_of_runs": 4.5,
        "commits_of_runs": ["abc", "def"],
    }


@pytest.mark.parametrize(
    "other",
    [
        {"noise_variance": 0.01},
        {"objective": "decomposition", "weights": (100, 1, 0, 10)},
        {"steps": 10},
    ],
    ids=str,
)
def test_the_cost_knows_runs_by_all_their_settings(other):
    """A setting that is None in a whole table has another type there than beside numbers."""
    plain, changed = Run.of(), Run.of(**other)
    alone, both = table_of(plain), table_of(changed, plain)
    for tables in ((alone, both), (both, alone), (alone, both, alone)):
        chapter = chapter_in()
        chapter.cost(*tables)
        assert chapter.values["runs_trained"] == 2


def test_a_run_that_failed_costs_nothing():
    good, bad = (
        table_of(Run.of(seed=1)),
        table_of(Run.of(seed=2)).assign(status="failed", commit=None),
    )
    chapter = chapter_in("fast")
    chapter.cost(good, bad)
    assert chapter.values["runs_trained"] == 1
    assert chapter.values["commits_of_runs"] == ["abc"]


def test_a_stepper_is_shown_with_its_frames(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    chapter_in().stepper(
        lambda value: plt.figure(figsize=(1, 1)),
        (0, 45),
        label="Angle",
        shown="{}°".format,
        alt="A turn by {} degrees".format,
        start=1,
    )
    (made,) = shown
    assert (made.label, made.start) == ("Angle", 1)
    assert [(frame.shown, frame.alt) for frame in made.frames] == [
        ("0°", "A turn by 0 degrees"),
        ("45°", "A turn by 45 degrees"),
    ]


def test_an_extract_has_the_values_and_where_they_are_from(tmp_path, monkeypatch):
    monkeypatch.setenv("IVAE_RECORDS", str(tmp_path))
    chapter_in().extract("figures", {"mcc": np.array([0.5, 1.0]), "seeds": [1, 2]})
    written = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert written["mcc"] == [0.5, 1.0]
    assert written["seeds"] == [1, 2]
    assert set(written) == {"mcc", "seeds", "provenance"}
    assert "commit" in written["provenance"]

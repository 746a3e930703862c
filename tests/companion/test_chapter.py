"""A chapter's numbers reach its record, once each."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from companion import chapter as chapter_module
from companion.chapter import Chapter, ResultRefused
from ivae.support import records

from .recorded.small import PLAIN


def test_numbers_settings_and_series_are_in_the_record(tmp_path, monkeypatch):
    monkeypatch.setenv("IVAE_RECORDS", str(tmp_path))
    chapter = Chapter("00_test", mode="full", seed=3)
    chapter.number("mcc", np.float32(0.25))
    chapter.series("runs", np.arange(3))
    chapter.save()
    record = records.load(tmp_path / "00_test.json")
    assert {"mode": "full", "seed": 3, "audit": 0}.items() <= record.settings.items()
    assert record.values == {"mcc": 0.25, "runs": [0, 1, 2], "results": [], "audited": []}
    assert record.provenance["seconds"] >= 0


def test_a_name_is_used_once():
    chapter = Chapter("00_test", mode="recorded", seed=0)
    chapter.number("mcc", 0.5)
    with pytest.raises(ValueError, match="mcc is already recorded in chapter 00_test"):
        chapter.number("mcc", 0.6)


@pytest.mark.parametrize("value", [[1, 2], "0.5", None, True, np.ones(2)])
def test_a_number_is_one_number(value):
    with pytest.raises(ValueError, match=r"mcc must be one number|can only convert|size 1"):
        Chapter("00_test", mode="recorded", seed=0).number("mcc", value)


@pytest.mark.parametrize("mode", ["quick", "fast"])
def test_unknown_modes_are_refused(mode):
    with pytest.raises(ValueError, match=rf"mode must be one of .*; got '{mode}'"):
        Chapter("00_test", mode=mode, seed=0)


def chapter_in(mode="recorded"):
    return Chapter("00_test", mode=mode, seed=0)


def test_a_word_is_in_the_record(tmp_path, monkeypatch):
    monkeypatch.setenv("IVAE_RECORDS", str(tmp_path))
    chapter = chapter_in()
    chapter.word("rival", "β-VAE (β = 4)")
    chapter.save()
    assert records.load(tmp_path / "00_test.json").values["rival"] == "β-VAE (β = 4)"


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


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Folders of its own for results and for what is unfinished."""
    monkeypatch.setenv("IVAE_RESULTS", str(tmp_path / "results"))
    monkeypatch.setattr(chapter_module, "ROOT", tmp_path)
    return tmp_path / "results" / "00_test"


def test_a_result_is_made_in_full_and_read_ever_after(kept):
    made = chapter_in("full").result("plain", PLAIN, n=5)
    assert sorted(path.name for path in kept.iterdir()) == ["plain.json", "plain.npz"]
    before = (kept / "plain.json").read_bytes()
    again = chapter_in("full").result("plain", replace(PLAIN, work=must_not), n=5)
    read = Chapter("00_test", mode="recorded", audit=0).result("plain", PLAIN, n=5)
    for one in (again, read):
        np.testing.assert_array_equal(one.values["mean"], made.values["mean"])
    assert (kept / "plain.json").read_bytes() == before


def must_not(runs, nudge):
    raise AssertionError("made again")


@pytest.mark.parametrize(
    ("experiment", "settings", "why"),
    [
        (PLAIN, {"n": 6}, "n = 5, not 6"),
        (replace(PLAIN, revision=2), {"n": 5}, "revision 1"),
        (replace(PLAIN, plan=lambda n: [{"number": 2 * i} for i in range(n)]), {"n": 5}, "runs"),
    ],
)
def test_a_result_of_something_else_is_refused_and_made_anew_in_full(
    kept, experiment, settings, why
):
    chapter_in("full").result("plain", PLAIN, n=5)
    with pytest.raises(ResultRefused, match=f"{why}.*--mode full --chapters 00"):
        Chapter("00_test", mode="recorded").result("plain", experiment, **settings)
    made = chapter_in("full").result("plain", experiment, **settings)
    read = Chapter("00_test", mode="recorded", audit=1).result("plain", experiment, **settings)
    np.testing.assert_array_equal(made.values["mean"], read.values["mean"])


def test_a_missing_and_a_damaged_result_are_refused_with_the_command(kept):
    recorded = Chapter("00_test", mode="recorded", seed=3)
    with pytest.raises(ResultRefused, match=r"there is none.*--chapters 00 --seed 3"):
        recorded.result("plain", PLAIN, n=5)
    chapter_in("full").result("plain", PLAIN, n=5)
    path = kept / "plain.json"
    path.write_text(path.read_text().replace('"mean": [0', '"mean": [9').replace("[-0", "[-9"))
    with pytest.raises(ResultRefused, match="not as it was written"):
        recorded.result("plain", PLAIN, n=5)


def test_the_audit_is_in_the_record_and_on_the_page(kept, monkeypatch, tmp_path):
    monkeypatch.setenv("IVAE_RECORDS", str(tmp_path))
    chapter_in("full").result("plain", PLAIN, n=9)
    chapter = Chapter("00_test", mode="recorded", audit=3, audit_seed="mine")
    chapter.result("plain", PLAIN, n=9)
    chapter.save()
    record = records.load(tmp_path / "00_test.json")
    assert record.values["plain_audited"] == (
        "From 9 recorded runs; this build made 3 of them again: largest difference less than .0001."
    )
    runs = [row["run"] for row in record.values["audited"]]
    assert len(set(runs)) == 3
    assert record.settings["audit_seed"] == "mine"
    (result,) = record.values["results"]
    assert (result["name"], result["runs"], result["doubled"]) == ("plain", 9, 9)
    same = Chapter("00_test", mode="recorded", audit=3, audit_seed="mine")
    same.result("plain", PLAIN, n=9)
    same.save()
    again = records.load(tmp_path / "00_test.json").values["audited"]
    assert [row["run"] for row in again] == runs


def test_a_summary_is_mean_lowest_highest_and_all():
    chapter = chapter_in()
    chapter.summary("mcc", [0.5, np.nan, 1.0])
    assert {name: chapter.values[name] for name in ("mcc", "mcc_low", "mcc_high")} == {
        "mcc": 0.75,
        "mcc_low": 0.5,
        "mcc_high": 1.0,
    }
    np.testing.assert_array_equal(chapter.values["mcc_all"], [0.5, np.nan, 1.0])
    chapter.summary("r2", [0.1, np.nan, 0.2, 0.9], np.nanmedian)
    assert chapter.values["r2"] == 0.2

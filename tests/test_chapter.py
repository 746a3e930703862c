"""A chapter's numbers reach its record, once each."""

import numpy as np
import pytest

from ivae import results
from ivae.chapter import Chapter


def test_numbers_settings_and_series_are_in_the_record(tmp_path, monkeypatch):
    monkeypatch.setenv("IVAE_RECORDS", str(tmp_path))
    chapter = Chapter("00_test", mode="full", seed=3)
    assert chapter.choose("epochs", fast=1, full=20) == 20
    chapter.number("mcc", np.float32(0.25))
    chapter.series("runs", np.arange(3))
    chapter.save()
    record = results.load(tmp_path / "00_test.json")
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

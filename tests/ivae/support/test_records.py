"""Records survive the round trip, and no failure leaves a half-written file."""

import json
import math

import numpy as np
import pytest

from ivae.support import records
from ivae.support.records import Record, load, save


def record(**values):
    return Record("a test", {"mode": "fast", "seeds": range(3)}, values)


def test_round_trip(tmp_path):
    values = {
        "scalar": np.float32(0.5),
        "array": np.arange(6).reshape(2, 3),
        "nested": {"text": "a word", "none": None, "flag": True, 3: (1, 2.5)},
        "not finite": [np.nan, np.inf, -np.inf],
    }
    back = load(save(record(**values), tmp_path / "deep" / "record.json"))
    assert back.name == "a test"
    assert back.settings == {"mode": "fast", "seeds": [0, 1, 2]}
    assert back.values["scalar"] == 0.5
    assert back.values["array"] == [[0, 1, 2], [3, 4, 5]]
    assert back.values["nested"] == {"text": "a word", "none": None, "flag": True, "3": [1, 2.5]}
    nan, *infinities = back.values["not finite"]
    assert math.isnan(nan)
    assert infinities == [math.inf, -math.inf]


def test_a_record_is_as_readable_as_any_other_file(tmp_path):
    (tmp_path / "plain").write_text("")
    path = save(record(good=1), tmp_path / "record.json")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_the_file_is_strict_json(tmp_path):
    path = save(record(bad=float("nan")), tmp_path / "record.json")

    def refuse(constant):
        raise AssertionError(constant)

    assert json.loads(path.read_text(), parse_constant=refuse)["values"] == {"bad": "NaN"}


def test_provenance_names_versions_machine_and_date():
    found = records.provenance(1.5)
    assert found["seconds"] == 1.5
    assert set(found["packages"]) == {"torch", "numpy", "scipy", "matplotlib", "ivae"}
    assert all(found["packages"].values())
    assert "cores" in found["machine"]
    assert found["date"].endswith("+00:00")


def test_a_value_that_cannot_be_stored_is_named_and_nothing_changes(tmp_path):
    path = save(record(good=1), tmp_path / "record.json")
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"record.values.bad\[1\] is a object"):
        save(record(bad=[1, object()]), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["record.json"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = save(record(good=1), tmp_path / "record.json")
    before = path.read_bytes()

    def fail(_):
        raise OSError("disk full")

    monkeypatch.setattr(records.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        save(record(good=2), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["record.json"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not a record: it is no valid JSON"),
        ("[1]", "is not a record: expected the fields"),
        ('{"format": 1}', "is not a record: expected the fields"),
        (
            '{"format": 99, "name": "", "settings": {}, "values": {}, "provenance": {}}',
            "written by another version",
        ),
    ],
)
def test_damaged_files_are_refused(tmp_path, content, message):
    path = tmp_path / "record.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        load(path)

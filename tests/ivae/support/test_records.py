"""Records survive the round trip, and no failure leaves a half-written file."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ivae
from ivae.support import records
from ivae.support.records import Record, load, save

PACKAGE = Path(ivae.__file__).parent


def record(**values):
    return Record("a test", {"mode": "fast", "seeds": range(3)}, values)


def test_round_trip(tmp_path):
    values = {
        "scalar": np.float32(0.5),
        "array": np.arange(6).reshape(2, 3),
        "nested": {"text": "a word", "none": None, "flag": True, 3: (1, 2.5)},
        "not finite": [np.nan, np.inf, -np.inf],
        "texts": ["NaN", "Infinity", "-Infinity", "nan"],
    }
    back = load(save(record(**values), tmp_path / "deep" / "record.json"))
    assert back.name == "a test"
    assert back.settings == {"mode": "fast", "seeds": [0, 1, 2]}
    assert back.values["scalar"] == 0.5
    assert back.values["array"] == [[0, 1, 2], [3, 4, 5]]
    assert back.values["nested"] == {"text": "a word", "none": None, "flag": True, "3": [1, 2.5]}
    assert back.values["texts"] == values["texts"]
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

    found = json.loads(path.read_text(), parse_constant=refuse)
    assert found["values"] == {"bad": {"$float": "NaN"}}


def test_a_record_of_the_format_before_is_read(tmp_path):
    """There a number that is not finite was written as a text."""
    path = tmp_path / "record.json"
    values = {"mcc": [0.5, "NaN"], "gap": "-Infinity", "rival": "VAE"}
    content = {"name": "old", "settings": {"mode": "full"}, "provenance": {"commit": "abc"}}
    path.write_text(json.dumps({"format": 1, **content, "values": values}))
    back = load(path)
    assert {name: getattr(back, name) for name in content} == content
    assert back.values["mcc"][0] == 0.5
    assert math.isnan(back.values["mcc"][1])
    assert (back.values["gap"], back.values["rival"]) == (-math.inf, "VAE")


def test_provenance_names_versions_machine_and_date():
    found = records.provenance(1.5)
    assert found["seconds"] == 1.5
    assert set(found["packages"]) == {"torch", "numpy", "scipy", "matplotlib", "ivae"}
    assert all(found["packages"].values())
    assert "cores" in found["machine"]
    assert found["date"].endswith("+00:00")


def commit_as_seen_from(folder):
    """The commit that a copy of the package, found in this folder, takes for its own."""
    code = "from ivae.support.records import provenance; print(provenance()['commit'])"
    where = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, env=where, cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_commit_is_ones_own_and_not_that_of_a_users_repository(tmp_path):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    (tmp_path / ".gitignore").write_text(".venv/\n")
    installed = tmp_path / ".venv" / "site-packages"
    shutil.copytree(PACKAGE, installed / "ivae", ignore=shutil.ignore_patterns("__pycache__"))
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "A user's own work"]):
        subprocess.run([*git, *command], check=True)
    assert commit_as_seen_from(installed) == "None"
    shutil.copytree(PACKAGE, tmp_path / "ivae", ignore=shutil.ignore_patterns("__pycache__"))
    for command in (["add", "-A"], ["commit", "-qm", "The package itself"]):
        subprocess.run([*git, *command], check=True)
    assert re.fullmatch(r"[0-9a-f]{40}", commit_as_seen_from(tmp_path))
    (tmp_path / "ivae" / "__init__.py").write_text("")
    assert commit_as_seen_from(tmp_path).endswith("-dirty")


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
            "has format 99, of another version of ivae; this one reads 1 and 2",
        ),
    ],
)
def test_damaged_files_are_refused(tmp_path, content, message):
    path = tmp_path / "record.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        load(path)

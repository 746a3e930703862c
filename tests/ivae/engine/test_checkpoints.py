"""A killed training goes on to the numbers it would have had; nothing else is taken up."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ivae import data, models
from ivae.nets import Network
from ivae.objectives import released_objective
from ivae.schedules import Schedule
from ivae.training import train

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TRUTH = data.generate("paper", 0, 2, 3, 4, 50)
SCHEDULE = Schedule(epochs=6, batch_size=16, decay=["plateau", "cosine", "cosine"], held_out=0.1)


def run(folder, schedule=SCHEDULE, seeds=(0, 1, 2), **options):
    model = models.ivae(2, 3, 4, seeds=seeds, network=Network(hidden=8))
    history = train(
        model,
        TRUTH.x,
        TRUTH.u,
        TRUTH.z,
        schedule=schedule,
        objective=released_objective(),
        checkpoint=folder,
        progress=False,
        **options,
    )
    return model, history


def equal(one, two):
    for a, b in zip(one[0].parameters(), two[0].parameters(), strict=True):
        assert torch.equal(a, b)
    for name in ("steps", "objective", "kl", "total_correlation", "held_out", "mcc_sampled"):
        np.testing.assert_array_equal(getattr(one[1], name), getattr(two[1], name))


CHILD = f"""
import sys
sys.path[:0] = [{str(HERE)!r}, "."]
from test_checkpoints import SCHEDULE, replace, run
run(sys.argv[1], replace(SCHEDULE, epochs=int(sys.argv[2])), processes=int(sys.argv[3]))
"""


def start(folder, epochs, processes):
    command = [sys.executable, "-c", CHILD, str(folder), str(epochs), str(processes)]
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_killed_at_any_moment_it_ends_with_the_same_numbers(tmp_path, processes):
    epochs = 100
    folder = tmp_path / "checkpoint"
    kills, delay = 0, 0.03
    while kills < 3:
        child = start(folder, epochs, processes)
        seen = {path: path.stat().st_mtime_ns for path in folder.glob("*.safetensors")}
        for _ in range(3000):  # Until this process, too, has written something.
            now = {path: path.stat().st_mtime_ns for path in folder.glob("*.safetensors")}
            if now != seen or child.poll() is not None:
                break
            time.sleep(0.01)
        time.sleep(delay)
        assert child.poll() is None, "it was done before it could be killed"
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        kills, delay = kills + 1, delay + 0.07
    longer = replace(SCHEDULE, epochs=epochs)
    equal(run(folder, longer, processes=processes), run(None, longer, processes=processes))


def test_a_finished_training_is_not_repeated(tmp_path, monkeypatch):
    first = run(tmp_path)
    monkeypatch.setattr("ivae.engine.shards.Shard.advance", None)
    equal(first, run(tmp_path))


def test_members_that_diverged_or_stopped_stay_so(tmp_path):
    rates = [0.01, 1e-9, 0.01]
    schedule = replace(SCHEDULE, epochs=12, stop_after=2, decay="constant", learning_rate=rates)
    first = run(tmp_path, schedule)
    assert first[1].stopped.keys() >= {1}
    again = run(tmp_path, schedule)
    assert again[1].stopped == first[1].stopped
    equal(first, again)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": (0, 1, 3)}, r"seeds: \[0, 1, 2\] there, \[0, 1, 3\] here"),
        ({"schedule": replace(SCHEDULE, epochs=7)}, r"schedule: .*'epochs': 6.* there, .*7.* here"),
    ],
)
def test_other_settings_are_refused_and_listed(tmp_path, change, message):
    run(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=message):
        run(tmp_path, **change)
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_other_data_sources_and_initial_weights_are_refused(tmp_path):
    model, _ = run(tmp_path)
    options = {"schedule": SCHEDULE, "objective": released_objective(), "checkpoint": tmp_path}
    x, u, z = TRUTH.x, TRUTH.u, TRUTH.z
    fresh = models.ivae(2, 3, 4, seeds=(0, 1, 2), network=Network(hidden=8))
    for others, message in [
        ((fresh, x + 1, u, z), r"data: '[0-9a-f]{64}' there"),
        ((fresh, x, u, z[::-1]), r"other settings \(sources: "),
        ((model, x, u, z), r"other settings \(initial weights: "),
    ]:
        with pytest.raises(ValueError, match=message):
            train(*others, **options)


@pytest.mark.slow
def test_damage_to_one_shard_is_told_from_its_process(tmp_path):
    run(tmp_path, processes=2)
    path = tmp_path / "shard-001.safetensors"
    path.write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"shard-001.safetensors is damaged"):
        run(tmp_path, processes=2)


def flip(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("shard-000.safetensors", lambda content: content[: len(content) // 2]),
        ("shard-000.safetensors", lambda content: flip(content, len(content) - 5)),
        ("shard-000.safetensors", lambda content: b""),
        ("settings.json", lambda content: content[:-20]),
        ("settings.json", lambda content: b"[]"),
    ],
)
def test_damage_is_noticed(tmp_path, name, damage):
    run(tmp_path)
    path = tmp_path / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=re.escape(str(path)) + " is damaged.*Remove the folder"):
        run(tmp_path)


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("chapter one")
    with pytest.raises(
        ValueError, match=r"holds files but no settings.json, so it is no checkpoint"
    ):
        run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_settings_can_be_read(tmp_path):
    run(tmp_path)
    settings = json.loads((tmp_path / "settings.json").read_text())["settings"]
    assert settings["objective"] == {
        "name": "Decomposition",
        "reconstruction": 100.0,
        "mutual_information": 1.0,
        "total_correlation": 0.0,
        "dimension_wise_kl": 10.0,
        "estimator": "weighted",
    }

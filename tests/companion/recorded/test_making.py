"""A result is made whole however often its making is cut short."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from companion.recorded import making, store
from companion.recorded.making import choose, code_commit, code_digest, make_again, make_result

from .small import PLAIN, SMALL, numbers

ROOT = Path(__file__).resolve().parents[3]


def make(tmp_path, experiment=PLAIN, **settings):
    return make_result("plain", experiment, settings, tmp_path / "plain", tmp_path / "unfinished")


def test_a_result_has_every_run_and_a_share_of_them_twice(tmp_path):
    made = make(tmp_path, n=30)
    assert len(made) == 30
    assert len(made.doubled) == 12
    for number in range(30):
        expected = np.random.default_rng(number).standard_normal(100)
        assert made.values["mean"][number] == pytest.approx(expected.mean(), abs=1e-12)
        np.testing.assert_array_equal(made.arrays["values"][number], expected.astype(np.float32))
    differences = np.abs(made.moved["mean"] - made.values["mean"][made.doubled])
    assert (differences > 0).all()
    assert (differences < 1e-5).all()
    assert not (tmp_path / "unfinished").exists() or not list((tmp_path / "unfinished").iterdir())


def test_an_interrupted_making_goes_on_where_it_was(tmp_path):
    calls = []

    def interrupted(runs, nudge):
        calls.append([run["number"] for run in runs])
        if len(calls) == 4:
            raise KeyboardInterrupt
        return PLAIN.make(runs, nudge)

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, replace(PLAIN, work=interrupted), n=30)
    assert not (tmp_path / "plain.json").exists()
    made = make(tmp_path, replace(PLAIN, work=interrupted), n=30)
    first = [number for call in calls[:3] + calls[4:] for number in call]
    assert sorted(first[:30]) == list(range(30))  # No finished batch is made again.
    whole = make_result("plain", PLAIN, {"n": 30}, tmp_path / "b" / "plain", tmp_path / "c")
    np.testing.assert_array_equal(made.values["mean"], whole.values["mean"])
    np.testing.assert_array_equal(made.moved["mean"], whole.moved["mean"])


@pytest.mark.slow
def test_a_killed_process_loses_one_batch_at_most(tmp_path):
    code = (
        "import sys, time\n"
        "from dataclasses import replace\n"
        "from pathlib import Path\n"
        "from tests.companion.recorded.small import PLAIN\n"
        "from companion.recorded.making import make_result\n"
        "def slow(runs, nudge):\n"
        "    print(len(runs), flush=True)\n"
        "    time.sleep(float(sys.argv[2]))\n"
        "    return PLAIN.make(runs, nudge)\n"
        "place = Path(sys.argv[1])\n"
        "make_result('plain', replace(PLAIN, work=slow), {'n': 20}, place / 'plain',"
        " place / 'unfinished')\n"
    )
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'notebooks'}"}
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(
        [*command, "0.5"], stdout=subprocess.PIPE, env=environment, text=True
    ) as first:
        for _ in range(3):
            assert first.stdout.readline() == "5\n"
        time.sleep(0.1)
        first.send_signal(signal.SIGKILL)
    done = subprocess.run(
        [*command, "0"], capture_output=True, env=environment, text=True, check=True
    )
    assert len(done.stdout.split()) <= 7 - 2  # Of 4 + 3 batches two were finished.
    assert len(store.load(tmp_path / "plain")) == 20


def test_another_revision_or_code_does_not_take_what_is_unfinished(tmp_path, monkeypatch):
    def broken(runs, nudge):
        if runs[0]["number"]:
            raise ValueError
        return PLAIN.make(runs, nudge)

    with pytest.raises(ValueError):
        make(tmp_path, replace(PLAIN, work=broken), n=10)
    kept = {path.name for path in (tmp_path / "unfinished").iterdir()}
    with pytest.raises(ValueError):
        make(tmp_path, replace(PLAIN, work=broken, revision=2), n=10)
    monkeypatch.setattr(making, "CODE_NOW", "other")
    with pytest.raises(ValueError):
        make(tmp_path, replace(PLAIN, work=broken), n=10)
    assert len({path.name for path in (tmp_path / "unfinished").iterdir()} - kept) == 2


def test_code_that_changes_meanwhile_is_told_of(tmp_path, monkeypatch):
    monkeypatch.setattr(making, "code_commit", lambda: "a" * 40)
    assert make(tmp_path, n=3).provenance["commit"] == "a" * 40
    monkeypatch.setattr(making, "code_digest", lambda: "of other files")
    assert make(tmp_path, n=4).provenance["commit"] == "a" * 40 + making.DIRTY


def test_the_digest_is_of_every_file_of_code(tmp_path):
    for name in ("ivae/a.py", "ivae/b/c.py", "notebooks/companion/d.py", "requirements.lock"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    found = [code_digest(tmp_path)]
    for name in ("ivae/b/c.py", "requirements.lock"):
        (tmp_path / name).write_text("2")
        found.append(code_digest(tmp_path))
    (tmp_path / "ivae" / "a.py").rename(tmp_path / "ivae" / "e.py")
    found.append(code_digest(tmp_path))
    (tmp_path / "ivae" / "notes.txt").write_text("3")
    assert len(set(found)) == len(found) == 4
    assert code_digest(tmp_path) == found[-1]


def test_a_run_made_alone_gives_what_it_gave_in_company():
    runs = SMALL.plan(n=6)
    together = SMALL.make(runs, 0.0)
    for number in (1, 4):
        alone, seconds = make_again(SMALL, runs[number])
        assert alone == pytest.approx(together[number].values, abs=1e-4)
        assert seconds > 0


def in_a_program(code, *arguments):
    """Run Python code in a program of its own, whose processes find this folder's modules."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'notebooks'}"}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, env=environment, text=True)


@pytest.mark.slow
def test_batches_made_side_by_side_give_what_they_give_in_turn(tmp_path):
    done = in_a_program(
        "import sys, torch\n"
        "from dataclasses import replace\n"
        "from pathlib import Path\n"
        "from tests.companion.recorded.small import SMALL\n"
        "from companion.recorded.making import make_result\n"
        "torch.set_num_threads(2)\n"
        "place, experiment = Path(sys.argv[1]), replace(SMALL, together=3)\n"
        "make_result('small', experiment, {'n': 6}, place / 'side', place / 'u', print)\n",
        tmp_path,
    )
    assert [line.split(",")[0] for line in done.stdout.splitlines()] == [
        f"{phase}: {n} of 6 runs" for phase in ("first", "second") for n in (3, 6)
    ], done.stderr
    side = store.load(tmp_path / "side")
    place = tmp_path / "turn"
    turn = make_result("small", replace(SMALL, together=3), {"n": 6}, place, tmp_path / "b")
    for name, value in turn.values.items():
        np.testing.assert_allclose(side.values[name], value, atol=1e-4, err_msg=name)


@pytest.mark.slow
def test_an_error_in_one_batch_loses_no_other_that_is_finished(tmp_path):
    done = in_a_program(
        "import sys, torch\n"
        "from dataclasses import replace\n"
        "from pathlib import Path\n"
        "from tests.companion.recorded.small import PLAIN, fails_late\n"
        "from companion.recorded.making import make_result\n"
        "torch.set_num_threads(2)\n"
        "place, experiment = Path(sys.argv[1]), replace(PLAIN, work=fails_late)\n"
        "make_result('plain', experiment, {'n': 20}, place / 'plain', place / 'unfinished')\n",
        tmp_path,
    )
    assert "ZeroDivisionError" in done.stderr
    (unfinished,) = (tmp_path / "unfinished").iterdir()
    assert len(list((unfinished / "first").glob("*.json"))) == 3
    assert not (tmp_path / "plain.json").exists()


def test_the_draw_is_a_sample_that_the_key_decides():
    drawn = choose(40, 2, "a")
    assert len(set(drawn.tolist())) == 2
    np.testing.assert_array_equal(drawn, choose(40, 2, "a"))
    assert any(choose(40, 2, key).tolist() != drawn.tolist() for key in "bcd")
    assert choose(3, 5, "a").tolist() == [0, 1, 2]
    counts = np.bincount(np.concatenate([choose(10, 2, str(i)) for i in range(2000)]), minlength=10)
    assert counts.min() > 320  # 400 expected, sd 18.


def test_the_commit_is_the_codes():
    commit = code_commit()
    assert commit is None or len(commit.removesuffix("-dirty")) == 40


def test_batches_hold_every_run_once_and_like_with_like():
    runs = [{"kind": number % 3} for number in range(50)]
    some = replace(PLAIN, alike=lambda run: run["kind"], together=8)
    batches = some.batches(runs, list(range(50)))
    assert sorted(number for batch in batches for number in batch) == list(range(50))
    assert all(len({runs[number]["kind"] for number in batch}) == 1 for batch in batches)
    assert max(map(len, batches)) <= 8


def test_the_plan_is_what_the_settings_say():
    assert len(numbers(4)) == 4
    assert [len(PLAIN(n=n)) for n in (1, 3)] == [1, 3]

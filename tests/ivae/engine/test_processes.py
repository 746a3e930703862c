"""How work is cut and run side by side, and that it ends, all of it, when it is told to.

That processes change nothing is tested where something is trained in them.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from ivae.engine.processes import MEMBERS_AT_ONCE, choose_processes, cut, run_jobs

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("n_members", [1, 2, 7, 32, 33, 100, 257])
@pytest.mark.parametrize("processes", [1, 2, 5])
def test_a_cut_has_every_member_once_in_shards_alike(n_members, processes):
    shards = cut(n_members, processes)
    assert sorted(e for shard in shards for e in shard) == list(range(n_members))
    sizes = [len(shard) for shard in shards]
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= MEMBERS_AT_ONCE
    assert len(shards) % processes == 0 or len(shards) == n_members


def test_a_process_that_may_start_no_others_says_so(monkeypatch):
    monkeypatch.setattr("multiprocessing.current_process", lambda: SimpleNamespace(daemon=True))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert choose_processes(8, 56_000, 100_000, 64) == 1
    with pytest.raises(ValueError, match="processes must be 1 in a process that may start no"):
        run_jobs(print, [], 2, print)


def test_only_long_trainings_get_processes(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert choose_processes(8, 56_000, 10, 64) == 1
    assert choose_processes(8, 56_000, 100_000, 64) == 4
    assert choose_processes(3, 56_000, 1_000_000, 64) == 3
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert choose_processes(8, 56_000, 100_000, 64) == 1


@pytest.mark.slow
def test_jobs_give_their_results_in_order_and_tell_how_they_stand():
    def work(number, note):
        note(number, 0.5)
        time.sleep(0.5)
        return number, torch.get_num_threads()

    told = []
    found = run_jobs(work, [(3,), (1,), (2,)], 2, lambda *said: told.append(said))
    assert found == [(3, 1), (1, 1), (2, 1)]
    assert {said[:3] for said in told} == {(0, 3, 0.5), (1, 1, 0.5), (2, 2, 0.5)}


@pytest.mark.slow
def test_a_failed_job_does_not_wait_for_the_others():
    def work(seconds, note):
        time.sleep(seconds)
        raise OSError("no space left")

    began = time.monotonic()
    with pytest.raises(OSError, match="no space left"):
        run_jobs(work, [(600,), (0,)], 2, print)
    assert time.monotonic() - began < 60


LONG = """
import signal
from pathlib import Path
import torch
from companion import c14
from companion.recorded.making import make_result
from ivae import IVAE, Settings, generate
signal.signal(signal.SIGINT, signal.default_int_handler)  # In the background it is ignored.
torch.set_num_threads(2)
steps = 10**7
"""
A_FIT = """
one = generate("linear", 1, 2, 2)
IVAE(2, settings=Settings(n_starts=2, n_steps=steps)).fit(one.x, one.u)
"""
A_RESULT = """
long = {"seed": 1, "data_seeds": [1], "n_networks": 2, "samples_per_segment": 50, "n_steps": steps}
make_result("starts", c14.experiments.starts, long, Path("result"), Path("unfinished"))
"""


@pytest.mark.slow
@pytest.mark.parametrize("call", [A_FIT, A_RESULT], ids=["a fit", "a result"])
def test_ctrl_c_ends_a_process_and_all_that_it_has_started(call, tmp_path):
    paths = os.pathsep.join([str(ROOT), str(ROOT / "notebooks")])
    child = subprocess.Popen(
        [sys.executable, "-c", LONG + call],
        env={**os.environ, "PYTHONPATH": paths, "TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "2"},
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    family = []
    try:
        me = psutil.Process(child.pid)
        while sum(cpu_seconds(one) > 3 for one in family) < 2:  # Imports take some two.
            assert child.poll() is None, child.stderr.read()
            time.sleep(0.5)
            family = me.children(recursive=True)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=30)
        assert "KeyboardInterrupt" in said
        assert child.returncode != 0
        assert not list(tmp_path.glob("ivae-*"))  # Where the jobs told how they stood.
        _, left = psutil.wait_procs(family, timeout=10)
        assert not left
    finally:
        for one in (child, *family):
            if psutil.pid_exists(one.pid):
                one.kill()


def cpu_seconds(process):
    try:
        return sum(process.cpu_times()[:2])
    except psutil.NoSuchProcess:
        return 0.0

"""How the work is cut. That processes change nothing is tested with the training."""

from types import SimpleNamespace

import pytest
import torch

from ivae.engine.processes import MEMBERS_AT_ONCE, choose_processes, cut, run


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
        run([], None, 2, print)


def test_only_long_trainings_get_processes(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert choose_processes(8, 56_000, 10, 64) == 1
    assert choose_processes(8, 56_000, 100_000, 64) == 4
    assert choose_processes(3, 56_000, 1_000_000, 64) == 3
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert choose_processes(8, 56_000, 100_000, 64) == 1

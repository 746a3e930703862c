"""Shards in processes of their own: one thread each, side by side.

Python runs one thread at a time, and a training step is many short operations, so two threads
mostly wait for each other; two processes do not. Starting one takes a few seconds, which a short
training does not earn back. Workers stay for the next training and end with the program.
"""

from __future__ import annotations

import math
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import torch
from loky import get_reusable_executor

from ivae.engine.checkpoints import Checkpoint
from ivae.engine.memory import keep_freed_memory
from ivae.engine.shards import Shard, State

MEMBERS_AT_ONCE = 32
"""Members of a shard at most: more gain nothing, and their activations cost memory."""
WORTH_A_PROCESS = 10.0
"""Seconds of work, about, from which on the start of other processes is earned back."""
_SECONDS_PER_PRODUCT = 4e-11  # For one weight and one sample, forth and back, on one core.
_SECONDS_PER_STEP = 2e-4  # For one member, whatever its size.


def choose_processes(n_members: int, n_weights: int, n_steps: int, batch_size: int) -> int:
    """Return how many processes are good for a training on this machine's CPU.

    Parameters
    ----------
    n_members, n_weights
        E, and the number of weights of one member.
    n_steps, batch_size
        Of the training.
    """
    if multiprocessing.current_process().daemon:  # Such a process may not start others.
        return 1
    of_a_step = n_weights * batch_size * _SECONDS_PER_PRODUCT + _SECONDS_PER_STEP
    seconds = n_members * n_steps * of_a_step
    if seconds < WORTH_A_PROCESS:
        return 1
    return min(torch.get_num_threads(), n_members)


def cut(n_members: int, processes: int) -> list[list[int]]:
    """Cut members into shards of about equal size, as many as keep all processes busy."""
    rounds = -(-n_members // (processes * MEMBERS_AT_ONCE))
    n_shards = min(n_members, processes * rounds)
    return [part.tolist() for part in np.array_split(np.arange(n_members), n_shards)]


def run(
    shards: list[Shard],
    folder: Checkpoint | None,
    processes: int,
    report: Callable[[int, int, float, float], None],
) -> None:
    """Train all shards.

    Parameters
    ----------
    shards, folder
        What to train, and where to write checkpoints.
    processes
        How many to use; with 1 the shards are trained here, one after the other.
    report
        Gets a shard's number, step, last mean objective and mean MCC (NaN where unknown).
    """
    if processes == 1:
        for number, shard in enumerate(shards):
            _train(number, shard, folder, _called(report, number))
        return
    if multiprocessing.current_process().daemon:
        raise ValueError(
            "processes must be 1 in a process that may start no others, as those of "
            f"multiprocessing.Pool and of Dask; got {processes}."
        )
    with tempfile.TemporaryDirectory(prefix="ivae-") as place:
        board = np.memmap(Path(place) / "progress", np.float64, "w+", shape=(len(shards), 3))
        board[:] = np.nan
        executor = get_reusable_executor(processes, timeout=60, env={"OMP_NUM_THREADS": "1"})
        futures = [
            executor.submit(
                _train_in_worker, number, shard, folder, str(board.filename), len(shards)
            )
            for number, shard in enumerate(shards)
        ]
        try:
            _watch(futures, board, report)
            for shard, future in zip(shards, futures, strict=True):
                shard.restore(*future.result())
            return
        except BaseException:
            executor.shutdown(wait=True, kill_workers=True)
            raise


def _watch(
    futures: list[Future[State]],
    board: np.ndarray,
    report: Callable[[int, int, float, float], None],
) -> None:
    while not all(future.done() for future in futures):
        for future in futures:
            if future.done():
                future.result()  # Raises what the worker raised, without waiting for the others.
        time.sleep(0.1)
        for number, (step, objective, score) in enumerate(board.tolist()):
            if not math.isnan(step):
                report(number, int(step), objective, score)


def _train_in_worker(
    number: int, shard: Shard, folder: Checkpoint | None, board: str, n_shards: int
) -> State:
    torch.set_num_threads(1)
    lines = np.memmap(board, np.float64, "r+", shape=(n_shards, 3))

    def note(step: int, objective: float, score: float) -> None:
        lines[number] = step, objective, score

    _train(number, shard, folder, note)
    return shard.state()


def _train(
    number: int,
    shard: Shard,
    folder: Checkpoint | None,
    note: Callable[[int, float, float], None],
) -> None:
    keep_freed_memory()
    saved = None if folder is None else folder.read(number)
    if saved is not None:
        shard.restore(*saved)
    note(shard.step, *shard.last_means())
    while not shard.is_done:
        shard.advance(lambda step: note(step, *shard.last_means()))
        if folder is not None:
            folder.write(number, *shard.state())
    note(shard.n_steps, *shard.last_means())


def _called(
    report: Callable[[int, int, float, float], None], number: int
) -> Callable[[int, float, float], None]:
    return lambda step, objective, score: report(number, step, objective, score)

"""Jobs in processes of their own, one thread each, side by side; and how much memory they keep.

Python runs one thread at a time, and a training step is many short operations, so two threads
mostly wait for each other; two processes do not. Starting one takes a few seconds, which a short
training does not earn back. Processes stay for the next jobs, and end after an idle minute or with
the program. A program has one pool of them: what is run from several threads at once shares it, and
an error in one ends the jobs of all.
"""

from __future__ import annotations

import ctypes
import math
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from loky import get_reusable_executor

KEPT_BYTES = 1 << 28
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # Names of glibc's malloc.h.
MEMBERS_AT_ONCE = 32
"""Members of a shard at most: more gain nothing, and their activations cost memory."""
WORTH_A_PROCESS = 10.0
"""Seconds of work, about, from which on the start of other processes is earned back."""
_SECONDS_PER_PRODUCT = 4e-11  # For one weight and one sample, forth and back, on one core.
_SECONDS_PER_STEP = 2e-4  # For one member, whatever its size.
N_NUMBERS = 3  # A job may tell so many of how it stands.

Result = TypeVar("Result")


def keep_freed_memory() -> None:
    """Let this process keep up to 256 MB that it has freed, where the C library is glibc.

    A training step frees some megabytes and needs them again in the next step. By default glibc
    hands them back to the system each time, and each new page costs more than the arithmetic on it.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(_MMAP_THRESHOLD, 8 << 20)  # Larger ones, of whole datasets, are handed back.


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


def run_jobs(
    work: Callable[..., Result],
    jobs: Sequence[tuple[Any, ...]],
    processes: int,
    report: Callable[..., None],
) -> list[Result]:
    """Return ``work(*job, note)`` of every job. An exception, Ctrl-C too, ends all processes.

    Parameters
    ----------
    work
        What to do, importable by another process.
    jobs
        Arguments of each call.
    processes
        How many to use, at least 2.
    report
        Called with a job's number and what it told ``note`` last, up to three numbers (NaN where
        it has not), ten times a second.

    Raises
    ------
    ValueError
        In a process that may start no others.
    """
    if multiprocessing.current_process().daemon:
        raise ValueError(
            "processes must be 1 in a process that may start no others, as those of "
            f"multiprocessing.Pool and of Dask; got {processes}."
        )
    with tempfile.TemporaryDirectory(prefix="ivae-") as place:
        board = np.memmap(Path(place) / "progress", np.float64, "w+", shape=(len(jobs), N_NUMBERS))
        board[:] = np.nan
        executor = get_reusable_executor(processes, timeout=60, env={"OMP_NUM_THREADS": "1"})
        try:
            futures = [
                executor.submit(_in_worker, work, job, str(board.filename), board.shape, number)
                for number, job in enumerate(jobs)
            ]
            running = True
            while running:
                time.sleep(0.1)
                running = not all(future.done() for future in futures)
                for future in futures:
                    if future.done():
                        future.result()  # Raises what the job raised, without waiting for others.
                for number, told in enumerate(board.tolist()):
                    if not math.isnan(told[0]):
                        report(number, *told)
            return [future.result() for future in futures]
        except BaseException:
            executor.shutdown(wait=True, kill_workers=True)
            raise


def _in_worker(
    work: Callable[..., Result],
    job: tuple[Any, ...],
    board: str,
    shape: tuple[int, int],
    number: int,
) -> Result:
    torch.set_num_threads(1)
    lines = np.memmap(board, np.float64, "r+", shape=shape)

    def note(*told: float) -> None:
        lines[number, : len(told)] = told

    return work(*job, note)

"""Make a result: all runs, then some of them again from weights moved by a millionth.

Batches are made side by side, one on each of this process's threads. What is finished is kept at
once, so that a process that is killed goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from companion.recorded import store
from companion.recorded.experiment import NUDGE, Experiment, Run
from companion.recorded.store import NotWhole, Result
from ivae.engine.processes import run_jobs
from ivae.support.checks import Array
from ivae.support.records import plain, provenance

LEAST_DOUBLED, SHARE_DOUBLED = 12, 0.1
"""Runs that are made twice: a tenth, and at least twelve where there are so many."""
ROOT = Path(__file__).resolve().parents[3]
CODE = ("ivae", "notebooks/companion", "requirements.lock")
"""What decides a result besides its settings."""
DIRTY = "-dirty"
"""Ends the commit of code that differs from it."""


class Made(NamedTuple):
    """Some runs as they were made: their numbers, and what they gave, an entry for each."""

    numbers: NDArray[np.int64]
    values: dict[str, Array]
    arrays: dict[str, Array]
    seconds: Array


def make_result(
    name: str,
    experiment: Experiment,
    settings: Mapping[str, Any],
    path: Path,
    unfinished: Path,
    tell: Callable[[str], None] = lambda text: None,
) -> Result:
    """Make a result anew, write it to ``path``, and return what can be read there.

    Parameters
    ----------
    name
        The experiment's, under which it is told of and kept.
    experiment, settings
        What to make.
    path
        Where the result goes, without an ending.
    unfinished
        Folder for what is finished of it, which is taken up when the same is asked for again.
    tell
        Called with a line about each batch.
    """
    runs = experiment.plan(**settings)
    plain_runs = [plain(dict(run), name) for run in runs]
    asked = plain([name, experiment.revision, settings, plain_runs, CODE_NOW], name)
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    folder = unfinished / f"{path.name}-{digest[:16]}"
    first = _in_batches(experiment, runs, range(len(runs)), 0.0, folder / "first", tell)
    doubled = choose(len(runs), max(LEAST_DOUBLED, round(SHARE_DOUBLED * len(runs))), digest)
    second = _in_batches(experiment, runs, doubled, NUDGE, folder / "second", tell)
    seconds = float(first.seconds.sum() + second.seconds.sum())
    commit = code_commit()
    if commit and code_digest() != CODE_NOW:  # What made the runs is not what is there now.
        commit = commit.removesuffix(DIRTY) + DIRTY
    made = Result(
        name,
        experiment.revision,
        plain(dict(settings), name),
        plain_runs,
        first.values,
        first.arrays,
        first.seconds,
        doubled,
        second.values,
        provenance(round(seconds, 1)) | {"commit": commit},
    )
    store.save(made, path)
    shutil.rmtree(folder, ignore_errors=True)
    return store.load(path)


def make_again(
    experiment: Experiment, run: Run, nudge: float = 0.0
) -> tuple[dict[str, float], float]:
    """Make one run from nothing; return its numbers, and the seconds it took."""
    started = time.monotonic()
    (outcome,) = experiment.work([run], nudge)
    return outcome.values, time.monotonic() - started


def choose(n: int, size: int, key: str) -> NDArray[np.int64]:
    """Draw ``size`` of n numbers, in order, all of them if there are no more; ``key`` decides."""
    return np.sort(shuffled(n, key)[:size])


def shuffled(n: int, key: str) -> NDArray[np.int64]:
    """Return n numbers in an order that ``key`` decides."""
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).permutation(n).astype(np.int64)


def code_commit() -> str | None:
    """Return the last commit that touched what decides results, None outside a checkout.

    It ends in :data:`DIRTY` where such a file differs from it.
    """
    git = ("git", "-C", str(ROOT))
    asked = (("log", "-1", "--format=%H", "--", *CODE), ("status", "--porcelain", "--", *CODE))
    try:
        done = [
            subprocess.run((*git, *one), capture_output=True, text=True, timeout=10, check=True)
            for one in asked
        ]
    except (OSError, subprocess.SubprocessError):
        return None
    commit = done[0].stdout.strip()
    return commit + DIRTY if commit and done[1].stdout.strip() else commit or None


def code_digest(root: Path = ROOT) -> str:
    """Return a digest of the code that decides results, as its files are now."""
    files = [file for name in CODE for file in ((root / name), *(root / name).rglob("*.py"))]
    digest = hashlib.sha256()
    for file in sorted(file for file in files if file.is_file()):
        digest.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


CODE_NOW = code_digest()
"""Of the code that this process runs; files that change later are not in it."""


def _in_batches(
    experiment: Experiment,
    runs: Sequence[Run],
    chosen: Sequence[int] | NDArray[np.int64],
    nudge: float,
    folder: Path,
    tell: Callable[[str], None],
) -> Made:
    batches = experiment.batches(runs, [int(number) for number in chosen])
    paths = [folder / hashlib.sha256(str(one).encode()).hexdigest()[:16] for one in batches]
    found = {i: part for i, path in enumerate(paths) if (part := _kept(path)) is not None}
    missing = [i for i in range(len(batches)) if i not in found]
    missing.sort(key=lambda i: -len(batches[i]))  # So that no core waits at the end.
    done = len(chosen) - sum(len(batches[i]) for i in missing)
    told: set[int] = set()

    def report(place: int, seconds: float, *_: float) -> None:
        nonlocal done
        if place not in told:
            told.add(place)
            done += len(batches[missing[place]])
            tell(f"{folder.name}: {done} of {len(chosen)} runs, {seconds:.0f} s the last")

    jobs = [(experiment, runs, batches[i], nudge, paths[i]) for i in missing]
    n_threads = torch.get_num_threads()
    if n_threads > 1 and len(jobs) > 1:
        run_jobs(_make_and_keep, jobs, n_threads, report)
    else:
        for place, job in enumerate(jobs):
            _make_and_keep(*job, partial(report, place))
    return _joined([found.get(i) or _load(path) for i, path in enumerate(paths)])


def _make_and_keep(
    experiment: Experiment,
    runs: Sequence[Run],
    numbers: Sequence[int],
    nudge: float,
    path: Path,
    note: Callable[..., None],
) -> None:
    part = _made(experiment, runs, numbers, nudge)
    _keep(part, path)
    note(float(part.seconds.sum()))


def _made(
    experiment: Experiment,
    runs: Sequence[Run],
    numbers: Sequence[int],
    nudge: float,
) -> Made:
    started = time.monotonic()
    outcomes = experiment.work([runs[number] for number in numbers], nudge)
    seconds = (time.monotonic() - started) / len(outcomes)
    values = {n: np.array([one.values[n] for one in outcomes], float) for n in outcomes[0].values}
    arrays = {n: np.stack([_short(one.arrays[n]) for one in outcomes]) for n in outcomes[0].arrays}
    return Made(np.array(numbers), values, arrays, np.full(len(outcomes), seconds))


def _short(array: Any) -> Array:
    """Return an array with numbers of single precision, which is what figures need."""
    given = np.asarray(array)
    return given.astype(np.float32) if given.dtype == np.float64 else given


def _joined(parts: Sequence[Made]) -> Made:
    """Put parts together, in the order of the runs' numbers."""
    numbers = np.concatenate([part.numbers for part in parts])
    order = np.argsort(numbers)

    def column(pieces: Sequence[Array]) -> Array:
        return np.concatenate(pieces)[order]

    return Made(
        numbers[order],
        {name: column([part.values[name] for part in parts]) for name in parts[0].values},
        {name: column([part.arrays[name] for part in parts]) for name in parts[0].arrays},
        column([part.seconds for part in parts]),
    )


def _keep(part: Made, path: Path) -> None:
    runs = [{"number": int(number)} for number in part.numbers]
    none: NDArray[np.int64] = np.empty(0, np.int64)
    kept = Result("part", 1, {}, runs, part.values, part.arrays, part.seconds, none, {})
    store.save(kept, path)


def _kept(path: Path) -> Made | None:
    """Return a batch that is finished, None where it is not."""
    try:
        return _load(path)
    except (FileNotFoundError, NotWhole):
        return None


def _load(path: Path) -> Made:
    part = store.load(path)
    numbers = np.array([run["number"] for run in part.runs])
    return Made(numbers, dict(part.values), dict(part.arrays), part.seconds)

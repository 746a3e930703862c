"""Sweeps: many trainings, packed into ensembles, on this machine or on a Dask cluster.

Runs that differ only in what members may differ in (seeds, data, learning rate, weights, decoder
variance) become one ensemble, as far as memory allows; on a cluster each ensemble is a task. A
finished one leaves its record at once, and a sweep that is started again trains only what has none;
on this machine an ensemble that was cut short goes on from its checkpoint.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from ivae import data
from ivae.engine.history import EveryMemberDiverged, History
from ivae.models import LatentVariableModel
from ivae.support.checks import Array
from ivae.support.progress import ProgressLine
from ivae.support.records import Record, load, save
from ivae.sweeps.runs import Run, model_of, objective_of, pack, schedule_of
from ivae.training import train

if TYPE_CHECKING:
    from distributed import Client

MEASURED = {
    "final_objective": "objective",
    "elbo": "elbo",
    "reconstruction": "reconstruction",
    "kl": "kl",
    "held_out_objective": "held_out",
    "mcc": "mcc",
    "mcc_sampled": "mcc_sampled",
}
"""Columns of what a run gave, none of them named as a setting, and whence in a History."""


def sweep(
    runs: Iterable[Run],
    folder: str | Path,
    *,
    scheduler: str | Client | None = None,
    memory_gb: float = 4.0,
    device: str = "cpu",
    progress: bool = True,
) -> pd.DataFrame:
    """Train every run, and return one row for each.

    Parameters
    ----------
    runs
        From :func:`ivae.sweeps.runs.grid`, or any :class:`ivae.sweeps.runs.Run`.
    folder
        Where records are written, one for each ensemble, when it is finished. Runs with a record
        there are not trained again.
    scheduler
        Address of a Dask scheduler (``"tcp://..."``) or a client. By default the ensembles are
        trained here, one after the other, each on all cores.
    memory_gb
        Of one ensemble at most, see :func:`ivae.sweeps.runs.bytes_of_member`.
    device
        ``"cpu"`` or ``"cuda"``.
    progress
        Whether to show a line with what is finished, running and failed.

    Returns
    -------
    DataFrame
        A row for each run, in the order given: its settings; ``status``, which is ``"done"``,
        ``"stopped"`` (early), ``"diverged"`` or ``"failed"``; ``error``, the cause of the last
        two; ``seconds``, its share of its ensemble's wall time; ``commit``, that of the code that
        trained it, see :func:`ivae.support.records.provenance`; at the end of its training
        ``final_objective``, ``elbo``, ``reconstruction``, ``kl``, ``held_out_objective``, ``mcc``
        and ``mcc_sampled``; and ``mcc_curve`` and ``objective_curve``, MCC of samples and objective
        at every evaluation. Failed runs have no record: starting the sweep again tries them again.

    Raises
    ------
    ValueError
        When there are no runs, or the folder holds a file that is no record.
    """
    asked = list(runs)
    if not asked:
        raise ValueError("runs must hold at least one Run; got none.")
    target = Path(folder)
    rows = _done(target, device)
    ensembles = pack([run for run in asked if run not in rows], memory_gb)
    line = ProgressLine("sweep", shown=progress)
    counts = {"finished": 0, "running": 0, "failed": 0}

    def checkpoint(ensemble: list[Run]) -> Path:
        return target / f"{_digest(ensemble, device)}.unfinished"

    def note(**changes: int) -> None:
        for name, change in changes.items():
            counts[name] += change
        share = (counts["finished"] + counts["failed"]) / max(1, len(ensembles))
        bar = "#" * round(20 * share) + "." * (20 - round(20 * share))
        told = ", ".join(f"{count} {name}" for name, count in counts.items())
        line.report(f"[{bar}] {told} of {len(ensembles)} ensembles")

    def finish(ensemble: list[Run], outcome: dict[str, Any] | BaseException) -> None:
        if isinstance(outcome, BaseException):
            line.announce(f"sweep: an ensemble of {len(ensemble)} failed: {outcome!r}")
            failure = {"status": "failed", "error": str(outcome) or repr(outcome)}
            rows.update(dict.fromkeys(ensemble, failure))
            note(failed=1, running=-1)
            return
        settings = {"runs": [run.values for run in ensemble], "device": device}
        record = Record("sweep", settings, outcome)
        save(record, target / f"{_digest(ensemble, device)}.json")
        shutil.rmtree(checkpoint(ensemble), ignore_errors=True)
        rows.update(_rows(ensemble, record))
        note(finished=1, running=-1)

    with line:
        if scheduler is None:
            for ensemble in ensembles:
                note(running=1)
                finish(ensemble, _here(ensemble, device, progress, checkpoint(ensemble)))
        else:
            _on_cluster(scheduler, ensembles, device, note, finish)
    return pd.DataFrame([run.values | rows[run] for run in asked])


def train_ensemble(
    runs: Sequence[Run],
    device: str,
    processes: int | None,
    progress: bool,
    checkpoint: Path | None = None,
) -> dict[str, Any]:
    """Train runs of one :func:`ivae.sweeps.runs.pack`; return what a record holds of them.

    The values are lists with one entry for each run; ``curves`` holds (T, E) lists.
    """
    options = {"processes": processes, "progress": progress, "checkpoint": checkpoint}
    try:
        history = fit(runs, device, **options).history
    except EveryMemberDiverged as error:
        history = error.history
    return _outcome(history, len(runs))


class Fit(NamedTuple):
    """A trained ensemble, what its training measured, and each member's data."""

    model: LatentVariableModel
    history: History
    datasets: list[data.NonstationaryData]

    def draw_latents(self) -> Array:
        """Return one posterior sample for each observation of each member's data, (E, N, n)."""
        x, u, _ = data.stack(self.datasets)
        return self.model.draw_latents(x, u).numpy(force=True)


def fit(runs: Sequence[Run], device: str = "cpu", **options: Any) -> Fit:
    """Train runs that :func:`ivae.sweeps.runs.pack` has put together, and keep the models.

    ``options`` are those of :func:`ivae.training.train`, whose errors it raises.
    """
    first = runs[0]
    datasets = {settings: settings.generate() for settings in {run.data for run in runs}}
    each = [datasets[run.data] for run in runs]
    x, u, z = data.stack(each) if len(datasets) > 1 else (each[0].x, each[0].u, each[0].z)
    model = model_of(runs).to(device)
    history = train(
        model,
        x,
        u,
        z,
        schedule=schedule_of(runs),
        objective=objective_of(runs),
        label=f"{len(runs)} {first.model}s",
        **options,
    )
    return Fit(model, history, each)


def _here(
    ensemble: list[Run], device: str, progress: bool, checkpoint: Path
) -> dict[str, Any] | BaseException:
    # In a notebook every ensemble would leave a line of its own; the sweep's is enough there.
    lines = progress and sys.stderr.isatty()
    try:
        return train_ensemble(ensemble, device, None, lines, checkpoint)
    except Exception as error:
        return error


def _on_cluster(
    scheduler: str | Client,
    ensembles: list[list[Run]],
    device: str,
    note: Callable[..., None],
    finish: Callable[..., None],
) -> None:
    if find_spec("distributed") is None:
        raise ImportError("a scheduler needs Dask: pip install '.[cluster]'.")
    from distributed import Client, as_completed  # Slow to import, and needed here alone.

    client = Client(scheduler) if isinstance(scheduler, str) else scheduler
    waiting: dict[Any, list[Run]] = {}
    try:
        for ensemble in ensembles:
            # A worker of the cluster is one process; its threads are its own affair.
            future = client.submit(train_ensemble, ensemble, device, 1, False, pure=False)
            waiting[future] = ensemble
            note(running=1)
        for future in as_completed(list(waiting)):
            error = future.exception()
            finish(waiting.pop(future), future.result() if error is None else error)
            future.release()
    finally:
        client.cancel(list(waiting))  # What an interrupt has left.
        if client is not scheduler:
            client.close()


def _outcome(history: History, n_members: int) -> dict[str, Any]:
    found = {name: getattr(history, attribute) for name, attribute in MEASURED.items()}
    curves = {name: values for name, values in found.items() if values is not None}
    status = ["done"] * n_members
    error = [""] * n_members
    for member in history.stopped:
        status[member] = "stopped"
    for member, cause in history.diverged.items():
        status[member], error[member] = "diverged", cause
    last = {name: values[-1] for name, values in curves.items()}
    last["seconds"] = [history.seconds / n_members] * n_members
    return {"status": status, "error": error, **last, "epochs": history.epochs, "curves": curves}


def _rows(runs: Sequence[Run], record: Record) -> dict[Run, dict[str, Any]]:
    columns = {name: v for name, v in record.values.items() if name not in ("epochs", "curves")}
    curves, blank = record.values["curves"], np.empty((0, len(runs)))
    for name, measure in (("mcc_curve", "mcc_sampled"), ("objective_curve", "final_objective")):
        columns[name] = np.transpose(curves.get(measure, blank)).tolist()
    columns["commit"] = [record.provenance["commit"]] * len(runs)
    return {run: {name: v[i] for name, v in columns.items()} for i, run in enumerate(runs)}


def _done(folder: Path, device: str) -> dict[Run, dict[str, Any]]:
    """Return the rows of all runs that have a record of this device in the folder."""
    rows: dict[Run, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.json")):
        record = load(path)
        try:
            if record.settings["device"] == device:
                rows |= _rows([_revive(values) for values in record.settings["runs"]], record)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ValueError(
                f"{path} is no record of a sweep by this version ({error!r}); move it elsewhere, "
                "or name another folder."
            ) from error
    return rows


def _revive(values: dict[str, Any]) -> Run:
    return Run.of(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def _digest(runs: Sequence[Run], device: str) -> str:
    text = json.dumps([device, [run.values for run in runs]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]

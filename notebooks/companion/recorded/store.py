"""Results in files: a JSON file that can be read, and an npz file beside it for what is drawn.

Equal content gives equal bytes. Each file is written atomically and the JSON file, which names the
digest of the other, last; so a process that is killed leaves the old result, or one that is seen
not to be whole. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ivae.support.checks import Array
from ivae.support.records import FORMAT, plain, revive, write_atomically

_FIELDS = {"format", "experiment", "revision", "settings", "provenance", "common", "runs"}
_FIELDS |= {"values", "seconds", "doubled", "moved", "arrays", "digest"}


class NotWhole(ValueError):
    """A result's files are damaged, changed by hand, or were cut short while being written."""


@dataclass(frozen=True)
class Result:
    """What an experiment gave: R runs, in the order of its plan.

    Attributes
    ----------
    experiment, revision, settings
        What was made.
    runs
        What each run is.
    values
        (R,) numbers each, by which runs are compared.
    arrays
        (R, ...) each, what the pages draw besides.
    seconds
        Of each run, its share of those it was made together with, (R,).
    doubled, moved
        The m runs that were made twice, by number, and their values the second time, (m,) each.
    provenance
        See :func:`ivae.support.records.provenance`.
    """

    experiment: str
    revision: int
    settings: Mapping[str, Any]
    runs: Sequence[Mapping[str, Any]]
    values: Mapping[str, Array]
    arrays: Mapping[str, Array]
    seconds: Array
    doubled: NDArray[np.int64]
    moved: Mapping[str, Array]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.runs)

    @property
    def table(self) -> pd.DataFrame:
        """A row for each run: what it is, and its values."""
        return pd.DataFrame([dict(run) for run in self.runs]).assign(**dict(self.values))

    def where(self, **same: Any) -> Result:
        """Return the runs of which these settings are so, in the order they have here."""
        kept = [
            number
            for number, run in enumerate(self.runs)
            if all(run.get(name) == value for name, value in same.items())
        ]
        if not kept:
            raise ValueError(f"no run of {self.experiment} has {same}.")
        return replace(
            self,
            runs=[self.runs[number] for number in kept],
            values={name: value[kept] for name, value in self.values.items()},
            arrays={name: value[kept] for name, value in self.arrays.items()},
            seconds=self.seconds[kept],
            doubled=np.empty(0, np.int64),
            moved={},
        )


def save(result: Result, path: Path) -> None:
    """Write a result to ``path`` with the endings .json and, where there are arrays, .npz."""
    packed = _packed(result.arrays)
    common, runs = _split(result.runs)
    content = plain(
        {
            "format": FORMAT,
            "experiment": result.experiment,
            "revision": result.revision,
            "settings": result.settings,
            "provenance": result.provenance,
            "common": common,
            "runs": runs,
            "values": dict(result.values),
            "seconds": [round(float(one), 2) for one in result.seconds],
            "doubled": result.doubled,
            "moved": dict(result.moved),
            "arrays": hashlib.sha256(packed).hexdigest() if result.arrays else None,
        },
        result.experiment,
    )
    content["digest"] = _digest(content)
    arrays = path.with_suffix(".npz")
    if result.arrays:
        write_atomically(arrays, packed)
    write_atomically(path.with_suffix(".json"), _readable(content))
    if not result.arrays:
        arrays.unlink(missing_ok=True)


def load(path: Path) -> Result:
    """Read what :func:`save` wrote.

    Raises
    ------
    FileNotFoundError
        When there is none.
    NotWhole
        When the files are not as they were written.
    """
    file = path.with_suffix(".json")
    text = file.read_text(encoding="utf-8")
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise NotWhole(f"{file.name} is no valid JSON ({error}).") from error
    if not isinstance(content, dict) or set(content) != _FIELDS or content["format"] != FORMAT:
        raise NotWhole(f"{file.name} does not have the fields of a result.")
    if content.pop("digest") != _digest(content):
        raise NotWhole(f"{file.name} is not as it was written: its digest differs.")
    arrays: dict[str, Array] = {}
    if content["arrays"] is not None:
        packed = path.with_suffix(".npz")
        raw = packed.read_bytes() if packed.exists() else b""
        if hashlib.sha256(raw).hexdigest() != content["arrays"]:
            raise NotWhole(f"{packed.name} is not the one that {file.name} was written with.")
        with np.load(io.BytesIO(raw), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    got = revive(content)
    n_runs = len(got["seconds"])
    columns, common = got["runs"], got["common"]
    return Result(
        got["experiment"],
        got["revision"],
        got["settings"],
        [
            dict(common) | {name: column[i] for name, column in columns.items()}
            for i in range(n_runs)
        ],
        _arrays(got["values"]),
        arrays,
        np.array(got["seconds"], np.float64),
        np.array(got["doubled"], np.int64),
        _arrays(got["moved"]),
        got["provenance"],
    )


def _arrays(columns: Mapping[str, Any]) -> dict[str, Array]:
    return {name: np.array(column, np.float64) for name, column in columns.items()}


def _split(runs: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Return what all runs have in common, and the rest by column."""
    first = runs[0]
    if any(set(run) != set(first) for run in runs):
        raise ValueError("runs of one experiment must have the same names.")
    common = {name: v for name, v in first.items() if all(run[name] == v for run in runs)}
    return common, {name: [run[name] for run in runs] for name in first if name not in common}


def _packed(arrays: Mapping[str, Array]) -> bytes:
    """Return the bytes of an npz file. numpy writes no times into it, and names in this order."""
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **{n: arrays[n] for n in sorted(arrays)})
    return file.getvalue()


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _readable(content: Mapping[str, Any]) -> str:
    """Return JSON with one line for each field, and for each column of a field that has several."""

    def one(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    lines = []
    for name, value in content.items():
        if isinstance(value, dict) and name in ("runs", "values", "moved", "common", "settings"):
            inner = ",\n".join(f"  {one(key)}: {one(each)}" for key, each in value.items())
            lines.append(f" {one(name)}: {{\n{inner}\n }}" if inner else f" {one(name)}: {{}}")
        else:
            lines.append(f" {one(name)}: {one(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"

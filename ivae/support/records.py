"""Records of runs: values, settings and provenance in one JSON file, written atomically."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

FORMAT = 2
"""Version of the file format; a reader knows this one and 1, and refuses others."""

_PACKAGES = ("torch", "numpy", "scipy", "matplotlib", "ivae")
_FLOAT = "$float"
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


@dataclass(frozen=True)
class Record:
    """One run: what it was, what it gave, and where, when and with what it was run.

    Attributes
    ----------
    name
        What was run, e.g. a chapter.
    settings
        Everything that was chosen: mode, seeds, sizes.
    values
        Everything that came out: numbers, texts, (nested) lists.
    provenance
        See :func:`provenance`.
    """

    name: str
    settings: dict[str, Any]
    values: dict[str, Any]
    provenance: dict[str, Any] = field(default_factory=lambda: provenance())


def provenance(seconds: float | None = None) -> dict[str, Any]:
    """Return commit, versions, machine and date (UTC) of this process.

    ``commit`` is None outside a git checkout; it ends in ``-dirty`` where tracked files differ from
    it, since such a run cannot be repeated from the commit alone.
    """
    return {
        "commit": _commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "seconds": seconds,
    }


def save(record: Record, path: str | Path) -> Path:
    """Write a record to ``path`` as JSON, atomically: readers see the old file or the new one.

    numpy scalars and arrays become numbers and lists. NaN and infinities, which JSON lacks, become
    ``{"$float": "NaN"}`` and the like, and :func:`load` turns them back.

    Raises
    ------
    ValueError
        When a value is of a type that JSON cannot hold; it is named, and nothing is written.
    """
    content = {"format": FORMAT, **asdict(record)}
    text = json.dumps(plain(content, "record"), indent=1, allow_nan=False) + "\n"
    return write_atomically(path, text)


def write_atomically(path: str | Path, content: str | bytes) -> Path:
    """Write a file so that readers, and a killed process, leave the old one or the new one."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return target


def load(path: str | Path) -> Record:
    """Read a record that :func:`save` wrote.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the file is not a record, or of a newer format than this version knows.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not a record: it is no valid JSON ({error}).") from error
    fields = {"format", "name", "settings", "values", "provenance"}
    if not isinstance(content, dict) or set(content) != fields:
        raise ValueError(f"{path} is not a record: expected the fields {sorted(fields)}.")
    version = content.pop("format")
    if version not in (1, FORMAT):
        raise ValueError(
            f"{path} has format {version!r}, of another version of ivae; this one reads 1 and "
            f"{FORMAT}."
        )
    return Record(**{key: revive(value, version) for key, value in content.items()})


def plain(value: Any, where: str) -> Any:
    """Return ``value`` as JSON can hold it; a ValueError names what it cannot, below ``where``."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry, f"{where}.{key}") for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist(), where)
    if isinstance(value, (list, tuple, range)):
        return [plain(entry, f"{where}[{i}]") for i, entry in enumerate(value)]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError(
        f"{where} is a {type(value).__name__}, which a record cannot hold; "
        "store numbers, texts, lists, arrays or dictionaries."
    )


def revive(value: Any, version: int = FORMAT) -> Any:
    """Undo :func:`plain`: NaN and infinities become floats again."""
    if isinstance(value, dict):
        if set(value) == {_FLOAT}:
            return _NON_FINITE[value[_FLOAT]]
        return {key: revive(entry, version) for key, entry in value.items()}
    if isinstance(value, list):
        return [revive(entry, version) for entry in value]
    if version == 1 and isinstance(value, str):  # There such a text stood for the number.
        return _NON_FINITE.get(value, value)
    return value


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Return the commit of the checkout that this file is tracked in, None where it is in none.

    Installed below somebody's own repository, the package is not of that repository's commit.
    """
    here = Path(__file__).resolve()
    git = ("git", "-C", str(here.parent))
    describe = ("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    try:
        for command in (("ls-files", "--error-unmatch", here.name), describe):
            done = subprocess.run(
                (*git, *command), capture_output=True, text=True, timeout=10, check=False
            )
            if done.returncode:
                return None
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None

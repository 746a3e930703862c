"""Checkpoints: a folder from which a killed training goes on to the same numbers.

The folder holds ``settings.json``, readable: what is trained, how, on which data, and how the
members were cut into shards; and for each shard one safetensors file with its weights, moments and
history, and its plain values as JSON in the header. Files are written beside their place and then
moved there, so there is always a whole one: the last, or the one before it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ivae.support.records import plain, write_atomically


class Checkpoint:
    """A checkpoint's folder, made or opened for one training.

    Parameters
    ----------
    folder
        Where it is, or will be.
    settings
        Everything that decides the numbers. A folder with others is refused.

    Attributes
    ----------
    shards
        Members of each shard; from the folder where there is one, else as given.

    Raises
    ------
    ValueError
        When the folder belongs to a training with other settings (they are listed), holds other
        things, or is damaged.
    """

    def __init__(
        self, folder: str | Path, settings: Mapping[str, Any], shards: list[list[int]]
    ) -> None:
        self.folder = Path(folder)
        path = self.folder / "settings.json"
        wanted = json.loads(json.dumps(plain(settings, "settings")))
        if not path.exists():
            if self.folder.exists() and any(
                not f.name.startswith(".") for f in self.folder.iterdir()
            ):
                raise ValueError(
                    f"{self.folder} holds files but no settings.json, so it is no checkpoint; name "
                    "an empty or a new folder."
                )
            self.shards = shards
            write_atomically(path, json.dumps({"settings": wanted, "shards": shards}, indent=1))
            return
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            known, self.shards = found["settings"], found["shards"]
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged ({error!r}). {_START_ANEW}") from error
        others = [
            f"{name}: {known.get(name)!r} there, {wanted.get(name)!r} here"
            for name in sorted(known.keys() | wanted.keys())
            if known.get(name) != wanted.get(name)
        ]
        if others:
            raise ValueError(
                f"{self.folder} is the checkpoint of a training with other settings "
                f"({'; '.join(others)}). Take those, or another folder."
            )

    def write(self, shard: int, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Write a shard's state in place of the one before."""
        header = {"values": json.dumps(values), "sha256": _digest(tensors)}
        write_atomically(self._path(shard), save(tensors, header))

    def read(self, shard: int) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Return a shard's last state, None before the first; a ValueError says it is damaged."""
        path = self._path(shard)
        if not path.exists():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                header = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            values = json.loads(header["values"])
            sound = header["sha256"] == _digest(tensors)
        except (SafetensorError, KeyError, json.JSONDecodeError, OSError) as error:
            raise ValueError(f"{path} is damaged ({error!r}). {_START_ANEW}") from error
        if not sound:
            raise ValueError(f"{path} is damaged (its checksum differs). {_START_ANEW}")
        return tensors, values

    def _path(self, shard: int) -> Path:
        return self.folder / f"shard-{shard:03d}.safetensors"


_START_ANEW = "Remove the folder to start anew, or restore the file."


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()

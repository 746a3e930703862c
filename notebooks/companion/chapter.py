"""A notebook's side of the book: its numbers and figures go to page and record at once."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from companion import stepper, style
from ivae.support.checks import one_of, whole_number
from ivae.support.records import Record, plain, provenance, save, write_atomically
from ivae.sweeps.runs import FLAT_NAMES

MODES = ("fast", "full")
T = TypeVar("T")


class Chapter:
    """One execution of one chapter: in minutes (``"fast"``) or at the paper's sizes (``"full"``).

    What :meth:`number` is given is stored for the chapter's prose, and is in the chapter's record,
    so that no number on a page can differ from the run's. The name is the notebook's without its
    ending; every seed of the chapter derives from ``seed``.
    """

    def __init__(self, name: str, *, mode: str, seed: int) -> None:
        self.name = name
        self.mode = one_of("mode", mode, MODES)
        self.seed = whole_number("seed", seed, at_least=0)
        self._started = time.monotonic()
        self._settings: dict[str, Any] = {"mode": mode, "seed": seed}
        self._values: dict[str, Any] = {}
        style.use_style()

    @property
    def values(self) -> Mapping[str, Any]:
        """What has been recorded so far, to read."""
        return MappingProxyType(self._values)

    @property
    def sweeps(self) -> Path:
        """Where this mode's sweeps keep their records: ``$IVAE_SWEEPS/<mode>``.

        Without the variable that is below ``_build/sweeps`` in the working directory.
        """
        return Path(os.environ.get("IVAE_SWEEPS", "_build/sweeps")) / self.mode

    def choose(self, name: str, *, fast: T, full: T) -> T:
        """Return the value for this mode, and record it as a setting."""
        value = fast if self.mode == "fast" else full
        self._settings[name] = value
        return value

    def number(self, name: str, value: Any) -> None:
        """Keep one number for the prose (``{glue:text}``) and the record."""
        plain = value.item() if isinstance(value, (np.generic, np.ndarray, torch.Tensor)) else value
        if isinstance(plain, bool) or not isinstance(plain, (int, float)):
            raise ValueError(f"{name} must be one number; got {value!r}.")
        self._tell(name, plain)

    def word(self, name: str, text: str) -> None:
        """Keep a name that the run has chosen, for the prose (``{glue:text}``) and the record."""
        if not isinstance(text, str):
            raise ValueError(f"{name} must be a text; got {text!r}.")
        self._tell(name, text)

    def series(self, name: str, values: Any) -> None:
        """Keep a list or array in the record alone."""
        self._once(name, np.asarray(values))

    def figure(self, name: str, figure: Figure) -> None:
        """Show a figure, and keep it for the page's ``{glue:figure}`` of this name."""
        if _glue is None:
            from IPython.display import display

            display(figure)
        else:
            _glue(name, figure, display=True)
        style.close(figure)

    def stepper(
        self,
        draw: Callable[[T], Figure],
        values: Iterable[T],
        *,
        label: str,
        shown: Callable[[T], str],
        alt: Callable[[T], str],
        start: int = 0,
    ) -> None:
        """Show a slider over figures that are drawn now, which moves without a kernel.

        The cell must keep its output. For ``draw``, ``shown`` and ``alt`` see
        :func:`companion.stepper.draw_frames`, for the others :class:`companion.stepper.Stepper`.
        """
        from IPython.display import display

        frames = stepper.draw_frames(draw, values, shown=shown, alt=alt)
        display(stepper.Stepper(frames, label, start))

    def cost(self, *tables: pd.DataFrame) -> None:
        """Record what the runs of sweeps cost and which code trained them.

        A sweep takes runs that it has trained before from their records, so that the time of this
        execution says little. Runs that are in several tables count once.
        """
        every = pd.concat(tables)
        every = every[every["status"] != "failed"]
        every = every.drop_duplicates(subset=list(FLAT_NAMES))
        self._once("runs_trained", len(every))
        self._once("seconds_of_runs", float(every["seconds"].sum()))
        self._once("commits_of_runs", sorted({str(commit) for commit in every["commit"]}))

    def save(self) -> None:
        """Write the record to ``$IVAE_RECORDS/<name>.json``.

        Without the variable records go to ``_build/records`` below the working directory.
        """
        seconds = time.monotonic() - self._started
        record = Record(self.name, self._settings, self._values, provenance(seconds))
        save(record, self._records / f"{self.name}.json")

    def extract(self, name: str, values: Mapping[str, Any]) -> None:
        """Write some values for readers of their own to ``<name>.json``, beside the record."""
        content = plain({**values, "provenance": provenance()}, name)
        write_atomically(self._records / f"{name}.json", json.dumps(content, indent=1) + "\n")

    @property
    def _records(self) -> Path:
        return Path(os.environ.get("IVAE_RECORDS", "_build/records"))

    def _tell(self, name: str, value: Any) -> None:
        self._once(name, value)
        if _glue is not None:
            _glue(name, value, display=False)

    def _once(self, name: str, value: Any) -> None:
        if name in self._values:
            raise ValueError(f"{name} is already recorded in chapter {self.name}.")
        self._values[name] = value


try:
    from myst_nb import glue as _glue
except ModuleNotFoundError:  # The book's tools are not installed.
    _glue = None

"""A notebook's side of the book: results come in, numbers and figures go to page and record."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import torch
from matplotlib.figure import Figure

from companion import stepper, style
from companion.recorded import audit as auditing
from companion.recorded import store
from companion.recorded.experiment import Experiment
from companion.recorded.making import make_result
from ivae.support.checks import Array, one_of, whole_number
from ivae.support.records import Record, plain, provenance, save

MODES = ("recorded", "full")
ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")


class ResultRefused(ValueError):
    """A recorded result is missing, damaged, or of something else than what is asked for."""


class Chapter:
    """One execution of one chapter.

    What :meth:`number` is given is stored for the chapter's prose, and is in the chapter's record,
    so that no number on a page can differ from the run's.

    Parameters
    ----------
    name
        The notebook's, without its ending.
    mode
        ``"recorded"``: :meth:`result` returns what is recorded. ``"full"``: it makes anew what is
        missing, or was made of something else.
    seed
        From which every seed of the chapter derives. Results are recorded for 1.
    audit
        How many runs of each result are made again, to be compared with the record.
    audit_seed
        Decides which; by default the commit does.
    """

    def __init__(
        self,
        name: str,
        *,
        mode: str,
        seed: int = 1,
        audit: int = 2,
        audit_seed: str | int | None = None,
    ) -> None:
        self.name = name
        self.mode = one_of("mode", mode, MODES)
        self.seed = whole_number("seed", seed, at_least=0)
        self._started = time.monotonic()
        self._audit = whole_number("audit", audit, at_least=0) if mode == "recorded" else 0
        given = provenance()["commit"] if audit_seed in (None, "") else audit_seed
        self._audit_seed = str(given)
        self._settings: dict[str, Any] = {"mode": mode, "seed": seed}
        self._settings |= {"audit": self._audit, "audit_seed": self._audit_seed}
        self._values: dict[str, Any] = {}
        self._audited: list[auditing.Audited] = []
        self._results: list[dict[str, Any]] = []
        style.use_style()

    @property
    def values(self) -> Mapping[str, Any]:
        """What has been recorded so far, to read."""
        return MappingProxyType(self._values)

    def result(self, name: str, experiment: Experiment, **settings: Any) -> store.Result:
        """Return what an experiment gave for these settings, from ``book/results/<chapter>``.

        Some of its runs are made again and compared; the sentence that says so is the word
        ``<name>_audited``.

        Raises
        ------
        ResultRefused
            In recorded mode, when there is none, or one of other settings or another revision.
        """
        path = self._kept / name
        try:
            found = store.load(path)
            why = _difference(found, experiment, settings)
        except FileNotFoundError:
            found, why = None, "there is none"
        except store.NotWhole as error:
            found, why = None, str(error)
        if why and self.mode != "full":
            raise ResultRefused(
                f"the result {name} of chapter {self.name} cannot be used: {why}. This makes it "
                f"anew: .venv/bin/python book/build.py --mode full --chapters {self.name[:2]}"
                + (f" --seed {self.seed}" if self.seed != 1 else "")
            )
        if found is None or why:
            unfinished = ROOT / "_build" / "making" / self.name
            found = make_result(name, experiment, settings, path, unfinished, self._log)
        key = f"{self._audit_seed}/{self.name}/{name}"
        again = auditing.audit(name, experiment, found, self._audit, key)
        self._audited += again
        self._results.append(
            {
                "name": name,
                "runs": len(found),
                "doubled": len(found.doubled),
                "chaotic": len(auditing.chaotic(found)),
                "seconds": float(found.provenance["seconds"]),
                "commit": found.provenance["commit"],
            }
        )
        self.word(f"{name}_audited", auditing.line(len(found), again))
        return found

    def summary(self, name: str, values: Any, centre: Callable[[Array], Any] = np.nanmean) -> None:
        """Keep centre, lowest and highest of some values for the prose, and all in the record.

        Their names are ``name``, ``name_low``, ``name_high`` and ``name_all``. A value that is
        missing (NaN) is left out of the three. The centre is the mean, or what is given, such as
        ``np.nanmedian``.
        """
        array = np.asarray(values, np.float64)
        self.number(name, centre(array))
        self.number(f"{name}_low", np.nanmin(array))
        self.number(f"{name}_high", np.nanmax(array))
        self.series(f"{name}_all", array)

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

    def save(self) -> None:
        """Write the record to ``$IVAE_RECORDS/<name>.json``.

        Without the variable records go to ``_build/records`` below the working directory.
        """
        seconds = time.monotonic() - self._started
        values = self._values | {"results": self._results}
        values["audited"] = auditing.as_rows(self._audited)
        record = Record(self.name, self._settings, values, provenance(seconds))
        save(record, self._records / f"{self.name}.json")

    @property
    def _records(self) -> Path:
        return Path(os.environ.get("IVAE_RECORDS", "_build/records"))

    @property
    def _kept(self) -> Path:
        """Where this chapter's results are: ``$IVAE_RESULTS/<name>``, or with the book."""
        return Path(os.environ.get("IVAE_RESULTS", ROOT / "book" / "results")) / self.name

    def _log(self, text: str) -> None:
        log = ROOT / "_build" / "making" / f"{self.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now(UTC):%H:%M:%S} {text}\n")

    def _tell(self, name: str, value: Any) -> None:
        self._once(name, value)
        if _glue is not None:
            _glue(name, value, display=False)

    def _once(self, name: str, value: Any) -> None:
        if name in self._values:
            raise ValueError(f"{name} is already recorded in chapter {self.name}.")
        self._values[name] = value


def _difference(
    found: store.Result, experiment: Experiment, settings: Mapping[str, Any]
) -> str | None:
    """Say in what a result is not the one asked for, None where it is."""
    if found.revision != experiment.revision:
        return f"it is of revision {found.revision} of the experiment, which is at another"
    asked = plain(dict(settings), found.experiment)
    if found.settings != asked:
        names = sorted({*found.settings, *asked})
        told = [
            f"{name} = {found.settings.get(name)!r}, not {asked.get(name)!r}"
            for name in names
            if found.settings.get(name) != asked.get(name)
        ]
        return f"it was made with {'; '.join(told)}"
    if list(found.runs) != [plain(dict(run), "run") for run in experiment.plan(**settings)]:
        return "its runs are not those that the experiment now plans"
    return None


try:
    from myst_nb import glue as _glue
except ModuleNotFoundError:  # The book's tools are not installed.
    _glue = None

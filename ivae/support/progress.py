"""One updating line of progress: on a terminal, or under a notebook cell; silent elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any, Self


class ProgressLine:
    """Shows ``label``, what was last reported, and the time elapsed.

    On a terminal the line is rewritten on stderr, in a notebook one display is updated, so an
    executed notebook keeps the last line alone. With output to a file or a pipe nothing is shown.
    """

    def __init__(self, label: str, shown: bool = True) -> None:
        self.label = label
        self.started = time.monotonic()
        self._on_terminal = shown and sys.stderr.isatty()
        self._display = _notebook_display(label) if shown and not self._on_terminal else None

    @property
    def elapsed(self) -> float:
        """Seconds since the line was opened."""
        return time.monotonic() - self.started

    def report(self, text: str) -> None:
        """Replace the line's text."""
        line = f"{self.label}: {text}, {self.elapsed:.0f} s"
        if self._on_terminal:
            sys.stderr.write(f"\r\x1b[2K{line}")
            sys.stderr.flush()
        elif self._display is not None:
            self._display.update(_Line(line))

    def report_share(self, share: float) -> None:
        """Replace the line's text by a share of 1, in percent."""
        self.report(f"{100 * share:.0f} %")

    def announce(self, text: str) -> None:
        """Write a line that stays, above the progress line; it is printed wherever output goes."""
        if self._on_terminal:
            sys.stderr.write(f"\r\x1b[2K{text}\n")
            sys.stderr.flush()
        else:
            print(text, flush=True)

    def close(self) -> None:
        """End the line, so that what follows starts on a new one."""
        if self._on_terminal:
            sys.stderr.write("\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Line:
    """Text that a notebook shows without quotation marks."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _notebook_display(label: str) -> Any:
    """Return an IPython display handle when this code runs in a kernel, else None."""
    if "ipykernel" not in sys.modules:
        return None
    from IPython import get_ipython
    from IPython.display import display

    shell = get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    return display(_Line(f"{label}: starting"), display_id=True)

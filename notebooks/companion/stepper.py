"""Pictures to step through on a page: drawn when the notebook runs, moved without a kernel.

All frames are in the page, and the browser's own range input shows one of them. So a stepper needs
no kernel, network or library, and has what that input has everywhere: a name, a value that is read
out, arrow keys. The same output works in a live notebook.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from typing import TypeVar

from matplotlib.figure import Figure
from PIL import Image

from companion.style import close
from ivae.support.checks import whole_number

MAX_FRAMES = 24
MAX_BYTES = 40_000
"""A page holds all frames of its steppers: 24 of 40 kB are 1.3 MB as text."""

_MOVE = (
    "const all = this.closest('.stepper').querySelectorAll('img'), now = all[this.value]; "
    "all.forEach(one => {one.hidden = one !== now}); "
    "this.setAttribute('aria-valuetext', now.dataset.shown); "
    "this.nextElementSibling.textContent = now.dataset.shown"
)
"""Show the chosen frame and its text, to the eye and to a screen reader."""

T = TypeVar("T")


@dataclass(frozen=True)
class Frame:
    """One picture of a stepper.

    Attributes
    ----------
    shown
        What stands beside the slider at this frame, such as ``"45°"``.
    png
        The picture.
    alt
        What the picture shows, for who cannot see it.
    """

    shown: str
    png: bytes
    alt: str


@dataclass(frozen=True)
class Stepper:
    """A slider over pictures, which a notebook shows as HTML.

    What it cannot do: print, or move without JavaScript. A figure with a caption goes beside it.

    Attributes
    ----------
    frames
        2 to 24 frames of at most 40 kB, whose ``shown`` texts differ.
    label
        Names the slider, on the page and to screen readers.
    start
        Index of the frame that is seen first.

    Raises
    ------
    ValueError
        For too few, too many or too large frames, two that show the same text, an empty text, or a
        start that is none of the frames.
    """

    frames: Sequence[Frame]
    label: str
    start: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.label, str) or not self.label.strip():
            raise ValueError(f"label must be a text that names the slider; got {self.label!r}.")
        n = len(self.frames)
        if not 2 <= n <= MAX_FRAMES:
            raise ValueError(f"a stepper must have 2 to {MAX_FRAMES} frames; got {n}.")
        if whole_number("start", self.start, at_least=0) >= n:
            raise ValueError(f"start must be below the number of frames, {n}; got {self.start}.")
        for number, frame in enumerate(self.frames):
            if not frame.shown.strip() or not frame.alt.strip():
                raise ValueError(
                    f"frame {number} must have texts for shown and alt; "
                    f"got {frame.shown!r} and {frame.alt!r}."
                )
            if len(frame.png) > MAX_BYTES:
                raise ValueError(
                    f"frame {number} ({frame.shown}) has {len(frame.png)} bytes, more than "
                    f"{MAX_BYTES}; draw fewer points, a smaller figure or fewer colours."
                )
        shown = [frame.shown for frame in self.frames]
        if len(set(shown)) < n:
            raise ValueError(f"every frame must show another text; got {', '.join(shown)}.")

    def __repr__(self) -> str:
        first, last = self.frames[0].shown, self.frames[-1].shown
        return f"<slider {self.label!r} over {len(self.frames)} pictures, {first} to {last}>"

    def _repr_html_(self) -> str:
        now = escape(self.frames[self.start].shown)
        images = "\n".join(
            f'<img src="data:image/png;base64,{base64.b64encode(frame.png).decode()}" '
            f'alt="{escape(frame.alt)}" data-shown="{escape(frame.shown)}"'
            f"{'' if number == self.start else ' hidden'}>"
            for number, frame in enumerate(self.frames)
        )
        # Without autocomplete="off" a browser keeps the slider's place, not the picture's, when
        # the page is loaded again. The text beside the slider is hidden from screen readers, which
        # have it as the slider's value.
        return (
            f'<div class="stepper">\n<label>{escape(self.label)}\n'
            f'<input type="range" min="0" max="{len(self.frames) - 1}" value="{self.start}" '
            f'autocomplete="off" aria-valuetext="{now}" oninput="{_MOVE}">\n'
            f'<span aria-hidden="true">{now}</span></label>\n{images}\n</div>'
        )


def draw_frames(
    draw: Callable[[T], Figure],
    values: Iterable[T],
    *,
    shown: Callable[[T], str],
    alt: Callable[[T], str],
) -> list[Frame]:
    """Draw one frame for each value, one figure at a time.

    Parameters
    ----------
    draw
        From a value to a figure, which is closed once its picture is taken. All should have the
        same size and limits, so that nothing but the content moves.
    values
        What is stepped through, in order.
    shown, alt
        From a value to :class:`Frame`'s texts; ``"{}°".format`` will do.
    """
    made = []
    for value in values:
        figure = draw(value)
        made.append(Frame(shown(value), picture(figure), alt(value)))
        close(figure)
    return made


def picture(figure: Figure, *, dpi: int = 120, n_colours: int = 64) -> bytes:
    """Return a figure as a PNG with a palette, several times smaller than one in full colour.

    Raises
    ------
    ValueError
        For a dpi that is no whole number, or a palette of fewer than 2 or more than 256 colours.
    """
    whole_number("dpi", dpi)
    if whole_number("n_colours", n_colours, at_least=2) > 256:
        raise ValueError(f"n_colours must be at most 256; got {n_colours}.")
    drawn, small = BytesIO(), BytesIO()
    figure.savefig(drawn, format="png", dpi=dpi, facecolor="white")
    palette = Image.open(drawn).convert("RGB").quantize(n_colours, dither=Image.Dither.NONE)
    palette.save(small, format="png", optimize=True)
    return small.getvalue()

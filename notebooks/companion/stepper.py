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
from typing import NamedTuple, TypeVar

from matplotlib.figure import Figure
from PIL import Image

from companion.style import close

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


class Frame(NamedTuple):
    """A picture, the text beside the slider, such as ``"45°"``, and one for who cannot see it."""

    shown: str
    png: bytes
    alt: str


@dataclass(frozen=True)
class Stepper:
    """A slider over pictures, which a notebook shows as HTML.

    What it cannot do: print, or move without JavaScript. A figure with a caption goes beside it.
    The label names the slider, on the page and to screen readers; ``start`` is the index of the
    frame that is seen first. More than 24 frames, or one of more than 40 kB, are refused.
    """

    frames: Sequence[Frame]
    label: str
    start: int = 0

    def __post_init__(self) -> None:
        if len(self.frames) > MAX_FRAMES:
            raise ValueError(f"a stepper has {MAX_FRAMES} frames at most; got {len(self.frames)}.")
        for frame in self.frames:
            if len(frame.png) > MAX_BYTES:
                raise ValueError(
                    f"frame {frame.shown} has {len(frame.png)} bytes, more than {MAX_BYTES}; draw "
                    "fewer points or a smaller figure."
                )

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
    """Draw one frame for each value, one figure at a time, closed once its picture is taken.

    All should have the same size and limits, so that nothing but the content moves. ``shown`` and
    ``alt`` turn a value into :class:`Frame`'s texts; ``"{}°".format`` will do.
    """
    made = []
    for value in values:
        figure = draw(value)
        made.append(Frame(shown(value), picture(figure), alt(value)))
        close(figure)
    return made


def picture(figure: Figure) -> bytes:
    """Return a figure as a PNG of 64 colours, several times smaller than one in full colour."""
    drawn, small = BytesIO(), BytesIO()
    figure.savefig(drawn, format="png", dpi=120, facecolor="white")
    palette = Image.open(drawn).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    palette.save(small, format="png", optimize=True)
    return small.getvalue()

"""Text between two marks of a page, which a run writes anew."""

from __future__ import annotations


def between(text: str, marks: tuple[str, str], new: str, page: str) -> str:
    """Return a page's text with ``new`` between its marks; ``page`` is its name in a message."""
    before, first, rest = text.partition(marks[0])
    _, last, after = rest.partition(marks[1])
    if not (first and last):
        raise ValueError(f"{page} must have the lines {marks[0]} and {marks[1]}.")
    return f"{before}{marks[0]}\n{new}\n{marks[1]}{after}"

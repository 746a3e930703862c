"""Say and show on the front pages what was recorded.

    python book/front.py

writes what the recipe of chapter 14 reached on the datasets it was not made on, from the result
book/results/14_beyond/recoveries, between its marks in README.md and in book/index.md. README's
picture is that of chapter 6; book/build.py writes it once it has executed that chapter.
"""

from __future__ import annotations

import base64
import hashlib
import io
import sys
from pathlib import Path

import nbformat
from marks import between
from PIL import Image, PngImagePlugin

from companion.recorded import store
from ivae.support.records import write_atomically

ROOT = Path(__file__).resolve().parent.parent
RECOVERIES = ROOT / "book" / "results" / "14_beyond" / "recoveries"
PAGES = {
    ROOT / "README.md": "[chapter 14](notebooks/14_beyond.ipynb)",
    ROOT / "book" / "index.md": "{doc}`../notebooks/14_beyond`",
}
PICTURE = ROOT / "book" / "_static" / "figure_2a.png"
FIGURE, CHAPTER = "fig_2a_released", "06_figure_2"
EXECUTED = ROOT / "_build" / "executed" / f"{CHAPTER}.ipynb"
MARKS = ("<!-- beyond -->", "<!-- end of beyond -->")


def sentence(recoveries: store.Result, link: str) -> str:
    """Return the sentence for what was recorded; ``link`` leads to the chapter."""
    confirmed = recoveries.where(part="confirm")
    fresh = confirmed.values["fresh"]
    seeds = [run["data_seed"] for run in confirmed.runs]
    return (
        f"**And yet the sources can be found.** The recipe of {link}, which sees x and u alone, "
        f"has a mean MCC of {fresh.mean():.3f} (lowest {fresh.min():.3f}), on rows that it has not "
        f"seen, over the {len(fresh)} datasets with seeds {seeds[0]} to {seeds[-1]}, which were "
        "first scored after it was fixed on others."
    )


def fingerprint(folder: Path) -> str:
    """Return what a picture carries of the results in a folder that it was drawn from."""
    files = sorted(folder.glob("*.json"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def picture(notebook: nbformat.NotebookNode, drawn_from: str) -> bytes:
    """Return the figure of an executed chapter 6, which says in itself what it was drawn from."""
    (found,) = (
        output.data["image/png"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.get("metadata", {}).get("scrapbook", {}).get("name") == FIGURE
    )
    notes, file = PngImagePlugin.PngInfo(), io.BytesIO()
    notes.add_text("Results", drawn_from)
    Image.open(io.BytesIO(base64.b64decode(found))).save(file, "PNG", pnginfo=notes, optimize=True)
    return file.getvalue()


def write() -> None:
    """Write the sentence to every front page."""
    recoveries = store.load(RECOVERIES)
    for page, link in PAGES.items():
        text = page.read_text(encoding="utf-8")
        write_atomically(page, between(text, MARKS, sentence(recoveries, link), page.name))


def draw() -> None:
    """Write README's picture, from a chapter 6 that was executed on the results that are there."""
    drawn_from = fingerprint(ROOT / "book" / "results" / CHAPTER)
    write_atomically(PICTURE, picture(nbformat.read(EXECUTED, as_version=4), drawn_from))


if __name__ == "__main__":
    write()
    sys.exit(0)

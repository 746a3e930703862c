"""Say on the front pages what the recipe of chapter 14 reached on the datasets it was not made on.

    python book/front.py

reads the result book/results/14_beyond/recoveries, and writes the sentence between its marks in
README.md and in book/index.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

from marks import between

from companion.recorded import store
from ivae.support.records import write_atomically

ROOT = Path(__file__).resolve().parent.parent
RECOVERIES = ROOT / "book" / "results" / "14_beyond" / "recoveries"
PAGES = {
    ROOT / "README.md": "[chapter 14](notebooks/14_beyond.ipynb)",
    ROOT / "book" / "index.md": "{doc}`../notebooks/14_beyond`",
}
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


def write() -> None:
    """Write the sentence to every front page, where there is a result."""
    if not RECOVERIES.with_suffix(".json").exists():
        return
    recoveries = store.load(RECOVERIES)
    for page, link in PAGES.items():
        text = page.read_text(encoding="utf-8")
        write_atomically(page, between(text, MARKS, sentence(recoveries, link), page.name))


if __name__ == "__main__":
    write()
    sys.exit(0)

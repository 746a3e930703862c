"""Say on the front pages what the recipe of chapter 14 reached on the datasets it was not made on.

    python book/front.py

reads book/results/full/beyond.json, and writes the sentence between its marks in README.md and in
book/index.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from marks import between

from ivae.support.records import write_atomically

ROOT = Path(__file__).resolve().parent.parent
BEYOND = ROOT / "book" / "results" / "full" / "beyond.json"
PAGES = {
    ROOT / "README.md": "[chapter 14](notebooks/14_beyond.ipynb)",
    ROOT / "book" / "index.md": "{doc}`../notebooks/14_beyond`",
}
MARKS = ("<!-- beyond -->", "<!-- end of beyond -->")


def sentence(beyond: Mapping[str, Any], link: str) -> str:
    """Return the sentence for what beyond.json holds; ``link`` leads to the chapter."""
    fresh: Sequence[float] = beyond["confirm_mcc"]
    seeds: Sequence[int] = beyond["confirm_seeds"]
    mean, low = sum(fresh) / len(fresh), min(fresh)
    return (
        f"**And yet the sources can be found.** The recipe of {link}, which sees x and u alone, "
        f"has a mean MCC of {mean:.3f} (lowest {low:.3f}) on the {len(fresh)} datasets with seeds "
        f"{seeds[0]} to {seeds[-1]}, which were first scored after it was fixed on others."
    )


def write() -> None:
    """Write the sentence to every front page, where the full figures are there."""
    if not BEYOND.exists():
        return
    beyond = json.loads(BEYOND.read_text(encoding="utf-8"))
    for page, link in PAGES.items():
        text = page.read_text(encoding="utf-8")
        write_atomically(page, between(text, MARKS, sentence(beyond, link), page.name))


if __name__ == "__main__":
    write()
    sys.exit(0)

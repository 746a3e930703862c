"""Judge the paper's claims by the chapters' records; write the tables of README and results page.

    python book/verdicts.py

reads book/claims.yml and what the chapters have recorded from the results that are kept with the
book, and writes book/results/verdicts.json, the table of all claims in book/results.md, and the few
of them in README.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from marks import between

from ivae.support.records import Record, load, write_atomically

ROOT = Path(__file__).resolve().parent.parent
CLAIMS = ROOT / "book" / "claims.yml"
RECORDS = ROOT / "_build" / "records"
VERDICTS = ROOT / "book" / "results" / "verdicts.json"
README = ROOT / "README.md"
RESULTS = ROOT / "book" / "results.md"
MARKS = ("<!-- results -->", "<!-- end of results -->")
BOUNDS = {"at_least", "at_most"}
THE_SAME = "The same"

# What README tells of the claims, in fewer words than theirs; one of each kind, won or lost.
SHOWN = {
    "theorem-3-linear": "where its assumptions hold, Eq. (8) finds the sources: MCC",
    "figure-1-sources-released": "Figure 1: two sources are found, MCC of iVAE (released code)",
    "figure-2a-level-released": "Figure 2a: MCC of iVAE, released code, its one dataset",
    "figure-2a-level-datasets": "the same on other datasets of its generator",
    "figure-2a-level-text": "the same as the paper's text describes it",
    "supplement-e-linear-decoder": "supplement E, binary x: MCC below the best possible",
}


@dataclass(frozen=True)
class Claim:
    """One entry of claims.yml, which says what its fields are."""

    id: str
    claim: str
    place: str
    paper: str
    chapter: str
    measure: str
    repetition: str
    reproduced: Mapping[str, float]
    partly: Mapping[str, float]
    corrects: str | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        for name in ("reproduced", "partly"):
            bounds = getattr(self, name)
            if not bounds or not set(bounds) <= BOUNDS:
                raise ValueError(
                    f"claim {self.id}: {name} must hold at_least, at_most or both; got {bounds}."
                )
        if self.corrects and not self.reason:
            raise ValueError(f"claim {self.id} corrects {self.corrects}: it must give a reason.")


@dataclass(frozen=True)
class Verdict:
    """How a claim fared: the median of its repetitions decides.

    Attributes
    ----------
    claim
        The claim's id.
    verdict
        ``"reproduced"``, ``"partly"`` or ``"not reproduced"``.
    median, low, high
        Of the repetitions.
    seeds
        How many there were.
    command
        What repeats them.
    seconds
        What the chapter's recorded runs took.
    """

    claim: str
    verdict: str
    median: float
    low: float
    high: float
    seeds: int
    command: str
    seconds: float


def load_claims(path: Path = CLAIMS) -> list[Claim]:
    """Read the claims; "The same" at an entry's start stands for the text before it."""
    claims: list[Claim] = []
    for entry in yaml.safe_load(path.read_text(encoding="utf-8")):
        if entry["claim"].startswith(THE_SAME):
            if not claims:
                raise ValueError(f"{path} begins with {THE_SAME!r}: as what?")
            rest = entry["claim"].removeprefix(THE_SAME)
            entry["claim"] = claims[-1].claim.removesuffix(".") + rest
        claims.append(Claim(**entry))
    ids = [claim.id for claim in claims]
    if len(set(ids)) < len(ids):
        raise ValueError(f"{path} names an id twice.")
    for claim in claims:
        if claim.corrects and claim.corrects not in ids:
            raise ValueError(f"claim {claim.id} corrects {claim.corrects}, which is not there.")
    return claims


def judge(claim: Claim, values: Sequence[float]) -> str:
    """Return the verdict on one value for each repetition."""
    if not len(values) or not np.isfinite(values).all():
        raise ValueError(f"claim {claim.id}: {claim.measure} must be numbers, at least one.")
    median = float(np.median(values))
    for verdict, bounds in (("reproduced", claim.reproduced), ("partly", claim.partly)):
        if bounds.get("at_least", -math.inf) <= median <= bounds.get("at_most", math.inf):
            return verdict
    return "not reproduced"


def command_of(chapter: str) -> str:
    """Return what makes a chapter's results anew, once they are removed."""
    return f".venv/bin/python book/build.py --mode full --chapters {chapter[:2]}"


def verdict_on(claim: Claim, record: Record) -> Verdict:
    """Return the verdict on a claim by the record of its chapter."""
    if claim.measure not in record.values:
        raise ValueError(f"claim {claim.id}: the record {record.name} has no {claim.measure}.")
    values = np.ravel(record.values[claim.measure])
    return Verdict(
        claim.id,
        judge(claim, values),
        *(float(f(values)) for f in (np.median, np.min, np.max)),
        len(values),
        command_of(claim.chapter),
        float(sum(one["seconds"] for one in record.values["results"])),
    )


def verdicts(claims: Sequence[Claim], records: Path = RECORDS) -> dict[str, Verdict]:
    """Return the verdicts on all claims, by the chapters' records in a folder."""
    return {
        claim.id: verdict_on(claim, load(records / f"{claim.chapter}.json")) for claim in claims
    }


def summary(full: Mapping[str, Verdict]) -> str:
    """Return in one line how many claims fared how."""
    n = Counter(one.verdict for one in full.values())
    return (
        f"Of {len(full)} claims {n['reproduced']} are reproduced, {n['partly']} partly, and "
        f"{n['not reproduced']} are not."
    )


def results_page(claims: Sequence[Claim], full: Mapping[str, Verdict]) -> str:
    """Return the results page's tables."""
    rows = [["claim", "verdict", "paper", "ours: median (range)"], ["---"] * 4]
    for claim in claims:
        one = full[claim.id]
        repetitions = f"{one.seeds} repetitions ({claim.repetition})"
        rows.append(
            [
                f"**{claim.id}**: {claim.claim} *{claim.place}.* ({claim.chapter[:2]})",
                f"**{one.verdict}**",
                claim.paper,
                f"{_range(one)}; {repetitions}",
            ]
        )
    costs = [["chapter", "makes its results anew", "seconds of training"], ["---"] * 3]
    for chapter in dict.fromkeys(claim.chapter for claim in claims):
        one = next(full[claim.id] for claim in claims if claim.chapter == chapter)
        link = f"[chapter {int(chapter[:2])}](../notebooks/{chapter}.ipynb)"
        costs.append([link, f"`{one.command}`", f"{one.seconds:,.0f}"])
    return f"{summary(full)}\n\n{_table(rows)}\n\n{_table(costs)}"


def readme_table(claims: Sequence[Claim], full: Mapping[str, Verdict]) -> str:
    """Return README's few lines, and how all claims fared."""
    paper = {claim.id: claim.paper for claim in claims}
    rows = [["claim", "paper", "ours: median (range)", "verdict"], ["---"] * 4]
    for name, words in SHOWN.items():
        rows.append([words, paper[name], _range(full[name]), full[name].verdict])
    return f"{summary(full)} Some of them:\n\n{_table(rows)}"


def as_json(full: Mapping[str, Verdict]) -> str:
    """Return what verdicts.json holds."""
    rows: list[dict[str, Any]] = [asdict(one) for one in full.values()]
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def write() -> dict[str, Verdict]:
    """Judge by the chapters' records; write verdicts.json and the tables of both pages."""
    claims = load_claims()
    full = verdicts(claims)
    write_atomically(VERDICTS, as_json(full))
    for page, table in (
        (README, readme_table(claims, full)),
        (RESULTS, results_page(claims, full)),
    ):
        text = page.read_text(encoding="utf-8")
        write_atomically(page, between(text, MARKS, table, page.name))
    return full


def _table(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _range(one: Verdict) -> str:
    return f"{one.median:.3f} ({one.low:.3f} to {one.high:.3f})"


if __name__ == "__main__":
    for name, one in write().items():
        print(f"{one.verdict:15s} {name}: {_range(one)}, {one.seeds} repetitions")
    sys.exit(0)

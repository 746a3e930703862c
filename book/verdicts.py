"""Judge the paper's claims by the full records; write the tables of README and results page.

    python book/verdicts.py

reads book/claims.yml and book/results/full, and writes verdicts.json there and README's table.
"""

from __future__ import annotations

import json
import math
import sys
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
FULL = ROOT / "book" / "results" / "full"
VERDICTS = FULL / "verdicts.json"
README = ROOT / "README.md"
MARKS = ("<!-- results -->", "<!-- end of results -->")
BOUNDS = {"at_least", "at_most"}
THE_SAME = "The same"


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
        What the chapter's record says that its runs took.
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


def command_of(chapter: str, mode: str = "full") -> str:
    """Return what executes a chapter."""
    return f".venv/bin/python book/build.py --mode {mode} --chapters {chapter[:2]}"


def verdict_on(claim: Claim, record: Record) -> Verdict:
    """Return the verdict on a claim by the record of its chapter."""
    if claim.measure not in record.values:
        raise ValueError(f"claim {claim.id}: the record {record.name} has no {claim.measure}.")
    values = np.ravel(record.values[claim.measure])
    seconds = record.values.get("seconds_of_runs", 0.0)
    return Verdict(
        claim.id,
        judge(claim, values),
        *(float(f(values)) for f in (np.median, np.min, np.max)),
        len(values),
        command_of(claim.chapter, record.settings["mode"]),
        float(max(seconds, record.provenance["seconds"])),
    )


def verdicts(claims: Sequence[Claim], folder: Path) -> dict[str, Verdict]:
    """Return the verdicts on all claims whose chapters have a record in the folder."""
    found = {}
    for claim in claims:
        path = folder / f"{claim.chapter}.json"
        if path.exists():
            found[claim.id] = verdict_on(claim, load(path))
    return found


def results_page(claims: Sequence[Claim], full: Mapping[str, Verdict], run: Path) -> str:
    """Return the results page's table, with this run's numbers from the records in ``run``."""
    here = verdicts(claims, run)
    rows = [
        "| claim | verdict | paper | full record: median (range) | this run: median |",
        "|---|---|---|---|---|",
    ]
    judged = [claim for claim in claims if claim.id in full]
    for claim in judged:
        one, now = full[claim.id], here.get(claim.id)
        repetitions = f"{one.seeds} repetitions ({claim.repetition})"
        rows.append(
            f"| **{claim.id}**: {claim.claim} *{claim.place}.* ({claim.chapter[:2]}) | "
            f"**{one.verdict}** | {claim.paper} | {_range(one)}; {repetitions} | "
            f"{'' if now is None else f'{now.median:.3f} of {now.seeds}'} |"
        )
    rows += ["", "| chapter | command for its full record | seconds of training |", "|---|---|---|"]
    for chapter in dict.fromkeys(claim.chapter for claim in judged):
        one = next(full[claim.id] for claim in judged if claim.chapter == chapter)
        rows.append(f"| [](../notebooks/{chapter}.ipynb) | `{one.command}` | {one.seconds:,.0f} |")
    return "\n".join(rows)


def readme_table(claims: Sequence[Claim], full: Mapping[str, Verdict]) -> str:
    """Return README's table."""
    rows = ["| claim | paper | ours: median (range) | verdict | command | minutes |"]
    rows += ["|---|---|---|---|---|---|"]
    for claim in claims:
        one = full[claim.id]
        statement = claim.claim.split(" Measured by")[0]
        rows.append(
            f"| {statement} ({claim.id}) | {claim.paper} | {_range(one)}, {one.seeds} runs | "
            f"{one.verdict} | "
            f"`--chapters {claim.chapter[:2]}` | {one.seconds / 60:.0f} |"
        )
    return "\n".join(rows)


def with_table(readme: str, table: str) -> str:
    """Return README's text with the table between its marks."""
    return between(readme, MARKS, table, "README.md")


def as_json(full: Mapping[str, Verdict]) -> str:
    """Return what verdicts.json holds."""
    rows: list[dict[str, Any]] = [asdict(one) for one in full.values()]
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def write() -> dict[str, Verdict]:
    """Judge the full records that there are; write verdicts.json and README's table."""
    claims = load_claims()
    full = verdicts(claims, FULL)
    write_atomically(VERDICTS, as_json(full))
    judged = [claim for claim in claims if claim.id in full]
    text = README.read_text(encoding="utf-8")
    write_atomically(README, with_table(text, readme_table(judged, full)))
    return full


def _range(one: Verdict) -> str:
    return f"{one.median:.3f} ({one.low:.3f} to {one.high:.3f})"


if __name__ == "__main__":
    for name, one in write().items():
        print(f"{one.verdict:15s} {name}: {_range(one)}, {one.seeds} repetitions")
    sys.exit(0)

"""What the audit of a build found: a verdict, and the tables of the page "The audit"."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from companion.recorded.audit import (
    SIZE,
    Audited,
    alarms,
    chance_to_find,
    joined,
    of_experiments,
)

MARK = "% the audit goes here"
SHARES = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0)


def named(by_chapter: Mapping[str, Sequence[Audited]]) -> list[Audited]:
    """Return all runs that were made again, each experiment's name with its chapter's number."""
    return [
        replace(one, experiment=f"{chapter[:2]} {one.experiment}")
        for chapter, several in by_chapter.items()
        for one in several
    ]


def report(by_chapter: Mapping[str, Sequence[Audited]]) -> int:
    """Say what the audit found; return 1 where a build must not be believed."""
    every = named(by_chapter)
    wrong = alarms(every)
    print(f"audit: {len(every)} recorded runs were made again", flush=True)
    if wrong:
        fisher = joined(of_experiments(every).values())
        print(f"audit FAILED: Fisher's p of all results is {fisher:.1e}", file=sys.stderr)
    for one in (one for one in every if one.experiment in wrong):
        print(
            f"audit FAILED: {one.experiment}, run {one.run} ({one.what}): {one.number} "
            f"{one.recorded:.6g} recorded, {one.again:.6g} now; {one.worst} differs most, p "
            f"{one.p:.1e}, of all runs of this result {one.p_of_all:.1e}",
            file=sys.stderr,
            flush=True,
        )
    return 1 if wrong else 0


def tables(
    by_chapter: Mapping[str, Sequence[Audited]],
    results: Mapping[str, Sequence[Mapping[str, Any]]],
) -> str:
    """Return what stands on the page: this build's verdict, its runs, the results, the chances."""
    every = named(by_chapter)
    if not every:
        return "In this build no run was made again."
    p_values = of_experiments(every)
    least = min(p_values, key=p_values.__getitem__)
    seconds = sum(one.seconds_again for one in every)
    verdict = (
        f"This build made {len(every)} runs of {len(p_values)} results again, in "
        f"{seconds / 60:.0f} minutes of one core. The smallest p-value of a result is "
        f"{p_values[least]:.2g} ({least}), times {len(p_values)} results; Fisher's of all results "
        f"together is {joined(p_values.values()):.2g}. Had one of these two been below "
        f"{SIZE / 2:g}, there would be no book."
    )
    parts = [verdict, "### Runs made again", _runs(every), "### Results", _results(results)]
    return "\n\n".join([*parts, "### What such a sample finds", _chances(results, len(every))])


def _runs(every: Sequence[Audited]) -> str:
    rows = ["| result | run | number | recorded | again | difference | p | seconds |"]
    rows.append("|---|---|---|---|---|---|---|---|")
    for one in every:
        rows.append(
            f"| {one.experiment} | {one.run}: {one.what} | {one.number} | {_shown(one.recorded)} | "
            f"{_shown(one.again)} | {one.difference:.1e} | {one.p:.2f} | {one.seconds_again:.0f} |"
        )
    return "\n".join(rows)


def _shown(value: float) -> str:
    return "diverged" if np.isnan(value) else f"{value:.4f}"


def _results(results: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    rows = ["| result | runs | made twice | of these chaotic | seconds | commit |"]
    rows.append("|---|---|---|---|---|---|")
    for chapter, several in results.items():
        for one in several:
            rows.append(
                f"| {chapter[:2]} {one['name']} | {one['runs']:,} | {one['doubled']} | "
                f"{one['chaotic']} | {one['seconds']:,.0f} | `{str(one['commit'])[:10]}` |"
            )
    return "\n".join(rows)


def _chances(results: Mapping[str, Sequence[Mapping[str, Any]]], n_again: int) -> str:
    sizes = [int(one["runs"]) for several in results.values() for one in several]
    each = max(1, round(n_again / max(1, len(sizes))))
    rows = ["| share of runs that are wrong | in one result of 40 runs | in every result |"]
    rows.append("|---|---|---|")
    for share in SHARES:
        alone = chance_to_find(40, share, each)
        missed = 1.0
        for size in sizes:
            missed *= 1 - chance_to_find(size, share, each)
        rows.append(f"| {share:.0%} | {alone:.0%} | {1 - missed:.0%} |")
    return "\n".join(rows)

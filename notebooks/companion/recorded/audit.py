"""Made again, do runs give what the record says? And is a build to be believed?

What may differ is not guessed: when a result is made, some runs are made a second time from initial
weights moved by a millionth, and the differences are recorded. A run that is made again should
differ from its record by no more than those do, but for its luck.

*One number of one run.* Of the m recorded differences let j be at least as large as the one found,
d; then p = (j + 1) / (m + 1), which is small only as often as it says if runs are alike. Where d is
larger than all of them, p = (largest / d)^a / (m + 1): beyond the largest difference seen, chances
are taken to fall like 1/d (a = 1) for a number from the first half of a training, and like its root
(a = 1/2) for all others, since a run whose end is chaotic may be drawn though none was seen before.
*One run*: the smallest p of its numbers times how many they are. *One experiment*: Fisher's way to
join its runs. Where the p of those drawn is below :data:`DOUBT`, :data:`MORE` others are made again
too, and all are joined: that p is below t < DOUBT only where Fisher's of all of them is, so it is
as valid as theirs. *A build* fails where the smallest p of an experiment times the number of
experiments is below half of :data:`SIZE`, or Fisher's p of all experiments is: the first finds a
mistake in one experiment, the second one that touches all a little.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import numpy as np
from scipy.stats import chi2

from companion.recorded.experiment import Experiment
from companion.recorded.making import make_again, shuffled
from companion.recorded.store import Result
from ivae.support.checks import Array

SIZE = 0.002
"""Of the test on a whole build: so often it fails where nothing is wrong, at most."""
DOUBT, MORE = 0.05, 3
"""Below this p of an experiment's runs so many more are made again."""
RESOLUTION = 1e-7
"""Relative to a number, or to 1 if that is larger: smaller differences are rounding anywhere."""
EARLY = ("_first", "_half")
"""How numbers end that are from the first half of a training."""
CHAOTIC = 100.0, 0.001
"""Marked as chaotic: moved by so many times the median of the runs made twice, and by so much."""


@dataclass(frozen=True)
class Audited:
    """A run that was made again.

    Attributes
    ----------
    experiment, run
        Which one: its result's name, and the run's number there.
    what
        What the run is, in words.
    number, recorded, again, difference
        The experiment's first number, then and now.
    worst, p
        The number that differs most for what it may, and the run's p-value.
    seconds, seconds_again
        Of the run then (its share) and now.
    """

    experiment: str
    run: int
    what: str
    number: str
    recorded: float
    again: float
    difference: float
    worst: str
    p: float
    seconds: float
    seconds_again: float


def audit(name: str, experiment: Experiment, result: Result, size: int, key: str) -> list[Audited]:
    """Make ``size`` runs of a result again, which ``key`` decides, and compare them.

    Where they leave a doubt, more are made.
    """
    if not size:
        return []
    order = shuffled(len(result), key).tolist()
    found = [_again(name, experiment, result, number) for number in order[:size]]
    if joined(one.p for one in found) < DOUBT:
        more = order[size : size + MORE]
        found += [_again(name, experiment, result, number) for number in more]
    return found


def _again(name: str, experiment: Experiment, result: Result, number: int) -> Audited:
    made = make_again(experiment, result.runs, [number])
    values = {word: float(value[0]) for word, value in made.values.items()}
    return compare(name, result, number, values, float(made.seconds[0]))


def compare(
    name: str, result: Result, number: int, again: Mapping[str, float], seconds: float
) -> Audited:
    """Hold what a run gave now against the record."""
    if set(again) != set(result.values):
        raise ValueError(
            f"{name} records {sorted(result.values)} and now gives {sorted(again)}: count the "
            "experiment's revision up, and make it anew."
        )
    spreads = spread(result)
    chances = {}
    for word, value in again.items():
        scale = max(1.0, abs(value)) if np.isfinite(value) else 1.0
        found = difference(result.values[word][number], value)
        power = 1.0 if word.endswith(EARLY) else 0.5
        chances[word] = p_value(found, spreads[word], RESOLUTION * scale, power)
    worst = min(chances, key=chances.__getitem__)
    first = next(iter(result.values))
    recorded, value = float(result.values[first][number]), again[first]
    return Audited(
        name,
        number,
        words(result, number),
        first,
        recorded,
        value,
        difference(recorded, value),
        worst,
        min(1.0, chances[worst] * len(chances)),
        float(result.seconds[number]),
        seconds,
    )


def spread(result: Result) -> dict[str, Array]:
    """Return by how much each number of the runs made twice differs from itself, (m,) each."""
    found = {}
    for word, value in result.values.items():
        pairs = zip(value[result.doubled], result.moved[word], strict=True)
        found[word] = np.array([difference(one, two) for one, two in pairs])
    return found


def chaotic(result: Result) -> list[int]:
    """Return the numbers of the runs made twice that a nudge has moved visibly."""
    times, least = CHAOTIC
    marked = np.zeros(len(result.doubled), bool)
    for differences in spread(result).values():
        marked |= (differences > times * np.median(differences)) & (differences > least)
    return [int(number) for number in result.doubled[marked]]


def difference(one: float, two: float) -> float:
    """Return how far two numbers are apart: 0 where both are missing, infinity where one is."""
    if np.isnan(one) or np.isnan(two):
        return 0.0 if np.isnan(one) and np.isnan(two) else np.inf
    return 0.0 if one == two else float(abs(one - two))


def p_value(found: float, differences: Array, resolution: float, power: float = 0.5) -> float:
    """Return how often a difference of this size is to be expected, see above."""
    m = len(differences)
    finite = differences[np.isfinite(differences)]
    largest = max([resolution, *finite.tolist()])
    if found <= largest or (not np.isfinite(found) and len(finite) < m):
        return (1 + int((differences >= found).sum())) / (m + 1) if found > resolution else 1.0
    beyond = max(largest / found, 1e-300) if np.isfinite(found) else 1e-6
    return float((1 + m - len(finite)) / (m + 1) * beyond**power)


def joined(p_values: Iterable[float]) -> float:
    """Return Fisher's p-value of several, which must not depend on each other."""
    logs = [np.log(max(p, 1e-300)) for p in p_values]
    return float(chi2.sf(-2 * sum(logs), 2 * len(logs)))


def of_experiments(audited: Sequence[Audited]) -> dict[str, float]:
    """Return each experiment's p-value over its runs that were made again."""
    in_order = groupby(sorted(audited, key=_experiment), _experiment)
    return {name: joined(one.p for one in several) for name, several in in_order}


def alarms(audited: Sequence[Audited], size: float = SIZE) -> list[str]:
    """Return the experiments for which a build fails; none, but for a share of ``size`` builds.

    Where all of them together fail it, it is the one that is least to be believed.
    """
    if not audited:
        return []
    each = of_experiments(audited)
    found = [name for name, p in each.items() if p * len(each) < size / 2]
    if not found and joined(each.values()) < size / 2:
        found = [min(each, key=each.__getitem__)]
    return found


def chance_to_find(n_runs: int, share: float, size: int) -> float:
    """Return how likely ``size`` of n runs hold one of those, a share of all, that are wrong."""
    wrong = round(share * n_runs)
    left = 1.0
    for i in range(min(size, n_runs)):
        left *= max(0, n_runs - wrong - i) / (n_runs - i)
    return 1.0 - left


def words(result: Result, number: int) -> str:
    """Say which run it is: what its settings are where the experiment's runs differ."""
    first = result.runs[0]
    differing = [n for n in first if any(run[n] != first[n] for run in result.runs)]
    return ", ".join(f"{name} {result.runs[number][name]}" for name in differing) or "the one run"


def line(n_runs: int, audited: Sequence[Audited]) -> str:
    """Say in one sentence what stands under a figure."""
    recorded = f"From {n_runs:,} recorded run{'s' if n_runs != 1 else ''}"
    if not audited:
        return f"{recorded}; none was made again in this execution."
    largest = max(one.difference for one in audited)
    told = "less than .0001" if largest < 1e-4 else f"{largest:.4f}".lstrip("0")
    return f"{recorded}; this build made {len(audited)} of them again: largest difference {told}."


def as_rows(audited: Sequence[Audited]) -> list[dict[str, Any]]:
    """Return plain mappings, as a record holds them."""
    return [asdict(one) for one in audited]


def _experiment(one: Audited) -> str:
    return one.experiment

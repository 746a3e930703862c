"""Made again, do runs give what the record says? And is a build to be believed?

What may differ is not guessed: when a result is made, some runs are made a second time from initial
weights moved by a millionth, and the differences are recorded. A run that is made again should
differ from its record by no more than those do, but for its luck.

*One number of one run.* Differences are relative to a number where that is above 1, so that none is
more than :data:`MOST`, which is also that of a run which diverged one of the two times. Of the m
recorded differences let j be at least as large as the one found, d; then p = (j + 1) / (m + 1),
which is small only as often as it says if runs are alike. Where d is larger than all of them,
p = (largest / d)^a / (m + 1): beyond the largest difference seen, chances are taken to fall like
1/d (a = 1) for a number from the first half of a training, and like its root (a = 1/2) for all
others, since a run whose end is chaotic may be drawn though none was seen before.
*One number of several runs.* They are held against the same m differences, so their p do not
multiply. But that j of k runs all differ by c times the largest or more has under the same law the
probability (k over j) c^(-j a) / (m + j over j), or less; p is the smallest of these over j, times
k. *One experiment.* The smallest p of its numbers times how many they are. But runs are not all
alike: some kinds are moved further than others, and one at the edge of divergence may be drawn
though no double was. So where p is below :data:`DOUBT`, runs that leave the doubt are made
:data:`COPIES` times more, from weights moved by one, two and three millionths. Where these move a
number further than any double was moved, the run is held against them, and not against the doubles:
largest and m are theirs. If p is still below DOUBT, :data:`MORE` others are made again, and p is
that of all. It is below a t < DOUBT only where the last is, and below another t only where the
first is, so it is as valid as both. *A build* fails where the smallest p of an experiment times the
number of experiments is below half of :data:`SIZE`, or Fisher's p of all experiments is: the first
finds a mistake in one experiment, the second one that touches all a little.

So the size holds if a nudge moves runs by no less than another machine's rounding does, if tails
are no heavier than assumed, and if experiments are drawn independently of each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import comb
from typing import Any

import numpy as np
from scipy.stats import chi2

from companion.recorded.experiment import NUDGE, Experiment, Run
from companion.recorded.making import make_again, shuffled
from companion.recorded.store import Result
from ivae.support.checks import Array

SIZE = 0.002
"""Of the test on a whole build: so often it fails where nothing is wrong, at most."""
DOUBT, COPIES, MORE = 0.05, 3, 3
"""Below this p so many moved copies of a run are made, and so many more runs made again."""
RESOLUTION = 1e-7
"""Smaller differences are rounding anywhere."""
MOST = 2.0
"""The largest difference that there can be."""
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
        The experiment's first number, then and now, and :func:`difference` of the two.
    worst, p
        The number that differs most for what it may, and the run's p-value.
    p_of_all
        The p-value of all runs of this result that were made again.
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
    p_of_all: float
    seconds: float
    seconds_again: float


def audit(name: str, experiment: Experiment, result: Result, size: int, key: str) -> list[Audited]:
    """Make ``size`` runs of a result again, which ``key`` decides, and compare them.

    Where they leave a doubt, more are made.
    """
    if not size:
        return []
    order = shuffled(len(result), key).tolist()
    values: dict[int, Mapping[str, float]] = {}
    seconds: dict[int, float] = {}
    own: dict[int, Mapping[str, float]] = {}

    def make(numbers: Sequence[int]) -> float:
        for number in numbers:
            values[number], seconds[number] = make_again(experiment, result.runs[number])
        if chances(result, values, own)[0] >= DOUBT:
            return 1.0
        for number in numbers:
            if chances(result, {number: values[number]})[0] < DOUBT:
                own[number] = _own_spread(experiment, result.runs[number], values[number])
        return chances(result, values, own)[0]

    if make(order[:size]) < DOUBT:
        make(order[size : size + MORE])
    p = chances(result, values, own)[0]
    return [compare(name, result, i, one, seconds[i], p, own) for i, one in values.items()]


def _own_spread(experiment: Experiment, run: Run, again: Mapping[str, float]) -> dict[str, float]:
    """Return by how much weights moved by a millionth move each number of one run, at most."""
    copies = [make_again(experiment, run, k * NUDGE)[0] for k in range(1, COPIES + 1)]
    return {
        word: max(difference(value, copy[word]) for copy in copies) for word, value in again.items()
    }


def compare(
    name: str,
    result: Result,
    number: int,
    again: Mapping[str, float],
    seconds: float,
    p_of_all: float,
    own: Mapping[int, Mapping[str, float]] | None = None,
) -> Audited:
    """Hold what a run gave now against the record; ``p_of_all`` is that of all runs drawn.

    For ``own`` see :func:`chances`.
    """
    p, worst = chances(result, {number: again}, own)
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
        p,
        p_of_all,
        float(result.seconds[number]),
        seconds,
    )


def chances(
    result: Result,
    again: Mapping[int, Mapping[str, float]],
    own: Mapping[int, Mapping[str, float]] | None = None,
) -> tuple[float, str]:
    """Return the p-value of runs that were made again, by number, and the number that decides.

    ``own`` says, of some of them, how far moved copies of the run are from it, at most.
    """
    spreads, found, known = spread(result), {}, own or {}
    for run in again.values():
        if set(run) != set(spreads):
            raise ValueError(
                f"{result.experiment} records {sorted(spreads)} and now gives {sorted(run)}: count "
                "the experiment's revision up, and make it anew."
            )
    for word, differences in spreads.items():
        now = [difference(result.values[word][number], run[word]) for number, run in again.items()]
        power = 1.0 if word.endswith(EARLY) else 0.5
        moved = np.array([known.get(number, {}).get(word, 0.0) for number in again])
        found[word] = p_value(np.array(now), differences, power, moved)
    worst = min(found, key=found.__getitem__)
    return min(1.0, found[worst] * len(found)), worst


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
    """Return how far two numbers are apart, relative to the larger where that is above 1.

    It is 0 where both are missing (NaN), and :data:`MOST` where one is, or is infinite.
    """
    if one == two or (np.isnan(one) and np.isnan(two)):
        return 0.0
    if not np.isfinite([one, two]).all():
        return MOST
    return float(abs(one - two) / max(1.0, abs(one), abs(two)))


def p_value(
    found: Array, differences: Array, power: float = 0.5, own: Array | float = 0.0
) -> float:
    """Return how often differences of this size, (k,), are to be expected, see above.

    ``differences`` are those of the doubles, (m,), and ``own`` is how far moved copies of each run
    are from it, at most, (k,); 0 where none were made.
    """
    k, m = len(found), len(differences)
    largest = max([RESOLUTION, *differences.tolist()])
    wide = np.asarray(own) > largest
    if np.any(wide):
        found = np.where(wide, found * largest / np.where(wide, own, 1.0), found)
        m, differences = COPIES, np.empty(0)
    several = np.sort(found)[::-1]  # The j-th is what j of them exceed or reach.
    chances = [1.0]
    if RESOLUTION < several[0] <= largest:
        chances.append(k * (1 + (differences >= several[0]).sum()) / (m + 1))
    for j, one in enumerate(several[several > largest].tolist(), start=1):
        chances.append(comb(k, j) / comb(m + j, j) * (largest / one) ** (j * power))
    return float(min(1.0, k * min(chances)))


def joined(p_values: Iterable[float]) -> float:
    """Return Fisher's p-value of several, which must not depend on each other."""
    logs = [np.log(max(p, 1e-300)) for p in p_values]
    return float(chi2.sf(-2 * sum(logs), 2 * len(logs)))


def of_experiments(audited: Sequence[Audited]) -> dict[str, float]:
    """Return each experiment's p-value over its runs that were made again."""
    return {one.experiment: one.p_of_all for one in sorted(audited, key=lambda one: one.experiment)}


def alarms(audited: Sequence[Audited]) -> list[str]:
    """Return the experiments for which a build fails; none, but for a share :data:`SIZE` of builds.

    Where all of them together fail it, it is the one that is least to be believed.
    """
    if not audited:
        return []
    each = of_experiments(audited)
    found = [name for name, p in each.items() if p * len(each) < SIZE / 2]
    if not found and joined(each.values()) < SIZE / 2:
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
    if largest == MOST:
        told = "that of a run which diverged one of the two times"
    return f"{recorded}; this build made {len(audited)} of them again: largest difference {told}."


def as_rows(audited: Sequence[Audited]) -> list[dict[str, Any]]:
    """Return plain mappings, as a record holds them."""
    return [asdict(one) for one in audited]

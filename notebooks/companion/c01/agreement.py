"""How runs that differ in their seeds alone agree: with each other, the truth, and themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from companion.recorded.store import Result
from ivae.metrics import between_runs
from ivae.support.checks import Array


class Agreement(NamedTuple):
    """R runs of one model: MCCs between every two, (R (R - 1) / 2,), and numbers of each, (R,).

    Those are ELBOs and MCCs with the truth, pooled and within segments.
    """

    between: Array
    elbo: Array
    truth: Array
    within: Array


def by_setting(
    found: Result, matrices: Mapping[str, Mapping[str, Array]]
) -> dict[tuple[str, str], Agreement]:
    """Return agreements by (preset, model), from matrices of MCCs by preset and the model's name.

    They are those of :func:`ivae.metrics.pairwise_mcc`, (R + 1, R + 1).
    """
    agreements = {}
    for preset, by_name in matrices.items():
        for name, matrix in by_name.items():
            setting = preset, name.lower()
            values = found.where(preset=preset, model=setting[1]).values
            numbers = (values[measure] for measure in ("elbo", "fresh", "within"))
            agreements[setting] = Agreement(between_runs(matrix), *numbers)
    return agreements


def moved_most(found: Result, name: str, **same: Any) -> float:
    """Return the largest change of a value among the runs with these settings that were made twice.

    The second time their weights were moved by a millionth.
    """
    pairs = zip(found.doubled, found.moved[name], strict=True)
    return max(
        abs(float(again - found.values[name][number]))
        for number, again in pairs
        if same.items() <= found.runs[number].items()
    )

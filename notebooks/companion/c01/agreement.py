"""How runs that differ in their seeds alone agree: with each other, the truth, and themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

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


def moves(found: Result, name: str, **same: Any) -> tuple[Array, Array]:
    """Return a value of the runs with these settings that were made twice, and its change, (m,).

    The second time their weights were moved by a millionth.
    """
    kept = [i for i, n in enumerate(found.doubled) if same.items() <= found.runs[n].items()]
    recorded = found.values[name][found.doubled[kept]]
    return recorded, np.abs(found.moved[name][kept] - recorded)

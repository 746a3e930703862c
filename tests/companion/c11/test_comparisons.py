"""Scores are found by the number of segments; runs are compared with those on the same dataset."""

import numpy as np
import pytest

from companion.c11 import comparisons, experiments
from companion.recorded.store import Result

SIZES = {"seed": 1, "n_datasets": 2, "rows": 800, "segments": (10, 40), "planes_segments": (5,)}


def result_of(runs, values, arrays):
    nothing = np.empty(0, np.int64)
    return Result("some", 1, SIZES, runs, values, arrays, np.zeros(len(runs)), nothing, {})


def test_scores_are_of_the_law_and_in_the_order_of_the_segments():
    runs = experiments.exact.plan(**SIZES)
    result = result_of(runs, {"mcc": np.arange(len(runs), dtype=float)}, {})
    found = comparisons.by_segments(result, "uniform means", 3)
    assert list(found) == [10, 40]
    for m, numbers in found.items():
        seen = [tuple(runs[int(number)].values()) for number in numbers]
        assert seen == [("uniform means", 3, m, 800, 1), ("uniform means", 3, m, 800, 2)]


def test_two_runs_on_a_dataset_are_compared_without_the_padding():
    rng = np.random.default_rng(2)
    first, other = rng.standard_normal((2, 500, 2))
    turned = first[:, ::-1] * [-2, 3]  # Order, sign and scale are left open.
    mixed = np.column_stack((other[:, 0], other.sum(1)))
    latents = np.pad(np.stack((first, turned, other, mixed)), ((0, 0), (0, 0), (0, 2)))
    result = result_of(4 * [{}], {}, {"means": latents.astype(np.float16)})
    agreement = comparisons.between(result, "means", 2)
    assert agreement == pytest.approx([1, 0.5 + 0.5**1.5], abs=0.05)

"""Results are found by the setting that varies, the usual value among the others."""

import numpy as np
import pytest

from companion.c10 import by_setting, experiments
from companion.recorded.store import Result

VARIED = {"samples": [16, 90], "spread": [2.0], "condition": [3.0], "noise": [0.1, 1e-3]}
SIZES = {"seed": 4, "total": 120, "n_datasets": 3, "n_few": 2, "steps": 4, "varied": VARIED}
SIZES |= {"segments": [2, 3], "n_networks": 2, "others_at": [2, 3]}


@pytest.fixture
def result():
    """Values that say which run they are of."""
    runs = experiments.trained.plan(**SIZES)
    numbers = np.arange(len(runs), dtype=float)
    values = {"fresh": numbers, "elbo": (7 * numbers) % 5}
    nothing = np.empty(0, np.int64)
    return Result("trained", 1, SIZES, runs, values, {}, numbers, nothing, {})


def told(result, number, *names):
    return tuple(result.runs[int(number)][name] for name in names)


def test_values_are_by_segments_dataset_and_network(result):
    fresh = by_setting.by_segments(result)["fresh"]
    assert fresh.shape == (2, 3, 2)
    for place, number in np.ndenumerate(fresh):
        m, i, j = place
        found = told(result, number, "varies", "n_segments", "data_seed", "seed")
        assert found == ("segments", SIZES["segments"][m], 4 + i, 4 + j)
    vae = by_setting.by_segments(result, "VAE")["fresh"]
    assert vae.shape == (2, 2, 1)
    assert [told(result, number, "model", "value") for number in vae[:, 0, 0]] == [
        ("vae", 2),
        ("vae", 3),
    ]


def test_the_network_of_the_highest_bound_counts_for_every_value():
    bound = np.array([[[1.0, 3.0, 2.0], [5.0, 4.0, 0.0]]])
    score = np.array([[[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]])
    kept = by_setting.of_highest({"bound": bound, "score": score}, "bound")
    np.testing.assert_array_equal(kept["bound"], [[3, 5]])
    np.testing.assert_array_equal(kept["score"], [[0.2, 0.4]])


@pytest.mark.parametrize(
    ("setting", "usual"), [("samples", 40), ("spread", 1.0), ("condition", 1.0), ("noise", 0.01)]
)
def test_the_usual_value_stands_among_the_varied_ones(result, setting, usual):
    found = by_setting.by_value(result, setting)
    assert list(found) == sorted([*VARIED[setting], usual])
    (name, *_) = experiments.FLAT_NAMES[setting]
    for value, numbers in found.items():
        runs = [told(result, number, name, "n_segments", "data_seed", "seed") for number in numbers]
        assert runs == [(value, 3, 4, 4), (value, 3, 5, 4)]


def test_differences_are_of_the_same_runs(result):
    scores = by_setting.by_value(result, "noise")
    bounds = by_setting.by_value(result, "noise", "elbo")
    found = by_setting.mean_difference(result, "noise", "fresh", "elbo")
    assert found == {v: pytest.approx(scores[v].mean() - bounds[v].mean()) for v in scores}

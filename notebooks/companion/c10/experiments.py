"""Chapter 10's trainings: one thing at a time moves away from what Theorem 1 asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

from companion import ceilings
from companion.c10.bounds import measure
from companion.recorded import trained as trainings

USUAL: dict[str, Any] = {
    "preset": "orthogonal",
    "nested": True,
    "model": "ivae",
    "common_factor": False,
    "spread": 1.0,
    "condition": 1.0,
    "noise_variance": 0.01,
    "decoder_variance": 0.01,
    "hidden": 50,
}
OTHERS: dict[str, dict[str, Any]] = {
    "VAE": {"model": "vae"},
    "common factor": {"common_factor": True},
    "linear mixing": {"preset": "linear"},
}
"""What is held against the iVAE at some numbers of segments."""
FLAT_NAMES = {
    "samples": ("samples_per_segment",),
    "spread": ("spread",),
    "condition": ("condition",),
    "noise": ("noise_variance", "decoder_variance"),
}
"""What a setting besides the number of segments changes in a run."""
N_EVALUATIONS = 20

Runs = list[dict[str, Any]]
Values = Mapping[str, Sequence[float]]


def plan_trained(
    *,
    seed: int,
    total: int,
    segments: Sequence[int],
    n_datasets: int,
    n_networks: int,
    others_at: Sequence[int],
    varied: Values,
    n_few: int,
    steps: int,
) -> Runs:
    """Return all trainings of the chapter; ``varies`` says what is changed, ``value`` to what.

    For each number of ``segments`` there are ``n_datasets`` datasets of ``total`` rows, with
    ``n_networks`` networks each. With one network and ``n_few`` of the datasets come the
    :data:`OTHERS` with the numbers of segments ``others_at``, and, with the most segments, the
    values of ``varied``, which maps names of :data:`FLAT_NAMES` to values.
    """
    schedule = {"batch_size": 512, "learning_rate": 0.02, "steps": steps}
    schedule |= {"evaluate_every": max(1, steps // N_EVALUATIONS)}
    runs = _on(_with_segments(segments, total), seed, n_datasets, n_networks)
    for name, change in OTHERS.items():
        compared = (one | change | {"varies": name} for one in _with_segments(others_at, total))
        runs += _on(compared, seed, n_few)
    runs += _on(_with_values(varied, max(segments), total), seed, n_few)
    return [run | schedule for run in runs]


def plan_true_decoder(
    *,
    seed: int,
    total: int,
    segments: Sequence[int],
    n_datasets: int,
    varied: Values,
    n_few: int,
    steps: int,
) -> Runs:
    """Return encoders under the true decoder, one for each dataset, labelled as the trainings are.

    They have the epochs of about so many ``steps``, however many rows there are.
    """
    runs = _on(_with_segments(segments, total), seed, n_datasets)
    runs += _on(_with_values(varied, max(segments), total), seed, n_few)
    for run in runs:
        n_rows = run["n_segments"] * run["samples_per_segment"]
        run["epochs"] = max(1, round(steps * ceilings.BATCH_SIZE / n_rows))
    return runs


def _with_segments(segments: Sequence[int], total: int) -> Runs:
    """Return a dataset's settings for each number of segments, ``total`` rows in all."""
    return [
        {"varies": "segments", "value": m}
        | USUAL
        | {"n_segments": m, "samples_per_segment": total // m}
        for m in segments
    ]


def _with_values(varied: Values, n_segments: int, total: int) -> Runs:
    """Return a dataset's settings for each value of each setting that varies."""
    (usual,) = _with_segments([n_segments], total)
    return [
        usual | dict.fromkeys(FLAT_NAMES[name], value) | {"varies": name, "value": value}
        for name, values in varied.items()
        for value in values
    ]


def _on(
    settings: Iterable[dict[str, Any]], seed: int, n_datasets: int, n_networks: int = 1
) -> Runs:
    seeds = list(product(range(seed, seed + n_datasets), range(seed, seed + n_networks)))
    return [one | {"data_seed": i, "seed": j} for one in settings for i, j in seeds]


trained = trainings.experiment(plan_trained, measure, revision=1)
true_decoder = ceilings.true_decoder_experiment(plan_true_decoder, 1)

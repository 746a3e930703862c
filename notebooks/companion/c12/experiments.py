"""Chapter 12's experiments: models trained on bits, and what is left to reach from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from companion.c12.bits import rotated_floor, true_posterior
from companion.ceilings import BATCH_SIZE, supervised_experiment
from companion.recorded import trained
from companion.recorded.experiment import Experiment, Outcome, Run, nudged, one_by_one
from companion.scores import fresh_rows, mcc_within, scores
from ivae.support.checks import Array

Size = Sequence[int]
"""n latents and d bits."""
N_SEGMENTS = 40
WIDE, MILD = "deviation", "variance"
"""What of the sources is uniform on [.5, 3] in the segments."""
TURNED_EACH = 5
"""One in so many rows is enough for the scores after random rotations."""
CONTENDERS: dict[str, dict[str, Any]] = {
    "iVAE, linear decoder": {"model": "ivae", "decoder_layers": 1},
    "iVAE, network as decoder": {"model": "ivae", "decoder_layers": 3},
    "VAE, linear decoder": {"model": "vae", "decoder_layers": 1},
}


def plan(
    *,
    seed: int,
    sizes: Sequence[Size],
    n_datasets: int,
    n_seeds: int,
    epochs: int,
    longer: int,
    samples_per_segment: int,
) -> list[dict[str, Any]]:
    """Return trainings of the :data:`CONTENDERS`, some of them ``longer`` times as long.

    All sizes with deviations uniform on [.5, 3], and the last with variances so; the iVAEs are
    trained longer where there are as many latents as in the last. Each is evaluated as often as the
    others, so that their curves have one length.
    """
    n_last = sizes[-1][0]
    cases = [(size, WIDE, name, 1) for size in sizes for name in CONTENDERS]
    cases += [(sizes[-1], MILD, "iVAE, linear decoder", times) for times in (1, longer)]
    cases += [
        (size, WIDE, name, longer)
        for size in sizes
        for name, settings in CONTENDERS.items()
        if size[0] == n_last and settings["model"] == "ivae"
    ]
    steps = N_SEGMENTS * samples_per_segment // BATCH_SIZE
    return [
        _data_of(size, spread, seed + i, samples_per_segment)
        | {"contender": name, **CONTENDERS[name], "seed": seed + j, "longer": times}
        | {"epochs": times * epochs, "evaluate_every": times * steps}
        for size, spread, name, times in cases
        for i in range(n_datasets)
        for j in range(n_seeds)
    ]


def datasets_plan(
    *, seed: int, sizes: Sequence[Size], n_datasets: int, samples_per_segment: int
) -> list[dict[str, Any]]:
    """Return the datasets that are trained on: all sizes, and the last with milder variances."""
    cases = [(size, WIDE) for size in sizes] + [(sizes[-1], MILD)]
    return [
        _data_of(size, spread, seed + i, samples_per_segment)
        for size, spread in cases
        for i in range(n_datasets)
    ]


def supervised_plan(*, seed: int, epochs: int, **settings: Any) -> list[dict[str, Any]]:
    """Return a network trained on the true sources for every one of :func:`datasets_plan`."""
    datasets = datasets_plan(seed=seed, **settings)
    return [one | {"seed": seed, "epochs": epochs} for one in datasets]


def ceiling(run: Run, nudge: float) -> Outcome:
    """Score the true model's posterior on the fresh rows on which trainings are scored.

    Names as those of a training: ``fresh`` and ``within`` of its means, ``fresh_sampled`` and
    ``within_sampled`` of a draw. ``floor``, and its ends at 5 % and 95 %, is the MCC of these means
    after a random rotation, ``floor_within`` within segments; the MCCs of all rotations are kept.
    """
    fresh = fresh_rows(trained.run_of(run).data.generate())
    moved = replace(fresh, x=nudged(fresh.x, nudge))
    found = true_posterior(moved, np.arange(len(moved.x)), seed=fresh.seed)

    some = slice(None, None, TURNED_EACH)

    def inside(z: Array, guess: Array) -> float:
        return mcc_within(z, guess, fresh.u[some])

    turned = fresh.z[some], found.mean[some]
    floors = rotated_floor(*turned, seed=fresh.seed)
    of_inside = rotated_floor(*turned, seed=fresh.seed, score=inside)
    low, middle, high = (float(value) for value in np.quantile(floors, (0.05, 0.5, 0.95)))
    values = {"floor_low": low, "floor": middle, "floor_high": high}
    values["floor_within"] = float(np.median(of_inside))
    return Outcome(scores(fresh, *found) | values, {"floors": floors})


def _data_of(size: Size, spread: str, seed: int, samples_per_segment: int) -> dict[str, Any]:
    n, d = size
    return {
        "preset": "bernoulli",
        "n_latents": n,
        "n_observed": d,
        "n_segments": N_SEGMENTS,
        "samples_per_segment": samples_per_segment,
        "spread": spread,
        "data_seed": seed,
    }


bits = trained.experiment(plan, revision=1)
"""iVAEs and VAEs on bits of a linear map."""
ceilings = Experiment(datasets_plan, one_by_one(ceiling), revision=1, together=4)
"""What the exact posterior scores, and what it scores after a rotation."""
supervised = supervised_experiment(supervised_plan, revision=1)
"""What an encoder's network scores that was trained on the sources."""

"""A small book: one experiment of trainings that take a second, and one that trains nothing."""

import time

import numpy as np

from companion.recorded import trained
from companion.recorded.experiment import Experiment, Outcome, nudged, one_by_one


def plan(n, steps=150, learning_rate=0.01):
    return [
        {
            "preset": "released",
            "n_latents": 2,
            "n_observed": 2,
            "n_segments": 5,
            "samples_per_segment": 100,
            "hidden": 10,
            "data_seed": 1 + number % 3,
            "seed": number,
            "steps": steps,
            "learning_rate": learning_rate,
            "objective": "decomposition",
            "weights": [100, 1, 0, 10],
            "decoder_variance": 0.1,
        }
        for number in range(n)
    ]


SMALL = trained.experiment(plan, revision=1)


def mean_of(run, nudge):
    values = nudged(np.random.default_rng(run["number"]).standard_normal(100), nudge)
    return Outcome({"mean": float(values.mean())}, {"values": values})


def numbers(n, fails_at=None):
    return [{"number": number} for number in range(n)]


PLAIN = Experiment(numbers, one_by_one(mean_of), together=5)


def fails_late(runs, nudge):
    """Make runs of :data:`PLAIN`, but for the one with number 19."""
    if any(run["number"] == 19 for run in runs):
        time.sleep(2)
        raise ZeroDivisionError
    return PLAIN.make(runs, nudge)

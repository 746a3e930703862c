"""What needs no training is scored pooled and within segments."""

from dataclasses import replace

import numpy as np
import pytest

from companion.c04 import baselines
from ivae import data
from ivae.metrics import mcc


@pytest.fixture(scope="module")
def released():
    return data.generate("released", 1, samples_per_segment=100)


def test_the_observations_are_scored_as_they_are(released):
    found = baselines(released, 1)
    assert found["pooled"].observations == mcc(released.z, released.x)
    assert found["pooled"].rotations.shape == found["within"].rotations.shape
    assert (found["pooled"].rotations < 1).all()


def test_what_the_label_alone_tells_counts_in_the_pooled_score_and_not_within(released):
    rng = np.random.default_rng(0)
    u = np.repeat(np.arange(2), 500)
    means = np.array([[-5.0, 5.0], [5.0, -5.0]])[u]
    z, x = (means + rng.standard_normal((1000, 2)) for _ in range(2))
    found = baselines(replace(released, x=x, u=u, z=z), 1)
    assert found["pooled"].observations > 0.9
    assert found["within"].observations < 0.1

"""On a GPU a step is a CUDA graph; it must do what the step on a CPU does."""

import copy

import numpy as np
import pytest
import torch

from ivae import data, models
from ivae.models import Network
from ivae.objectives import Bound, ImportanceWeighted, released_objective
from ivae.schedules import Schedule
from ivae.training import train

TRUTH = data.generate("paper", 0, 2, 3, 4, 50)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch can use is present")
@pytest.mark.parametrize("objective", [Bound(), released_objective(), ImportanceWeighted(3)])
def test_training_on_a_gpu_follows_the_cpu(objective):
    here = models.ivae(2, 3, 4, seeds=[0, 1, 2], network=Network(hidden=20)).double()
    there = copy.deepcopy(here).to("cuda")
    # 200 rows in minibatches of 16: the last of an epoch has 8 and cannot use the graph.
    schedule = Schedule(epochs=3, batch_size=16, decay=["cosine", "plateau", "constant"])
    options = {"schedule": schedule, "objective": objective, "progress": False}
    expected = train(here, TRUTH.x, TRUTH.u, TRUTH.z, **options)
    history = train(there, TRUTH.x, TRUTH.u, TRUTH.z, **options)
    np.testing.assert_allclose(history.objective, expected.objective, rtol=1e-6)
    for a, b in zip(here.parameters(), there.parameters(), strict=True):
        torch.testing.assert_close(a, b.cpu(), rtol=1e-5, atol=1e-7)

"""Members that step together: each at its own rate, and taken out when it is lost."""

import numpy as np
import torch

from ivae import data, models
from ivae.engine.batches import Minibatches
from ivae.engine.shards import Shard
from ivae.nets import Network
from ivae.objectives import Bound
from ivae.schedules import LearningRates, Schedule, Weights

TRUTH = data.generate("paper", 0, 2, 3, 4, 50)


def shard_of(seeds, schedule):
    model = models.ivae(2, 3, 4, seeds=seeds, network=Network(hidden=12)).double()
    x, u = model.check_data(TRUTH.x, TRUTH.u)
    data_of = Minibatches(x, u, model.seeds, schedule.batch_size, schedule.held_out, (2,))
    weights = Weights(Bound().weights, model.n_members)
    rates = LearningRates(schedule, model.n_members)
    return Shard(model, data_of, None, Bound(), weights, rates, schedule)


def test_a_plateau_lowers_the_rate_of_members_that_ask_for_it_alone():
    schedule = Schedule(steps=20, evaluate_every=5, decay=["plateau", "constant"], batch_size=16)
    shard = shard_of([0, 1], schedule)
    shard.advance(lambda step: None)
    for _ in range(2):  # Two evaluations that are worse than all before.
        shard.standing.judge([0, 1], np.array([-1e9, -1e9]), schedule)
    _, rates = next(shard._settings(1))
    torch.testing.assert_close(rates, torch.tensor([1e-4, 1e-2], dtype=torch.float64))


def test_an_infinite_gradient_is_told_from_an_infinite_objective():
    shard = shard_of([5, 6, 7], Schedule(epochs=3, batch_size=16))
    shard.adam.gradients[3][2].fill_(torch.nan)
    terms = torch.ones(3, 3, dtype=torch.float64)
    terms[0, 0] = torch.inf
    assert shard._freeze_diverged(terms) == [1]
    assert shard.standing.diverged == {
        0: "its objective is no longer finite in step 1",
        2: "its gradient is no longer finite in step 1",
    }
    assert shard.live_model.seeds == (6,)

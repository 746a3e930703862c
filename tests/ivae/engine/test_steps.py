"""One Adam for all members is each member's own; on a GPU a step does what it does on a CPU."""

import copy

import numpy as np
import pytest
import torch

from ivae import data, models
from ivae.engine.steps import MemberwiseAdam
from ivae.nets import Network
from ivae.objectives import Bound, ImportanceWeighted, released_objective
from ivae.schedules import Schedule
from ivae.training import train

TRUTH = data.generate("paper", 0, 2, 3, 4, 50)


def parameters(seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(3, 4, 5), (3, 1, 5), (3, 2, 4, 2)]
    return [torch.randn(shape, dtype=torch.float64, generator=generator) for shape in shapes]


@pytest.mark.parametrize("rates", [[0.1], [0.1, 0.02, 0.5]])
def test_every_member_takes_torchs_steps(rates):
    ours = parameters()
    adam = MemberwiseAdam(ours)
    plain = [[torch.nn.Parameter(p[e].clone()) for p in parameters()] for e in range(3)]
    every = rates * 3 if len(rates) == 1 else rates
    torchs = [torch.optim.Adam(own, lr=rate) for own, rate in zip(plain, every, strict=True)]
    for step in range(20):
        gradients = parameters(step + 1)
        for slot, gradient in zip(adam.gradients, gradients, strict=True):
            slot.copy_(gradient)
        adam.step(torch.tensor(rates, dtype=torch.float64))
        for e in range(3):
            for parameter, gradient in zip(plain[e], gradients, strict=True):
                parameter.grad = gradient[e].clone()
            torchs[e].step()
    for e in range(3):
        for a, b in zip(ours, plain[e], strict=True):
            torch.testing.assert_close(a[e], b.detach())


def step(adam, seed, rate=0.1):
    for slot, gradient in zip(adam.gradients, parameters(seed), strict=True):
        slot.copy_(gradient[: slot.shape[0]])
    adam.step(torch.tensor([rate], dtype=torch.float64))


def test_members_that_stay_keep_their_moments():
    whole = parameters()
    adam = MemberwiseAdam(whole)
    assert all(bool((moment == 0).all()) for moment in adam.moments())
    step(adam, 1)
    some = [p[:2].clone() for p in whole]
    part = MemberwiseAdam(some)
    part.set_moments(adam.moments_of([0, 1]))
    step(adam, 2)
    step(part, 2)
    for a, b in zip(whole, some, strict=True):
        assert torch.equal(a[:2], b)


def test_a_member_with_an_infinite_gradient_does_not_touch_the_others():
    sound, sick = parameters(), parameters()
    for tensors, bad in ((sound, 0.0), (sick, torch.inf)):
        adam = MemberwiseAdam(tensors)
        adam.gradients[0][1] += bad
        step_gradient = adam.gradients[0]
        step_gradient[0] = 1.0
        adam.step(torch.tensor([0.1], dtype=torch.float64))
    for a, b in zip(sound, sick, strict=True):
        assert torch.equal(a[[0, 2]], b[[0, 2]])


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

"""Learning rates and weights are what their names say, member by member."""

import numpy as np
import pytest
import torch

from ivae.schedules import LearningRates, Ramp, Schedule, Weights

NEVER = np.zeros(3, np.int64)


def test_each_member_has_its_own_rate_and_decay():
    schedule = Schedule(learning_rate=[0.1, 0.2, 0.4], decay=["cosine", "constant", "plateau"])
    rates = LearningRates(schedule, 3)
    np.testing.assert_allclose(rates.at(0.0, NEVER), [0.1, 0.2, 0.4])
    np.testing.assert_allclose(rates.at(0.5, NEVER), [0.05, 0.2, 0.4])
    np.testing.assert_allclose(rates.at(1.0, NEVER), [0.0, 0.2, 0.4], atol=1e-15)
    np.testing.assert_allclose(rates.at(0.0, np.array([2, 2, 2])), [0.1, 0.2, 0.004])
    np.testing.assert_allclose(rates.of([2, 0]).at(0.5, NEVER[:2]), [0.4, 0.05])


def test_the_half_cosine_is_torchs():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.Adam([parameter], lr=0.01)
    torchs = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=10)
    rates = LearningRates(Schedule(learning_rate=0.01), 1)
    for step in range(10):
        assert rates.at(step / 10, NEVER[:1])[0] == pytest.approx(torchs.get_last_lr()[0])
        optimiser.step()
        torchs.step()


def test_ramps_are_straight_and_then_level():
    weights = Weights((2.0, Ramp(0.0, [1.0, 3.0], until=0.5), [5.0, 6.0]), 2)
    np.testing.assert_allclose(weights.at(0.0), [[2, 0, 5], [2, 0, 6]])
    np.testing.assert_allclose(weights.at(0.25), [[2, 0.5, 5], [2, 1.5, 6]])
    np.testing.assert_allclose(weights.at(0.5), [[2, 1, 5], [2, 3, 6]])
    np.testing.assert_allclose(weights.at(1.0), [[2, 1, 5], [2, 3, 6]])
    np.testing.assert_allclose(weights.of([1]).at(0.25), [[2, 1.5, 6]])
    assert not weights.are_constant
    assert Weights((1.0, [1.0, 2.0]), 2).are_constant
    assert Weights((), 3).at(0.3).shape == (3, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": [0.1, -1]}, "learning_rate must be a finite number above 0; got -1"),
        ({"learning_rate": -0.1}, "learning_rate must be a finite number above 0; got -0.1"),
        ({"epochs": 0}, "epochs must be a whole number >= 1; got 0"),
        ({"batch_size": 6.4}, "batch_size must be a whole number >= 1; got 6.4"),
        ({"decay": "step"}, "decay must be one of cosine, constant, plateau; got 'step'"),
        ({"decay": ["cosine", "step"]}, "decay must be one of"),
        ({"patience": -1}, "patience must be a whole number >= 0"),
        ({"steps": 0}, "steps must be a whole number >= 1"),
        ({"evaluate_every": 1.5}, "evaluate_every must be a whole number"),
        ({"stop_after": 0}, "stop_after must be a whole number >= 1"),
        ({"held_out": 1.0}, r"held_out must be a share of the samples in \[0, 1\); got 1.0"),
    ],
)
def test_bad_schedules_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        Schedule(**options)


def test_lists_must_fit_the_members():
    with pytest.raises(ValueError, match="learning_rate must be one value, or one for each of the"):
        LearningRates(Schedule(learning_rate=[0.1, 0.2]), 3)
    with pytest.raises(ValueError, match=r"a weight must be one value.*3 members; got 2"):
        Weights(([1.0, 2.0],), 3)
    with pytest.raises(ValueError, match="until must be a share of the training, at most 1"):
        Ramp(0, 1, until=2)

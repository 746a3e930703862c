"""What is put together of the shards' histories."""

import pickle

import numpy as np
import pytest

from ivae import data, models
from ivae.engine.history import EveryMemberDiverged
from ivae.nets import Network
from ivae.schedules import Schedule
from ivae.training import train

TRUTH = data.generate("paper", 0, 2, 3, 4, 50)


@pytest.mark.parametrize("with_sources", [True, False])
def test_a_shard_lost_at_once_does_not_hide_the_others(with_sources, monkeypatch):
    monkeypatch.setattr("ivae.engine.processes.MEMBERS_AT_ONCE", 2)
    model = models.ivae(2, 3, 4, seeds=range(4), network=Network(hidden=12))
    z = TRUTH.z if with_sources else None
    schedule = Schedule(steps=20, evaluate_every=20, learning_rate=[1e30, 1e30, 0.01, 0.01])
    history = train(model, TRUTH.x, TRUTH.u, z, schedule=schedule, processes=1, progress=False)
    assert list(history.diverged) == [0, 1]
    np.testing.assert_array_equal(history.steps, [20])
    assert np.isfinite(history.elbo[0, 2:]).all()
    assert np.isnan(history.elbo[0, :2]).all()
    if with_sources:
        assert np.isfinite(history.mcc[0, 2:]).all()


def test_the_loss_of_every_member_can_be_told_to_another_process():
    model = models.ivae(2, 3, 4, seeds=[7], network=Network(hidden=12))
    schedule = Schedule(steps=20, evaluate_every=20, learning_rate=1e30)
    with pytest.raises(EveryMemberDiverged, match="seed 7") as lost:
        train(model, TRUTH.x, TRUTH.u, schedule=schedule, progress=False)
    told = pickle.loads(pickle.dumps(lost.value))
    assert str(told) == str(lost.value)
    assert told.history.diverged == lost.value.history.diverged

"""Random streams: what a member draws depends on its own seed and the purpose, on nothing else.

An ensemble of E members then draws exactly what E runs alone would draw, a resumed run draws what
an uninterrupted one would have drawn, and the numbers are the same on every device.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

Purpose = Literal["initialisation", "minibatches", "posterior noise", "evaluation", "held out"]
_SPAWN_KEY: dict[Purpose, int] = {
    "initialisation": 0,
    "minibatches": 1,
    "posterior noise": 2,
    "evaluation": 3,
    "held out": 4,
}


def seeded_generator(seed: int, purpose: Purpose, epoch: int = 0, part: int = 0) -> torch.Generator:
    """Return a fresh CPU generator for one member's draws.

    Parameters
    ----------
    seed
        The member's seed, a whole number >= 0.
    purpose
        What the draws are for; different purposes never share a stream.
    epoch
        Epoch the draws belong to, so that no state has to outlive an epoch.
    part
        Part of the epoch, where its draws are made piece by piece.
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(_SPAWN_KEY[purpose], epoch, part))
    state = int(sequence.generate_state(1, np.uint64)[0])
    return torch.Generator().manual_seed(state & (2**63 - 1))

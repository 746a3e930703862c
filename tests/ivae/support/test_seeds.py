"""Streams repeat, and do not overlap."""

import itertools

import torch

from ivae.support.seeds import seeded_generator

PURPOSES = ("initialisation", "minibatches", "posterior noise", "evaluation", "held out")


def test_a_stream_repeats():
    first, second = (
        torch.rand(5, generator=seeded_generator(3, "minibatches", 7)) for _ in range(2)
    )
    assert torch.equal(first, second)


def test_seeds_purposes_epochs_and_parts_do_not_share_draws():
    keys = itertools.product((0, 1, 2**40), PURPOSES, (0, 1, 2), (0, 1))
    draws = {tuple(torch.rand(4, generator=seeded_generator(*key)).tolist()) for key in keys}
    assert len(draws) == 3 * len(PURPOSES) * 3 * 2

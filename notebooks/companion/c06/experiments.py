"""Chapter 6's trainings: everyone in Figure 2, and networks that are given the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from companion import ceilings
from companion.protocols import PROTOCOLS, Contender, run_of
from companion.protocols import contenders as everyone
from companion.recorded import trained


def plan(
    *,
    seed: int,
    dimensions: Sequence[int],
    n_datasets: Sequence[int],
    n_networks: int,
    **sizes: Any,
) -> list[dict[str, Any]]:
    """Return a training of everyone on every dataset, under both protocols.

    For each of the ``dimensions``, numbers of latents in rising order, so many datasets, and one
    network on each; with the most latents ``n_networks`` networks on the released protocol's first
    dataset. ``sizes`` are flat names of :class:`ivae.sweeps.runs.Run`.
    """
    cases: list[tuple[str, Contender, dict[str, int]]] = []
    for protocol in PROTOCOLS:
        for n, several in zip(dimensions, n_datasets, strict=True):
            pairs = {(seed + i, seed) for i in range(several)}
            if (protocol, n) == ("released", dimensions[-1]):
                pairs |= {(seed, seed + i) for i in range(n_networks)}
            cases += [
                (protocol, one, {"n_latents": n, "data_seed": data_seed, "seed": network_seed})
                for one in everyone(protocol)
                for data_seed, network_seed in sorted(pairs)
            ]
    return _described(cases, sizes)


def plan_references(
    *, seed: int, dimensions: Sequence[int], n_datasets: Sequence[int], **sizes: Any
) -> list[dict[str, Any]]:
    """Return the iVAE of either protocol once on every dataset: the same datasets and networks."""
    cases = [
        (protocol, everyone(protocol)[0], {"n_latents": n, "data_seed": seed + i, "seed": seed})
        for protocol in PROTOCOLS
        for n, several in zip(dimensions, n_datasets, strict=True)
        for i in range(several)
    ]
    return _described(cases, sizes)


def _described(
    cases: Sequence[tuple[str, Contender, dict[str, int]]], sizes: dict[str, Any]
) -> list[dict[str, Any]]:
    flat = trained.flat([run_of(protocol, one, **own, **sizes) for protocol, one, own in cases])
    return [
        {"protocol": protocol, "contender": one.model, "setting": one.setting} | own | values
        for (protocol, one, own), values in zip(cases, flat, strict=True)
    ]


contenders = trained.experiment(plan, revision=1)
"""All that Figures 2a and 2b show."""
supervised = ceilings.supervised_experiment(plan_references, revision=1)
true_decoder = ceilings.true_decoder_experiment(plan_references, revision=1)

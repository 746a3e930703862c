"""Chapter 11's experiments: linear ICA on exact statistics, and on those that iVAEs learned."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from companion.c11.laws import judge, simulate_law, unmix
from companion.recorded.experiment import Experiment, Outcome, Run, nudged, one_by_one
from companion.recorded.trained import nudge_weights
from companion.scores import fresh_rows, within
from ivae import data, models
from ivae.data import NonstationaryData
from ivae.metrics import mcc
from ivae.schedules import Schedule
from ivae.support.checks import Array
from ivae.theory.equivalence import fit_equivalence
from ivae.training import train

TABLE_SEGMENTS = 40
"""M of the comparison of all laws; the number of segments of the paper's Figure 2."""
MEANS = "uniform means", "turned means", "Gaussian means"
PLANES = "means and variances"
NOISE = {"linear": 0.01, "orthogonal": 0.001}
"""Variance of the noise by preset of the mixing; the decoder's too."""
KEPT_ROWS = 1000
"""At so many fresh rows latents are kept, to be compared between trainings."""


def plan_exact(
    *,
    seed: int,
    n_datasets: int,
    rows: int,
    segments: Sequence[int],
    planes_segments: Sequence[int],
) -> list[dict[str, Any]]:
    """Return several datasets for each law, number of sources and number of segments.

    All :data:`companion.c11.laws.LAWS` for five sources in :data:`TABLE_SEGMENTS` segments; the
    three laws of the means over ``segments``, the uniform one for two and three sources as well;
    and means and variances of two sources over ``planes_segments``.
    """
    laws = *MEANS, "independent variances", "common variance", PLANES
    cases = [(law, 5, TABLE_SEGMENTS) for law in laws]
    cases += [(law, 5, m) for law in MEANS for m in segments]
    cases += [(MEANS[0], n, m) for n in (3, 2) for m in segments]
    cases += [(PLANES, 2, m) for m in planes_segments]
    return [
        {"law": law, "n_latents": n, "n_segments": m, "rows": rows, "data_seed": seed + i}
        for law, n, m in dict.fromkeys(cases)
        for i in range(n_datasets)
    ]


def unmix_exact(run: Run, nudge: float) -> Outcome:
    """Give FastICA the exact statistics of a dataset, mixed by a matrix."""
    made = _dataset(run)
    return Outcome(unmix(replace(made, z=nudged(made.z, nudge)))._asdict())


exact = Experiment(plan_exact, one_by_one(unmix_exact), revision=1)


def plan_trained(
    *,
    seed: int,
    rows: int,
    segments: int,
    planes_segments: Sequence[int],
    datasets_linear: int,
    datasets_layers: int,
    runs_each: int,
    epochs_linear: int,
    epochs_layers: int,
) -> list[dict[str, Any]]:
    """Return trainings on sources of which only the means move, and on means and variances.

    Three sources with uniform and with Gaussian means in ``segments`` segments, after a linear and
    a three-layer mixing; two with means and variances in each of ``planes_segments``, after a
    linear one.
    """
    sizes = {"linear": (datasets_linear, epochs_linear)}
    sizes["orthogonal"] = datasets_layers, epochs_layers
    ensembles: list[tuple[tuple[str, ...], str, int, int]]
    ensembles = [(MEANS[::2], preset, 3, segments) for preset in NOISE]
    ensembles += [((PLANES,), "linear", 2, m) for m in planes_segments]
    runs = []
    for laws, preset, n, m in ensembles:
        n_datasets, epochs = sizes[preset]
        cases = [(law, i) for law in laws for i in range(n_datasets) for _ in range(runs_each)]
        runs += [
            {
                "law": law,
                "preset": preset,
                "n_latents": n,
                "n_segments": m,
                "rows": rows,
                "noise_variance": NOISE[preset],
                "epochs": epochs,
                "data_seed": seed + i,
                "seed": seed + number,
            }
            for number, (law, i) in enumerate(cases)
        ]
    return runs


def train_together(runs: Sequence[Run], nudge: float) -> list[Outcome]:
    """Train an iVAE for each run, and judge it before and after FastICA, on rows it has not seen.

    Values are those of :class:`companion.c11.laws.Judgement`; ``oracle`` and ``oracle_blocks`` are
    ``after`` and ``blocks_after`` had FastICA been given the true sources, ``label`` the MCC of the
    true means of the segments, ``r2_x`` and ``r2_x_within`` the R^2 of the best affine map from the
    observations to the sources, pooled and within segments, and ``objective_first`` the objective
    before the first evaluation. The arrays are posterior means and signals at :data:`KEPT_ROWS`
    rows, with columns of zeros up to one number for all runs.
    """
    first, datasets = runs[0], [_dataset(run) for run in runs]
    n, m, family = first["n_latents"], first["n_segments"], datasets[0].family
    model = models.ivae(
        n,
        n,
        m,
        seeds=[run["seed"] for run in runs],
        n_components=family.k,
        family=family.name,
        decoder_variance=first["noise_variance"],
    )
    nudge_weights(model, nudge)
    x, u, _ = data.stack(datasets)
    history = train(model, x, u, schedule=Schedule(epochs=first["epochs"]), progress=False)
    fresh = [fresh_rows(one, per_segment=first["rows"] // m) for one in datasets]
    new_x, new_u, _ = data.stack(fresh)
    means = model.infer(new_x, new_u).mean.numpy(force=True)
    course = np.asarray(history.objective)
    found = []
    for member, (one, estimate) in enumerate(zip(fresh, means, strict=True)):
        values = judge(one, estimate)._asdict()
        arrays = {"means": _kept(estimate, 3), "signals": _kept(values.pop("signals"), 4)}
        best = judge(one, one.z)
        pooled, inside = (one.z, one.x), (within(one.z, one.u), within(one.x, one.u))
        values |= {
            "oracle": best.after,
            "oracle_blocks": best.blocks_after,
            "label": mcc(one.z, one.expected_sources),
            "r2_x": float(fit_equivalence(*pooled).r2.mean()),
            "r2_x_within": float(fit_equivalence(*inside).r2.mean()),
            "objective": float(course[-1, member]),
            "objective_first": float(course[0, member]),
        }
        found.append(Outcome(values, arrays))
    return found


def _dataset(run: Run) -> NonstationaryData:
    law, n, m, seed = (run[name] for name in ("law", "n_latents", "n_segments", "data_seed"))
    per_segment = run["rows"] // m
    if "preset" not in run:
        return simulate_law(law, n, m, per_segment, seed)
    mixing = data.generate(run["preset"], seed, n, n, 2, 1).mixing
    return simulate_law(law, n, m, per_segment, seed, mixing, run["noise_variance"])


def _kept(latents: Array, n_columns: int) -> Array:
    kept = latents[:: max(1, len(latents) // KEPT_ROWS)]
    return np.pad(kept, ((0, 0), (0, n_columns - kept.shape[1]))).astype(np.float16)


def _alike(run: Run) -> Hashable:
    return tuple(run[name] for name in ("preset", "n_latents", "n_segments", "rows", "epochs"))


trained = Experiment(plan_trained, train_together, 2, _alike)

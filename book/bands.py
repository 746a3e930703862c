"""Bands around the full records in which another run's numbers must lie.

    python book/bands.py

writes book/results/full/bands.json. A band is made from the spread from seed to seed alone: the
mean of k new repetitions must be as near to the mean of the record's n as two samples of one normal
distribution are in all but one case of a thousand (two-sided, Student's t with n - 1 degrees).
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t

from ivae.support.records import load, write_atomically

ROOT = Path(__file__).resolve().parent.parent
FULL = ROOT / "book" / "results" / "full"
BANDS = FULL / "bands.json"
FALSE_ALARMS = 1e-3
ROUNDING = 1e-6  # Measures that do not vary from seed to seed still round differently elsewhere.

# Lists of single runs at the same settings in both modes, differing in network seeds alone.
MEASURES = {
    "04_training": ["ivae_elbo_runs", "ivae_mcc_sampled_runs", "vae_elbo_runs", "vae_mcc_runs"],
    "06_figure_2": [
        "released_ivae_by_seed",
        "released_ivae_objective",
        "every: seeds, VAE, as released",
        "every: seeds, β-VAE, as released",
        "every: seeds, β-TC-VAE, as released",
    ],
    "07_figure_3": ["released_worst_source", "released_margin"],
}

Band = Mapping[str, float]


def band(values: Sequence[float]) -> dict[str, float]:
    """Return mean, standard deviation and number of a record's repetitions."""
    array = np.asarray(values, dtype=np.float64)
    if len(array) < 2 or not np.isfinite(array).all():
        raise ValueError(f"a band needs at least two numbers; got {values!r}.")
    return {"mean": float(array.mean()), "sd": float(array.std(ddof=1)), "n": len(array)}


def limits(of: Band, k: int) -> tuple[float, float]:
    """Return between what the mean of k new repetitions must lie."""
    n = int(of["n"])
    quantile = float(t.ppf(1 - FALSE_ALARMS / 2, n - 1))
    half = quantile * of["sd"] * math.sqrt(1 / n + 1 / k) + ROUNDING * abs(of["mean"])
    return of["mean"] - half, of["mean"] + half


def is_inside(of: Band, values: Sequence[float]) -> bool:
    """Return whether the mean of new repetitions lies in a band; NaN does not, nor does nothing."""
    if not len(values):
        return False
    low, high = limits(of, len(values))
    return bool(low <= np.mean(values) <= high)


def derive(folder: Path = FULL) -> dict[str, dict[str, dict[str, float]]]:
    """Return the bands of all measures, from the full records that there are."""
    found = {}
    for chapter, names in MEASURES.items():
        path = folder / f"{chapter}.json"
        if path.exists():
            values = load(path).values
            found[chapter] = {name: band(values[name]) for name in names}
    return found


def outside(records: Path, bands: Mapping[str, Mapping[str, Band]]) -> list[str]:
    """Return a line for every measure of a run's records that lies outside its band."""
    found = []
    for chapter, by_name in bands.items():
        values: dict[str, Any] = load(records / f"{chapter}.json").values
        for name, of in by_name.items():
            if not is_inside(of, values[name]):
                low, high = limits(of, len(values[name]))
                found.append(
                    f"{chapter}, {name}: the mean of {len(values[name])} runs is "
                    f"{np.mean(values[name]):.4f}, outside {low:.4f} to {high:.4f}, which "
                    f"{of['n']} runs of the full record allow."
                )
    return found


def write() -> None:
    """Write the bands that the full records give."""
    write_atomically(BANDS, json.dumps(derive(), indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    write()
    sys.exit(0)

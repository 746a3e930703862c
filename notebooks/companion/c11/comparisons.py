"""Chapter 11's scores by the number of segments, and between runs on one dataset."""

from __future__ import annotations

import numpy as np

from companion.recorded.store import Result
from ivae.metrics import mcc
from ivae.support.checks import Array


def by_segments(exact: Result, law: str, n_latents: int) -> dict[int, Array]:
    """Return the MCC after FastICA on each dataset, (R,), for every number of segments."""
    runs = exact.where(law=law, n_latents=n_latents)
    return {m: runs.where(n_segments=m).values["mcc"] for m in exact.settings["segments"]}


def between(trained: Result, name: str, n_columns: int) -> Array:
    """Return the MCC between the latents of the two runs on each dataset, (D,).

    ``name`` is ``"means"`` or ``"signals"``, of which the first ``n_columns`` are no padding.
    """
    latents = trained.arrays[name][..., :n_columns].astype(float)
    pairs = zip(latents[::2], latents[1::2], strict=True)
    return np.array([mcc(*pair) for pair in pairs])

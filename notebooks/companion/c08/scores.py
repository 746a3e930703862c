"""What Figure 4's scores say about all runs together, beyond each setting's mean."""

from __future__ import annotations

import numpy as np

from companion.comparison import Scores, broke_down
from companion.recorded.store import Result
from ivae.support.checks import Array

WHOLE = 0.85
"""Of a source whose matched latent correlates with it by less, a part is lost."""


def label(contender: str, setting: str) -> str:
    """Return how the page names a setting; one with a Laplace prior says so itself."""
    return f"{contender.removesuffix(', Laplace')}, {setting}"


def of_baselines(found: Scores) -> Array:
    """Return the scores of every run of every setting but the iVAE's, one after another, (K R,)."""
    return np.concatenate([values for name, values in found.items() if name[0] != "iVAE"])


def generalisation_gap(found: Result) -> float:
    """Return by how much a run's MCC differs, at most, on the rows trained on and on new ones.

    The MCCs are of posterior samples. Runs that broke down or diverged are left out.
    """
    gaps = np.abs(found.values["mcc_sampled"] - found.values["fresh_sampled"])
    return float(np.nanmax(gaps[~broke_down(found)]))

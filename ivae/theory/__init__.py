"""The paper's conditions and theorems in numbers: which of them cover a model, and by what margin.

May import ``data`` and ``models`` and what these stand on, and the autograd loop of ``engine``.
For users, chapters and their ``companion``; nothing that trains or recovers imports it.
"""

from ivae.theory import (
    characteristic,
    equivalence,
    exact,
    findings,
    injectivity,
    linear,
    noise,
    posteriors,
    rank,
    statistics,
)
from ivae.theory.report import ModelReport, check, of_dataset, of_model

__all__ = [
    "ModelReport",
    "characteristic",
    "check",
    "equivalence",
    "exact",
    "findings",
    "injectivity",
    "linear",
    "noise",
    "of_dataset",
    "of_model",
    "posteriors",
    "rank",
    "statistics",
]

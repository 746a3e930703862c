"""For chapter 1: models that no data tell apart.

May import ivae and the shared modules of companion; imported by chapter 1 alone.
"""

from companion.c01 import (
    agreement,
    comparisons,
    constructions,
    experiments,
    figures,
    posterior_grid,
    quadrature,
)

__all__ = [
    "agreement",
    "comparisons",
    "constructions",
    "experiments",
    "figures",
    "posterior_grid",
    "quadrature",
]

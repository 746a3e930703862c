"""The way from the text to the released code and back, a change at a time; the paper's grid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from companion.protocols import PROTOCOLS
from ivae.objectives import RELEASED_WEIGHTS

GRID: Mapping[str, list[Any]] = {
    "hidden": [50, 100, 200],
    "n_layers": [3, 4, 5, 6],
    "activation": ["xtanh", "leaky-relu"],
    "learning_rate": [0.01, 0.001],
}
"""Section 5: the 48 settings of networks and optimiser that the paper chose from."""


def ladder() -> dict[str, dict[str, Any]]:
    """Return the iVAE's settings from the text's words to the released code, a change at a time.

    The first rung takes the text at its most literal: the activation it names first, and no
    schedule. Each further rung keeps the changes before it; the last is ``released``.
    """
    steps: dict[str, dict[str, Any]] = {
        "the text": {"preset": "paper", "activation": "leaky-relu", "decay": "constant"},
        "activation xtanh": {"activation": "xtanh"},
        "plateau schedule": {"decay": "plateau"},
        "deviations in [.5, 3]": {"spread": "deviation"},
        "no noise": {"noise_variance": 0.0},
        "one mixing matrix": {"one_matrix": True},
        "decoder variance .1": {"decoder_variance": 0.1},
        "weights (100, 1, 0, 10)": {"objective": "decomposition", "weights": RELEASED_WEIGHTS},
    }
    rungs: dict[str, dict[str, Any]] = {}
    settings: dict[str, Any] = {}
    for name, change in steps.items():
        settings = settings | change
        rungs[name] = settings
    # Its data have the same law as those of the rung before, from another generator.
    rungs["released generator"] = {**PROTOCOLS["released"], "weights": RELEASED_WEIGHTS}
    return rungs


def turned_back() -> dict[str, dict[str, Any]]:
    """Return the released protocol's settings, and those with one thing of it turned back."""
    released = {**PROTOCOLS["released"], "weights": RELEASED_WEIGHTS}
    changes: dict[str, dict[str, Any]] = {
        "as released": {},
        "variances in [.5, 3]": {"spread": "variance"},
        "noise": {"noise_variance": 0.01},
        "three mixing matrices": {"one_matrix": False},
        "decoder variance .01": {"decoder_variance": 0.01},
        "weights (1, 1, 1, 1)": {"weights": (1.0, 1.0, 1.0, 1.0)},
        "weight of KL' 1": {"weights": (100.0, 1.0, 0.0, 1.0)},
        "weight of TC 10": {"weights": (100.0, 1.0, 10.0, 10.0)},
        "leaky ReLU": {"activation": "leaky-relu"},
        "Xavier weights": {"initialisation": "xavier"},
        "constant rate": {"decay": "constant"},
        "cosine schedule": {"decay": "cosine"},
    }
    return {name: released | change for name, change in changes.items()}

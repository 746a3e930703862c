"""The two protocols of the book as settings of a Run, who is compared, and the way between them.

``text`` is what the paper's Section 5 says, ``released`` what the authors' published code does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ivae.objectives import RELEASED_WEIGHTS
from ivae.support.checks import one_of
from ivae.sweeps.runs import Run

PROTOCOLS: Mapping[str, Mapping[str, Any]] = {
    # Eq. (8) and sigma^2 = .01 are the text's; it has no schedule, so Adam's .01 falls by a cosine.
    "text": {"preset": "paper", "objective": "elbo", "decoder_variance": 0.01},
    # The rate falls by 10 whenever an epoch is no better than the best before it.
    "released": {
        "preset": "released",
        "objective": "decomposition",
        "decoder_variance": 0.1,
        "decay": "plateau",
    },
}
BETAS = {"β-VAE": (4, 10, 20, 45), "β-TC-VAE": (4, 10, 20, 35)}
"""Section 5: beta in [1, 45] and [1, 35]. At beta = 1 both are the VAE, which is run anyway."""

GRID: Mapping[str, list[Any]] = {
    "hidden": [50, 100, 200],
    "n_layers": [3, 4, 5, 6],
    "activation": ["xtanh", "leaky-relu"],
    "learning_rate": [0.01, 0.001],
}
"""Section 5: the 48 settings of networks and optimiser that the paper chose from."""


@dataclass(frozen=True)
class Contender:
    """A model of the comparison in Figures 2 to 4, in one of its settings.

    Attributes
    ----------
    model
        ``"iVAE"``, ``"VAE"``, ``"VAE, Laplace"``, ``"β-VAE"`` or ``"β-TC-VAE"``.
    setting
        What distinguishes it from the model's other settings.
    values
        Flat names of a :class:`ivae.sweeps.runs.Run`, besides the protocol's.
    """

    model: str
    setting: str
    values: Mapping[str, Any] = field(hash=False)


def contenders(protocol: str) -> list[Contender]:
    """Return everyone who is compared under a protocol.

    Under ``released`` the baselines come with the weights of the released code, where log p(x|z)
    weighs 1000 or 500, and with a grid in which it weighs 100, as for the iVAE there.
    """
    one_of("protocol", protocol, PROTOCOLS)
    if protocol == "text":
        return [
            Contender("iVAE", "Eq. (8)", {"model": "ivae"}),
            _vae("VAE", "Gaussian prior"),
            _vae("VAE, Laplace", "Laplace prior", prior="laplace"),
            *(_vae("β-VAE", f"β = {b}", beta=float(b)) for b in BETAS["β-VAE"]),
            *(
                _vae("β-TC-VAE", f"β = {b}", objective="decomposition", weights=(1, 1, b, 1))
                for b in BETAS["β-TC-VAE"]
            ),
        ]
    a = RELEASED_WEIGHTS[0]
    return [
        Contender("iVAE", "as released", {"model": "ivae", "weights": RELEASED_WEIGHTS}),
        _vae("VAE", "as released", weights=(1000, 1, 1, 1)),
        _vae("VAE", "Gaussian prior", weights=(a, 1, 1, 1)),
        _vae("VAE, Laplace", "Laplace prior", weights=(a, 1, 1, 1), prior="laplace"),
        _vae("β-VAE", "as released", weights=(500, 5, 5, 5)),
        *(_vae("β-VAE", f"β = {b}", weights=(a, b, b, b)) for b in BETAS["β-VAE"]),
        _vae("β-TC-VAE", "as released", weights=(1000, 1, 15, 1)),
        *(_vae("β-TC-VAE", f"β = {b}", weights=(a, 1, b, 1)) for b in BETAS["β-TC-VAE"]),
    ]


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


def run_of(protocol: str, contender: Contender, **values: Any) -> Run:
    """Return a run of a contender under a protocol; ``values`` are its seeds and sizes."""
    one_of("protocol", protocol, PROTOCOLS)
    return Run.of(**{**PROTOCOLS[protocol], **contender.values, **values})


def _vae(name: str, setting: str, **values: Any) -> Contender:
    return Contender(name, setting, {"model": "vae", **values})

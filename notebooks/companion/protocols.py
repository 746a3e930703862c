"""The two protocols of the book as settings of a Run, and who is compared under them.

``text`` is what the paper's Section 5 says, ``released`` what the authors' published code does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

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


class Contender(NamedTuple):
    """A model of the comparison in Figures 2 to 4, such as ``"β-VAE"``, in one of its settings.

    ``values`` are flat names of a :class:`ivae.sweeps.runs.Run`, besides the protocol's.
    """

    model: str
    setting: str
    values: Mapping[str, Any]


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


def run_of(protocol: str, contender: Contender, **values: Any) -> Run:
    """Return a run of a contender under a protocol; ``values`` are its seeds and sizes."""
    return Run.of(**{**PROTOCOLS[protocol], **contender.values, **values})


def _vae(name: str, setting: str, **values: Any) -> Contender:
    return Contender(name, setting, {"model": "vae", **values})

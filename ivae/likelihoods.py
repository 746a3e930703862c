"""What a decoder's output means: log p(x|z) for continuous and for binary x.

A likelihood is a module of the model, so that whatever it keeps for each member follows the
ensemble when members are cut out or moved to another device.

>>> one = likelihood_named("gaussian", 0.25, n_members=1)
>>> one.log_density(torch.zeros(1, 1, 2), torch.zeros(1, 1, 2))  # - log(2 pi 0.25)
tensor([[-0.4516]])
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from ivae.support.checks import for_each_member, one_of, positive_number

LikelihoodName = Literal["gaussian", "bernoulli"]
LIKELIHOODS = get_args(LikelihoodName)
DECODER_VARIANCE = 0.01  # Section 5: "we fix the noise level sigma^2 = 0.01".


class GaussianLikelihood(nn.Module):
    """p(x|z) = N(f(z), sigma^2 I), Eq. (6) with Gaussian noise; sigma^2 for each member, (E,)."""

    name: LikelihoodName = "gaussian"
    variance: Tensor

    def __init__(self, variance: Sequence[float]) -> None:
        super().__init__()
        checked = [positive_number("decoder_variance", value) for value in variance]
        self.register_buffer("variance", torch.tensor(checked, dtype=torch.float64))

    def log_density(self, x: Tensor, decoded: Tensor) -> Tensor:
        """Return log p(x|z), (E, B), for x and f(z) of shape (E, B, d)."""
        return gaussian_log_density(x, decoded, self.variance.unsqueeze(1))

    def check(self, x: NDArray[Any]) -> None:
        """Take any finite x."""

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the likelihood, by plain values."""
        return {"name": self.name, "variance": self.variance.tolist()}


class BernoulliLikelihood(nn.Module):
    """p(x|z) = prod_j Bernoulli(x_j; sigmoid(f_j(z))), Eq. (29): the decoder gives logits."""

    name: LikelihoodName = "bernoulli"

    def log_density(self, x: Tensor, decoded: Tensor) -> Tensor:
        """Return log p(x|z), (E, B), for x of 0 and 1 and logits f(z), (E, B, d) each."""
        # Of the logit's two signs the one that x has: no logarithm of a rounded probability.
        return logsigmoid((2 * x - 1) * decoded).sum(-1)

    def check(self, x: NDArray[Any]) -> None:
        """Raise a ValueError unless x holds nothing but 0 and 1."""
        other = np.argwhere((x != 0) & (x != 1))
        if len(other):
            first = tuple(other[0].tolist())
            raise ValueError(
                f"x must hold nothing but 0 and 1 for a Bernoulli decoder; got {x[first]!s} at "
                f"index {first}, and {len(other)} such values in all. Use likelihood='gaussian' "
                "for continuous x."
            )

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the likelihood, by plain values."""
        return {"name": self.name}


Likelihood = GaussianLikelihood | BernoulliLikelihood


def likelihood_named(
    name: str, decoder_variance: float | Sequence[float] | None, n_members: int
) -> Likelihood:
    """Return the likelihood of that name for an ensemble.

    Parameters
    ----------
    name
        ``"gaussian"`` or ``"bernoulli"``.
    decoder_variance
        sigma^2 of a Gaussian, for all members or one for each; None for the paper's .01.
    n_members
        E.

    Raises
    ------
    ValueError
        For another name, a variance that is not positive, or one for a Bernoulli likelihood.
    """
    one_of("likelihood", name, LIKELIHOODS)
    if name == "gaussian":
        value = DECODER_VARIANCE if decoder_variance is None else decoder_variance
        variances = np.ravel(for_each_member("decoder_variance", value, n_members))
        return GaussianLikelihood(variances.tolist())
    if decoder_variance is not None:
        raise ValueError(
            f"decoder_variance = {decoder_variance!r} has no effect on a Bernoulli decoder, whose "
            "variance is p (1 - p). Leave it out."
        )
    return BernoulliLikelihood()


def gaussian_log_density(x: Tensor, mean: Tensor, variance: Tensor | float) -> Tensor:
    """Return log N(x; mean, variance I), (E, B) for x and mean (E, B, d) and variance (E, 1)."""
    d = x.shape[-1]
    squares = (x - mean).square().sum(-1)
    variance = torch.as_tensor(variance, dtype=x.dtype, device=x.device)
    return (squares / variance + d * torch.log(2 * math.pi * variance)) * -0.5

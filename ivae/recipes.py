"""What a preset's data are like, and what can be changed about it.

``paper`` is what the text says, ``released`` what the authors' published code does; the other
presets are ours, see :mod:`ivae.data`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ivae.mixing import NONLINEARITIES
from ivae.support.checks import one_of, positive_number

PRESETS = ("paper", "released", "orthogonal", "linear", "bernoulli")
Spread = Literal["variance", "deviation"] | float
SOURCE_FAMILIES = ("gaussian", "laplace")
POWERS = {"variance": 1.0, "deviation": 2.0}  # Spreads with a name, and the number they stand for.
NOISE_VARIANCE = 0.01  # Section 5: "we fix the noise level sigma^2 = 0.01".
SPREAD = (0.5, 3.0)  # Section 5: the range of the variances (`released`: standard deviations).
MEAN_BOUND = 5.0  # Section 5, Figure 1: means uniform on [-5, 5].


@dataclass(frozen=True)
class Recipe:
    """In what the presets differ, and what :func:`generate` can change about one.

    Attributes
    ----------
    spread
        What is uniform on [.5, 3]: each segment's ``"variance"``, or its standard
        ``"deviation"``; or a number p: variances are p-th powers of a draw uniform on [.5, 3], so
        that the standard deviation of their logarithm is proportional to p. The names stand for 1
        and 2.
    noise_variance
        sigma^2 of the noise added to f(z); 0 for none.
    one_matrix
        Whether one square matrix is used wherever a square one is needed, or each is drawn anew.
    condition
        Condition number of every matrix, see :func:`ivae.mixing.stretched`; ``orthogonal`` and
        ``linear`` alone.
    common_factor
        Whether the sources of a segment share its draw, so that their variances rise and fall
        together. Condition (iii) of Theorem 1 then fails for n > 1, however many the segments.
    nested
        Whether variances, means, sources, matrices and noise have a generator each. Datasets of one
        seed then have the same matrices whatever their size, and the parameters of the first
        segments are the same whatever their number. Not ``released``.
    activation
        What stands between the layers of the mixing, see :class:`ivae.mixing.Mixing`: ``"xtanh"``,
        as in the released code, or ``"leaky-relu"``. Not ``linear`` and ``bernoulli``, whose
        mixings have one layer.
    source_family
        Law of the sources given their segment: ``"gaussian"``, or ``"laplace"`` with the same
        variances, of mean 0. Not ``bernoulli``. The two take different amounts from a generator:
        what is drawn after the sources, the matrices, is the same for both only if ``nested``.
        ``released`` draws them as the released code's option for it does.
    """

    spread: Spread = "variance"
    noise_variance: float = NOISE_VARIANCE
    one_matrix: bool = False
    condition: float = 1.0
    common_factor: bool = False
    nested: bool = False
    activation: Literal["xtanh", "leaky-relu"] = "xtanh"
    source_family: Literal["gaussian", "laplace"] = "gaussian"

    def __post_init__(self) -> None:
        if isinstance(self.spread, str):
            one_of("spread", self.spread, POWERS)
        else:
            positive_number("spread", self.spread)
            for name, power in POWERS.items():
                if self.spread == power:
                    raise ValueError(f"spread = {self.spread!r} has a name: give {name!r}.")
        if self.noise_variance != 0 or isinstance(self.noise_variance, bool):
            positive_number("noise_variance", self.noise_variance)
        if positive_number("condition", self.condition) < 1:
            raise ValueError(f"condition must be at least 1; got {self.condition!r}.")
        for name in ("one_matrix", "common_factor", "nested"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} must be True or False; got {getattr(self, name)!r}.")
        one_of("activation of the mixing", self.activation, NONLINEARITIES)
        one_of("source_family", self.source_family, SOURCE_FAMILIES)

    @property
    def family_name(self) -> str | None:
        """Of the sources, in :mod:`ivae.families`; None for the Gaussian that the means decide."""
        return None if self.source_family == "gaussian" else self.source_family

    @property
    def power(self) -> float:
        """The power of the uniform draw that is a variance."""
        return POWERS[self.spread] if isinstance(self.spread, str) else self.spread


_ONE_BY_ONE = tuple(preset for preset in PRESETS if preset != "released")
"""Presets whose generator is ours, and can be split."""
_OF_SOME = {
    "condition": ("orthogonal", "linear"),
    "nested": _ONE_BY_ONE,
    "activation": ("paper", "released", "orthogonal"),
    "source_family": ("paper", "released", "orthogonal", "linear"),
}
"""What cannot be changed about every preset, and about which it can."""

RECIPES = dict.fromkeys(PRESETS, Recipe()) | {
    "released": Recipe("deviation", 0.0, True),
    "bernoulli": Recipe("deviation", 0.0),
}
# What about a preset nothing can be changed by: one matrix there is anyway, binary x has no noise.
MOOT = {"one_matrix": ("linear", "bernoulli"), "noise_variance": ("bernoulli",)}


def changed(preset: str, n_latents: int, centred: bool, **changes: Any) -> Recipe:
    """Return the recipe of a preset with what is changed about it; None stands for no change.

    Raises
    ------
    ValueError
        For a value that :class:`Recipe` does not know, and for a change that the preset, this
        number of latents, or sources with means cannot have.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    for name, presets in _OF_SOME.items():
        if name in given and preset not in presets:
            raise ValueError(
                f"{name} can be changed for the presets {', '.join(presets)} alone; got {preset!r}."
            )
    recipe = replace(RECIPES[preset], **given)
    if preset == "bernoulli" and recipe.noise_variance:
        raise ValueError(
            f"noise_variance = {recipe.noise_variance!r} has no effect on the preset 'bernoulli', "
            "whose x is drawn from f(z) without Gaussian noise. Leave it out."
        )
    if n_latents == 1 and (recipe.condition != 1 or recipe.common_factor):
        raise ValueError("n_latents must be at least 2 for condition or common_factor; got 1.")
    if recipe.source_family == "laplace" and not centred:
        raise ValueError(
            "centred must be True for source_family = 'laplace', a family whose location is fixed "
            f"at 0; got {centred!r}."
        )
    return recipe


def standardised(family_name: str | None, rng: Any, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Draw from a family's law of mean 0 and variance 1: of Laplace's, else of the Gaussian.

    ``rng`` is a generator of numpy's, or its legacy ``RandomState``.
    """
    if family_name == "laplace":
        return np.asarray(rng.laplace(scale=1 / math.sqrt(2), size=shape))
    return np.asarray(rng.standard_normal(shape))

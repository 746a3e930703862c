"""Does a theorem of the paper cover a concrete model, by how wide a margin, and if not, why not?

:func:`check` puts the conditions together: the mixing of Eq. (6), (i) of the noise, (ii) of the
sufficient statistics, (iii) of the natural parameters, and what Theorems 2 and 3 ask besides. It
works for a true model, for one that was learned, and for one that is only planned.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike

from ivae.data import NonstationaryData
from ivae.families import ExponentialFamily
from ivae.mixing import Mixing
from ivae.models import LatentVariableModel
from ivae.support.checks import Array, finite_array, one_of
from ivae.theory import noise as noises
from ivae.theory.characteristic import NumericalCharacteristic
from ivae.theory.exact import mean_field_gap
from ivae.theory.findings import Finding, all_hold
from ivae.theory.injectivity import finding_of_mixing, numerical_jacobian
from ivae.theory.noise import Noise
from ivae.theory.rank import finding_of_segments
from ivae.theory.statistics import Statistics, finding_extremum, finding_of_statistics

Covariance = Literal["diagonal", "full"]
NoiseLaw = Noise | NumericalCharacteristic | None
N_LATENTS_LOOKED_AT = 2000
LINEAR = 1e-6  # Relative change of the Jacobian below which f counts as linear.
BINARY = Finding(
    "(i) noise",
    False,
    "x is binary, not f(z) plus noise as in Eq. (6); supplement E has bits as a limit, of which "
    "Theorem 1 says nothing",
)


@dataclass(frozen=True)
class ModelReport:
    """The conditions for one model, and which theorems cover it.

    Theorem 1 needs the findings ``one``; ``two`` and ``three`` are what the others need beyond it.
    """

    model: str
    one: tuple[Finding, ...]
    two: Finding
    three: Finding | None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings."""
        return (*self.one, self.two, *(() if self.three is None else (self.three,)))

    @property
    def needs(self) -> dict[str, tuple[Finding, ...]]:
        """For each theorem the findings that it rests on."""
        needs = {"Theorem 1": self.one, "Theorem 2": (*self.one, self.two)}
        return needs if self.three is None else needs | {"Theorem 3": (*self.one, self.three)}

    @property
    def covered(self) -> dict[str, bool | None]:
        """For each theorem whether it covers the model; None where that is not decided."""
        return {name: all_hold(findings) for name, findings in self.needs.items()}

    @property
    def violated(self) -> list[str]:
        """Names of the conditions of Theorem 1 that fail."""
        return [finding.condition for finding in self.one if finding.holds is False]

    def conclusions(self) -> list[str]:
        """Return a sentence for each theorem."""
        told = []
        for name, findings in self.needs.items():
            holds = all_hold(findings)
            bad = ", ".join(f.condition for f in findings if f.holds is holds)
            unsure = ", ".join(f.condition for f in findings if not f.is_certain)
            applies = f"applies, unless what was not seen fails: {unsure}" if unsure else "applies"
            words = {True: applies, False: f"does not apply: {bad}", None: f"is open: {bad}"}
            told.append(f"{name} {words[holds]}.")
        return told

    def __str__(self) -> str:
        width = max(len(finding.condition) for finding in self.findings)
        rows = [f"  {f.condition:{width}}  {f.verdict:9}  {f.reason}" for f in self.findings]
        return "\n".join([self.model, *rows, *self.conclusions()])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(f.condition)}</td><td><strong>{f.verdict}</strong></td>"
            f"<td style='text-align: left'>{html.escape(f.reason)}</td></tr>"
            for f in self.findings
        )
        told = " ".join(html.escape(sentence) for sentence in self.conclusions())
        return (
            f"<table class='dataframe'><caption>{html.escape(self.model)}</caption>"
            "<thead><tr><th>condition</th><th>verdict</th>"
            "<th style='text-align: left'>by what</th></tr></thead>"
            f"<tbody>{rows}</tbody></table><p>{told}</p>"
        )


def check(
    statistics: ExponentialFamily | Statistics,
    lam: ArrayLike | Callable[[Array], ArrayLike],
    noise: NoiseLaw,
    mixing: Mixing | Callable[[Array], Array],
    latents: ArrayLike,
    *,
    u: ArrayLike | None = None,
    samples_per_segment: int | None = None,
    posterior: Covariance | None = None,
    name: str = "model",
) -> ModelReport:
    """Check the conditions of Theorems 1 to 3 for a model theta = (f, T, lambda) of Eqs. (5)-(7).

    Parameters
    ----------
    statistics
        Family of the prior, or sufficient statistics of your own; the same for all latents.
    lam, u
        Natural parameters (M, n, k), a row for each value of u; or the function lambda, from
        values (M, m) to such a table, and the values.
    noise
        Law of the noise's coordinates, from :mod:`ivae.theory.noise`; a density of your own, from
        :func:`ivae.theory.characteristic.from_density`; None where x is binary.
    mixing, latents
        f, from latents (N, n) to (N, d), where x is binary to the logits of Eq. (29); and where to
        look at it: draws from the prior, say.
    samples_per_segment
        For a table that was estimated: from how many samples in each segment. Its rank is then
        held against errors of estimation.
    posterior
        Covariance of the Gaussian q(z|x, u): ``"diagonal"`` or ``"full"``. Without it Theorem 3 is
        left out.

    A ValueError names NaN, shapes that do not fit each other, and a function ``lam`` without ``u``.
    """
    if callable(lam):
        if u is None:
            raise ValueError("u must be given, (M, m), where lam is a function: it says where.")
        points = np.asarray(u, dtype=np.float64)
        lam = lam(points[:, None] if points.ndim == 1 else points)
    table = finite_array("lam", lam, ("M", "n", statistics.k), np.float64)
    n, k = table.shape[1:]
    z = finite_array("latents", latents, ("N", n), np.float64)
    family = statistics if isinstance(statistics, ExponentialFamily) else None
    one = (
        finding_of_mixing(mixing, z),
        BINARY if noise is None else noise.finding(),
        finding_of_statistics(statistics),
        finding_of_segments(table, family, samples_per_segment),
    )
    three = None
    if posterior is not None:
        one_of("posterior", posterior, ("diagonal", "full"))
        three = _finding_posterior(family, table, noise, mixing, z, posterior)
    told = f"{name}: n = {n}, k = {k}, {len(table)} segments"
    return ModelReport(told, one, finding_extremum(statistics, k), three)


def of_dataset(dataset: NonstationaryData, posterior: Covariance | None = None) -> ModelReport:
    """Check the true model behind a synthetic dataset."""
    noise = noises.gaussian(dataset.noise_variance) if dataset.noise_variance else noises.none()
    return check(
        dataset.family,
        dataset.natural_parameters,
        None if dataset.likelihood == "bernoulli" else noise,
        dataset.mixing,
        dataset.z[:: max(1, len(dataset.z) // N_LATENTS_LOOKED_AT)],
        posterior=posterior,
        name=f"true model of the {dataset.preset} dataset, seed {dataset.seed}",
    )


def of_model(model: LatentVariableModel, member: int, x: ArrayLike, u: ArrayLike) -> ModelReport:
    """Check what one member of a trained iVAE has learned from x (N, d) and u (N,).

    The decoder is looked at where the posterior means of the data are. A VAE, whose prior does not
    depend on u, is refused, as is a member that there is not.
    """
    if not model.is_conditional:
        raise ValueError("model must be an iVAE: the prior of a VAE does not depend on u.")
    if not 0 <= member < model.n_members:
        raise ValueError(f"member must be from 0 to {model.n_members - 1}; got {member}.")
    part = model.of([member]).double()
    means = part.infer(x, u).mean[0].numpy(force=True)

    @torch.no_grad()
    def decode(z: Array) -> Array:
        return part.decode(torch.as_tensor(z).to(part.reference)[None])[0].numpy(force=True)

    counts = np.bincount(np.asarray(u))
    is_binary = part.likelihood.name == "bernoulli"
    return check(
        part.family,
        part.prior_table()[0].numpy(force=True),
        None if is_binary else noises.gaussian(float(part.decoder_variance[0])),
        decode,
        means[:: max(1, len(means) // N_LATENTS_LOOKED_AT)],
        samples_per_segment=int(counts.min()),
        posterior="diagonal",
        name=f"learned model, seed {part.seeds[0]}",
    )


def _finding_posterior(
    family: ExponentialFamily | None,
    table: Array,
    noise: NoiseLaw,
    mixing: Mixing | Callable[[Array], Array],
    z: Array,
    posterior: Covariance,
) -> Finding:
    """Judge (i) of Theorem 3: whether Gaussians of this kind contain the true posterior.

    With Gaussian noise and a Gaussian prior the posterior is Gaussian exactly when f is linear;
    its precision diag(1 / v) + J J' / sigma^2 is diagonal when the rows of J are orthogonal.
    """
    name = "posterior (Theorem 3)"
    if not (isinstance(noise, Noise) and noise.is_gaussian):
        told = noise.name if isinstance(noise, Noise) else "noise" if noise else "binary x"
        return Finding(name, False, f"{told}: the posterior is not Gaussian")
    if family is None or not family.name.startswith("gaussian"):
        told = family.name if family else "given statistics"
        return Finding(name, False, f"{told} prior: the posterior is not Gaussian")
    jacobian = numerical_jacobian(mixing, z)
    average = jacobian.mean(0)
    bend = float(np.abs(jacobian - average).max() / np.abs(average).max())
    if bend > LINEAR:
        return Finding(name, False, "f is not linear: the posterior is not Gaussian")
    if posterior == "full":
        return Finding(name, True, "f is linear: the posterior is a Gaussian, as q is")

    _, variance = family.moments(torch.as_tensor(table))
    one = average[None].repeat(len(table), 0)
    gap = mean_field_gap(one, noise.variance, prior_variance=variance.numpy())
    told = f"f is linear; the best diagonal Gaussian misses the posterior by {gap:.2g} nats"
    return Finding(name, gap < LINEAR, told)

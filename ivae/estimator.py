"""The recipe for your own data, in scikit-learn's style: ``IVAE().fit(x, u).transform(x)``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from ivae.objectives import kl_to_prior
from ivae.recipe import archive
from ivae.recipe.archive import Saved
from ivae.recipe.recovery import recover
from ivae.recipe.stages import RECIPE, Settings, to_array
from ivae.support.checks import Array, finite_array, whole_number

N_DRAWS = 10  # Of q(z|x) for each row, where the ELBO is estimated.
N_LISTED = 5  # Known labels that a message lists.


# scikit-learn has no types, and would wrap `transform`, so that its arguments lose their names.
class IVAE(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[misc, call-arg]
    """Find independent sources z of x = f(z) + noise, whose law changes with the label u.

    Trains by :func:`ivae.recipe.recovery.recover`; ``fit`` sees x and u, never the sources.
    Chapter 14 of the book says what can be expected, and where not; :mod:`ivae.theory` checks
    conditions.

    Parameters
    ----------
    n_latents
        n, the number of sources, at most d.
    family
        Of the sources, see :mod:`ivae.families`: ``"gaussian-scale"`` (variances move with u),
        ``"gaussian"`` (means too), ``"laplace"``, or ``"gaussian-location"`` (means alone; latents
        are then found up to a linear map at best).
    settings
        How to train, :class:`ivae.recipe.stages.Settings`.
    random_state
        A whole number >= 0. The same one gives the same result.
    progress
        Whether to show a progress line on a terminal or in a notebook.

    Attributes
    ----------
    recovery_
        :class:`ivae.recipe.recovery.Recovery`: model, other starts, what chose between them.
    classes_
        Labels of the segments in sorted order, (M,).
    n_features_in_
        d.
    agreement_
        MCC of each start's latents with the chosen ones, (S,); near 1 where they do not depend on
        the start.

    Examples
    --------
    A small network and few steps, so that this runs in seconds; leave ``settings`` out otherwise.

    >>> from ivae import IVAE, Settings, generate
    >>> one = generate("linear", 1, n_latents=2, n_observed=3, n_segments=10,
    ...                samples_per_segment=100)
    >>> small = Settings(hidden=16, n_blocks=1, n_starts=2, n_steps=200, n_steps_generative=100)
    >>> model = IVAE(n_latents=2, settings=small).fit(one.x, one.u)
    >>> model.transform(one.x).shape
    (1000, 2)
    >>> z, x = model.sample([0, 0, 7])
    >>> z.shape, x.shape
    ((3, 2), (3, 3))
    """

    def __init__(
        self,
        n_latents: int = 5,
        family: str = "gaussian-scale",
        settings: Settings = RECIPE,
        random_state: int = 0,
        progress: bool = True,
    ) -> None:
        self.n_latents = n_latents
        self.family = family
        self.settings = settings
        self.random_state = random_state
        self.progress = progress

    def fit(self, x: ArrayLike, u: ArrayLike) -> Self:
        """Train on observations x (N, d) and the label u (N,) of each row's segment.

        Labels are whatever can be sorted, such as numbers or texts, in any order.

        Raises
        ------
        ValueError
            For NaN, shapes that do not fit, constant columns, one segment alone, more latents than
            columns, an unknown family, settings that are none.
        FloatingPointError
            When every start has diverged.
        """
        if not isinstance(self.settings, Settings):
            raise ValueError(f"settings must be an ivae.Settings; got {self.settings!r}.")
        seed = whole_number("random_state", self.random_state, at_least=0)
        observed = finite_array("x", x, ("N", "d"), np.float64)
        labels = _labels(u, len(observed))
        try:
            classes, index = np.unique(labels, return_inverse=True)
        except TypeError as error:
            raise ValueError(
                f"u must hold labels that can be sorted, of one type; {error}."
            ) from error
        self.recovery_ = recover(
            observed,
            index,
            self.n_latents,
            family=self.family,
            settings=self.settings,
            seed=seed,
            label="IVAE",
            progress=self.progress,
        )
        self._keep(classes)
        return self

    def fit_transform(self, x: ArrayLike, u: ArrayLike) -> Array:
        """Train, and return the latents of the rows trained on, (N, n)."""
        return self.fit(x, u).transform(x, u)

    def transform(self, x: ArrayLike, u: ArrayLike | None = None) -> Array:
        """Return the posterior means of the latents of x (N, d), (N, n).

        The recipe's q(z|x) does not see u, so that x is enough, labelled or not. Where u (N,) is
        given it is checked, and changes nothing.

        Raises
        ------
        ValueError
            For NaN, other shapes, and labels that ``fit`` has not seen.
        """
        observed = self._rows(x)
        index = np.zeros(len(observed), np.int64)
        if u is not None:
            index = self._index(u, len(observed))
        return self.recovery_.latents(observed, index)

    @torch.no_grad()
    def inverse_transform(self, z: ArrayLike) -> Array:
        """Return what the decoder makes of latents z (N, n): f(z), (N, d), in the units of x."""
        check_is_fitted(self, "recovery_")
        model = self.recovery_.model
        latents = finite_array("z", z, ("N", model.n_latents))
        return self._in_units(model.decode(torch.as_tensor(latents).to(model.reference)[None]))

    @torch.no_grad()
    def sample(self, u: ArrayLike, *, random_state: int | None = None) -> tuple[Array, Array]:
        """Draw latents from the prior of segments u (N,), and observations from the decoder.

        Parameters
        ----------
        u
            Labels of segments that ``fit`` has seen, (N,).
        random_state
            Of the draws; by default the estimator's own.

        Returns
        -------
        (z, x)
            (N, n) and (N, d), with the decoder's noise and in the units of x.
        """
        check_is_fitted(self, "recovery_")
        index = self._index(u, None)
        seed = self.random_state if random_state is None else random_state
        generator = torch.Generator()
        generator.manual_seed(whole_number("random_state", seed, at_least=0))
        model = self.recovery_.model
        z = model.family.sample(model.prior(torch.as_tensor(index)[None]), generator)
        decoded = model.decode(z)
        noise = torch.randn(decoded.shape, generator=generator)
        x = decoded + model.decoder_variance.sqrt().to(decoded) * noise
        return to_array(z[0]), self._in_units(x)

    @torch.no_grad()
    def score(self, x: ArrayLike, u: ArrayLike) -> float:
        """Return the mean ELBO of Eq. (8) of the rows of x (N, d) with labels u (N,), in nats.

        It bounds the mean of log p(x|u) from below, p being a density in the units that x is given
        in: columns in units c times as large have a score that is log c higher each. E log p(x|z)
        is estimated from 10 draws of q, the same in every call.
        """
        observed = self._rows(x)
        index = self._index(u, len(observed))
        recovery, model = self.recovery_, self.recovery_.model
        rows, segments = model.check_data(recovery.standardise(observed), index)
        posterior = model.infer_checked(rows, segments)
        total = torch.zeros(len(observed), dtype=torch.float64)
        for draw in range(N_DRAWS):
            z = posterior.sample(model.evaluation_noise(posterior.mean, draw))
            total += model.likelihood.log_density(rows, model.decode(z))[0] / N_DRAWS
        divergence = kl_to_prior(posterior, model.family, model.prior(segments))[0]
        return float((total - divergence).mean()) - float(np.log(recovery.scale).sum())

    def save(self, path: str | Path) -> Path:
        """Write the fitted estimator to one file, atomically: the old file stays, or the new is.

        The file holds weights, settings and labels, and no code: :meth:`load` runs none.

        Raises
        ------
        ValueError
            For labels that are neither numbers, booleans nor texts.
        """
        check_is_fitted(self, "recovery_")
        return archive.write(path, Saved(self.get_params(), self.classes_, self.recovery_))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the fitted estimator that :meth:`save` wrote.

        Raises
        ------
        FileNotFoundError
            When there is no such file.
        ValueError
            When the file holds something else, is damaged, or is of another format's version.
        """
        saved = archive.read(path)
        try:
            one = cls(**saved.parameters)
        except TypeError as error:
            raise ValueError(f"{path} is damaged: {error}") from error
        one.recovery_ = saved.recovery
        one._keep(saved.classes)
        return one

    def _keep(self, classes: NDArray[Any]) -> None:
        self.classes_ = classes
        self.n_features_in_ = len(self.recovery_.centre)
        self.agreement_ = self.recovery_.agreement

    def _rows(self, x: ArrayLike) -> Array:
        check_is_fitted(self, "recovery_")
        return finite_array("x", x, ("N", self.n_features_in_), np.float64)

    def _index(self, u: ArrayLike, n_rows: int | None) -> NDArray[np.int64]:
        """Return the places of labels among those of ``fit``, (N,)."""
        labels = _labels(u, n_rows)
        place = {label: i for i, label in enumerate(self.classes_.tolist())}
        index = [place.get(label, -1) for label in labels.tolist()]
        if -1 in index:
            listed = ", ".join(map(repr, list(place)[:N_LISTED]))
            others = ", ..." if len(place) > N_LISTED else ""
            unknown = labels.tolist()[index.index(-1)]
            raise ValueError(
                f"u has the label {unknown!r}, which fit has not seen; it knows {len(place)}: "
                f"{listed}{others}."
            )
        return np.array(index, np.int64)

    def _in_units(self, x: Tensor) -> Array:
        return np.asarray(to_array(x[0]) * self.recovery_.scale + self.recovery_.centre)


def _labels(u: ArrayLike, n_rows: int | None) -> NDArray[Any]:
    """Return labels as an array (N,); n_rows is None where any number of them will do."""
    labels = np.asarray(u)
    if labels.ndim != 1 or not labels.size:
        raise ValueError(
            f"u must hold one segment label for each row, shape (N,); got shape {labels.shape}."
        )
    if n_rows is not None and len(labels) != n_rows:
        raise ValueError(
            f"u has {len(labels):,} rows but x has {n_rows:,}; each row of x needs its segment's "
            "label."
        )
    missing = np.array([label is None or label != label for label in labels.tolist()])
    if missing.any():
        raise ValueError(
            f"u has {missing.sum():,} missing labels (NaN or None), the first at row "
            f"{int(missing.argmax())}; remove those rows, or give them a label of their own."
        )
    return labels

"""Input checks of the public functions: what was wrong, what was expected, what to do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

Array = NDArray[np.floating[Any]]
"""An array of real numbers: the type of most arguments and results here."""


def whole_number(name: str, value: Any, at_least: int = 1) -> int:
    """Return ``value`` as an int; a ValueError names it unless it is whole and ``>= at_least``."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < at_least:
        raise ValueError(f"{name} must be a whole number >= {at_least}; got {value!r}.")
    return int(value)


def positive_number(name: str, value: Any) -> float:
    """Return ``value`` as a float; a ValueError names it unless it is finite and positive."""
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float, np.integer, np.floating))
        or not np.isfinite(value)
        or value <= 0
    ):
        raise ValueError(f"{name} must be a finite number above 0; got {value!r}.")
    return float(value)


def truth_value(name: str, value: Any) -> bool:
    """Return ``value`` as a bool; a ValueError names it unless it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} must be True or False; got {value!r}.")
    return bool(value)


def one_of(name: str, value: Any, choices: Iterable[str]) -> str:
    """Return ``value`` if it is among ``choices``, else raise a ValueError that lists them."""
    known = list(choices)
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}; got {value!r}.")
    return str(value)


def settle(frozen: Any, **values: Any) -> None:
    """Set fields of a frozen dataclass to their canonical values, while it is being made."""
    for name, value in values.items():
        object.__setattr__(frozen, name, value)


def for_each_member(name: str, value: Any, n_members: int) -> Any:
    """Return one value for all members, or a sequence of one for each, as an array (E,)."""
    array = np.asarray(value)
    if array.ndim == 1 and len(array) != n_members:
        raise ValueError(
            f"{name} must be one value, or one for each of the {n_members} members; "
            f"got {len(array)}."
        )
    return np.broadcast_to(array, (n_members,)).copy()


def finite_array(
    name: str, value: ArrayLike, shape: tuple[str | int, ...], dtype: Any = None
) -> NDArray[Any]:
    """Return ``value`` as a finite real array of the given shape.

    ``shape`` holds sizes, or names for sizes that are free (``("N", "d")``). An axis of size 0 is
    refused: no computation here means anything without data.
    """
    array = np.asarray(value)
    wanted = "(" + ", ".join(str(size) for size in shape) + ")"
    if array.dtype.kind not in "fiu":
        raise ValueError(
            f"{name} must be an array of real numbers of shape {wanted}; got {array.dtype} values."
        )
    fits = array.ndim == len(shape) and all(
        size == want if isinstance(want, int) else size > 0
        for size, want in zip(array.shape, shape, strict=False)
    )
    if not fits:
        raise ValueError(f"{name} must have shape {wanted}; got {array.shape}.")
    n_bad = int(np.size(array) - np.isfinite(array).sum())
    if n_bad:
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(
            f"{name} has {n_bad} NaN or infinite values, the first at index {first}; "
            "remove or impute those rows first."
        )
    return array.astype(dtype) if dtype is not None else array


def segment_labels(
    name: str,
    value: ArrayLike,
    n_rows: int,
    n_segments: int | None = None,
    *,
    every_one: bool = True,
) -> NDArray[np.int64]:
    """Return segment labels 0 .. n_segments - 1 as int64, shape (n_rows,).

    Without ``n_segments`` the number of segments is the largest label plus one. With ``every_one``
    each segment must have at least one row.
    """
    labels = np.asarray(value)
    if labels.ndim != 1 or labels.shape[0] != n_rows:
        raise ValueError(
            f"{name} must hold one segment label for each of the {n_rows} rows of x, shape "
            f"({n_rows},); got shape {labels.shape}."
        )
    if labels.dtype.kind not in "iu":
        raise ValueError(
            f"{name} must hold integer segment labels 0, 1, ..., M - 1; got {labels.dtype} values. "
            "np.unique(labels, return_inverse=True)[1] turns any labels into these."
        )
    if labels.min() < 0:
        raise ValueError(f"{name} must hold labels from 0 upwards; got {int(labels.min())}.")
    highest = int(labels.max())
    if n_segments is not None and highest >= n_segments:
        raise ValueError(f"{name} must hold labels below n_segments = {n_segments}; got {highest}.")
    size = highest + 1 if n_segments is None else n_segments
    counts = np.bincount(labels, minlength=size)
    if every_one and (counts == 0).any():
        empty = np.flatnonzero(counts == 0)
        raise ValueError(
            f"{name} leaves {empty.size} of its {size} segments empty, the first is segment "
            f"{int(empty[0])}; every label from 0 to {size - 1} must occur."
        )
    return labels.astype(np.int64)


def data_of_members(
    x: ArrayLike, u: ArrayLike, sizes: tuple[int, int, int], *, every_one: bool
) -> tuple[Array, NDArray[np.int64]]:
    """Return x and u, checked, of an ensemble that shares a dataset or has one for each member.

    Parameters
    ----------
    x, u
        Observations (N, d) or (E, N, d), and segment labels (N,) or (E, N); arrays or tensors.
    sizes
        E, d and M; with M = 0 any labels from 0 upwards will do.
    every_one
        Whether every segment needs a row.

    Returns
    -------
    x of its own shape, contiguous, and labels (1, N) or (E, N).
    """
    n_members, d, n_segments = sizes
    rows, labels = (one.numpy(force=True) if isinstance(one, Tensor) else one for one in (x, u))
    lead = (n_members,) if np.ndim(rows) == 3 else ()
    observed = np.ascontiguousarray(finite_array("x", rows, (*lead, "N", d)))
    labels = np.asarray(labels)
    each = list(labels) if labels.ndim == 2 and len(labels) == n_members else [labels]
    checked = [
        segment_labels("u", row, observed.shape[-2], n_segments or None, every_one=every_one)
        for row in each
    ]
    return observed, np.stack(checked)

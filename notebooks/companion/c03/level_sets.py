"""What is left open when condition (iii) fails: a nonlinear map that keeps every segment's law.

The construction is ours. Let two sources be N(0, v_i(u)) with differences of natural parameters
lambda(u) - lambda(u^0) that all point in one direction (a rank of L of 1 instead of 2), with two
components of one sign. Then all densities p(z|u) / p(z|u^0) are functions of one quadratic form,

    Q(z) = |delta_1| z_1^2 + |delta_2| z_2^2,

whose level sets are ellipses. A map that moves points along the ellipses and keeps p(z|u^0) keeps
p(z|u) for every u. On the ellipse Q = r^2, with z_i = r w_i / sqrt|delta_i| and w = (cos a, sin a),
the density of the angle a under *every* p(z|u) is von Mises in 2 a, so moving each point on by one
share of that distribution is such a map. It is linear where the variances of the two sources are
proportional over the segments (a rotation where they are equal), and nonlinear otherwise.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ive

from ivae.support.checks import Array
from ivae.theory.findings import Finding
from ivae.theory.rank import spread_report


def finding_of_freedom(variance: Array) -> Finding:
    """Judge whether :func:`move_along_ellipses` applies to variances (M, 2)."""
    name = "ellipses to move along"
    lam = -0.5 / variance
    report = spread_report(lam[:, :, None])
    if report.rank != 1:
        return Finding(name, False, f"lambda has rank {report.rank} over {len(variance)} segments")
    delta = _direction(lam)
    same = bool(delta[0] * delta[1] > 0)
    signs = "one sign" if same else "not one sign: the level sets of Q are not closed"
    reason = f"lambda has rank 1 of 2 over {len(variance)} segments, and moves with {signs}"
    return Finding(name, same, reason)


def move_along_ellipses(z: Array, variance: Array, share: float = 0.125) -> Array:
    """Return z' (N, 2), independent given u with the law of z in every segment, and another z.

    The sources z (N, 2) may be of any segment; for the variances by segment, (M, 2),
    :func:`finding_of_freedom` must hold. They move by a share of a full turn's probability; -share
    undoes it.
    """
    stretch = np.sqrt(np.abs(_direction(-0.5 / variance)))
    w = z * stretch
    radius, angle = np.hypot(w[:, 0], w[:, 1]), np.arctan2(w[:, 1], w[:, 0])
    # Segment u^0's density on the ellipse is exp(-(a cos^2 + b sin^2) r^2 / 2).
    a, b = 1 / (variance[0] * stretch**2)
    series = _series(radius**2 * (b - a) / 4)
    turns = 2 * share  # The double angle goes round twice.
    moved = _quantile(_distribution(2 * angle, series) + turns, series) / 2
    return np.column_stack((radius * np.cos(moved), radius * np.sin(moved))) / stretch


def _direction(lam: Array) -> Array:
    """Return the direction in which lambda (M, 2) moves, by its largest difference from u^0."""
    differences = lam - lam[0]
    return np.asarray(differences[np.abs(differences).sum(1).argmax()])


def _series(kappa: Array) -> Array:
    """Return 2 I_m(kappa) / (m I_0(kappa)) for m = 1, 2, ..., as many as count, (terms, N)."""
    size, terms = np.abs(kappa), []
    for m in range(1, 1000):
        terms.append(2 * ive(m, size) / (m * ive(0, size)) * np.where(kappa < 0, (-1.0) ** m, 1.0))
        if np.abs(terms[-1]).max() < 1e-16:
            break
    return np.stack(terms)


def _distribution(angle: Array, series: Array) -> Array:
    """Return the distribution function of a von Mises law around 0, in turns; no jump at pi.

    F(a) = (a + 2 sum_m I_m(kappa) / I_0(kappa) sin(m a) / m) / (2 pi).
    """
    orders = np.arange(1, len(series) + 1)[:, None]
    return np.asarray((angle + (series * np.sin(orders * angle)).sum(0)) / (2 * math.pi))


def _quantile(share: Array, series: Array) -> Array:
    """Invert :func:`_distribution` by bisection, which has it within a turn of the share."""
    whole = np.floor(share)
    low, high = 2 * math.pi * whole, 2 * math.pi * (whole + 1)
    for _ in range(55):
        middle = (low + high) / 2
        below = _distribution(middle, series) < share
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray((low + high) / 2)

"""L, its rank and conditioning, on models whose answer is known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ivae import families
from ivae.theory import rank


def table(seed, m, n, k):
    return np.random.default_rng(seed).standard_normal((m, n, k))


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), m=st.integers(2, 14), n=st.integers(1, 5), k=st.integers(1, 2))
def test_random_tables_have_full_rank_from_nk_plus_1_points_on(seed, m, n, k):
    lam = table(seed, m, n, k)
    for report in (rank.l_report(lam, np.arange(m)), rank.spread_report(lam)):
        assert report.rank == min(m - 1, n * k)
        assert report.holds == (m >= rank.points_needed(n, k))


def test_l_is_eq_13():
    lam = table(0, 5, 2, 2)
    report = rank.l_report(lam, [3, 0, 4, 1, 2])
    for column, point in enumerate([0, 4, 1, 2]):
        for i in range(2):
            for j in range(2):
                expected = lam[point, i, j] - lam[3, i, j]
                assert report.matrix[2 * i + j, column] == expected
    assert report.condition_number == pytest.approx(np.linalg.cond(report.matrix))
    smallest = np.linalg.svd(report.matrix, compute_uv=False)[-1]
    assert report.smallest_singular_value == pytest.approx(smallest)


def test_rank_does_not_depend_on_the_choice_of_u0():
    lam = table(1, 9, 2, 2)
    for first in range(9):
        order = [first, *(i for i in range(9) if i != first)]
        assert rank.l_report(lam, order).rank == 4


def test_a_common_factor_is_not_covered_however_many_segments():
    rng = np.random.default_rng(2)
    lam = np.outer(rng.uniform(1, 2, 200), rng.uniform(1, 2, 5))[:, :, None]
    report = rank.spread_report(lam)
    assert (report.rank, report.holds) == (1, False)
    assert report.condition_number == np.inf
    assert str(report).startswith("(iii) fails: rank 1 of 5 from 200 points")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_of_the_table_is_not_taken_for_rank(dtype):
    rng = np.random.default_rng(3)
    lam = (rng.uniform(1, 2, (40, 1)) @ rng.uniform(1, 2, (1, 5)) + 3)[:, :, None].astype(dtype)
    assert rank.spread_report(lam).rank == 1
    assert rank.l_report(lam, np.arange(40)).rank == 1


def test_spread_singles_out_no_point_and_does_not_grow_with_copies():
    lam = table(4, 9, 2, 2)
    spread = rank.spread_report(lam).singular_values
    shuffled = lam[np.random.default_rng(5).permutation(9)]
    np.testing.assert_allclose(rank.spread_report(shuffled).singular_values, spread)
    np.testing.assert_allclose(rank.spread_report(lam.repeat(3, 0)).singular_values, spread)


def test_constant_parameters_have_rank_zero():
    report = rank.spread_report(np.ones((6, 2, 1)))
    assert (report.rank, report.smallest_singular_value) == (0, pytest.approx(0))


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 4), k=st.integers(1, 2))
def test_best_points_are_distinct_cover_and_beat_the_typical_choice(seed, n, k):
    lam = table(seed, 30, n, k)
    needed = rank.points_needed(n, k)
    points = rank.best_points(lam)
    assert len(set(points.tolist())) == needed
    chosen = rank.l_report(lam, points)
    for first in range(1, needed):
        turned = rank.l_report(lam, np.roll(points, first))
        assert turned.condition_number >= chosen.condition_number * (1 - 1e-9)
        assert abs(np.linalg.det(turned.matrix)) == pytest.approx(abs(np.linalg.det(chosen.matrix)))
    best = abs(np.linalg.det(chosen.matrix))
    rng = np.random.default_rng(seed)
    others = [
        abs(np.linalg.det(rank.l_report(lam, rng.permutation(30)[:needed]).matrix))
        for _ in range(50)
    ]
    assert best > np.median(others)


@pytest.mark.parametrize(
    ("lam", "points", "message"),
    [
        (np.ones((4, 2)), [0, 1], r"lam must have shape \(M, n, k\); got \(4, 2\)"),
        (np.full((4, 2, 1), np.inf), [0, 1], "lam has 8 NaN or infinite values"),
        (np.ones((4, 2, 1)), [0, 0, 1], "points must be at least 2 distinct segments from 0 to 3"),
        (np.ones((4, 2, 1)), [0, 4], r"distinct segments from 0 to 3; got \[0, 4\]"),
        (np.ones((4, 2, 1)), [2], "at least 2 distinct segments"),
        (np.ones((4, 2, 1)), [0.0, 1.0], "at least 2 distinct segments"),
    ],
)
def test_bad_input_is_named(lam, points, message):
    with pytest.raises(ValueError, match=message):
        rank.l_report(lam, points)


def test_best_points_refuse_too_few_segments():
    with pytest.raises(ValueError, match=r"at least n k \+ 1 = 5 segments to choose from; got 4"):
        rank.best_points(table(0, 4, 2, 2))


@pytest.mark.parametrize("name", families.FAMILIES)
def test_estimation_error_is_that_of_maximum_likelihood(name):
    """Fitted to draws of the true latents, lambda is as far off as is said, give or take."""
    family, rng = families.FAMILIES[name], np.random.default_rng(0)
    m, n, size = 30, 4, 400
    variance = torch.as_tensor(
        rng.uniform(0.5, 3, (m, n)) if family.has_variance else np.ones((m, n))
    )
    mean = torch.as_tensor(rng.normal(size=(m, n))) if family.has_mean else None
    lam = family.natural_parameters(variance, mean)
    generator = torch.Generator().manual_seed(1)
    norms = []
    for _ in range(20):
        z = family.sample(lam[:, None].expand(m, size, n, family.k), generator)
        fitted = {
            "gaussian-scale": lambda z: family.natural_parameters(z.square().mean(1)),
            "gaussian": lambda z: family.natural_parameters(z.var(1), z.mean(1)),
            "gaussian-location": lambda z: z.mean(1).unsqueeze(-1),
            "laplace": lambda z: family.natural_parameters(2 * z.abs().mean(1).square()),
        }[name](z)
        error = (fitted - lam).reshape(m, -1).numpy() / np.sqrt(m)
        norms.append(np.linalg.norm(error, 2))
    claimed = rank.estimation_error(family, lam, size)
    assert 0.5 * claimed < np.mean(norms) < 1.1 * claimed


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 5))
def test_a_learned_table_of_low_rank_is_not_taken_for_covered(seed, n):
    """All sources scale together: the truth has rank 1, an estimate of it full rank."""
    rng = np.random.default_rng(seed)
    variance = np.outer(rng.uniform(0.5, 3, 40), rng.uniform(0.5, 2, n))
    size = 1000
    estimate = variance * rng.chisquare(size, variance.shape) / size
    family = families.FAMILIES["gaussian-scale"]
    lam = family.natural_parameters(torch.as_tensor(estimate)).numpy()
    assert rank.spread_report(lam).holds
    assert rank.finding_of_segments(lam).holds is True
    judged = rank.finding_of_segments(lam, family, size)
    assert judged.holds is None
    assert "times what sampling alone typically makes" in judged.reason


def test_a_learned_table_with_a_margin_is_covered():
    rng = np.random.default_rng(0)
    family = families.FAMILIES["gaussian-scale"]
    lam = family.natural_parameters(torch.as_tensor(rng.uniform(0.5, 3, (40, 5)))).numpy()
    assert rank.finding_of_segments(lam, family, 1000).verdict == "not seen to fail"
    assert rank.finding_of_segments(lam, family, 1).holds is None


def test_too_few_segments_are_counted():
    finding = rank.finding_of_segments(table(0, 4, 2, 2))
    assert finding.holds is False
    assert finding.reason == "lambda has rank 3 of 4 over 4 segments, 5 are needed"

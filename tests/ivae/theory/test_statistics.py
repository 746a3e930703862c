"""Condition (ii): facts of the shipped families against numbers, and statistics that break it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ivae.families import FAMILIES
from ivae.theory import statistics
from ivae.theory.statistics import Statistics

BROKEN = {
    "twice the same": lambda z: np.stack((z**2, 2 * z**2), 1),
    "a sum of the others": lambda z: np.stack((z**2, z, z**2 - 3 * z + 1), 1),
    "constant on an interval": lambda z: np.maximum(z, 0),
    "a step": lambda z: np.sign(z),
}
SOUND = {
    "square": lambda z: z**2,
    "square and line": lambda z: np.stack((z**2, z), 1),
    "high powers": lambda z: np.stack((z**4, z**3, z), 1),
    "absolute value": np.abs,
    "smooth": lambda z: np.stack((np.log(np.cosh(z)), np.tanh(z)), 1),
}


@pytest.mark.parametrize("function", BROKEN.values(), ids=BROKEN)
def test_what_breaks_the_condition_is_found(function):
    assert statistics.finding_of_statistics(Statistics(function)).holds is False


def test_dependence_counts_on_the_support():
    """z^2 and z |z| are independent on the line, and one on half of it."""

    def function(z):
        return np.stack((z**2, z * np.abs(z)), 1)

    whole = statistics.finding_of_statistics(Statistics(function))
    assert (whole.holds, whole.is_certain) == (True, False)
    assert "were the support that piece alone" in whole.reason
    assert (
        statistics.finding_of_statistics(Statistics(function, support=(0, np.inf))).holds is False
    )


@pytest.mark.parametrize("function", SOUND.values(), ids=SOUND)
def test_sound_statistics_pass(function):
    finding = statistics.finding_of_statistics(Statistics(function))
    assert finding.holds is True
    assert finding.verdict == "not seen to fail"


@pytest.mark.parametrize("name", FAMILIES)
def test_facts_of_the_families_are_what_numbers_say(name):
    family = FAMILIES[name]

    def function(z):
        return family.statistics(torch.as_tensor(z)).numpy()

    numbers = Statistics(function)
    assert numbers.k == family.k
    assert (
        statistics.finding_of_statistics(numbers).holds
        is statistics.finding_of_statistics(family).holds
        is True
    )
    fact = statistics.finding_extremum(family, family.k)
    # Numbers cannot prove that there is none.
    seen = statistics.finding_extremum(numbers, family.k).holds
    assert seen is (None if name == "gaussian-location" else fact.holds)
    assert set(statistics.FACTS) == set(FAMILIES)


@given(
    matrix=st.lists(st.floats(-3, 3), min_size=4, max_size=4).filter(
        lambda m: min(abs(m[0] * m[3] - m[1] * m[2]), abs(m[0] - m[2]), abs(m[1] - m[3])) > 0.1
    )
)
def test_the_verdict_does_not_depend_on_the_basis(matrix):
    """T and an invertible linear map of it are the same family."""
    turn = np.reshape(matrix, (2, 2))
    sound = Statistics(lambda z: np.stack((z**2, z), 1) @ turn)
    broken = Statistics(lambda z: np.stack((z**2, -z * z), 1) @ turn)
    assert statistics.finding_of_statistics(broken).holds is False
    # A basis may hold a statistic that is flat at one point, never on an interval.
    assert statistics.finding_of_statistics(sound).holds is True


@pytest.mark.parametrize(
    ("function", "support", "places", "is_open"),
    [
        (lambda z: (z - 1.234567) ** 2, (-np.inf, np.inf), [1.234567], False),
        (lambda z: (z**2 - 2) ** 2, (-np.inf, np.inf), [-(2**0.5), 2**0.5], False),
        (lambda z: (z**2 - 2) ** 2 + 0.01 * z, (-np.inf, np.inf), [-1.4148], False),
        (lambda z: z, (-np.inf, np.inf), [-5.0], True),
        (lambda z: z, (0, np.inf), [0.0], False),
        (lambda z: -z, (0, np.inf), [5.0], True),
    ],
)
def test_minima(function, support, places, is_open):
    found, open_end = statistics.minima(Statistics(function, support))
    assert found == pytest.approx(places, abs=1e-4)
    assert open_end is is_open
    upside_down = Statistics(lambda z: -function(z), support)
    highest, _ = statistics.minima(upside_down, -1.0)
    assert highest == pytest.approx(places, abs=1e-4)


PRINTED = "; as printed, Theorem 2 asks for a unique minimum"


@pytest.mark.parametrize(
    ("function", "support", "holds", "reason"),
    [
        (lambda z: z**2, (-np.inf, np.inf), True, "T has a minimum at z = 0"),
        (lambda z: -(z**2), (-np.inf, np.inf), True, f"T has a maximum at z = 0{PRINTED}"),
        (
            lambda z: (z**2 - 1) ** 2,
            (-np.inf, np.inf),
            True,
            f"T has a minimum at z = -1, 1{PRINTED}",
        ),
        (lambda z: np.exp(-(z**2)), (-np.inf, np.inf), True, f"T has a maximum at z = 0{PRINTED}"),
        (lambda z: z, (0, np.inf), True, "T has a minimum at z = 0"),
        (lambda z: -z, (0, np.inf), True, f"T has a maximum at z = 0{PRINTED}"),
        (
            np.tanh,
            (-np.inf, np.inf),
            None,
            "no extremum of T but at open ends of what was looked at, -5 to 5",
        ),
    ],
)
def test_theorem_two_asks_for_an_extremum(function, support, holds, reason):
    """What is proved decides; where more was printed, the reason says so."""
    finding = statistics.finding_extremum(Statistics(function, support), 1)
    assert finding.holds is holds
    assert finding.reason.replace("-0,", "0,").replace("z = -0", "z = 0") == reason


@pytest.mark.parametrize(
    "function",
    [lambda z: z**2, lambda z: (z - 1) ** 4, np.tanh, lambda z: np.cos(z) + z / 3],
)
def test_theorem_two_does_not_depend_on_the_sign_of_the_statistic(function):
    """-T with -lambda is the same model, and the report says the same of it."""
    up = statistics.finding_extremum(Statistics(function), 1)
    down = statistics.finding_extremum(Statistics(lambda z: -function(z)), 1)
    assert up.holds is down.holds


def test_theorem_two_is_about_one_statistic():
    finding = statistics.finding_extremum(FAMILIES["gaussian"], 2)
    assert finding.holds is False
    assert finding.reason == "k = 2, and it asks for k = 1"


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (lambda z: z[:5], {}, r"shape \(G, k\) for latents \(G,\); got shape \(5, 1\)"),
        (lambda z: 1 / (z - z), {}, "finite values"),
        (lambda z: z, {"support": (1, 0)}, "support must be"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_bad_statistics_are_named(function, options, message):
    with pytest.raises(ValueError, match=message):
        Statistics(function, **options)

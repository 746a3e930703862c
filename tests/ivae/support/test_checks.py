"""The shared checks accept what they should and name what they refuse."""

import numpy as np
import pytest

from ivae.support import checks


def test_good_values_pass_unchanged():
    assert checks.whole_number("n", np.int64(3)) == 3
    assert checks.positive_number("s", np.float32(0.5)) == 0.5
    assert checks.one_of("mode", "fast", ("fast", "full")) == "fast"
    array = checks.finite_array("x", [[1, 2], [3, 4]], ("N", 2), np.float64)
    assert array.dtype == np.float64
    np.testing.assert_array_equal(checks.segment_labels("u", [0, 1, 1], 3), [0, 1, 1])
    np.testing.assert_array_equal(checks.segment_labels("u", [2], 1, 3, every_one=False), [2])


@pytest.mark.parametrize("value", [0, -2, 1.0, "3", None, True])
def test_whole_numbers(value):
    with pytest.raises(ValueError, match="n must be a whole number >= 1; got"):
        checks.whole_number("n", value)


@pytest.mark.parametrize("value", [0.0, -1, np.nan, np.inf, "1", None, True])
def test_positive_numbers(value):
    with pytest.raises(ValueError, match="s must be a finite number above 0; got"):
        checks.positive_number("s", value)


def test_the_first_bad_value_is_located():
    with pytest.raises(
        ValueError, match=r"x has 2 NaN or infinite values, the first at .*\(1, 0\)"
    ):
        checks.finite_array("x", [[1.0, 2.0], [np.inf, np.nan]], ("N", "d"))


def test_an_empty_segment_is_located():
    with pytest.raises(
        ValueError, match="u leaves 2 of its 5 segments empty, the first is segment 1"
    ):
        checks.segment_labels("u", [0, 2, 4], 3)

"""The released data to the printed digits; what the other presets have; equal data are equal."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import expit

from ivae import theory
from ivae.data import PRESETS, DataSettings, generate, stack
from ivae.theory import exact, rank

# Samples per segment, segments, n, d, seed, centred; then what the released code draws: condition
# numbers, first row of the first matrix, first row of scales, first and last observation, standard
# deviations of x. Five or six decimals were recorded.
RELEASED = {
    "n5 seed 1": (
        (1000, 40, 5, 5, 1, True),
        [2.0188],
        [0.377129, -0.450473, -0.487898, 0.567413, -0.810246],
        [1.542555, 2.300811, 0.500286, 1.255831, 0.86689],
        [-0.25817, -0.20019, 0.80747, 0.36149, -0.06444],
        [-1.27551, 0.14209, 0.52118, -0.36312, 0.50245],
        [1.00764, 0.64274, 0.68461, 0.52652, 0.83807],
    ),
    "n5 seed 2": (
        (1000, 40, 5, 5, 2, True),
        [6.0676],
        [-0.29509, 0.160861, -0.642219, 0.550732, 0.11694],
        [1.589987, 0.564816, 1.874156, 1.588306, 1.55092],
        [0.05045, -0.85701, 1.25704, -1.44239, -0.14259],
        [-0.01565, -0.63323, 0.97325, -1.12596, 0.45663],
        [0.68908, 0.33429, 0.4198, 0.45705, 0.49655],
    ),
    "n2 d5": (
        (1000, 40, 2, 5, 1, True),
        [1.2225, 4.1043],
        [0.732175, 0.024267, 0.08147, -0.683001, 0.999898],
        [1.542555, 2.300811],
        [-0.15609, -0.68, 0.59942, 0.45492, 0.93042],
        [0.53263, -0.67122, -0.22941, 1.37237, 0.20342],
        [0.40916, 0.77226, 0.42777, 0.80731, 0.56757],
    ),
    "figure 1": (
        (1000, 5, 2, 2, 1, False),
        [1.3894],
        [0.289523, -0.999569],
        [1.542555, 2.300811],
        [0.18844, 0.79205],
        [1.25365, -0.85924],
        [0.7786, 0.45973],
    ),
    "figure 4": (
        (4000, 40, 10, 40, 1, True),
        [2.0325, 52.7666],
        [-0.338185, -0.523201, 0.327479, -0.279562, -0.011103],
        [1.542555, 2.300811, 0.500286, 1.255831, 0.86689],
        [0.79273, -0.06202, 0.57179, 0.78308, -0.0432],
        [-0.25604, -0.28953, -0.69708, -1.06586, 0.17408],
        [0.79755, 0.54882, 0.63193, 0.69721, 0.59988],
    ),
}


@pytest.mark.parametrize("row", RELEASED.values(), ids=list(RELEASED))
def test_released_data_are_the_published_codes(row):
    (per_segment, m, n, d, seed, centred), conditions, matrix, scale, first, last, spread = row
    made = generate("released", seed, n, d, m, per_segment, centred)
    got_conditions = list(dict.fromkeys(made.mixing.condition_numbers))
    np.testing.assert_allclose(got_conditions, conditions, atol=6e-5)
    np.testing.assert_allclose(made.mixing.matrices[0][0, :5], matrix, atol=6e-7)
    np.testing.assert_allclose(np.sqrt(made.variance[0, :5]), scale, atol=6e-7)
    np.testing.assert_allclose(made.x[0, :5], first, atol=6e-6)
    np.testing.assert_allclose(made.x[-1, :5], last, atol=6e-6)
    np.testing.assert_allclose(made.x.std(0)[:5], spread, atol=6e-6)
    assert made.noise_variance == 0
    if not centred:
        np.testing.assert_allclose(made.mean[0], [-0.808055, 1.852195], atol=6e-7)


def test_paper_draws_variances_noise_and_three_matrices():
    made = generate("paper", 7, 3, 4, 50, 400)
    assert made.variance.min() >= 0.5
    assert made.variance.max() <= 3.0
    noise = made.x - made.mixing(made.z)
    assert noise.var() == pytest.approx(0.01, rel=0.02)
    assert not np.array_equal(made.mixing.matrices[1], made.mixing.matrices[2])
    by_segment = made.z.reshape(50, 400, 3).var(1)
    ratio = by_segment / made.variance
    assert ratio.mean() == pytest.approx(1.0, abs=0.03)
    # Sampling error of a variance from 400 samples is 7 %; standard deviations would be far off.
    assert np.abs(np.log(ratio)).max() < 0.4


@pytest.mark.parametrize("preset", ["orthogonal", "linear"])
def test_our_own_presets_have_orthonormal_rows(preset):
    mixing = generate(preset, 0, 3, 5, 2, 4).mixing
    assert len(mixing.matrices) == (3 if preset == "orthogonal" else 1)
    for matrix in mixing.matrices:
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(len(matrix)), atol=1e-12)


@pytest.mark.parametrize("preset", PRESETS)
def test_labels_shapes_and_seeds(preset):
    made = generate(preset, 5, 2, 3, 4, 6, centred=False)
    np.testing.assert_array_equal(made.u, np.repeat(np.arange(4), 6))
    assert (made.x.shape, made.z.shape) == ((24, 3), (24, 2))
    assert (made.n_latents, made.n_observed) == (2, 3)
    assert made.n_segments == 4
    assert made.natural_parameters.shape == (4, 2, 2)
    assert np.abs(made.mean).max() > 1
    np.testing.assert_array_equal(made.x, generate(preset, 5, 2, 3, 4, 6, centred=False).x)
    assert not np.array_equal(made.x, generate(preset, 6, 2, 3, 4, 6, centred=False).x)


def test_stacked_datasets_keep_their_order_and_must_agree_in_size():
    made = [generate("paper", seed, 2, 3, 4, 5) for seed in (1, 2, 1)]
    x, u, z = stack(made)
    assert (x.shape, u.shape, z.shape) == ((3, 20, 3), (3, 20), (3, 20, 2))
    for i, one in enumerate(made):
        np.testing.assert_array_equal(x[i], one.x)
        np.testing.assert_array_equal(z[i], one.z)
    with pytest.raises(ValueError, match="datasets must be at least one and of equal size"):
        stack([made[0], generate("paper", 1, 2, 3, 4, 6)])
    with pytest.raises(ValueError, match="datasets must be at least one"):
        stack([])


def test_expected_sources_are_the_means_of_the_segments():
    made = generate("paper", 3, 2, 2, 4, 2000, centred=False)
    by_segment = made.z.reshape(4, 2000, 2).mean(1)
    # A mean of 2,000 samples has a standard error of at most .04.
    np.testing.assert_allclose(by_segment, made.expected_sources[::2000], atol=0.2)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"preset": "papers"}, "preset must be one of paper, released, .*; got 'papers'"),
        ({"seed": -1}, "seed must be a whole number >= 0; got -1"),
        ({"seed": 1.5}, "seed must be a whole number >= 0; got 1.5"),
        ({"preset": "released", "seed": 2**32}, "seed must be below"),
        ({"n_latents": 6}, "n_latents must be at most n_observed = 5.*got 6"),
        ({"n_latents": 0}, "n_latents must be a whole number >= 1; got 0"),
        ({"n_latents": True}, "n_latents must be a whole number >= 1; got True"),
        ({"n_observed": 5.0}, "n_observed must be a whole number >= 1; got 5.0"),
        ({"n_segments": 0}, "n_segments must be a whole number >= 1; got 0"),
        ({"samples_per_segment": 0}, "samples_per_segment must be a whole number >= 1; got 0"),
        ({"spread": "sd"}, "spread must be one of variance, deviation; got 'sd'"),
        ({"spread": 0.0}, "spread must be a finite number above 0; got 0.0"),
        ({"spread": True}, "spread must be a finite number above 0; got True"),
        ({"noise_variance": -0.1}, "noise_variance must be a finite number above 0; got -0.1"),
        ({"noise_variance": np.nan}, "noise_variance must be a finite number above 0; got nan"),
        ({"noise_variance": np.inf}, "noise_variance must be a finite number above 0; got inf"),
        ({"noise_variance": "0.1"}, "noise_variance must be a finite number above 0; got '0.1'"),
        ({"one_matrix": 1}, "one_matrix must be True or False; got 1"),
        ({"common_factor": "no"}, "common_factor must be True or False; got 'no'"),
        ({"nested": "yes"}, "nested must be True or False; got 'yes'"),
        ({"condition": 2.0}, "condition can be .* orthogonal, linear; got 'paper'"),
        ({"preset": "linear", "condition": 0.5}, "condition must be at least 1; got 0.5"),
        ({"preset": "linear", "condition": np.inf}, "condition must be .* above 0; got inf"),
        ({"preset": "linear", "condition": 2.0, "n_latents": 1}, "n_latents must be at least 2"),
        ({"common_factor": True, "n_latents": 1}, "n_latents must be at least 2 for condition or"),
        ({"preset": "released", "nested": True}, "nested can be changed .*; got 'released'"),
        ({"mixing_activation": "relu"}, "mixing_activation must be one of xtanh, leaky-relu"),
        ({"preset": "linear", "mixing_activation": "leaky-relu"}, "mixing_act.*; got 'linear'"),
        ({"preset": "bernoulli", "mixing_activation": "leaky-relu"}, "mixing_act.*; got 'bern"),
        ({"source_family": "cauchy"}, "source_family must be one of gaussian, laplace"),
        ({"preset": "bernoulli", "source_family": "laplace"}, "source_family can be .*; got 'bern"),
        ({"source_family": "laplace", "centred": False}, "centred must be True for source_family"),
    ],
)
def test_bad_input_is_named(values, message):
    given = {"preset": "paper", "seed": 1} | values
    with pytest.raises(ValueError, match=message):
        generate(**given)


changeable = pytest.mark.parametrize("preset", ["paper", "released"])
sizes = pytest.mark.parametrize("n", [2, 3])


def pair(preset, n=2, **change):
    """Return a dataset of the preset, and the same with a change."""
    arguments = (preset, 4, n, 3, 4, 500, False)
    return generate(*arguments), generate(*arguments, **change)


def same(one, other, *names):
    for name in names:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), strict=True)


def same_matrices(one, other):
    for first, second in zip(one.mixing.matrices, other.mixing.matrices, strict=True):
        np.testing.assert_array_equal(first, second, strict=True)


def standard_sources(made):
    return (made.z - made.mean[made.u]) / np.sqrt(made.variance[made.u])


def noise_of(made):
    return (made.x - made.mixing(made.z)) / np.sqrt(made.noise_variance)


@changeable
@sizes
def test_the_spread_changes_the_scale_of_the_sources_alone(preset, n):
    by_variance, by_deviation = (pair(preset, n, spread=s)[1] for s in ("variance", "deviation"))
    # The same draws, uniform on [.5, 3], are variances here and deviations there.
    np.testing.assert_allclose(by_deviation.variance, by_variance.variance**2, rtol=1e-12)
    assert by_variance.variance.max() <= 3.0 < by_deviation.variance.max()
    same(by_variance, by_deviation, "mean", "u")
    same_matrices(by_variance, by_deviation)
    first, second = (standard_sources(m) for m in (by_variance, by_deviation))
    np.testing.assert_allclose(first, second, atol=1e-5)
    assert first.std() == pytest.approx(1.0, abs=0.05)
    if preset == "paper":
        np.testing.assert_allclose(noise_of(by_deviation), noise_of(by_variance), atol=1e-12)


@changeable
@sizes
@pytest.mark.parametrize("variance", [0.0, 0.02, 1.5])
def test_the_noise_has_the_variance_asked_for_and_changes_x_alone(preset, n, variance):
    one, other = pair(preset, n, noise_variance=variance)
    same(one, other, "z", "u", "mean", "variance")
    same_matrices(one, other)
    assert other.noise_variance == variance
    noise = other.x - other.mixing(other.z)
    # 6,000 draws: the standard error of their variance is 1.8 %.
    assert noise.var() == pytest.approx(variance, rel=0.08, abs=0)
    assert other.x.dtype == one.x.dtype
    if variance:
        assert np.abs(np.corrcoef(noise.T) - np.eye(3)).max() < 0.15
        assert np.abs(np.corrcoef(noise.T, other.z.T)[:3, 3:]).max() < 0.15


def test_other_noise_is_the_same_draws_scaled():
    (one, other), (_, third) = (pair("paper", noise_variance=v) for v in (0.5, 2.0))
    np.testing.assert_allclose(noise_of(other), noise_of(one), atol=1e-12)
    np.testing.assert_allclose(noise_of(third), noise_of(one), atol=1e-12)


@changeable
@sizes
def test_one_matrix_says_whether_the_square_ones_are_one(preset, n):
    one, three = (pair(preset, n, one_matrix=choice)[1] for choice in (True, False))
    same(one, three, "z", "u", "mean", "variance")
    first, second, third = three.mixing.matrices
    assert second.shape == third.shape == (3, 3)
    assert not np.array_equal(second, third)
    np.testing.assert_array_equal(one.mixing.matrices[0], first)
    np.testing.assert_array_equal(one.mixing.matrices[1], one.mixing.matrices[2])
    if n == 3:
        assert not np.array_equal(first, second)
        np.testing.assert_array_equal(one.mixing.matrices[1], first)
    else:
        np.testing.assert_array_equal(one.mixing.matrices[1], second)


@pytest.mark.parametrize("preset", ["paper", "released", "orthogonal"])
@sizes
def test_the_activation_changes_what_stands_between_the_same_matrices(preset, n):
    one, leaky = pair(preset, n, mixing_activation="leaky-relu")
    assert (one.mixing.activation, leaky.mixing.activation) == ("xtanh", "leaky-relu")
    same(one, leaky, "z", "u", "mean", "variance")
    same_matrices(one, leaky)
    assert leaky.x.dtype == one.x.dtype
    first, second, third = leaky.mixing.matrices
    a = leaky.z @ first
    a = np.where(a > 0, a, 0.2 * a) @ second
    clean = np.where(a > 0, a, 0.2 * a) @ third
    noise = one.x - one.mixing(one.z)
    np.testing.assert_allclose(leaky.x, clean + noise, atol=1e-5)


def test_all_changes_make_one_law_of_the_other():
    """Variances, noise and matrices of `paper`, changed to `released`'s, agree with its law."""
    sizes = (6, 3, 3, 400, 5)
    ours = generate("paper", *sizes, spread="deviation", noise_variance=0.0, one_matrix=True)
    for made in (ours, generate("released", *sizes)):
        deviation = np.sqrt(made.variance)
        assert deviation.mean() == pytest.approx(1.75, abs=0.1)
        assert (deviation.min(), deviation.max()) == pytest.approx((0.5, 3.0), abs=0.02)
        assert len({matrix.tobytes() for matrix in made.mixing.matrices}) == 1
        np.testing.assert_array_equal(made.x, made.mixing(made.z))


@pytest.mark.parametrize("preset", PRESETS)
def test_equal_data_are_equal_values_however_they_are_asked_for(preset):
    plain = DataSettings(preset, 1)
    given = [{name: value} for name, value in PRESETS[preset].items()]
    given += [{name: None} for name in PRESETS[preset]]
    given += [PRESETS[preset], {"seed": np.int64(1)}, {"n_latents": 5, "centred": np.True_}]
    given += [{"spread": spread} for spread in (plain.power, int(plain.power), plain.spread)]
    if preset in ("linear", "bernoulli"):  # What no choice is left for is not looked at.
        given += [{"one_matrix": True}, {"one_matrix": False}]
    if preset == "bernoulli":
        given += [{"noise_variance": 0.3}]
    for changes in given:
        other = DataSettings(**{"preset": preset, "seed": 1} | changes)
        assert other == plain, changes
        assert hash(other) == hash(plain)
        assert repr(other) == repr(plain)


def test_other_data_are_other_values_and_can_be_changed_further():
    plain = DataSettings("paper", 1)
    changes = {"seed": 2, "n_latents": 2, "centred": False, "noise_variance": 0.0, "nested": True}
    changes |= {"spread": 3, "one_matrix": True, "source_family": "laplace"}
    others = [replace(plain, **{name: value}) for name, value in changes.items()]
    assert len({plain, *others}) == len(changes) + 1
    small = replace(plain, n_latents=2, n_segments=3, samples_per_segment=4, spread="deviation")
    made = generate("paper", 1, 2, 5, 3, 4, spread=2)
    np.testing.assert_array_equal(small.generate().x, made.x)


def test_bits_have_the_probabilities_of_their_logits():
    made = generate("bernoulli", 3, 4, 12, 5, 4000)
    assert made.likelihood == "bernoulli"
    assert generate("paper", 1, 2, 2, 2, 2).likelihood == "gaussian"
    assert set(np.unique(made.x)) == {0.0, 1.0}
    (matrix,) = made.mixing.matrices
    np.testing.assert_allclose((matrix**2).sum(0), 1)
    logits = made.mixing(made.z)
    for low, high in ((-8, -2), (-2, -0.5), (-0.5, 0.5), (0.5, 2), (2, 8)):
        inside = (logits > low) & (logits < high)
        p = expit(logits[inside])
        error = np.sqrt((p * (1 - p)).sum()) / inside.sum()
        assert abs(made.x[inside].mean() - p.mean()) < 5 * error


def test_bits_do_not_depend_on_each_other_given_the_latents():
    made = generate("bernoulli", 4, 2, 6, 2, 20_000)
    p = expit(made.mixing(made.z))
    residual = (made.x - p) / np.sqrt(p * (1 - p))
    assert np.abs(np.corrcoef(residual.T) - np.eye(6)).max() < 5 / np.sqrt(40_000)
    assert np.abs(np.corrcoef(made.x.T) - np.eye(6)).max() > 0.1


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("power", [0.05, 0.5, 3.0, 4])
def test_the_power_of_the_spread_scales_the_log_variances(preset, power):
    one, other = pair(preset, spread="variance")[1], pair(preset, spread=power)[1]
    logs = np.log(other.variance)
    np.testing.assert_allclose(logs, power * np.log(one.variance), rtol=1e-9)
    assert logs.std() == pytest.approx(power * np.log(one.variance).std())
    same(one, other, "mean", "u")
    same_matrices(one, other)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_named_spreads_are_the_uniform_draws_to_the_bit(preset):
    arguments = (4, 2, 3, 6, 5)
    legacy = preset == "released"
    rng = np.random.RandomState(4) if legacy else np.random.default_rng(4)
    drawn = rng.uniform(0.5, 3.0, (6, 2))
    squares = np.sqrt(drawn) ** 2 if legacy else drawn  # `released` keeps deviations.
    by_variance = generate(preset, *arguments, spread="variance")
    by_deviation = generate(preset, *arguments, spread="deviation")
    np.testing.assert_array_equal(by_variance.variance, squares, strict=True)
    np.testing.assert_array_equal(by_deviation.variance, drawn**2, strict=True)


conditioned = pytest.mark.parametrize("preset", ["orthogonal", "linear"])


@conditioned
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("condition", [1.001, 2, 30.0])
@pytest.mark.parametrize("n", [2, 4])
def test_every_matrix_has_the_condition_number_asked_for(preset, nested, condition, n):
    sizes = (7, n, 4, 3, 50)
    plain = generate(preset, *sizes, nested=nested)
    made = generate(preset, *sizes, condition=condition, nested=nested)
    same(plain, made, "z", "u", "mean", "variance")
    np.testing.assert_allclose(noise_of(made), noise_of(plain), atol=1e-11)
    assert made.mixing.condition_numbers == pytest.approx([condition] * len(plain.mixing.matrices))
    for before, after in zip(plain.mixing.matrices, made.mixing.matrices, strict=True):
        found = np.linalg.svd(after, compute_uv=False)
        assert np.log(found).sum() == pytest.approx(0, abs=1e-9)
        np.testing.assert_allclose(np.diff(np.log(found)), -np.log(condition) / (len(found) - 1))
        # The plain matrix, stretched: symmetric and positive definite before it.
        stretch = after @ before.T
        np.testing.assert_allclose(stretch @ before, after, atol=1e-12)
        np.testing.assert_allclose(stretch, stretch.T, atol=1e-12)
        assert np.linalg.eigvalsh(stretch).min() > 0


def test_matrices_are_stretched_in_different_directions():
    made = generate("orthogonal", 0, 3, 3, 2, 2, condition=100.0)
    plain = generate("orthogonal", 0, 3, 3, 2, 2)
    longest = [
        np.linalg.eigh(after @ before.T)[1][:, -1]
        for before, after in zip(plain.mixing.matrices, made.mixing.matrices, strict=True)
    ]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert abs(longest[i] @ longest[j]) < 0.999


@pytest.mark.parametrize("preset", PRESETS)
def test_a_common_factor_leaves_one_direction_of_lambda(preset):
    sizes = (3, 4, 4, 30, 20)
    plain, common = generate(preset, *sizes), generate(preset, *sizes, common_factor=True)
    np.testing.assert_array_equal(common.variance, np.tile(plain.variance[:, :1], 4))
    same_matrices(plain, common)
    assert rank.spread_report(plain.natural_parameters).rank == 4
    assert rank.spread_report(common.natural_parameters).rank == 1


@pytest.mark.parametrize("preset", ["paper", "orthogonal", "linear"])
def test_nested_datasets_share_all_but_the_number_of_segments(preset):
    few = generate(preset, 5, 2, 3, 4, 60, centred=False, nested=True)
    many = generate(preset, 5, 2, 3, 12, 20, centred=False, nested=True)
    same_matrices(few, many)
    np.testing.assert_array_equal(few.variance, many.variance[:4])
    np.testing.assert_array_equal(few.mean, many.mean[:4])
    np.testing.assert_allclose(noise_of(few), noise_of(many), atol=1e-10)
    first, second = standard_sources(few), standard_sources(many)
    np.testing.assert_allclose(first, second, atol=1e-10)
    assert np.abs(np.corrcoef(first.T, noise_of(few).T)[:2, 2:]).max() < 0.3  # Own generators.
    other = generate(preset, 6, 2, 3, 4, 60, centred=False, nested=True)
    assert not np.array_equal(other.mixing.matrices[0], few.mixing.matrices[0])


heavy = pytest.mark.parametrize("preset", ["paper", "released", "orthogonal", "linear"])


@heavy
def test_laplace_sources_have_the_variances_of_the_gaussian_ones_and_laplaces_law(preset):
    sizes = (5, 2, 2, 4, 20_000)
    plain, made = generate(preset, *sizes), generate(preset, *sizes, source_family="laplace")
    same(plain, made, "u", "mean", "variance")
    assert (made.z.dtype, made.x.dtype) == (plain.z.dtype, plain.x.dtype)
    assert not made.mean.any()
    scaled = made.z / np.sqrt(made.variance)[made.u]
    for segment in range(4):
        z = scaled[made.u == segment]
        # 5 standard errors: E z^4 = 6, so that of the mean of z^2 is sqrt(5 / 20,000).
        np.testing.assert_allclose((z**2).mean(0), 1, atol=5 * np.sqrt(5 / 20_000))
        for column in z.T:
            law = stats.laplace(scale=np.sqrt(0.5))
            assert stats.kstest(column.astype(np.float64), law.cdf).pvalue > 1e-5
            assert stats.kstest(column.astype(np.float64), "norm").pvalue < 1e-20
    # E z^4 = 6 and E z^8 = 2,520, where a Gaussian has 3.
    assert (scaled**4).mean() == pytest.approx(6, abs=5 * np.sqrt(2484 / scaled.size))
    assert np.abs(np.corrcoef(scaled.T)[0, 1]) < 5 / np.sqrt(len(scaled))
    noise = made.x - made.mixing(made.z)
    assert noise.var() == pytest.approx(made.noise_variance, rel=0.03)


@heavy
def test_the_parameters_of_laplace_sources_give_their_density(preset):
    made = generate(preset, 3, 2, 2, 4, 50, source_family="laplace")
    assert (made.family_name, made.family.name, made.family.k) == ("laplace", "laplace", 1)
    lam = made.natural_parameters
    scale = np.sqrt(made.variance / 2)
    np.testing.assert_allclose(lam[..., 0], -1 / scale)
    expected = stats.laplace(scale=scale[made.u]).logpdf(made.z.astype(np.float64))
    z = torch.as_tensor(made.z.astype(np.float64))
    found = made.family.log_density(z, torch.as_tensor(lam[made.u]))
    np.testing.assert_allclose(found, expected)
    _, volume = np.linalg.slogdet(made.mixing.jacobian(made.z.astype(np.float64)))
    given = exact.log_density_given_segment(made)
    np.testing.assert_allclose(given, expected.sum(1) - volume)


def test_the_theory_takes_laplace_sources_for_what_they_are():
    report = theory.of_dataset(generate("linear", 1, source_family="laplace"), "full")
    assert report.covered == {"Theorem 1": True, "Theorem 2": True, "Theorem 3": False}
    assert "|z|" in str(report)
    assert "laplace prior: the posterior is not Gaussian" in str(report)


def test_released_draws_laplace_sources_from_the_legacy_generator():
    made = generate("released", 6, 2, 2, 3, 40, source_family="laplace")
    rng = np.random.RandomState(6)
    scale = rng.uniform(0.5, 3, (3, 2))
    z = rng.laplace(0, 1 / np.sqrt(2), (120, 2)).astype(np.float32)
    z *= scale[made.u]
    np.testing.assert_array_equal(made.z, z, strict=True)
    np.testing.assert_array_equal(made.x, made.mixing(z), strict=True)


@pytest.mark.parametrize("preset", ["paper", "orthogonal", "linear", "bernoulli"])
def test_unless_changed_sources_are_the_generators_normal_draws_to_the_bit(preset):
    made = generate(preset, 6, 2, 2, 3, 40)
    rng = np.random.default_rng(6)
    variance = rng.uniform(0.5, 3, (3, 2)) ** (2 if preset == "bernoulli" else 1)
    z = np.sqrt(variance)[made.u] * rng.standard_normal((120, 2))
    np.testing.assert_array_equal(made.z, z, strict=True)
    assert made.family_name is None


@pytest.mark.parametrize("preset", ["paper", "orthogonal", "linear"])
def test_nested_the_source_family_changes_the_sources_alone(preset):
    one, other = (
        generate(preset, 4, 2, 3, 4, 50, nested=True, source_family=family)
        for family in ("gaussian", "laplace")
    )
    same(one, other, "u", "mean", "variance")
    same_matrices(one, other)
    np.testing.assert_allclose(noise_of(one), noise_of(other), atol=1e-10)
    assert np.abs(np.corrcoef(one.z.T, other.z.T)[:2, 2:]).max() < 0.5


@pytest.mark.parametrize(
    ("preset", "change"),
    [("linear", {"one_matrix": "no"}), ("bernoulli", {"noise_variance": -1.0})],
)
def test_what_a_preset_leaves_no_choice_in_is_checked_all_the_same(preset, change):
    (name,) = change
    with pytest.raises(ValueError, match=name):
        generate(preset, 1, 2, 2, 2, 2, **change)

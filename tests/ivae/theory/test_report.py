"""The report: models built to break one condition break that one, valid ones none."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ivae import data, models, theory
from ivae.families import FAMILIES
from ivae.mixing import Mixing
from ivae.schedules import Schedule
from ivae.theory import noise
from ivae.theory.characteristic import from_density
from ivae.theory.statistics import Statistics
from ivae.training import train

SQUARES = FAMILIES["gaussian-scale"]
Z = np.random.default_rng(0).standard_normal((400, 2))


def table(seed=0, m=6, n=2, k=1):
    return -np.random.default_rng(seed).uniform(0.2, 2, (m, n, k))


VALID = {
    "statistics": SQUARES,
    "lam": table(),
    "noise": noise.gaussian(0.01),
    "mixing": data.generate("paper", 1, 2, 2, 2, 2).mixing,
    "latents": Z,
}
BREAKS = {
    "mixing f": {"mixing": lambda z: np.column_stack((z[:, 0] ** 2, z[:, 1]))},
    "(i) noise": {"noise": noise.squared_sinc(3.0)},
    "(ii) statistics": {
        "statistics": Statistics(lambda z: np.stack((z**2, 2 * z**2), 1)),
        "lam": table(k=2),
    },
    "(iii) segments": {"lam": np.outer([1.0, 2, 3, 4, 5, 6], [-1.0, -0.5])[:, :, None]},
}


def test_a_valid_model_is_covered():
    report = theory.check(**VALID)
    assert report.violated == []
    assert report.covered == {"Theorem 1": True, "Theorem 2": True}


@pytest.mark.parametrize("condition", BREAKS)
def test_what_breaks_one_condition_breaks_exactly_that_one(condition):
    report = theory.check(**VALID | BREAKS[condition])
    assert report.violated == [condition]
    assert [f.holds for f in report.one if f.condition != condition] == [True] * 3
    assert report.covered["Theorem 1"] is False
    assert f"Theorem 1 does not apply: {condition}." in str(report)


def test_each_theorem_has_conditions_of_its_own():
    location = FAMILIES["gaussian-location"]
    rng = np.random.default_rng(1)
    means = rng.normal(size=(6, 2, 1))
    report = theory.check(**VALID | {"statistics": location, "lam": means})
    assert report.covered == {"Theorem 1": True, "Theorem 2": False}
    assert report.two.condition == "extremum (Theorem 2)"
    two = theory.check(**VALID | {"statistics": FAMILIES["gaussian"], "lam": table(k=2)})
    assert two.covered == {"Theorem 1": True, "Theorem 2": False}


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    preset=st.sampled_from(("paper", "released", "orthogonal", "linear")),
    n=st.integers(2, 4),
    extra=st.integers(0, 2),
    centred=st.booleans(),
    more=st.integers(1, 20),
)
def test_random_valid_models_violate_nothing(seed, preset, n, extra, centred, more):
    sizes = n, n + extra, n * (1 if centred else 2) + more, 30
    made = data.generate(preset, seed, *sizes, centred=centred)
    report = theory.of_dataset(made)
    assert report.violated == []
    assert report.covered["Theorem 1"] is True
    assert report.covered["Theorem 2"] is centred


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 4), k=st.integers(1, 2))
def test_one_segment_too_few_is_reported(seed, n, k):
    made = data.generate("orthogonal", seed, n, n, n * k, 30, centred=k == 1)
    assert theory.of_dataset(made).violated == ["(iii) segments"]


def test_theorem_three_asks_for_the_posterior():
    turned = Mixing((np.array([[1.0, 0.5], [0.0, 1.0]]),))
    square = Mixing((np.array([[2.0, 0.0], [0.0, 1.0]]),))
    cases = [
        (square, noise.gaussian(0.1), SQUARES, "diagonal", True),
        (turned, noise.gaussian(0.1), SQUARES, "diagonal", False),
        (turned, noise.gaussian(0.1), SQUARES, "full", True),
        (VALID["mixing"], noise.gaussian(0.1), SQUARES, "full", False),
        (square, noise.laplace(0.1), SQUARES, "full", False),
        (square, noise.none(), SQUARES, "full", False),
        (square, noise.gaussian(0.1), FAMILIES["laplace"], "full", False),
    ]
    for mixing, law, family, posterior, holds in cases:
        changed = {"mixing": mixing, "noise": law, "statistics": family}
        report = theory.check(**VALID | changed, posterior=posterior)
        assert report.three.holds is holds
        assert report.covered["Theorem 3"] is holds


def test_lambda_may_be_a_function():
    report = theory.check(
        **VALID | {"lam": lambda u: -np.stack((1 + u, 2 + u**2), 1)}, u=np.linspace(0, 1, 9)
    )
    assert report.covered["Theorem 1"] is True
    line = theory.check(
        **VALID | {"lam": lambda u: -np.stack((1 + u, 2 + 2 * u), 1)}, u=np.linspace(0, 1, 9)
    )
    assert line.violated == ["(iii) segments"]


def test_a_density_given_by_its_values_leaves_the_tail_open():
    known = from_density(noise.gaussian(1.0).density, 12.0, highest=10.0)
    report = theory.check(**VALID | {"noise": known})
    assert report.violated == []
    assert report.covered["Theorem 1"] is None
    assert "Theorem 1 is open: (i) noise." in str(report)


def test_binary_x_has_no_noise_for_theorem_one_to_speak_of():
    truth = data.generate("bernoulli", 1, 2, 4, 6, 50)
    model = models.ivae(2, 4, 6, seeds=[0, 1], likelihood="bernoulli")
    for report in (theory.of_dataset(truth, "full"), theory.of_model(model, 1, truth.x, truth.u)):
        assert report.violated == ["(i) noise"]
        assert set(report.covered.values()) == {False}
        assert "x is binary, not f(z) plus noise as in Eq. (6)" in report.one[1].reason
        assert report.three.reason == "binary x: the posterior is not Gaussian"


@pytest.mark.slow
def test_a_learned_model_is_held_against_errors_of_estimation():
    truth = data.generate("linear", 0, 2, 2, 12, 500)
    model = models.ivae(2, 2, 12, seeds=[0, 1])
    train(model, truth.x, truth.u, schedule=Schedule(epochs=8), progress=False)
    report = theory.of_model(model, 1, truth.x, truth.u)
    assert report.model == "learned model, seed 1: n = 2, k = 1, 12 segments"
    assert report.violated == []
    assert "times what sampling alone typically makes" in report.one[3].reason
    assert "Theorem 1 applies, unless what was not seen fails: mixing f, (iii) segments." in str(
        report
    )
    few = theory.of_model(model, 1, truth.x[::250], truth.u[::250])
    assert few.one[3].holds is None
    # Looking does not change the model.
    assert model.decoder.first.weight.dtype == torch.float32


def test_html_says_what_the_text_says():
    report = theory.check(**VALID, name="<mine>", posterior="full")
    page = report._repr_html_()
    assert "&lt;mine&gt;: n = 2, k = 1, 6 segments" in page
    for finding in report.findings:
        assert finding.condition in page
        assert finding.condition in str(report)
    assert page.count("<tr>") == 1 + len(report.findings)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lam": np.ones((4, 2))}, r"lam must have shape \(M, n, 1\); got \(4, 2\)"),
        ({"lam": np.ones((4, 2, 2))}, r"lam must have shape \(M, n, 1\)"),
        ({"lam": np.sin}, "u must be given"),
        ({"latents": np.ones((5, 3))}, r"latents must have shape \(N, 2\); got \(5, 3\)"),
        ({"posterior": "any"}, "posterior must be one of diagonal, full"),
    ],
)
def test_bad_input_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        theory.check(**VALID | changes)


def test_a_vae_or_a_missing_member_is_refused():
    with pytest.raises(ValueError, match="must be an iVAE"):
        theory.of_model(models.vae(2, 2, seeds=[0]), 0, Z, np.zeros(400, int))
    with pytest.raises(ValueError, match="member must be from 0 to 0; got 1"):
        theory.of_model(models.ivae(2, 2, 1, seeds=[0]), 1, Z, np.zeros(400, int))

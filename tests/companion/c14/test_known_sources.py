"""Attempts score what the recipe found, against oracles, and change one thing at a time."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from scipy.stats import norm

from companion.c14 import known_sources
from ivae import data
from ivae.data import DataSettings
from ivae.recipe.stages import RECIPE, Settings

SMALL = Settings(hidden=16, n_blocks=1, n_starts=2, n_steps=200, n_steps_generative=50)
DATA = DataSettings("linear", 1, 2, 3, 10, 100)


def test_bayes_cross_entropy_is_that_of_the_true_densities():
    one = data.generate("released", 1, 2, 2, 6, 200)
    density = norm.logpdf(one.z[:, None], one.mean, np.sqrt(one.variance)).sum(-1)
    expected = np.log(np.exp(density).sum(1)) - density[np.arange(len(one.u)), one.u]
    assert known_sources.bayes_cross_entropy(one) == pytest.approx(expected.mean(), rel=1e-5)


def test_nothing_known_about_segments_costs_log_m():
    """Sources that are the same in every segment leave the labels to chance."""
    one = data.generate("released", 1, 2, 2, 6, 200)
    same = replace(one, variance=np.ones_like(one.variance))
    assert known_sources.bayes_cross_entropy(same) == pytest.approx(np.log(6), rel=1e-6)


def test_an_attempt_scores_the_chosen_start_and_all_starts():
    found = known_sources.attempt(known_sources.Case(DATA, settings=SMALL), seed=0)
    assert found.starts.shape == found.cross_entropy.shape == found.agreement.shape == (2,)
    # The second stage leaves h as it is, so that the chosen start's score is among the starts'.
    assert min(abs(found.starts - found.mcc)) < 1e-6
    assert found.agreement.max() == pytest.approx(1)
    # What was learned knows no more than the truth; .1 is for the chance of 100 held-out rows.
    assert found.cross_entropy.min() > found.bayes - 0.1
    assert found.decoder_variance > 0


@pytest.mark.slow
def test_attempts_do_not_depend_on_how_many_run_at_a_time():
    cases = [known_sources.Case(replace(DATA, seed=seed), settings=SMALL) for seed in (1, 2)]
    n_threads = torch.get_num_threads()
    results = []
    for n in (1, 2):
        torch.set_num_threads(n)
        try:
            results.append(known_sources.attempts(cases, 0, "test"))
        finally:
            torch.set_num_threads(n_threads)
    alone, together = ([one.mcc for one in found] for found in results)
    np.testing.assert_allclose(alone, together, atol=1e-4)
    assert abs(alone[0] - alone[1]) > 1e-6  # The cases differ, and keep their order.


def test_a_variant_changes_one_thing():
    kinds = known_sources.variants()
    of_recipe = asdict(RECIPE)
    assert asdict(kinds.pop("the recipe")) == of_recipe
    for name, settings in kinds.items():
        changed = [key for key, value in asdict(settings).items() if value != of_recipe[key]]
        assert len(changed) == 1, name


@pytest.mark.parametrize("name", known_sources.other_settings())
def test_other_settings_have_data_of_their_family(name):
    case = known_sources.other_settings()[name]
    small = replace(case.data, n_segments=12, samples_per_segment=5)
    assert case.data.seed == 1
    assert small.generate().family.name == case.family

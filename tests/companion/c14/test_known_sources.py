"""What the truth leaves to learn agrees with oracles, and variants change one thing at a time."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy.stats import norm

from companion.c14 import known_sources
from ivae import data
from ivae.recipe.stages import RECIPE


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


def test_a_variant_changes_one_thing():
    kinds = known_sources.variants()
    of_recipe = asdict(RECIPE)
    assert asdict(kinds.pop("the recipe")) == of_recipe
    for name, settings in kinds.items():
        changed = [key for key, value in asdict(settings).items() if value != of_recipe[key]]
        assert len(changed) == 1, name


@pytest.mark.parametrize("name", known_sources.other_settings())
def test_other_settings_have_data_of_their_family(name):
    case = known_sources.other_settings(3)[name]
    small = replace(case.data, n_segments=12, samples_per_segment=5)
    assert case.data.seed == 3
    assert small.generate().family.name == case.family

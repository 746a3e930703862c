"""The two-sample test again and again: its false-positive rate, or its power."""

import numpy as np

from companion.two_sample import Rejections, energy_test


def rejections(draw_pair, n_tests, n_permutations, seed):
    """Test fresh pairs of samples, which ``draw_pair`` draws from a generator."""
    rng = np.random.default_rng(seed)
    p_values = [
        energy_test(*draw_pair(rng), n_permutations=n_permutations, seed=own).p_value
        for own in rng.spawn(n_tests)
    ]
    return Rejections(np.array(p_values))

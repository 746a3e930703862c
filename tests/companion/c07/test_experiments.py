"""Figure 3's runs are the protocols', each can be made alone, and a lost source is seen."""

import numpy as np
import pytest

from companion.c07 import experiments
from companion.c07.experiments import figure_3, pairs, stretch, worst_source
from companion.protocols import contenders, run_of
from companion.recorded import trained
from ivae import data

SMALL = {"n_networks": 2, "n_segments": 5, "samples_per_segment": 60, "epochs": 1}
SIZES = {name: SMALL[name] for name in ("n_segments", "samples_per_segment", "epochs")}


@pytest.fixture(scope="module")
def runs():
    return figure_3.plan(seed=1, **SMALL)


@pytest.fixture(scope="module")
def together(runs):
    return figure_3.make(runs, 0.0)


def test_runs_hold_all_that_the_protocols_say(runs):
    """Names that are left out are defaults."""
    wanted = [
        run_of(protocol, one, data_seed=1, seed=seed, **SIZES)
        for protocol, setting in (("released", "as released"), ("text", "Gaussian prior"))
        for model, its in (("iVAE", None), ("VAE", setting))
        for one in contenders(protocol)
        if one.model == model and its in (None, one.setting)
        for seed in (1, 2)
    ]
    assert [trained.run_of(run) for run in runs] == wanted
    assert len({frozenset(run) for run in runs}) == 1
    assert {"beta", "hidden", "prior"} & set(runs[0]) == set()
    assert [run["protocol"] for run in runs] == 4 * ["released"] + 4 * ["text"]


def test_a_run_gives_together_what_it_gives_alone(runs, together):
    for number in (1, 6):
        (alone,) = figure_3.make([runs[number]], 0.0)
        assert alone.values == pytest.approx(together[number].values, abs=1e-4)
        for name, array in alone.arrays.items():
            np.testing.assert_allclose(array, together[number].arrays[name], atol=1e-2)


def test_another_network_gives_something_else(together):
    for one, other in zip(together[::2], together[1::2], strict=True):
        assert abs(one.values["fresh_worst_sampled"] - other.values["fresh_worst_sampled"]) > 1e-4


def test_the_tables_of_correlations_hold_the_scores(together):
    for outcome in together:
        values, seen = outcome.values, np.diagonal(outcome.arrays["pairs"])
        new = np.diagonal(outcome.arrays["fresh_pairs"])
        assert (seen.min(), new.min()) == pytest.approx(
            (values["worst_sampled"], values["fresh_worst_sampled"])
        )
        assert new.mean() == pytest.approx(values["fresh_sampled"])
        assert seen.mean() == pytest.approx(values["mcc_sampled"], abs=0.05)  # Another draw.


def test_the_stretch_lies_in_the_data_at_a_place_of_the_seeds():
    small = [data.generate("released", seed, n_segments=5) for seed in (1, 2, 1)]
    first, other, same = (stretch(one) for one in small)
    assert first == same != other
    for rows in (first, other):
        assert rows.stop - rows.start == len(small[0].z[rows]) == experiments.SHOWN


def test_the_stretch_has_the_sources_sign_and_scale(runs, together):
    """A matched estimate correlates with its source over the whole data, and less over a part."""
    for run, outcome in zip(runs, together, strict=True):
        truth = trained.run_of(run).data.generate()
        shown, best = outcome.arrays["stretch"], np.diagonal(outcome.arrays["pairs"]).argmax()
        assert shown.shape == (experiments.SHOWN, 5)
        assert np.corrcoef(shown[:, best], truth.z[stretch(truth), best])[0, 1] > 0.2
        assert (np.abs(shown) < 10 * truth.z.std(0)).all()


def test_the_worst_source_is_the_one_that_is_lost():
    rng = np.random.default_rng(1)
    z = rng.standard_normal((4000, 3))
    estimate = z[:, [2, 0, 1]] * [-1, 2, 0.1] + 5
    assert worst_source(z, estimate) == pytest.approx(1)
    estimate[:, 1] = rng.standard_normal(4000)
    assert worst_source(z, estimate) < 0.05
    table = pairs(z, estimate)
    np.testing.assert_allclose(np.diagonal(table)[1:], 1)
    assert table[0].max() < 0.05

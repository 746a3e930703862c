"""Figure 2's runs are everyone's, once on every dataset, and each can be made alone."""

from collections import Counter

import numpy as np
import pytest

from companion.c06.experiments import contenders, supervised, true_decoder
from companion.comparison import curves, scores
from companion.protocols import contenders as everyone
from companion.protocols import run_of
from companion.recorded import trained
from companion.recorded.making import make_result

SIZES = {"n_segments": 5, "samples_per_segment": 40, "epochs": 2, "hidden": 8}
SMALL = {"dimensions": [2, 3], "n_datasets": [1, 2]} | SIZES
FULL = {"dimensions": [2, 3, 4, 5], "n_datasets": [5, 5, 5, 10], "epochs": 20}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    settings = SMALL | {"seed": 1, "n_networks": 2}
    return make_result("contenders", contenders, settings, folder / "contenders", folder / "parts")


def test_figure_2_has_751_runs_no_two_of_them_the_same():
    runs = contenders.plan(seed=1, n_networks=10, **FULL)
    assert len({trained.run_of(run) for run in runs}) == len(runs) == 751
    assert len({frozenset(run) for run in runs}) == 1
    counts = Counter((run["protocol"], run["n_latents"]) for run in runs)
    few = {(protocol, n): 5 for protocol in ("released", "text") for n in (2, 3, 4)}
    pairs = few | {("released", 5): 19, ("text", 5): 10}
    assert counts == {case: several * len(everyone(case[0])) for case, several in pairs.items()}


def test_runs_hold_all_that_the_protocols_say():
    """Names that are left out are defaults."""
    for run in contenders.plan(seed=1, n_networks=2, **SMALL):
        name = run["contender"], run["setting"]
        (one,) = [c for c in everyone(run["protocol"]) if (c.model, c.setting) == name]
        own = {key: run[key] for key in ("n_latents", "data_seed", "seed")}
        assert trained.run_of(run) == run_of(run["protocol"], one, **own, **SIZES)


def test_settings_can_be_compared_pair_by_pair(result):
    for protocol in ("released", "text"):
        for n in (2, 3):
            each = {}
            for run in result.where(protocol=protocol, n_latents=n).runs:
                name = run["contender"], run["setting"]
                each.setdefault(name, []).append((run["data_seed"], run["seed"]))
            assert list(each) == [(one.model, one.setting) for one in everyone(protocol)]
            (pairs,) = {tuple(pairs) for pairs in each.values()}
            wanted = {("released", 3): ((1, 1), (1, 2), (2, 1)), ("text", 3): ((1, 1), (2, 1))}
            assert pairs == wanted.get((protocol, n), ((1, 1),))


def test_a_curve_ends_with_the_score(result):
    one = result.where(protocol="text", n_latents=3)
    for name, values in scores(one).items():
        np.testing.assert_allclose(curves(one, *name)[-1], values, atol=1e-6)


def test_a_run_gives_together_what_it_gives_alone(result):
    for number in (0, 9, len(result) - 1):
        (alone,) = contenders.make([result.runs[number]], 0.0)
        for name, value in alone.values.items():
            assert value == pytest.approx(result.values[name][number], abs=1e-4), name


def test_references_are_of_the_same_datasets(result):
    for experiment in (supervised, true_decoder):
        runs = experiment.plan(seed=1, **SMALL)
        assert len(runs) == 6
        assert {trained.run_of(run).data for run in runs} == {
            trained.run_of(run).data for run in result.runs
        }
    taught = supervised.plan(seed=1, **FULL)
    assert len(taught) == 50
    assert len(true_decoder.plan(seed=1, dimensions=[5], n_datasets=[10], epochs=20)) == 20


def test_the_true_decoder_goes_with_the_protocols_objective():
    runs = [trained.run_of(run) for run in true_decoder.plan(seed=1, **SMALL)]
    for run, protocol in ((runs[0], "text"), (runs[-1], "released")):
        wanted = run_of(protocol, everyone(protocol)[0])
        assert (run.objective, run.decoder_variance) == (wanted.objective, wanted.decoder_variance)


@pytest.mark.parametrize("experiment", [supervised, true_decoder])
def test_a_reference_together_and_alone(experiment):
    runs = [run for run in experiment.plan(seed=1, **SMALL) if run["n_latents"] == 3]
    runs = [run for run in runs if run["protocol"] == "released"]
    together = experiment.make(runs, 0.0)
    (alone,) = experiment.make(runs[1:], 0.0)
    assert alone.values == pytest.approx(together[1].values, abs=1e-4)
    assert abs(together[0].values["fresh"] - together[1].values["fresh"]) > 1e-4

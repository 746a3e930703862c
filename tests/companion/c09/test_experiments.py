"""Between text and code each run is one that it should be, and can be made alone."""

from collections import Counter

import pytest

from companion.c09.experiments import at_length, grid, ladder, settings_of_grid, supervised
from companion.c09.settings import GRID, turned_back
from companion.c09.settings import ladder as rungs
from companion.recorded import trained
from ivae.metrics import minibatch_mcc
from ivae.sweeps.runs import Run

SIZES = {"n_segments": 4, "samples_per_segment": 40}
SMALL = {"n_datasets": 1, "condition_datasets": 2, "condition_networks": 2, "epochs": 1} | SIZES
CHOSEN = [
    {"hidden": 8, "n_layers": 3, "activation": "xtanh", "learning_rate": 0.01},
    {"hidden": 4, "n_layers": 4, "activation": "leaky-relu", "learning_rate": 0.001},
]


def test_the_ladder_has_280_runs_no_two_of_them_the_same():
    runs = ladder.plan(
        seed=1, n_datasets=10, condition_datasets=20, condition_networks=3, epochs=20
    )
    assert len({trained.run_of(run) for run in runs}) == len(runs) == 280
    assert len({frozenset(run) for run in runs}) == 1
    counts = Counter(run["variant"] for run in runs)
    assert counts.pop("as released") == 60
    names = {*rungs(), *turned_back(), "VAE", "prior mean fixed", "prior mean learned"}
    assert counts == dict.fromkeys(names - {"released generator", "as released"}, 10)


def test_variants_are_what_their_names_say():
    """Names that are left out are defaults."""
    by_name = {run["variant"]: run for run in ladder.plan(seed=1, **SMALL)}
    released = turned_back()["as released"]
    wanted = rungs() | turned_back() | {"VAE": released | {"model": "vae"}}
    wanted["prior mean fixed"] = released | {"centred": False, "n_components": 1}
    wanted["prior mean learned"] = released | {"centred": False, "n_components": 2}
    for name, run in by_name.items():
        own = {key: run[key] for key in ("data_seed", "seed", "epochs")}
        assert trained.run_of(run) == Run.of(**wanted[name], **own, **SIZES), name


def test_the_minibatch_score_is_of_the_rows_trained_on():
    plan = ladder.plan(seed=1, **SMALL)
    runs = [run for run in plan if run["variant"] in ("as released", "cosine schedule")]
    together = ladder.make(runs, 0.0)
    (alone,) = ladder.make(runs[2:3], 0.0)
    assert alone.values == pytest.approx(together[2].values, abs=1e-4)
    fitted = trained.fit([trained.run_of(runs[2])])
    (draws,) = fitted.model.draw_latents(fitted.x, fitted.u).numpy(force=True)
    assert alone.values["minibatch"] == pytest.approx(minibatch_mcc(fitted.z[0], draws))
    assert alone.values["minibatch"] > alone.values["mcc_sampled"]


def test_the_grid_is_the_papers_and_in_its_order():
    runs = grid.plan(seed=1, n_networks=3, epochs=6)
    assert len({trained.run_of(run) for run in runs}) == len(runs) == 144
    settings = settings_of_grid()
    assert [{name: run[name] for name in GRID} for run in runs[::3]] == settings
    assert [settings[0], settings[-1]] == [
        {name: values[place] for name, values in GRID.items()} for place in (0, -1)
    ]


def test_what_is_trained_longer_is_what_was_chosen():
    sizes = {"epochs": 1} | SIZES
    runs = at_length.plan(seed=1, chosen=CHOSEN, first_network=4, n_networks=2, **sizes)
    assert [trained.run_of(run) for run in runs] == [
        Run.of(**turned_back()["cosine schedule"] | one | sizes, data_seed=1, seed=seed)
        for one in CHOSEN
        for seed in (4, 5)
    ]
    together = at_length.make(runs, 0.0)
    (alone,) = at_length.make(runs[3:], 0.0)
    assert alone.values == pytest.approx(together[3].values, abs=1e-4)
    assert abs(together[2].values["fresh"] - alone.values["fresh"]) > 1e-6


def test_a_supervised_network_together_and_alone():
    runs = supervised.plan(seed=1, hidden=[4, 8], epochs=[1, 2], n_networks=2, **SIZES)
    assert len({trained.run_of(run) for run in runs}) == 8
    pair = runs[2:4]
    together = supervised.make(pair, 0.0)
    (alone,) = supervised.make(pair[1:], 0.0)
    assert alone.values == pytest.approx(together[1].values, abs=1e-4)
    assert abs(together[0].values["fresh"] - alone.values["fresh"]) > 1e-4

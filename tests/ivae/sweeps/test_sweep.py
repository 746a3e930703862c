"""Sweeps: the same numbers as single trainings, resumed where they stopped, on a real cluster."""

import os
import signal
import threading
import time

import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster

from ivae import data, metrics, models
from ivae.engine.history import EveryMemberDiverged
from ivae.engine.shards import Shard
from ivae.nets import Network
from ivae.schedules import Schedule
from ivae.support import records
from ivae.support.records import Record, load, save
from ivae.sweeps.runs import FLAT_NAMES, Run, grid
from ivae.sweeps.sweep import MEASURED, _digest, fit, sweep, train_ensemble
from ivae.training import train

TINY = {"n_latents": 2, "n_observed": 3, "n_segments": 4, "samples_per_segment": 50, "hidden": 8}
SMALL = TINY | {"preset": "paper", "epochs": 2, "batch_size": 16}


def test_each_row_is_the_run_trained_alone(tmp_path):
    runs = grid(model=["ivae", "vae"], seed=range(2), data_seed=[1, 2], **SMALL)
    table = sweep(runs, tmp_path, progress=False)
    assert list(table["seed"]) == [run.seed for run in runs]
    assert set(table["status"]) == {"done"}
    for row, run in zip(table.to_dict("records"), runs, strict=True):
        truth = data.generate("paper", run.data.seed, 2, 3, 4, 50)
        options = {"seeds": [run.seed], "network": Network(hidden=8)}
        ivae = run.model == "ivae"
        model = models.ivae(2, 3, 4, **options) if ivae else models.vae(2, 3, **options)
        schedule = Schedule(epochs=2, batch_size=16)
        history = train(model, truth.x, truth.u, truth.z, schedule=schedule, progress=False)
        assert row["elbo"] == pytest.approx(history.elbo[-1, 0], rel=1e-3)
        assert row["mcc"] == pytest.approx(history.mcc[-1, 0], abs=1e-3)


def test_a_restarted_sweep_trains_only_what_is_missing(tmp_path, monkeypatch, capsys):
    first = grid(seed=range(2), **SMALL)
    before = sweep(first, tmp_path)
    records = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    trained = []
    original = train_ensemble

    def spy(runs, *options):
        trained.extend(runs)
        return original(runs, *options)

    monkeypatch.setattr("ivae.sweeps.sweep.train_ensemble", spy)
    more = grid(seed=range(3), hidden=[8, 9], **{k: v for k, v in SMALL.items() if k != "hidden"})
    after = sweep(more, tmp_path)
    assert set(trained) == set(more) - set(first)
    both = after[after["seed"].isin([0, 1]) & (after["hidden"] == 8)].reset_index(drop=True)
    pd.testing.assert_frame_equal(both, before)
    assert all((tmp_path / name).read_bytes() == content for name, content in records.items())


def test_a_failed_ensemble_is_told_and_tried_again(tmp_path, capsys):
    bad = Run.of(**(SMALL | {"held_out": 0.001}))  # Of 200 samples that is none.
    good = Run.of(**SMALL)
    table = sweep([bad, good], tmp_path)
    assert list(table["status"]) == ["failed", "done"]
    assert table["error"][0].startswith("held_out = 0.001 of 200 samples")
    assert np.isnan(table["mcc"][0])
    assert "sweep: an ensemble of 1 failed: ValueError" in capsys.readouterr().out
    assert len(list(tmp_path.glob("*.json"))) == 1


def test_a_diverged_run_is_a_row(tmp_path):
    wild = SMALL | {"steps": 200}
    with np.errstate(all="ignore"):
        table = sweep(
            [Run.of(**wild), Run.of(**wild, learning_rate=1e30)], tmp_path, progress=False
        )
    assert list(table["status"]) == ["done", "diverged"]
    assert "is no longer finite in step" in table["error"][1]


def test_when_all_of_an_ensemble_diverge_they_are_rows_too(tmp_path):
    table = sweep([Run.of(**SMALL, learning_rate=1e30)], tmp_path, progress=False)
    assert list(table["status"]) == ["diverged"]
    assert len(list(tmp_path.glob("*.json"))) == 1


def test_a_table_keeps_settings_and_results_apart(tmp_path):
    assert not set(FLAT_NAMES) & set(MEASURED)
    runs = grid(objective=["elbo", "importance-weighted"], held_out=[0.0, 0.2], **SMALL)
    table = sweep(runs, tmp_path, progress=False)
    assert list(table["objective"]) == ["elbo"] * 2 + ["importance-weighted"] * 2
    assert list(table["held_out"]) == [0.0, 0.2, 0.0, 0.2]
    assert list(table["held_out_objective"].isna()) == [True, False, True, False]


def test_records_of_another_device_are_not_taken(tmp_path, monkeypatch):
    asked = []

    def here(runs, device, *options):
        asked.append(device)
        return train_ensemble(runs, "cpu", *options)

    monkeypatch.setattr("ivae.sweeps.sweep.train_ensemble", here)
    runs = grid(seed=range(2), **SMALL)
    for device in ("cpu", "cuda", "cpu", "cuda"):
        sweep(runs, tmp_path, device=device, progress=False)
    assert asked == ["cpu", "cuda"]
    names = {f"{_digest(runs, device)}.json" for device in asked}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert len(names) == 2


# As a sweep at commit 4dc8ef7 wrote it; settings that were the preset's own are null.
OLD = """{"format": 1, "name": "sweep", "settings": {"device": "cpu", "runs": [{"preset": "paper",
"data_seed": 1, "n_latents": 2, "n_observed": 3, "n_segments": 4, "samples_per_segment": 50,
"centred": true, "spread": null, "noise_variance": null, "one_matrix": null, "condition": null,
"common_factor": null, "nested": null, "mixing_activation": null, "source_family": null, "model":
"ivae", "seed": 0, "n_components": 1, "prior": "gaussian", "hidden": 8, "n_layers": 3, "activation":
"xtanh", "initialisation": "uniform", "decoder_layers": null, "decoder_variance": 0.01, "objective":
"elbo", "beta": 1.0, "weights": [1.0, 1.0, 1.0, 1.0], "estimator": "weighted", "n_draws": 8,
"epochs": 2, "steps": null, "batch_size": 16, "learning_rate": 0.01, "decay": "cosine", "patience":
0, "held_out": 0.0, "stop_after": null}]}, "values": {"status": ["diverged"], "error": ["why"],
"final_objective": ["NaN"], "elbo": ["NaN"], "mcc": [0.25], "mcc_sampled": [0.5], "seconds": [3.0],
"epochs": [1.0, 2.0], "curves": {"final_objective": [[-51.0], ["NaN"]], "mcc_sampled": [[0.25],
[0.5]]}}, "provenance": {"commit": "4dc8ef7", "date": "", "python": "", "packages": {}, "machine":
"", "seconds": null}}"""


def test_a_record_of_the_flat_runs_before_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("ivae.sweeps.sweep.train_ensemble", None)  # Nothing is trained.
    (tmp_path / "0123456789abcdef.json").write_text(OLD)
    (row,) = sweep([Run.of(**SMALL)], tmp_path, progress=False).to_dict("records")
    assert (row["mcc"], row["commit"], row["status"]) == (0.25, "4dc8ef7", "diverged")
    assert (row["mcc_curve"], row["noise_variance"]) == ([0.25, 0.5], 0.01)
    assert np.isnan(row["elbo"])
    assert len(list(tmp_path.iterdir())) == 1


def test_other_records_in_the_folder_are_named(tmp_path):
    save(Record("a chapter", {"mode": "fast"}, {}), tmp_path / "02_model.json")
    with pytest.raises(ValueError, match=r"02_model.json is no record of a sweep.*KeyError.*move"):
        sweep([Run.of(**SMALL)], tmp_path)


def test_no_runs_are_an_error(tmp_path):
    with pytest.raises(ValueError, match="runs must hold at least one Run; got none"):
        sweep([], tmp_path)


def test_a_row_says_what_it_cost_and_who_trained_it(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "_commit", lambda: "abc")
    began = time.perf_counter()
    first = sweep(grid(seed=range(3), **SMALL), tmp_path, progress=False)
    wall = time.perf_counter() - began
    assert (first["seconds"] > 0).all()
    assert first["seconds"].nunique() == 1  # Members of an ensemble share its time.
    assert first["seconds"].sum() < wall
    assert set(first["commit"]) == {"abc"}
    monkeypatch.setattr(records, "_commit", lambda: "def")
    both = sweep(grid(seed=range(4), **SMALL), tmp_path, progress=False)
    assert list(both["commit"]) == ["abc"] * 3 + ["def"]
    np.testing.assert_array_equal(both["seconds"][:3], first["seconds"])


def test_a_record_has_settings_and_curves_and_a_row_its_own(tmp_path):
    runs = grid(seed=range(2), **(SMALL | {"epochs": 3}))
    table = sweep(runs, tmp_path, progress=False)
    (path,) = tmp_path.glob("*.json")
    record = load(path)
    assert [run["seed"] for run in record.settings["runs"]] == [0, 1]
    curves = np.array(record.values["curves"]["mcc_sampled"])
    assert curves.shape == (3, 2)
    for member, curve in enumerate(table["mcc_curve"]):
        np.testing.assert_array_equal(curve, curves[:, member])
        assert curve[-1] == table["mcc_sampled"][member]
    assert table["mcc_curve"][0] != table["mcc_curve"][1]


class Cut(KeyboardInterrupt):
    """Ends a sweep as Ctrl-C does."""


def test_an_ensemble_that_was_cut_short_goes_on_to_the_same_numbers(tmp_path, monkeypatch):
    runs = grid(seed=range(2), data_seed=[1, 2], decay="plateau", **(SMALL | {"epochs": 5}))
    expected = sweep(runs, tmp_path / "uncut", progress=False)
    advance, made = Shard.advance, []

    def cut_in_the_third(shard, report):
        if len(made) == 2:
            raise Cut
        made.append(shard.step)
        advance(shard, report)

    folder = tmp_path / "cut"
    monkeypatch.setattr(Shard, "advance", cut_in_the_third)
    with pytest.raises(Cut):
        sweep(runs, folder, progress=False)
    (left,) = folder.iterdir()
    assert left.name.endswith(".unfinished")

    def counted(shard, report):
        made.append(shard.step)
        advance(shard, report)

    monkeypatch.setattr(Shard, "advance", counted)
    table = sweep(runs, folder, progress=False)
    assert len(made) == 5  # No epoch was trained twice.
    assert made == sorted(set(made))
    pd.testing.assert_frame_equal(table.drop(columns="seconds"), expected.drop(columns="seconds"))
    (record,) = folder.iterdir()
    assert record.suffix == ".json"


def test_other_runs_do_not_go_on_from_what_was_cut_short(tmp_path, monkeypatch):
    advance = Shard.advance

    def cut(shard, report):
        if shard.step:
            raise Cut
        advance(shard, report)

    monkeypatch.setattr(Shard, "advance", cut)
    with pytest.raises(Cut):
        sweep([Run.of(**SMALL)], tmp_path / "cut", progress=False)
    monkeypatch.setattr(Shard, "advance", advance)
    others = [Run.of(**SMALL, learning_rate=0.003)]
    found, expected = (sweep(others, tmp_path / name, progress=False) for name in ("cut", "new"))
    columns = ["seconds"]
    pd.testing.assert_frame_equal(found.drop(columns=columns), expected.drop(columns=columns))


def test_a_fit_keeps_the_models_of_its_runs(tmp_path):
    runs = grid(seed=[3, 5], data_seed=[1, 2], **SMALL)
    table = sweep(runs, tmp_path, progress=False)
    fitted = fit(runs, progress=False)
    assert fitted.model.seeds == tuple(run.seed for run in runs)
    assert [one.seed for one in fitted.datasets] == [run.data.seed for run in runs]
    np.testing.assert_allclose(fitted.history.elbo[-1], table["elbo"])
    latents = fitted.draw_latents()
    assert latents.shape == (4, 200, 2)
    posterior = fitted.model.infer(*data.stack(fitted.datasets)[:2])
    mean, deviation = posterior.mean.numpy(), np.exp(0.5 * posterior.log_variance.numpy())
    noise = (latents - mean) / deviation
    assert noise.std() == pytest.approx(1.0, abs=0.1)
    for member, one in enumerate(fitted.datasets):
        score = metrics.mcc(one.z, mean[member])
        assert fitted.history.mcc[-1, member] == pytest.approx(score, abs=1e-5)


def test_members_of_a_fit_draw_as_they_would_alone():
    runs = grid(seed=[3, 5], data_seed=[1, 2], **SMALL)
    together, alone = fit(runs, progress=False), fit(runs[2:3], progress=False)
    np.testing.assert_allclose(together.draw_latents()[2], alone.draw_latents()[0], atol=1e-3)
    shared = fit(runs[::2], progress=False)  # One dataset for both.
    np.testing.assert_allclose(shared.draw_latents()[1], alone.draw_latents()[0], atol=1e-3)


def test_a_fit_raises_what_its_training_does():
    with pytest.raises(EveryMemberDiverged, match="every member diverged"):
        fit([Run.of(**SMALL, learning_rate=1e30)], progress=False)


def test_a_scheduler_without_dask_says_what_is_needed(tmp_path, monkeypatch):
    monkeypatch.setattr("ivae.sweeps.sweep.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="a scheduler needs Dask: pip install"):
        sweep([Run.of(**SMALL)], tmp_path, scheduler="tcp://127.0.0.1:1", progress=False)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_killed_worker_costs_its_task_alone(tmp_path, capfd):
    """A real cluster; one of its two workers is killed while it trains."""
    runs = grid(seed=range(4), **(SMALL | {"epochs": 40}))
    expected = sweep(runs, tmp_path / "here", progress=False)
    memory = 1e-9  # One run an ensemble: four tasks.
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        workers = client.run(os.getpid)
        killed = []

        def kill(dask_scheduler):
            busy = [w for w in dask_scheduler.workers.values() if w.processing]
            return busy[0].address if busy else None

        def assassin():
            for _ in range(600):
                address = client.run_on_scheduler(kill)
                if address in workers:
                    time.sleep(0.3)  # In the middle of the training.
                    os.kill(workers[address], signal.SIGKILL)
                    killed.append(address)
                    return
                time.sleep(0.02)

        thread = threading.Thread(target=assassin)
        thread.start()
        table = sweep(runs, tmp_path / "there", scheduler=client, memory_gb=memory, progress=False)
        thread.join()
        assert len(killed) == 1
    assert len(list((tmp_path / "there").glob("*.json"))) == 4
    assert list(table["status"]) == ["done"] * 4
    np.testing.assert_allclose(table["elbo"], expected["elbo"], rtol=1e-3)

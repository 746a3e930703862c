"""A result comes back as it was written, byte for byte, or is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest

from companion.recorded import store
from companion.recorded.store import NotWhole, Result


def a_result(**changes):
    made = Result(
        "small",
        3,
        {"seeds": [1, 2, 3], "epochs": 5},
        [{"preset": "released", "seed": seed} for seed in (1, 2, 3)],
        {"mcc": np.array([0.5, np.nan, 0.25]), "elbo": np.array([-1.0, -np.inf, 1e-300])},
        {"curve": np.arange(6, dtype=np.float32).reshape(3, 2)},
        np.array([1.0, 2.0, 3.0]),
        np.array([0, 2]),
        {"mcc": np.array([0.5, 0.26]), "elbo": np.array([-1.0, 0.0])},
        {"commit": "abc", "seconds": 6.0},
    )
    return replace(made, **changes)


def test_what_is_read_is_what_was_written(tmp_path):
    made = a_result()
    store.save(made, tmp_path / "small")
    read = store.load(tmp_path / "small")
    assert (read.experiment, read.revision) == ("small", 3)
    assert read.settings == made.settings
    assert read.runs == made.runs
    for name in made.values:
        np.testing.assert_array_equal(read.values[name], made.values[name])
        np.testing.assert_array_equal(read.moved[name], made.moved[name])
    np.testing.assert_array_equal(read.arrays["curve"], made.arrays["curve"])
    np.testing.assert_array_equal(read.doubled, made.doubled)
    assert read.provenance == made.provenance


def test_equal_content_gives_equal_bytes(tmp_path):
    store.save(a_result(), tmp_path / "one")
    store.save(store.load(tmp_path / "one"), tmp_path / "two")
    for ending in (".json", ".npz"):
        first, second = (tmp_path / f"{name}{ending}" for name in ("one", "two"))
        assert first.read_bytes() == second.read_bytes()


def test_what_all_runs_share_is_written_once(tmp_path):
    store.save(a_result(), tmp_path / "small")
    content = json.loads((tmp_path / "small.json").read_text())
    assert content["common"] == {"preset": "released"}
    assert content["runs"] == {"seed": [1, 2, 3]}


def test_runs_with_other_names_are_refused(tmp_path):
    with pytest.raises(ValueError, match="must have the same names"):
        store.save(a_result(runs=[{"a": 1}, {"b": 1}, {"a": 2}]), tmp_path / "small")
    assert not list(tmp_path.iterdir())


def test_a_number_changed_by_hand_is_noticed(tmp_path):
    store.save(a_result(), tmp_path / "small")
    path = tmp_path / "small.json"
    path.write_text(path.read_text().replace("0.25", "0.95"))
    with pytest.raises(NotWhole, match="not as it was written"):
        store.load(tmp_path / "small")


def test_the_old_arrays_do_not_serve_a_new_result(tmp_path):
    """A process killed between the two files leaves a pair that is not whole."""
    store.save(a_result(), tmp_path / "small")
    old = (tmp_path / "small.npz").read_bytes()
    store.save(a_result(arrays={"curve": np.ones((3, 2), np.float32)}), tmp_path / "small")
    (tmp_path / "small.npz").write_bytes(old)
    with pytest.raises(NotWhole, match="is not the one that"):
        store.load(tmp_path / "small")
    (tmp_path / "small.npz").unlink()
    with pytest.raises(NotWhole, match="is not the one that"):
        store.load(tmp_path / "small")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 2}'])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "small.json").write_text(text)
    with pytest.raises(NotWhole):
        store.load(tmp_path / "small")


def test_without_arrays_there_is_one_file(tmp_path):
    store.save(a_result(), tmp_path / "small")
    store.save(a_result(arrays={}), tmp_path / "small")
    assert [path.name for path in tmp_path.iterdir()] == ["small.json"]
    assert store.load(tmp_path / "small").arrays == {}


def test_objects_are_not_packed(tmp_path):
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        store.save(a_result(arrays={"curve": np.array([None, 1, 2])}), tmp_path / "small")
    assert not list(tmp_path.iterdir())


def test_runs_are_chosen_by_what_they_are():
    made = a_result(runs=[{"model": m} for m in ("ivae", "vae", "ivae")])
    some = made.where(model="ivae")
    assert len(some) == 2
    np.testing.assert_array_equal(some.values["mcc"], [0.5, 0.25])
    np.testing.assert_array_equal(some.arrays["curve"], [[0, 1], [4, 5]])
    with pytest.raises(ValueError, match="no run of small has"):
        made.where(model="gan")


def test_the_table_has_a_row_for_each_run():
    table = a_result().table
    assert list(table.columns) == ["preset", "seed", "mcc", "elbo"]
    assert table.seed.tolist() == [1, 2, 3]

"""Each step between the protocols is one change, and the paper's grid has its size."""

from itertools import pairwise

from companion.c09.settings import GRID, ladder, turned_back
from companion.protocols import contenders, run_of
from ivae.data import PRESETS
from ivae.objectives import Bound
from ivae.sweeps.runs import FLAT_NAMES, Run, grid

LAW = ("spread", "noise_variance", "one_matrix")


def law(run):
    """The law of a run's data, whichever generator draws them."""
    return {name: getattr(run.data, name) for name in PRESETS["paper"]}


def differences(one, other):
    return {name for name in FLAT_NAMES if one.values[name] != other.values[name]}


def released_ivae():
    (ivae,) = [one for one in contenders("released") if one.model == "iVAE"]
    return run_of("released", ivae)


def test_the_grid_has_48_settings_that_runs_take():
    assert len(set(grid(**GRID))) == 48


def test_the_ladder_starts_with_the_words_of_the_text():
    first = Run.of(**next(iter(ladder().values())))
    assert law(first) == PRESETS["paper"]
    assert (first.objective, first.decoder_variance) == (Bound(), 0.01)
    assert (first.network.activation, first.schedule.decay) == ("leaky-relu", "constant")


def test_each_rung_of_the_ladder_is_one_change():
    *rungs, last = (Run.of(**rung) for rung in ladder().values())
    changed = [differences(one, other) for one, other in pairwise(rungs)]
    for change in changed:
        # The decomposition's weights belong to its objective: one change in two fields.
        assert len(change - {"weights"}) == 1
        assert "weights" not in change or "objective" in change
    names = [name for change in changed for name in change]
    assert len(names) == len(set(names))
    assert differences(rungs[-1], last) == {"preset"}  # The generator, and not the law.
    assert law(last) == PRESETS["released"]
    assert (rungs[-1].data.preset, last.data.preset) == ("paper", "released")


def test_all_ways_to_the_released_protocol_end_at_one_run():
    *_, last = ladder().values()
    assert Run.of(**last) == Run.of(**turned_back()["as released"]) == released_ivae()


def test_what_is_turned_back_is_one_thing_each():
    runs = {name: Run.of(**settings) for name, settings in turned_back().items()}
    released = runs.pop("as released")
    assert len(set(runs.values())) == len(runs)
    for run in runs.values():
        assert len(differences(run, released)) == 1


def test_the_data_are_turned_back_to_the_texts():
    turned = [law(Run.of(**settings)) for settings in turned_back().values()]
    for name in LAW:
        assert PRESETS["released"] | {name: PRESETS["paper"][name]} in turned

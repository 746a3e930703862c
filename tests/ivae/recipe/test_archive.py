"""A file holds all of a fitted estimator and no code; a bad one is named, an old one refused."""

import io
import pickle
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from ivae import IVAE, Settings, data
from ivae.recipe.model import separator_of
from ivae.support import records

TINY = Settings(
    hidden=16, n_blocks=1, n_starts=2, n_steps=20, batch_size=128, n_steps_generative=20
)
TRUTH = data.generate("linear", 1, 2, 3, 8, 150, noise_variance=0.0)
X, U = TRUTH.x, np.array(["h", "b", "é", "a", "z", "k", "two words", "d"])[TRUTH.u]


def ivae(**changes):
    given = {"n_latents": 2, "settings": TINY, "random_state": 3, "progress": False}
    return IVAE(**given | changes)


@pytest.fixture(scope="module")
def fitted():
    return ivae().fit(X, U)


def test_a_file_holds_all_of_it(fitted, tmp_path):
    path = fitted.save(tmp_path / "new folder" / "model.pt")
    again = IVAE.load(path)
    np.testing.assert_array_equal(again.transform(X, U), fitted.transform(X, U))
    np.testing.assert_array_equal(
        again.recovery_.latents_of_starts(X), fitted.recovery_.latents_of_starts(X)
    )
    assert again.score(X, U) == fitted.score(X, U)
    for one, other in zip(again.sample(U), fitted.sample(U), strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.get_params() == fitted.get_params()
    assert again.classes_.dtype == fitted.classes_.dtype
    for name in ("agreement", "held_out", "elbo", "chosen", "seconds", "centre", "scale"):
        np.testing.assert_array_equal(
            getattr(again.recovery_, name), getattr(fitted.recovery_, name)
        )
    assert again.recovery_.elbo == fitted.recovery_.elbo
    assert asdict(again.settings) == asdict(fitted.settings)
    torch.load(path, weights_only=True)
    assert again.save(tmp_path / "again").stat().st_size == path.stat().st_size


def test_a_file_is_of_the_fit_not_of_parameters_set_since(tmp_path):
    one = ivae().fit(X, U)
    one.set_params(n_latents=1, family="laplace", settings=replace(TINY, hidden=99, n_blocks=0))
    again = IVAE.load(one.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.transform(X), one.transform(X))
    assert again.get_params() == one.get_params()


def test_an_interrupted_save_leaves_the_old_file(fitted, tmp_path, monkeypatch):
    path = fitted.save(tmp_path / "model")
    before, other = path.read_bytes(), ivae().fit(X, U[::-1])

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(records.os, "fsync", interrupt)  # The bytes are written by then.
    with pytest.raises(KeyboardInterrupt):
        other.save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def altered(path, change):
    """A file like the one at path, its content changed by ``change``."""
    content = torch.load(path, weights_only=True)
    change(content)
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda c: c.update(format=1),
            "has format 1, of another version of ivae; this one reads 2",
        ),
        (lambda c: c.pop("format"), "is no saved IVAE: it has no field 'format'"),
        (lambda c: c.pop("centre"), "is damaged: it has no field 'centre'"),
        (lambda c: c["trained"].pop("seeds"), "is damaged: it has no field 'seeds'"),
        (lambda c: c["trained"].update(family="cauchy"), "damaged: family must be one of"),
        (lambda c: c["trained"].update(chosen=7), "damaged: "),
        (lambda c: c["trained"].update(n_latents=3), "damaged: .*size mismatch"),
        (lambda c: c["parameters"]["settings"].update(hidden=0), "damaged: hidden must be"),
        (lambda c: c["parameters"].update(other=1), "damaged: .*other"),
        (lambda c: c["model"].pop("prior_net.values"), "damaged: .*prior_net.values"),
        (lambda c: c["scale"].fill_(torch.nan), "damaged: scale has 3 NaN"),
        (lambda c: c["classes"][1].pop(), "damaged: .*size mismatch"),
    ],
)
def test_a_bad_file_is_named(fitted, tmp_path, change, message):
    path = fitted.save(tmp_path / "model")
    path.write_bytes(altered(path, change))
    with pytest.raises(ValueError, match=rf"(?s)model {message}|model is {message}"):
        IVAE.load(path)


def test_damaged_and_other_files_are_named(fitted, tmp_path):
    path = fitted.save(tmp_path / "model")
    sound = path.read_bytes()
    for bad in (b"", b"text", sound[: len(sound) // 2], pickle.dumps(fitted.get_params())):
        path.write_bytes(bad)
        with pytest.raises(ValueError, match="model is no saved IVAE, or damaged"):
            IVAE.load(path)
    weight = separator_of(fitted.recovery_.model).first.weight.detach().numpy().tobytes()
    for place in (sound.index(weight) + 10, sound.index(b"random_state") + 3):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
        with pytest.raises(ValueError, match="model is no saved IVAE, or damaged"):
            IVAE.load(path)
    torch.save([1, 2], path)
    with pytest.raises(ValueError, match="model is no saved IVAE"):
        IVAE.load(path)
    with pytest.raises(FileNotFoundError):
        IVAE.load(tmp_path / "none")


def test_labels_that_a_file_cannot_hold_are_named(tmp_path):
    days = np.datetime64("2020-01-01") + TRUTH.u
    one = ivae().fit(X, days)
    assert one.transform(X, days).shape == (1200, 2)
    with pytest.raises(ValueError, match=r"numbers, booleans or texts; got datetime64\[D\]"):
        one.save(tmp_path / "model")
    assert not (tmp_path / "model").exists()

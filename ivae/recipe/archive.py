"""A fitted recipe in one file: weights, settings and labels, and no code.

Written atomically; read without running anything that the file holds.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ivae.families import FAMILIES, family_named
from ivae.recipe.model import compose, separator_of
from ivae.recipe.recovery import Recovery
from ivae.recipe.stages import HeldOut, Settings
from ivae.support.checks import finite_array, one_of
from ivae.support.records import write_atomically

FORMAT = 2  # Version of the file format; a reader refuses another.


class Saved(NamedTuple):
    """What a file holds.

    Attributes
    ----------
    parameters
        Those of the estimator, by name; ``settings`` is a :class:`ivae.recipe.stages.Settings`.
    classes
        Labels of the segments, (M,).
    recovery
        What the fit found.
    """

    parameters: Mapping[str, Any]
    classes: NDArray[Any]
    recovery: Recovery


def write(path: str | Path, saved: Saved) -> Path:
    """Write one file; the old one stays, or the new one is whole.

    Raises
    ------
    ValueError
        For labels that are neither numbers, booleans nor texts.
    """
    if saved.classes.dtype.kind not in "biufU":
        raise ValueError(
            f"a file can hold labels that are numbers, booleans or texts; got "
            f"{saved.classes.dtype} values."
        )
    found, net = saved.recovery, separator_of(saved.recovery.model)
    content = {
        "format": FORMAT,
        "parameters": {**saved.parameters, "settings": asdict(saved.parameters["settings"])},
        "classes": (str(saved.classes.dtype), saved.classes.tolist()),
        "trained": {
            # Of the fit: the parameters may have been set anew since.
            "family": found.model.family.name,
            "n_latents": found.model.n_latents,
            "network": (net.hidden, net.n_blocks, net.activation),
            "seeds": list(found.starts.seeds),
            "chosen": found.chosen,
            "elbo": found.elbo,
            "seconds": found.seconds,
        },
        "held_out": [torch.as_tensor(part) for part in found.held_out],
        "agreement": torch.as_tensor(found.agreement),
        "centre": torch.as_tensor(found.centre),
        "scale": torch.as_tensor(found.scale),
        "model": found.model.state_dict(),
        "starts": found.starts.state_dict(),
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return write_atomically(path, buffer.getvalue())


def read(path: str | Path) -> Saved:
    """Return what :func:`write` wrote.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the file holds something else, is damaged, or is of another format's version.
    """
    written = Path(path).read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(written)) as archive:  # torch checks no checksums.
            if archive.testzip():
                raise zipfile.BadZipFile("a checksum differs")
        content = torch.load(io.BytesIO(written), map_location="cpu", weights_only=True)
    except Exception as error:  # Whatever torch makes of bytes that are no file of its own.
        raise ValueError(
            f"{path} is no saved IVAE, or damaged: it cannot be read as a file of torch "
            f"({type(error).__name__})."
        ) from error
    if not isinstance(content, dict) or "format" not in content:
        raise ValueError(f"{path} is no saved IVAE: it has no field 'format'.")
    if content["format"] != FORMAT:
        raise ValueError(
            f"{path} has format {content['format']!r}, of another version of ivae; this one reads "
            f"{FORMAT}. Load it with the version that wrote it, or fit the estimator again."
        )
    try:
        return _revived(content)
    except KeyError as error:
        raise ValueError(f"{path} is damaged: it has no field {error}.") from error
    except (ValueError, TypeError, RuntimeError, AttributeError, IndexError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def _revived(content: Mapping[str, Any]) -> Saved:
    dtype, classes = content["classes"]
    trained = content["trained"]
    centre, scale, agreement = (
        finite_array(name, content[name].numpy(), ("N",), np.float64)
        for name in ("centre", "scale", "agreement")
    )
    seeds, chosen = trained["seeds"], trained["chosen"]
    family = family_named(one_of("family", trained["family"], FAMILIES))
    sizes, log_share = (len(centre), trained["n_latents"]), torch.zeros(len(classes))
    model, starts = (
        compose(members, *sizes, log_share, family, *trained["network"])[0]
        for members in ([seeds[chosen]], seeds)
    )
    model.load_state_dict(content["model"])
    starts.load_state_dict(content["starts"])
    held_out = HeldOut(*(part.numpy() for part in content["held_out"]))
    recovery = Recovery(
        model=model,
        starts=starts,
        held_out=held_out,
        chosen=chosen,
        agreement=agreement,
        elbo=tuple(trained["elbo"]),
        centre=centre,
        scale=scale,
        seconds=trained["seconds"],
    )
    parameters = dict(content["parameters"])
    parameters["settings"] = Settings(**parameters["settings"])
    return Saved(parameters, np.array(classes, dtype), recovery)

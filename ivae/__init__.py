"""Identifiable VAEs: their data, models, training and scores, and the theorems that cover them.

>>> import ivae
>>> data = ivae.generate("linear", seed=1, n_latents=2, n_observed=2, n_segments=10)
>>> model = ivae.ivae(2, 2, 10, seeds=[0, 1])
>>> history = ivae.train(model, data.x, data.u, schedule=ivae.Schedule(epochs=1), progress=False)
>>> model.infer(data.x, data.u).mean.shape
torch.Size([2, 10000, 2])

What an iVAE is, and how it is trained, can be read top to bottom: ``families``, ``mixing``,
``data``, ``nets``, ``likelihoods``, ``models``, ``objectives``, ``schedules``, ``training``,
``metrics``, ``estimator``. ``train`` hides ``engine``, :class:`IVAE` hides ``recipe``, and neither
has to be opened.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivae import theory
    from ivae.data import generate
    from ivae.estimator import IVAE
    from ivae.metrics import mcc, rotation_floor
    from ivae.models import ivae, vae
    from ivae.recipe.stages import Settings
    from ivae.schedules import Schedule
    from ivae.sweeps.sweep import sweep
    from ivae.training import train

__version__ = "0.1.0"
__all__ = [
    "IVAE",
    "Schedule",
    "Settings",
    "generate",
    "ivae",
    "mcc",
    "rotation_floor",
    "sweep",
    "theory",
    "train",
    "vae",
]
_HOMES = {
    "IVAE": "estimator",
    "Schedule": "schedules",
    "Settings": "recipe.stages",
    "generate": "data",
    "ivae": "models",
    "mcc": "metrics",
    "rotation_floor": "metrics",
    "sweep": "sweeps.sweep",
    "train": "training",
    "vae": "models",
}


def __getattr__(name: str) -> Any:
    """Import a name, or a module, when it is first asked for: most users need few of them."""
    if name in _HOMES:
        found = getattr(import_module(f"ivae.{_HOMES[name]}"), name)
    elif name in _modules():
        found = import_module(f"ivae.{name}")
    else:
        raise AttributeError(f"module 'ivae' has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*__all__, *_modules(), "__version__"})


def _modules() -> list[str]:
    return [module.name for module in iter_modules(__path__)]

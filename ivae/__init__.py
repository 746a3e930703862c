"""Everything the book computes; see the table of modules in the README.

``ivae.IVAE`` is the recipe of chapter 14 for your own data, :class:`ivae.estimator.IVAE`.
"""

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import the estimator when it is asked for: most of the book does without scikit-learn."""
    if name == "IVAE":
        from ivae.estimator import IVAE

        return IVAE
    raise AttributeError(f"module 'ivae' has no attribute {name!r}")

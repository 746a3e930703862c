"""For chapter 13: what the objective prefers to the truth.

May import ivae and the shared modules of companion; imported by chapter 13 alone.
"""

from companion.c13 import diagnosis, drift, experiments, figures, truth

__all__ = ["diagnosis", "drift", "experiments", "figures", "truth"]

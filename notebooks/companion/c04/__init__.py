"""For chapter 4: one training, recorded and in pictures.

May import ivae and the shared modules of companion; imported by chapter 4 alone.
"""

from companion.c04 import experiments, figures
from companion.c04.baselines import baselines

__all__ = ["baselines", "experiments", "figures"]

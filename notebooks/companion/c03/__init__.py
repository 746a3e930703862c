"""For chapter 3: what breaks the conditions of the theorems.

May import ivae and the shared modules of companion; imported by chapter 3 alone.
"""

from companion.c03 import bounds, erasing_noise, experiments, figures, level_sets

__all__ = ["bounds", "erasing_noise", "experiments", "figures", "level_sets"]

"""For chapter 10: whether there is a step where the theorem begins.

May import ivae and the shared modules of companion; imported by chapter 10 alone.
"""

from companion.c10 import bounds, by_setting, experiments, figures, increments, two_segments

__all__ = ["bounds", "by_setting", "experiments", "figures", "increments", "two_segments"]

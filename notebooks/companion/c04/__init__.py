"""For chapter 4: one training, in pictures.

May import ivae and the shared modules of companion; imported by chapter 4 alone.
"""

from companion.c04 import figures

__all__ = ["figures"]

"""For chapter 9: how much hangs on settings, in pictures.

May import ivae and the shared modules of companion; imported by chapter 9 alone.
"""

from companion.c09 import figures

__all__ = ["figures"]

"""Settings for all tests."""

import os

from hypothesis import settings

# No deadline: a loaded machine is slow, not wrong. In CI the examples are fixed, so that a run can
# be repeated; elsewhere they are new each time and look for what CI has not seen.
settings.register_profile("book", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("book")

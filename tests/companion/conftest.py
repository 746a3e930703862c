"""What tests of figures share."""

import matplotlib.pyplot as plt
import pytest

from companion import style


@pytest.fixture
def book_style():
    """Draw in the book's style, and close every figure afterwards."""
    style.use_style()
    yield
    plt.close("all")

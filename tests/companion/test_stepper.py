"""A stepper's page holds all frames, one of them seen; what a page cannot carry is refused."""

import base64
from html.parser import HTMLParser
from io import BytesIO

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from companion import stepper
from companion.stepper import Frame, Stepper


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def of(self, name):
        return [attributes for tag, attributes in self.found if tag == name]


def frames(n=3):
    return [Frame(f"{i} < 9", bytes([i]), f'"{i}" & more') for i in range(n)]


def test_the_page_holds_every_frame_and_shows_the_first_chosen():
    tags = Tags(Stepper(frames(4), "How <many>", start=2)._repr_html_())
    images = tags.of("img")
    assert [image["alt"] for image in images] == [frame.alt for frame in frames(4)]
    assert [image["data-shown"] for image in images] == [frame.shown for frame in frames(4)]
    assert ["hidden" in image for image in images] == [True, True, False, True]
    for image, frame in zip(images, frames(4), strict=True):
        head, _, body = image["src"].partition(",")
        assert (head, base64.b64decode(body)) == ("data:image/png;base64", frame.png)
    (slider,) = tags.of("input")
    assert (slider["min"], slider["max"], slider["value"]) == ("0", "3", "2")
    assert slider["aria-valuetext"] == "2 < 9"
    assert "How <many>" in tags.text
    assert [tag for tag, _ in tags.found][:3] == ["div", "label", "input"]  # The label's own input.


def test_a_stepper_asks_for_nothing_outside_itself():
    page = Stepper(frames(), "Frame")._repr_html_()
    assert "http" not in page
    assert "<script" not in page


def test_a_stepper_as_text_is_short():
    shown = repr(Stepper([Frame(f"{i}°", bytes(1000), "x") for i in (0, 45, 90)], "Angle"))
    assert shown == "<slider 'Angle' over 3 pictures, 0° to 90°>"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (frames(25), "a stepper has 24 frames at most; got 25"),
        ([*frames(), Frame("5", bytes(40_001), "alt")], "frame 5 has 40001 bytes, more than 40000"),
    ],
)
def test_what_a_page_cannot_carry_is_named(given, message):
    with pytest.raises(ValueError, match=message):
        Stepper(given, "Frame")


def test_frames_of_the_largest_size_and_number_are_taken():
    largest = [Frame(str(i), bytes(stepper.MAX_BYTES), "alt") for i in range(24)]
    assert len(Tags(Stepper(largest, "Frame", 23)._repr_html_()).of("img")) == 24


def dots(value):
    figure, axis = plt.subplots(figsize=(4, 2))
    axis.scatter(*np.random.default_rng(value).standard_normal((2, 500)), c=range(500))
    return figure


def test_frames_are_drawn_one_at_a_time_and_closed():
    open_figures = []

    def draw(value):
        open_figures.append(len(plt.get_fignums()))
        return dots(value)

    made = stepper.draw_frames(draw, range(3), shown="{}!".format, alt="Dots, {}".format)
    assert open_figures == [0, 0, 0]
    assert plt.get_fignums() == []
    assert [(frame.shown, frame.alt) for frame in made] == [
        (f"{i}!", f"Dots, {i}") for i in range(3)
    ]
    assert len({frame.png for frame in made}) == 3


def test_a_picture_is_the_figure_in_few_colours():
    figure = dots(0)
    small = stepper.picture(figure)
    image = Image.open(BytesIO(small))
    assert image.mode == "P"
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=120, facecolor="white")
    plt.close(figure)
    whole = Image.open(buffer)
    assert image.size == whole.size
    assert len(small) < 0.5 * len(buffer.getvalue())
    difference = np.subtract(image.convert("RGB"), whole.convert("RGB"), dtype=float)
    assert np.abs(difference).mean() < 3  # Of 255.

"""Finding and decoding images that belong to no data set."""

import threading

import numpy as np
import pytest
from builders import COLOURS, SIDE, picture, save
from PIL import Image

from fewlabels.core.errors import UserError
from fewlabels.data.images import DRAFT_FACTOR, decode_square
from fewlabels.data.intensities import FULL_RANGE, Intensities
from fewlabels.deployment.new_images import (
    CHUNK,
    Decoded,
    Decoding,
    NewImage,
    choose_intensities,
    decode,
    decode_ahead,
    find_images,
)

HOW = Decoding(SIDE, "stretch")


def images(count):
    return [NewImage(f"{number}", None) for number in range(count)]


def test_decoding_keeps_the_order_and_runs_no_further_ahead_than_it_may():
    started, release = [], threading.Event()

    def work(image):
        started.append(image.path)
        if image.path == "0":
            release.wait(5)
        return Decoded(image, None)

    found = decode_ahead(images(203), work, threads=3, ahead=40)
    release.set()
    for number in range(203):
        assert next(found).image.path == str(number)
        assert len(started) <= number + 40 + 2 * CHUNK
    with pytest.raises(StopIteration):
        next(found)


def test_decoding_stops_where_nobody_takes_more():
    started = []

    def work(image):
        started.append(image)
        return Decoded(image, None)

    found = decode_ahead(images(1000), work, threads=2, ahead=1)
    next(found)
    found.close()
    assert len(started) <= 3 * CHUNK


def test_a_large_jpeg_is_decoded_as_it_is_packed_and_still_looked_through(tmp_path):
    side = 2 * DRAFT_FACTOR * SIDE
    drawn = picture(COLOURS["Basophil"], 1, (side, side + 9))
    path = save(drawn, tmp_path / "large.jpg")
    found = decode(NewImage("large.jpg", path), HOW)
    assert (found.pixels == np.asarray(decode_square(path, SIDE, "stretch", 50))).all()
    content = bytearray(path.read_bytes())
    place = len(content) // 2
    content[place : place + 400] = bytes([0xFF, 0xD7] * 200)
    path.write_bytes(content)
    assert decode_square(path, SIDE, "stretch", 50)
    found = decode(NewImage("large.jpg", path), HOW)
    assert found.pixels is None
    assert "damaged" in found.problem


def test_of_several_pages_the_first_is_taken_and_said(tmp_path):
    pages = [picture(colour, 1) for colour in COLOURS.values()]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    found = decode(NewImage("stack.tif", tmp_path / "stack.tif"), HOW)
    assert found.note == "the first of 3 pages"
    assert (found.pixels == np.asarray(pages[0])).all()


def test_pages_that_are_channels_are_no_picture(tmp_path):
    pages = [picture(colour, 1).convert("L") for colour in COLOURS.values()]
    tags = {270: "ImageJ=1.53\nimages=3\nchannels=3\n"}
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:], tiffinfo=tags)
    found = decode(NewImage("a.tif", tmp_path / "a.tif"), HOW)
    assert "holds its colours as pages" in found.problem


@pytest.mark.parametrize("way", ["stretch", "crop", "pad"])
def test_every_way_of_making_square(tmp_path, way):
    path = save(picture(COLOURS["Basophil"], 1, (50, 20)), tmp_path / "a.png")
    found = decode(NewImage("a.png", path), Decoding(SIDE, way))
    assert (found.pixels == np.asarray(decode_square(path, SIDE, way, 50))).all()


def deep(tmp_path, highest, name="deep.png"):
    """A grey picture of 16 bits."""
    grey = np.linspace(0, highest, SIDE * SIDE).reshape(SIDE, SIDE).astype(np.uint16)
    path = tmp_path / name
    save(Image.fromarray(grey), path)
    return NewImage(name, path)


def chosen(found, wanted="model", known=None):
    return choose_intensities(found, wanted, known, 50, 2)


def test_white_is_what_it_is_in_the_training_images(tmp_path):
    known = Intensities(integer_white=4095.0, deep_files=3)
    image = deep(tmp_path, 900)
    assert chosen([image], known=known) == known
    found = decode(image, Decoding(SIDE, "stretch", intensities=known))
    assert found.pixels.max() == round(900 * 255 / 4095)


def test_where_these_do_not_say_all_deep_files_are_looked_at(tmp_path):
    found = [
        deep(tmp_path, 900),
        deep(tmp_path, 4000, "more.png"),
        NewImage("colours.png", save(picture((9, 9, 9), 1), tmp_path / "colours.png")),
        NewImage("gone.png", tmp_path / "gone.png"),
    ]
    assert chosen(found).integer_white == 4095
    known = Intensities(integer_white=65535.0)
    assert chosen(found, "auto", known).integer_white == 4095
    assert chosen(found[2:]) == FULL_RANGE


def test_white_may_be_said(tmp_path):
    assert chosen([], 1000.0, Intensities()).integer_white == 1000


def test_values_that_do_not_tell_are_one_line(tmp_path):
    grey = np.full((SIDE, SIDE), 1.3, np.float32)
    grey[0] = 0.25
    save(Image.fromarray(grey), tmp_path / "a.tif")
    with pytest.raises(UserError, match="neither shares nor counts; set --white-level"):
        chosen([NewImage("a.tif", tmp_path / "a.tif")])


def test_images_are_found_by_name_in_subfolders_and_whatever_they_are_called(tmp_path):
    for name in ("b/2.png", "a.PNG", "b/10.png"):
        save(picture((9, 9, 9), 1), tmp_path / name.replace("PNG", "png")).rename(tmp_path / name)
    save(picture((9, 9, 9), 1), tmp_path / "c.png").rename(tmp_path / "picture")
    found = find_images(tmp_path)
    assert [image.path for image in found.images] == ["a.PNG", "b/10.png", "b/2.png", "picture"]
    assert found.left_out == []

"""Encoded pictures against Pillow, which decodes them independently.

Both use libjpeg-turbo with the same accurate transform, so even JPEGs that are not
resized must agree to the bit.
"""

from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from tfmeta.data.pictures.checked import decode_checked
from tfmeta.data.pictures.decode import decode_picture, decode_pictures
from tfmeta.data.pictures.fit import fit_image
from tfmeta.data.pictures.format import PictureFormat

HEIGHT, WIDTH = 5, 7
FORM = PictureFormat(HEIGHT, WIDTH, 3)
TURNED = PictureFormat(WIDTH, HEIGHT, 3)
DRAWS = np.random.default_rng(0)
PIXELS = DRAWS.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
RGB = Image.fromarray(PIXELS)
GREY = RGB.convert("L")
RGBA = Image.fromarray(np.dstack([PIXELS, PIXELS[..., 1]]))
DEEP = Image.fromarray(DRAWS.integers(0, 2**16, (HEIGHT, WIDTH)).astype(np.uint16))


def palette(bits: int) -> Image.Image:
    return RGB.convert("P", palette=Image.Palette.ADAPTIVE, colors=2**bits)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def with_orientation(kind: str, orientation: int, endian: str) -> bytes:
    exif = Image.Exif()
    exif.endian = endian
    exif[0x010F], exif[0x0112], exif[0x0131] = "maker", orientation, "software"
    return encoded(RGB, kind, exif=exif)


def by_pillow(contents: bytes) -> np.ndarray:
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(contents)))
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return np.asarray(image.convert("RGB"))


FRAMES = [palette(4), *(palette(bits) for bits in (2, 3))]
ANIMATED = {"save_all": True, "append_images": FRAMES[1:], "duration": 20}
COLOUR = tuple(int(c) for c in PIXELS[1, 2])
FILES = {
    "jpeg": encoded(RGB, "JPEG"),
    "jpeg, progressive": encoded(RGB, "JPEG", progressive=True, subsampling=0),
    "jpeg, grey": encoded(GREY, "JPEG"),
    "jpeg, CMYK": encoded(RGB.convert("CMYK"), "JPEG"),
    "jpeg, long comment": encoded(RGB, "JPEG", comment=b"Exif\0\0MM" * 50),
    "png": encoded(RGB, "PNG"),
    "png, grey": encoded(GREY, "PNG"),
    "png, 1 bit": encoded(RGB.convert("1"), "PNG"),
    "png, 1 bit, clear": encoded(RGB.convert("1"), "PNG", transparency=255),
    "png, grey, alpha": encoded(RGBA.convert("LA"), "PNG"),
    "png, grey, clear": encoded(GREY, "PNG", transparency=int(GREY.getpixel((2, 1)))),
    "png, alpha": encoded(RGBA, "PNG"),
    "png, colour, clear": encoded(RGB, "PNG", transparency=COLOUR),
    "png, palette": encoded(palette(8), "PNG"),
    "png, palette, clear": encoded(palette(4), "PNG", transparency=3),
    "png, palette, alpha": encoded(
        palette(4), "PNG", transparency=bytes(range(0, 160, 10))
    ),
    "bmp": encoded(RGB, "BMP"),
    "bmp, grey": encoded(GREY, "BMP"),
    "bmp, palette": encoded(palette(8), "BMP"),
    "bmp, 32 bits": encoded(RGBA, "BMP"),
    "gif": encoded(palette(8), "GIF"),
    "gif, clear": encoded(palette(4), "GIF", transparency=2),
    "gif, comment, clear": encoded(
        palette(2), "GIF", transparency=1, comment=b"!\xf9\4" * 200, loop=3
    ),
    "gif, clear beyond the table": encoded(palette(2), "GIF", transparency=1).replace(
        b"!\xf9\4\1\0\0\1", b"!\xf9\4\1\0\0\x77"
    ),
    "gif, animated": encoded(FRAMES[0], "GIF", **ANIMATED),
    "gif, animated, clear": encoded(FRAMES[0], "GIF", transparency=1, **ANIMATED),
}
FILES |= {f"png, palette, {b} bits": encoded(palette(b), "PNG") for b in (1, 2, 4)}
FILES |= {f"gif, {b} bits": encoded(palette(b), "GIF") for b in (1, 2, 4)}


@pytest.fixture(scope="module")
def decode():
    """Decoders in a graph, by format."""
    return {
        form: tf.function(
            lambda contents, form=form: decode_pictures(contents, form),
            input_signature=[tf.TensorSpec((None,), tf.string)],
        )
        for form in (FORM, TURNED)
    }


def test_every_kind_is_as_by_pillow(decode):
    pictures = decode[FORM](tf.constant(list(FILES.values()))).numpy()
    for picture, (name, contents) in zip(pictures, FILES.items(), strict=True):
        np.testing.assert_array_equal(picture, by_pillow(contents), name)


@pytest.mark.parametrize("endian", "<>")
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_exif_turns_pictures(decode, kind, endian):
    files = [with_orientation(kind, number, endian) for number in range(10)]
    for numbers, form in (((0, 1, 2, 3, 4, 9), FORM), ((5, 6, 7, 8), TURNED)):
        pictures = decode[form](tf.constant([files[i] for i in numbers])).numpy()
        for picture, number in zip(pictures, numbers, strict=True):
            expected = by_pillow(files[number])
            np.testing.assert_array_equal(picture, expected, f"{number}")
    upright = by_pillow(files[1])
    np.testing.assert_array_equal(by_pillow(files[6]), np.rot90(upright, -1))


def test_of_16_bits_the_higher_8_count():
    picture = decode_picture(encoded(DEEP, "PNG"), FORM._replace(channels=1))
    np.testing.assert_array_equal(picture[..., 0], np.asarray(DEEP) >> 8)


def test_around_a_small_first_frame_all_is_white():
    small = bytearray(encoded(palette(3), "GIF"))
    small[6:10] = [WIDTH + 2, 0, HEIGHT + 1, 0]  # The size of the whole picture.
    at = small.index(b",\0\0\0\0")
    small[at + 1], small[at + 3] = 1, 1  # The frame's left and upper edge.
    expected = np.full((HEIGHT + 1, WIDTH + 2, 3), 255, np.uint8)
    expected[1:, 1:-1] = np.asarray(palette(3).convert("RGB"))
    got = decode_picture(bytes(small), PictureFormat(*expected.shape))
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_size_channels_and_inversion(channels):
    form = PictureFormat(2, 3, channels, inverted=True)
    names = ["jpeg, grey", "png, alpha", "bmp"]
    pictures = decode_pictures([FILES[name] for name in names], form)
    for picture, name in zip(pictures, names, strict=True):
        fitted = fit_image(by_pillow(FILES[name]), size=(2, 3), channels=channels)
        np.testing.assert_array_equal(picture, 255 - fitted.numpy(), name)


def test_grey_stays_as_it_is_stored():
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    picture = decode_picture(
        encoded(Image.fromarray(ramp), "PNG"), PictureFormat(16, 16, 1)
    )
    np.testing.assert_array_equal(picture[..., 0], ramp)


@pytest.mark.parametrize("times", [2, 4, 8, 16])
def test_a_large_jpeg_is_the_average_of_its_areas(times):
    """The decoder's own averages differ from exact ones by little, on smooth colours.

    A picture of few frequencies is used, since a smaller decoding leaves out others.
    """
    rows, columns = np.mgrid[0 : 8 * times, 0 : 8 * times] / (8 * times)
    large = np.stack([rows, columns, rows * columns], -1)
    large = (40 + 180 * large).astype(np.uint8)
    contents = encoded(Image.fromarray(large), "JPEG", quality=95, subsampling=0)
    picture = decode_picture(contents, PictureFormat(8, 8, 3)).numpy()
    expected = large.reshape(8, times, 8, times, 3).mean(axis=(1, 3))
    assert np.abs(picture - expected).max() <= 3


def test_one_at_a_time_or_none():
    every = decode_pictures([FILES["png"], FILES["jpeg"]], FORM)
    np.testing.assert_array_equal(decode_picture(FILES["jpeg"], FORM), every[1])
    assert decode_pictures(tf.zeros((0,), tf.string), FORM).shape == (0, *FORM.shape)


BROKEN = {
    "empty": b"",
    "text": b"no picture",
    "webp": encoded(RGB, "WEBP"),
    "bmp, 1 bit": encoded(RGB.convert("1"), "BMP"),
    "bmp, packed": FILES["bmp, palette"][:30] + b"\1" + FILES["bmp, palette"][31:],
}
BROKEN |= {f"{kind}, cut": FILES[kind][:-30] for kind in ("jpeg", "png", "bmp", "gif")}
BROKEN |= {f"{kind}, head": FILES[kind][:20] for kind in ("jpeg", "png", "bmp", "gif")}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_whole_picture_is_refused(decode, name):
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode[FORM](tf.constant([FILES["png"], BROKEN[name]]))


def test_other_kinds_are_handed_on():
    pictures = decode_pictures(
        [FILES["png"], b"?", BROKEN["bmp, 1 bit"]],
        FORM,
        other=lambda one: tf.fill((2, 2, 3), tf.cast(tf.strings.length(one), tf.uint8)),
    )
    np.testing.assert_array_equal(pictures[0], PIXELS)
    assert np.unique(pictures[1]).tolist() == [1]
    assert np.unique(pictures[2]).tolist() == [len(BROKEN["bmp, 1 bit"])]


class Served(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name="images")])
    def answer(self, images):
        pixels, holds, sentence = decode_checked(images, FORM, what="query_images")
        return {"pixels": pixels, "holds": holds, "sentence": sentence}


def test_a_saved_model_names_the_first_broken_picture(tmp_path):
    served = Served()
    tf.saved_model.save(served, tmp_path, signatures=served.answer)
    answer = tf.saved_model.load(tmp_path).signatures["serving_default"]
    good = [FILES["jpeg"], FILES["gif, clear"], FILES["png, alpha"]]
    expected = decode_pictures(good, FORM).numpy()
    for files, broken in (
        (good, None),
        ([], None),
        ([BROKEN["text"]], 0),
        ([good[0], BROKEN["png, cut"], good[2]], 1),
        ([*good, b"", b""], 3),
        (list(BROKEN.values()), 0),
    ):
        found = answer(images=tf.constant(files, tf.string, (len(files),)))
        assert found["holds"].numpy() == (broken is None)
        assert found["pixels"].shape == (len(files), *FORM.shape)
        for file, pixels in zip(files, found["pixels"].numpy(), strict=True):
            whole = expected[good.index(file)] if file in good else np.zeros(FORM.shape)
            np.testing.assert_array_equal(pixels, whole)
        sentence = found["sentence"].numpy().decode()
        if broken is not None:
            assert sentence.startswith(f"query_images has in place {broken} bytes that")

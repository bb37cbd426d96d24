"""Pictures in folders: what is read, in which order, and what is refused."""

from __future__ import annotations

import builtins
import pathlib
import random
import warnings

import numpy as np
import pytest
from PIL import Image

from tfmeta.data import from_folder, load

PARTS = ("train", "val", "test")
ALL = {"split": (1.0, 0.0, 0.0)}
DRAWS = np.random.default_rng(0)


def pixels(height: int = 6, width: int = 6) -> np.ndarray:
    return DRAWS.integers(0, 256, (height, width, 3)).astype(np.uint8)


def put(root: pathlib.Path, *paths: str) -> dict[str, np.ndarray]:
    """Writes a PNG of noise under each path."""
    written = {}
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        written[path] = pixels()
        Image.fromarray(written[path]).save(root / path)
    return written


def one(root: pathlib.Path, picture: Image.Image, name: str = "a.png", **options):
    """The pixels that a picture of the only class is read as."""
    (root / "only").mkdir()
    picture.save(root / "only" / name, **options.pop("save", {}))
    options = {"image_size": picture.width, **ALL, **options}
    return from_folder(root, **options).train.x[0]


@pytest.fixture
def three(tmp_path):
    """Classes owl (2 pictures), tit (1) and wren (3)."""
    paths = [f"wren/{i}.png" for i in range(3)]
    return put(tmp_path, *paths, "tit/x.png", "owl/a.png", "owl/b.png")


def test_a_sub_folder_is_a_class(three, tmp_path):
    part = from_folder(tmp_path, image_size=6, **ALL).train
    assert part.class_names == ("owl", "tit", "wren")
    assert part.counts.tolist() == [2, 1, 3]
    assert part.x.dtype == np.uint8
    for row, path in enumerate(sorted(three)):
        np.testing.assert_array_equal(part.x[row], three[path])


def test_by_name_with_every_option(three, tmp_path, monkeypatch):
    options = {"image_size": 4, "channels": 1, "rotations": True, "seed": 5}
    asked = from_folder(tmp_path, split=(0.4, 0.3, 0.3), **options)
    monkeypatch.chdir(tmp_path.parent)
    for name, where in (
        (f"folder:{tmp_path}", None),
        (f"folder:{tmp_path.name}", None),
        ("folder:.", tmp_path),
    ):
        monkeypatch.chdir(tmp_path if where else tmp_path.parent)
        named = load(name, data_dir=where, split="0.4,0.3,0.3", **options)
        for part in PARTS:
            ours, theirs = getattr(named, part), getattr(asked, part)
            np.testing.assert_array_equal(ours.x, theirs.x)
            assert ours.class_names == theirs.class_names
            assert ours.num_classes == 4 and ours.example_shape == (4, 4, 1)


def test_data_dir_is_looked_in(three, tmp_path):
    source = load(f"folder:{tmp_path.name}", data_dir=tmp_path.parent, **ALL)
    assert source.train.num_classes == 3


def test_the_default_is_84_in_colour(three, tmp_path):
    assert from_folder(tmp_path).test.example_shape == (84, 84, 3)


def test_folders_above_are_the_splits(tmp_path):
    put(
        tmp_path,
        "train/owl/1.png",
        "train/tit/1.png",
        "val/jay/1.png",
        "test/emu/1.png",
    )
    source = from_folder(tmp_path, image_size=6)
    names = [getattr(source, part).class_names for part in PARTS]
    assert names == [("owl", "tit"), ("jay",), ("emu",)]
    with pytest.raises(ValueError, match=r"split must be None.*train.*Leave out split"):
        from_folder(tmp_path, split=(0.5, 0.5, 0))


def test_a_split_may_be_missing(tmp_path):
    put(tmp_path, "test/emu/1.png", "train/owl/1.png")
    source = from_folder(tmp_path, image_size=6)
    assert [getattr(source, part).num_classes for part in PARTS] == [1, 0, 1]
    assert source.val.example_shape == (6, 6, 3)


def test_classes_called_as_splits_are_classes(tmp_path):
    put(tmp_path, "train/1.png", "test/1.png", "car/1.png")
    names = from_folder(tmp_path, **ALL).train.class_names
    assert names == ("car", "test", "train")


def test_nested_folders_are_classes_named_by_their_path(tmp_path):
    put(tmp_path, "Latin/b/1.png", "Latin/a/1.png", "Greek/a/1.png", "Greek/z.png")
    part = from_folder(tmp_path, **ALL).train
    assert part.class_names == ("Greek", "Greek/a", "Latin/a", "Latin/b")
    lists = {"train": ["Latin"], "test": ["Greek/a"]}
    assert from_folder(tmp_path, split=lists).train.class_names == (
        "Latin/a",
        "Latin/b",
    )


def test_hidden_files_and_other_files_are_ignored(three, tmp_path):
    for path in ("._1.png", ".cache/1.png", "owl/._a.png", "owl/notes.txt", "read.me"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"no picture")
    (tmp_path / "owl" / "folder.png").mkdir()
    put(tmp_path, "owl/folder.png/deep.PNG")
    part = from_folder(tmp_path, **ALL).train
    assert part.class_names == ("owl", "owl/folder.png", "tit", "wren")
    assert part.counts.tolist() == [2, 1, 1, 3]


def test_the_order_is_not_that_of_the_file_system(three, tmp_path, monkeypatch):
    expected = from_folder(tmp_path, **ALL).train
    listed = pathlib.Path.iterdir

    def shuffled(self):
        entries = list(listed(self))
        random.Random(3).shuffle(entries)
        return iter(entries)

    monkeypatch.setattr(pathlib.Path, "iterdir", shuffled)
    again = from_folder(tmp_path, **ALL).train
    np.testing.assert_array_equal(again.x, expected.x)
    assert again.class_names == expected.class_names


def test_pictures_are_resized_whole(tmp_path):
    left_dark = np.zeros((20, 40, 3), np.uint8)
    left_dark[:, 20:] = 200
    x = one(tmp_path, Image.fromarray(left_dark), image_size=4)
    assert x[:, :, 0].tolist() == [[0, 0, 200, 200]] * 4


def test_exif_turns_a_picture(tmp_path):
    upright = pixels(8, 8)
    exif = Image.Exif()
    exif[0x0112] = 6  # To be turned clockwise when shown.
    lying = Image.fromarray(np.rot90(upright))
    np.testing.assert_array_equal(one(tmp_path, lying, save={"exif": exif}), upright)


def test_palettes_and_transparency(tmp_path):
    solid = np.repeat(np.repeat(pixels(2, 2), 3, 0), 3, 1)
    clear = np.dstack([solid, np.full((6, 6), 255, np.uint8)])
    clear[:3, :, 3] = 0  # Laid on white.
    clear[3, 0] = (0, 0, 0, 51)  # A fifth of black, four fifths of white.
    expected = solid.copy()
    expected[:3] = 255
    expected[3, 0] = 204
    rgba, palette = tmp_path / "rgba", tmp_path / "palette"
    rgba.mkdir()
    palette.mkdir()
    np.testing.assert_array_equal(one(rgba, Image.fromarray(clear)), expected)
    indexed = Image.new("P", (2, 1))
    indexed.putpalette([10, 20, 30, 40, 50, 60])
    indexed.putpixel((1, 0), 1)
    tall = indexed.resize((2, 2))
    x = one(palette, tall, name="a.gif", save={"transparency": 1})
    assert x[0].tolist() == [[10, 20, 30], [255, 255, 255]]


@pytest.mark.parametrize("ending", [".png", ".tif", ".pgm"])
def test_16_bit_grey_keeps_its_high_bits(tmp_path, ending):
    deep = np.array([[0, 255], [256, 65535]], np.uint16)
    picture = Image.fromarray(deep)
    x = one(tmp_path, picture, name=f"a{ending}", channels=1)
    assert x[:, :, 0].tolist() == [[0, 0], [1, 255]]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "CMYK", "YCbCr"])
def test_modes_become_grey_or_colour(tmp_path, mode):
    picture = Image.fromarray(np.full((4, 4, 3), 255, np.uint8)).convert(mode)
    name = "a.tif" if mode in ("CMYK", "YCbCr") else "a.png"
    x = one(tmp_path, picture, name=name)
    assert x.shape == (4, 4, 3) and x.min() >= 254
    assert from_folder(tmp_path, channels=1, **ALL).train.x.min() >= 254


def test_a_large_jpeg_is_about_its_average(tmp_path):
    halves = np.full((400, 400, 3), 40, np.uint8)
    halves[200:] = 220
    x = one(tmp_path, Image.fromarray(halves), name="a.JPG", image_size=8)
    assert np.abs(x[:4].astype(int) - 40).max() <= 3
    assert np.abs(x[4:].astype(int) - 220).max() <= 3


BROKEN = {
    "text": lambda path: path.write_bytes(b"no picture"),
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-60]),
    "float": lambda path: Image.new("F", (4, 4)).save(path, "TIFF"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_picture_is_named(three, tmp_path, how):
    BROKEN[how](tmp_path / "wren" / "1.png")
    with pytest.raises(
        ValueError, match=r"wren/1\.png' cannot be read.*skip_broken=True"
    ):
        from_folder(tmp_path, **ALL)
    with pytest.warns(UserWarning, match=r"left out \(1\): .*wren/1\.png\.$"):
        part = load(f"folder:{tmp_path}", image_size=6, skip_broken=True, **ALL).train
    assert part.counts.tolist() == [2, 1, 2]
    np.testing.assert_array_equal(part.x[-1], three["wren/2.png"])


def test_many_broken_pictures_are_counted(three, tmp_path):
    for i in range(12):
        (tmp_path / "wren" / f"bad{i:02}.png").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"left out \(12\): .*bad09\.png, \.\.\.\.$"):
        from_folder(tmp_path, skip_broken=True, **ALL)


def test_a_class_of_broken_pictures_alone_is_refused(three, tmp_path):
    (tmp_path / "tit" / "x.png").write_bytes(b"")
    with pytest.raises(ValueError, match="None of the pictures of the class 'tit'"):
        from_folder(tmp_path, skip_broken=True)


def test_nothing_is_warned_of_where_all_is_well(three, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        from_folder(tmp_path, skip_broken=True)


@pytest.mark.parametrize(
    ("paths", "sentence"),
    [
        ([], "must hold folders, one for each class.*Received: none"),
        (["a.png"], "Received: pictures such as 'a.png' beside them"),
        (["a.png", "owl/1.png"], "pictures such as 'a.png' beside"),
        (
            ["owl/1.png"],
            'A division into 3 parts needs as many classes.*are 1.*disjoint="examples"',
        ),
        (["owl/1.png", "tit/"], "tit' holds no picture"),
        (["owl/1.png", "tit/deep/"], "tit/deep' holds no picture"),
        (["train/owl/1.png", "test/owl/2.png"], "'owl' is in 'test' and 'train'"),
        (["train/owl/1.png", "val/"], "beside it .* Received: 'val'"),
        (["train/owl/1.png", "validation/a/1.png"], "Received: 'validation'"),
        (["train/owl/1.png", "test/1.png"], "Received: 'test'"),
        (
            ["train/owl/1.png", "train/2.png", "val/a/1.png", "val/3.png"],
            "train' holds folders of classes, and beside them the picture '2.png'",
        ),
    ],
)
def test_folders_that_do_not_do_are_refused(tmp_path, paths, sentence):
    put(tmp_path, *[path for path in paths if path.endswith(".png")])
    for path in paths:
        if path.endswith("/"):
            (tmp_path / path).mkdir(parents=True)
    with pytest.raises(ValueError, match=sentence):
        from_folder(tmp_path)


def test_parts_may_share_their_classes_if_they_say_so(tmp_path):
    for part in ("train", "val", "test"):
        put(tmp_path, f"{part}/ant/{part}.png", f"{part}/bee/{part}.png")
    source = load(f"folder:{tmp_path}", image_size=6, disjoint="examples")
    assert source.train.class_names == source.test.class_names == ("ant", "bee")
    assert source.disjoint == "examples"
    with pytest.raises(ValueError, match='share no class.*disjoint="examples"'):
        from_folder(tmp_path, image_size=6)
    (tmp_path / "val" / "bee" / "val.png").rename(tmp_path / "val" / "ant" / "b.png")
    (tmp_path / "val" / "bee").rmdir()
    with pytest.raises(ValueError, match="Give examples of all"):
        from_folder(tmp_path, image_size=6, disjoint="examples")


def test_other_refusals(three, tmp_path):
    with pytest.raises(ValueError, match="There is no folder .*none"):
        load(f"folder:{tmp_path}/none")
    with pytest.raises(ValueError, match="channels must be 1 or 3"):
        from_folder(tmp_path, channels=2)
    with pytest.raises(ValueError, match="image_size must be at least 1"):
        from_folder(tmp_path, image_size=0)


def test_without_pillow_the_extra_is_named(three, tmp_path, monkeypatch):
    imported = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] == "PIL":
            raise ImportError("No module named 'PIL'")
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    assert from_folder(tmp_path).train.num_classes == 1  # TensorFlow decodes these.
    (tmp_path / "wren" / "1.webp").write_bytes(b"")
    with pytest.raises(ImportError, match=r"tfmeta\[data\]"):
        from_folder(tmp_path, skip_broken=True)

"""Files of arrays: any damage is a sentence, and never other numbers."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.data import Split, frozen_episodes, load, save_episodes
from tfmeta.npz_files import read_npz, write_npz
from tfmeta.serving.checkpoint import load_checkpoint, save_checkpoint

STATE = {"step": 7, "best": 0.5, "callbacks": [{"wait": 2}]}
X = np.random.default_rng(0).integers(0, 256, (45, 3, 2, 1)).astype(np.uint8)
Y = np.repeat(np.arange(5), 9)
SPLIT = Split("test", X, Y, tuple("abcde"))
Read = Callable[[pathlib.Path], Any]


def variables(seed: int) -> dict[str, list[keras.Variable]]:
    draws = np.random.default_rng(seed)
    shapes = [(3, 3, 1, 4), (4,), (), (1,)]
    floats = [keras.Variable(draws.random(s).astype(np.float32)) for s in shapes]
    return {"learner": floats, "optimizer": [keras.Variable(seed, dtype="int64")]}


def checkpoint(path: pathlib.Path) -> Read:
    save_checkpoint(path, variables(1), STATE)
    groups = variables(2)

    def read(path):
        state = load_checkpoint(path, groups)
        return state, [v.numpy().tolist() for m in groups.values() for v in m]

    return read


def episodes(path: pathlib.Path) -> Read:
    save_episodes(path, SPLIT, way=3, shot=2, query=4, seed=5, count=4)

    def read(path):
        dataset = frozen_episodes(path, SPLIT, tasks=4).as_numpy_iterator()
        return [tf.nest.map_structure(lambda a: a.tolist(), batch) for batch in dataset]

    return read


def data(path: pathlib.Path) -> Read:
    np.savez(path, x=X, y=Y, class_names=np.array(list("abcde")))
    return sets


def compressed_data(path: pathlib.Path) -> Read:
    np.savez_compressed(path, x=X, y=Y, class_names=np.array(list("abcde")))
    return sets


def sets(path: pathlib.Path) -> list:
    source = load(f"npz:{path}", split=(0.4, 0.2, 0.4))
    parts = (source.train, source.val, source.test)
    return [(p.class_names, p.x.dtype, p.x.tolist(), p.y.tolist()) for p in parts]


KINDS = [checkpoint, episodes, data, compressed_data]


def refused(read: Read, path: pathlib.Path, content: bytes, right: Any) -> bool:
    """Whether the content is refused in one sentence; else it must be the right one."""
    path.write_bytes(content)
    try:
        assert read(path) == right
    except ValueError as error:
        assert str(path) in str(error) and "\n" not in str(error)
        return True
    return False


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_byte_gives_a_sentence_or_the_right_content(kind, tmp_path):
    path = tmp_path / "a.npz"
    read = kind(path)
    whole, right = path.read_bytes(), read(path)
    draws = np.random.default_rng(0)
    count = 100 if kind is episodes else 200
    found = []
    for _ in range(count):
        changed = bytearray(whole)
        changed[draws.integers(len(whole))] ^= draws.integers(1, 256)
        found.append(refused(read, path, bytes(changed), right))
    assert count / 2 < sum(found) < count


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_hidden_by_the_table_is_missed(kind, tmp_path):
    path = tmp_path / "a.npz"
    read = kind(path)
    whole, right = path.read_bytes(), read(path)
    # Each entry of the table begins with this; at byte 32 is the length of a comment.
    first, last = whole.find(b"PK\1\2"), whole.rfind(b"PK\1\2")
    place = whole.rfind(b"PK\1\2", first, last)
    changed = bytearray(whole)
    length = whole.find(b"PK\5\6") - last  # The last entry becomes a comment.
    changed[place + 32 : place + 34] = length.to_bytes(2, "little")
    assert refused(read, path, bytes(changed), right)


@pytest.mark.parametrize("kind", [checkpoint, data])
def test_a_damaged_shape_is_seen(kind, tmp_path):
    path = tmp_path / "a.npz"
    read = kind(path)
    whole, right = path.read_bytes(), read(path)
    shape = b"(4,)" if kind is checkpoint else b"(45,)"
    assert whole.count(shape) == 1
    changed = whole.replace(shape, shape.replace(b"4", b"3"))
    assert refused(read, path, changed, right)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_was_cut_is_refused(kind, tmp_path):
    path = tmp_path / "a.npz"
    read = kind(path)
    whole, right = path.read_bytes(), read(path)
    for end in np.random.default_rng(0).integers(len(whole), size=20):
        assert refused(read, path, whole[:end], right)
    assert refused(read, path, b"", right)


def test_a_line_break_in_a_name_breaks_no_sentence(tmp_path):
    path = tmp_path / "a.npz"
    read = data(path)
    whole, right = path.read_bytes(), read(path)
    place = whole.rfind(b"class_names.npy")
    assert refused(read, path, whole[:place] + b"\n" + whole[place + 1 :], right)


def test_a_zip_of_texts_holds_no_arrays(tmp_path):
    import zipfile

    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x", "hello")
    with pytest.raises(ValueError, match="its part x is no array"):
        read_npz(path)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "int64", "bool"])
def test_every_dtype_comes_back(dtype, compressed, tmp_path):
    kind = tf.as_dtype(dtype).as_numpy_dtype
    draws = np.random.default_rng(0)
    arrays = {
        name: (10 * draws.normal(size=shape)).astype(kind)
        for name, shape in (("a/0000", (3, 2)), ("a/0001", ()), ("b", (0, 4)))
    }
    write_npz(tmp_path / "a.npz", arrays, compressed=compressed)
    read = read_npz(tmp_path / "a.npz")
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        assert read[name].dtype == kind and read[name].shape == array.shape
        np.testing.assert_array_equal(read[name], array)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_checkpoint_of_short_floats_is_read(dtype, tmp_path):
    path = tmp_path / "a.npz"
    numbers = [1.5, -2.0, 0.1015625]  # 0.1 would be rounded.

    def group(values):
        return {"learner": [keras.Variable(values, dtype=dtype)]}

    save_checkpoint(path, group(numbers), STATE)
    read = group([0.0, 0.0, 0.0])
    assert load_checkpoint(path, read) == STATE
    assert read["learner"][0].numpy().astype(np.float32).tolist() == numbers


def test_a_net_under_bfloat16_comes_back(tmp_path):
    path = tmp_path / "a.npz"

    def net(seed):
        kernel = keras.initializers.GlorotUniform(seed)
        layer = keras.layers.Dense(3, dtype="bfloat16", kernel_initializer=kernel)
        layer.build((None, 2))
        return layer

    one, other = net(0), net(1)
    save_checkpoint(path, {"learner": one.variables}, STATE)
    load_checkpoint(path, {"learner": other.variables})
    x = np.eye(2, dtype=np.float32)
    assert (one(x).numpy() == other(x).numpy()).all() and one.dtype == "bfloat16"

"""One file of variables and state: whole, or the one before."""

from __future__ import annotations

import os
import shutil

import keras
import numpy as np
import pytest

from tfmeta.serving.checkpoint import load_checkpoint, save_checkpoint

STATE = {"step": 7, "best": -float("inf"), "callbacks": [{"wait": 2, "best": None}]}


def variables(seed: int, count: int = 12) -> dict[str, list[keras.Variable]]:
    """More than ten to a group, of every shape and type that occurs."""
    draws = np.random.default_rng(seed)
    floats = [keras.Variable(draws.random(place % 3 * (2,))) for place in range(count)]
    return {"learner": floats, "optimizer": [keras.Variable(seed, dtype="int64")]}


def values(groups: dict[str, list[keras.Variable]]) -> list:
    return [v.numpy().tolist() for members in groups.values() for v in members]


def test_what_was_saved_is_read(tmp_path):
    save_checkpoint(tmp_path / "a.npz", variables(1), STATE)
    read = variables(2)
    assert load_checkpoint(tmp_path / "a.npz", read) == STATE
    assert values(read) == values(variables(1))
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_groups_not_asked_for_are_left_alone(tmp_path):
    save_checkpoint(tmp_path / "a.npz", variables(1), STATE)
    read = variables(2)
    load_checkpoint(tmp_path / "a.npz", {"learner": read["learner"]})
    assert values(read)[:-1] == values(variables(1))[:-1]
    assert read["optimizer"][0].numpy() == 2


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    save_checkpoint(path, variables(1), STATE)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(OSError, match="full"):
            save_checkpoint(path, variables(2), {})
    read = variables(3)
    assert load_checkpoint(path, read) == STATE
    assert values(read) == values(variables(1))
    save_checkpoint(path, variables(2), {})  # What the failed write left is no harm.
    assert load_checkpoint(path, read) == {}
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_a_broken_file_is_one_sentence_and_changes_nothing(tmp_path):
    whole, broken = tmp_path / "a.npz", tmp_path / "b.npz"
    save_checkpoint(whole, variables(1), STATE)
    content = whole.read_bytes()
    draws = np.random.default_rng(0)
    size = len(content)
    cut = [content[:end] for end in (0, 1, 100, *draws.integers(size, size=12))]
    flipped = []
    for place in (0, *draws.integers(size, size=60)):
        changed = bytearray(content)
        changed[place] ^= 0xFF
        flipped.append(bytes(changed))
    read, refused = variables(2), 0
    before = values(read)
    for changed in [*cut, *flipped]:
        broken.write_bytes(changed)
        try:
            assert load_checkpoint(broken, read) == STATE
            # A byte that zip does not need, such as a date.
            assert values(read) == values(variables(1))
            read = variables(2)
        except ValueError as error:
            refused += 1
            assert str(broken) in str(error)
            assert "to start over" in str(error) or "other" in str(error)
            assert values(read) == before
    assert refused > len(cut) + len(flipped) / 3


def test_other_variables_are_refused_and_none_is_changed(tmp_path):
    path = tmp_path / "a.npz"
    save_checkpoint(path, variables(1), STATE)
    for read in (variables(2, count=11), variables(2)):
        if len(read["learner"]) == 12:
            read["learner"][-1] = keras.Variable(np.zeros(5))
        before = values(read)
        with pytest.raises(ValueError, match="holds other learner variables"):
            load_checkpoint(path, read)
        assert values(read) == before


def test_a_folder_that_is_gone_is_an_error(tmp_path):
    (tmp_path / "c").mkdir()
    shutil.rmtree(tmp_path / "c")
    with pytest.raises(OSError, match="No such file"):
        save_checkpoint(tmp_path / "c" / "a.npz", variables(1), STATE)

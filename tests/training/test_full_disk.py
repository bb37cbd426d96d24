"""A disk that takes no more: one sentence, and the last checkpoint is whole."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pathlib
import resource
from collections.abc import Iterator

import keras
import numpy as np
import pytest

from tfmeta import MetaModel
from tfmeta.data import from_arrays
from tfmeta.json_files import write_json
from tfmeta.learners import ProtoNet
from tfmeta.nets import fresh, mlp
from tfmeta.training import RunFolder, Stream, Trainer
from tfmeta.training.run.growing_file import GrowingFile

DRAWS = np.random.default_rng(0)
SOURCE = from_arrays(
    DRAWS.normal(size=(120, 5)).astype(np.float32),
    np.repeat(np.arange(20), 6),
    split=(0.5, 0.3, 0.2),
)
HELP = r"cannot be written \(.+\)\. If the disk is full, make room on it; else choose"


def limit(size: int) -> None:
    """Lets no file of this process grow beyond some bytes, as if the disk were full."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))


@contextlib.contextmanager
def unlimited_after() -> Iterator[None]:
    try:
        yield
    finally:
        limit(resource.getrlimit(resource.RLIMIT_FSIZE)[1])


class Fill(keras.callbacks.Callback):
    """Fills the disk after a step, or half a step later, as a validation begins."""

    def __init__(self, step, size):
        super().__init__()
        self.left, self.size = [step], size

    def on_train_batch_end(self, batch, logs=None):
        self.left[0] -= 1
        self.fill(0)

    def on_test_begin(self, logs=None):
        self.fill(0.5)

    def fill(self, left):
        if self.left[0] == left:
            limit(self.size())


def trainer(folder: pathlib.Path, callbacks=()) -> Trainer:
    net = fresh(mlp(units=(40, 4), input_shape=(5,)), seed=0)
    model = MetaModel(ProtoNet(net), task_map="loop")
    model.compile(keras.optimizers.Adam(0.05))
    return Trainer(
        model,
        SOURCE,
        RunFolder(folder),
        train=Stream(3, 1, 2, 2),
        validation=Stream(3, 1, 2, 4),
        steps=12,
        log_every=3,
        validate_every=4,
        checkpoint_every=5,
        callbacks=callbacks,
    )


def losses(folder: pathlib.Path) -> list[tuple[int, float]]:
    rows = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [(row["step"], row["loss"]) for row in rows if "loss" in row]


def size_of(pattern: str, folder: pathlib.Path) -> int:
    (file,) = folder.glob(pattern)
    return file.stat().st_size


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> pathlib.Path:
    """A run on a disk with room."""
    folder = tmp_path_factory.mktemp("whole")
    trainer(folder).run()
    return folder


# A file, after which step the disk is full, and how large a file may still be.
FILES = {
    "metrics.jsonl": (6, lambda folder: size_of("metrics.jsonl", folder) + 20),
    "tensorboard/.*events": (2, lambda folder: size_of("*/*/events*", folder)),
    "checkpoints/last.npz": (9, lambda folder: size_of("*/last.npz", folder) - 2000),
    "checkpoints/best.npz": (4.5, lambda folder: 4000),
}


@pytest.mark.parametrize("name", FILES)
def test_the_run_stops_with_a_sentence_and_goes_on_later(name, whole, tmp_path):
    step, size = FILES[name]
    full = Fill(step, lambda: size(tmp_path))
    with unlimited_after():
        with pytest.raises(OSError, match=f"{tmp_path}/{name}.* {HELP}"):
            trainer(tmp_path, [full]).run()
    assert not list(tmp_path.rglob(".*.partial"))
    if step > 4.5:  # The first checkpoints are of step 4.
        assert RunFolder(tmp_path).load_model("last")
        assert RunFolder(tmp_path).load_model("best")
    trainer(tmp_path).run()
    assert losses(tmp_path) == losses(whole)


def test_a_config_that_cannot_be_written_is_a_sentence(tmp_path):
    with unlimited_after():
        limit(100)
        with pytest.raises(OSError, match=f"{tmp_path}/prepare.keras {HELP}"):
            trainer(tmp_path).run()
    assert not (tmp_path / "config.json").exists()


def test_a_picture_that_cannot_be_written_is_a_sentence(tmp_path, monkeypatch):
    picture = {"episode": bytes(50_000)}
    where = "tfmeta.training.validation.validation_pictures"
    monkeypatch.setattr(where, lambda *_, **__: picture)
    with unlimited_after():
        limit(40_000)
        with pytest.raises(OSError, match=f"{tmp_path}/tensorboard/.*events.* {HELP}"):
            trainer(tmp_path).run()


def test_a_full_device_is_a_sentence():
    full = pathlib.Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    file = GrowingFile(full)
    with pytest.raises(OSError, match=rf"/dev/full {HELP}") as caught:
        file.write(b"a line\n")
    assert "No space left on device" in str(caught.value)
    file.close()


def test_json_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    sentence = f"{path} cannot be written .No space left.*The old file is unchanged.$"
    with pytest.raises(OSError, match=sentence):
        write_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    for there_is_none in (tmp_path / "b.json", tmp_path / "no folder" / "a.json"):
        with pytest.raises(OSError, match=f"{HELP}.* exists and is writable.$"):
            write_json(there_is_none, {})

"""Who drew what, checked against the recorded strokes of the pen."""

from __future__ import annotations

import pathlib
import zipfile

import numpy as np
import pytest

from tfmeta.data import from_arrays, load, with_rotations
from tfmeta.data.lake.drawers import DRAWERS, drawers_by_label, omniglot_drawers
from tfmeta.data.lake.trials import save_lake_trials
from tfmeta.data.pipeline.saved_episodes import frozen_episodes
from tfmeta.data.sources.tfds_source import prepared_builder


def strokes(archive: pathlib.Path) -> dict[tuple[str, int], np.ndarray]:
    """The pen's points of each drawing, `(points, 2)`, by label and drawer."""
    found = {}
    with zipfile.ZipFile(archive) as file:
        for name in file.namelist():
            if name.endswith(".txt") and "__MACOSX" not in name:
                alphabet, character, drawing = name.split("/")[1:]
                lines = file.read(name).decode().split()
                points = [line.split(",")[:2] for line in lines if "," in line]
                label = f"{alphabet}_{int(character.removeprefix('character')) - 1}"
                drawer = int(drawing.removesuffix(".txt").split("_")[1])
                found[label, drawer] = np.array(points, float)
    return found


@pytest.mark.parametrize("split", ["small1", "small2"])
def test_drawers_are_those_of_the_strokes(real_data, split: str) -> None:
    builder = prepared_builder("omniglot", real_data / "tfds", download=False)
    drawers = drawers_by_label(builder, split)
    pens = strokes(real_data / f"omniglot_strokes/strokes_background_{split}.zip")
    names, seen = builder.info.features["label"].names, dict.fromkeys(drawers, 0)
    on, elsewhere = [], []
    for row in builder.as_dataset(split=split).as_numpy_iterator():
        label = names[row["label"]]
        drawer = drawers[label][seen[label]]
        seen[label] += 1
        ink = row["image"][..., 0] < 128
        on.append(share(ink, pens[label, drawer]))
        elsewhere.append(share(ink, pens[label, drawer % DRAWERS + 1]))
    assert len(on) == len(pens)
    assert np.mean(np.array(on) > 0.9) > 0.99 and np.mean(on) > np.mean(elsewhere) + 0.4


def share(ink: np.ndarray, points: np.ndarray) -> float:
    """How much of the pen's way lies on ink, or a pixel beside it."""
    wide = np.zeros_like(ink)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            wide |= np.roll(ink, (down, right), (0, 1))
    column, row = np.clip(np.rint([points[:, 0], -points[:, 1]]).astype(int), 0, 104)
    return float(np.mean(wide[row, column]))


@pytest.fixture(scope="module")
def omniglot(real_data):
    return load("tfds:omniglot", data_dir=real_data / "tfds")


def test_a_trial_is_one_alphabet_of_two_people(omniglot, real_data, tmp_path) -> None:
    part, places = omniglot.test, {"data_dir": real_data / "tfds"}
    drawers = omniglot_drawers(part, **places)
    assert np.all(np.bincount(drawers)[1:] == part.num_classes)
    path = save_lake_trials(tmp_path / "lake.npz", part, **places)
    with np.load(path) as file:
        ids = np.stack([file["support"], file["query"]], axis=1)
    assert ids.shape == (20, 2, 20)
    for trial in ids:
        names = [[part.class_names[part.y[i]] for i in each] for each in trial]
        assert names[0] == names[1] and len(set(names[0])) == 20
        assert len({name.split("/")[0] for name in names[0]}) == 1
        (first,), (second,) = (set(drawers[each]) for each in trial)
        assert first != second
    assert len({tuple(trial.ravel()) for trial in ids}) == 20
    x, y = next(iter(frozen_episodes(path, part)))
    assert x["support_x"].shape[:2] == (1, 20) and np.all(y[0] == np.arange(20))
    again = save_lake_trials(tmp_path / "again.npz", part, seed=2, **places)
    with np.load(again) as file:
        assert np.any(file["support"] != ids[:, 0])


def test_turned_characters_are_nobodys(omniglot, real_data) -> None:
    part = with_rotations(omniglot.test)
    drawers = omniglot_drawers(part, data_dir=real_data / "tfds")
    turned = np.array(["/rot" in part.class_names[c] for c in part.y])
    assert np.all((drawers == 0) == turned)


def test_other_parts_are_refused(omniglot, real_data) -> None:
    places = {"data_dir": real_data / "tfds"}
    with pytest.raises(ValueError, match="own test part. Received: part 'val' with"):
        omniglot_drawers(omniglot.val, **places)
    x = np.zeros((40, 4, 4, 1), np.uint8)
    own = from_arrays(x, np.repeat(np.arange(10), 4)).test
    with pytest.raises(ValueError, match=r"at least 1. Received: 0\."):
        save_lake_trials("never.npz", own, count=0)
    with pytest.raises(ValueError, match="Load tfds:omniglot without a split"):
        omniglot_drawers(own, **places)


def test_records_in_another_order_are_refused(real_data, monkeypatch) -> None:
    builder = prepared_builder("omniglot", real_data / "tfds", download=False)
    whole = type(builder).as_dataset
    monkeypatch.setattr(
        type(builder), "as_dataset", lambda *a, **k: whole(*a, **k).skip(1)
    )
    with pytest.raises(ValueError, match="do not lie in the order"):
        drawers_by_label(builder, "small1")

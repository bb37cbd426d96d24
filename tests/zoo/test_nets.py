"""Each net that ships, scored anew on other tasks than its card's."""

from __future__ import annotations

import functools
import json
import math
import pathlib
import re

import numpy as np
import pytest

import tfmeta
from tfmeta import zoo
from tfmeta.apps import runs
from tfmeta.data import Source
from tfmeta.data.lake.trials import save_lake_trials
from tfmeta.json_files import read_json
from tfmeta.zoo import catalogue

NAMES = zoo.names()
EPISODES = 200
PROTOCOLS = {"lake": "Lake's test"}  # As README calls their columns.
README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
DATA = ("dataset", "split", "rotations", "image_size", "channels", "data_seed")


@functools.cache  # Several nets have the same data.
def read_once(data: str) -> Source:
    return runs.source_of(json.loads(data))


@pytest.fixture
def source(request, name: str) -> Source:
    """The data that a net was trained on."""
    flags = read_json(zoo.run_folder(name).config_file)["flags"]
    data = {key: flags[key] for key in DATA if key in flags}
    if data["dataset"].startswith("tfds:"):
        data["data_dir"] = str(request.getfixturevalue("real_data") / "tfds")
    return read_once(json.dumps(data, sort_keys=True))


@pytest.mark.parametrize("name", NAMES)
def test_a_net_scores_what_its_card_says(
    name: str, source: Source, request, tmp_path
) -> None:
    told = zoo.card(name).scores[0]
    model = zoo.load(name)
    if told.protocol:
        path = save_lake_trials(
            tmp_path / "lake.npz",
            source.test,
            data_dir=request.getfixturevalue("real_data") / "tfds",
            seed=told.seed + 1,
            count=EPISODES,
        )
        result = tfmeta.evaluate(model, source.test, episodes_file=path)
    else:
        result = tfmeta.evaluate(
            model,
            source.test,
            way=told.way,
            shot=told.shot,
            query=told.query,
            episodes=EPISODES,
            seed=told.seed + 1,
        )
    assert (result.metric, result.normalisation) == (told.metric, told.normalisation)
    error = math.hypot(result.ci95, told.ci95) / 1.96
    assert abs(result.mean - told.mean) < 3 * error


@pytest.mark.parametrize("name", NAMES)
def test_its_test_classes_are_new_to_it(name: str, source: Source) -> None:
    zoo.run_folder(name).check_data(source)
    parts = [set(p.class_names) for p in (source.train, source.val, source.test)]
    assert not parts[0] & parts[2] and not parts[1] & parts[2]
    told = zoo.card(name).classes
    upright = [sum("/rot" not in c for c in part) for part in parts]
    assert all(f"{count:,}" in told for count in upright) or not any(parts)


def published(text: str) -> dict[tuple[str, str, str], str]:
    """The cells of README's tables of nets, by name, mode and column."""
    cells, columns = {}, []
    for line in text.splitlines():
        row = [cell.strip() for cell in line.strip("|").split("|")]
        if row[0] == "net":
            columns = row
        for name, mode in re.findall(r"^`(\w+)`(?:, `(\w+)`)?$", row[0]):
            assert name in NAMES
            cells |= {(name, mode, c): v for c, v in zip(columns, row, strict=True)}
    return cells


@pytest.mark.parametrize("name", NAMES)
def test_readme_says_what_the_card_says(name: str) -> None:
    text = README.read_text(encoding="utf-8")
    said, card = published(text), zoo.card(name)
    assert f"`{name}`" in text
    for score in card.scores:
        if score.way is None:
            assert f"{score.mean:.2f} ± {score.ci95:.2f}" in text
            continue
        mode = "task" if score.normalisation == "task" else ""
        tasks = f"{score.way}-way {score.shot}-shot"
        cell = said[name, mode, PROTOCOLS.get(score.protocol, tasks)]
        assert cell == f"{100 * score.mean:.2f} ± {100 * score.ci95:.2f} %"
    numbers = [v for (n, _, _), v in said.items() if n == name and "±" in v]
    assert len(numbers) == sum(score.way is not None for score in card.scores)


def test_they_are_small() -> None:
    files = [path for path in catalogue._NETS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 20e6


def test_a_net_is_used_in_six_lines() -> None:
    model = zoo.load("glyphs_protonet")
    drawings = tfmeta.data.load("glyphs").test.x
    classifier = model.adapt(drawings[[0, 20, 40]], ["ka", "ki", "ku"])
    assert classifier.classify(drawings[[5, 25, 45]]).tolist() == ["ka", "ki", "ku"]
    shares = classifier.explain(drawings[[5, 25, 45]])
    assert np.all(shares.argmax(-1) == np.arange(3))

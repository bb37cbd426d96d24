"""Pictures are written, and refused where there is nothing to draw."""

from __future__ import annotations

import io
from unittest import mock

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from tfmeta import evaluate
from tfmeta.data import Split
from tfmeta.evaluation.pictures.curve_picture import curve_picture
from tfmeta.evaluation.pictures.episode_picture import episode_picture
from tfmeta.evaluation.result import Result
from tfmeta.learners import FromScratch, NearestNeighbour
from tfmeta.nets import mlp


def split(channels: int = 1) -> Split:
    """Noise: answers are right by chance."""
    draws = np.random.default_rng(0)
    x = draws.integers(0, 256, (60, 6, 6, channels), np.uint8)
    names = tuple("abcdef")
    return Split("test", x, np.repeat(np.arange(6, dtype="int32"), 10), names)


def colours(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).reshape(-1, 3)


@pytest.mark.parametrize("channels", [1, 3])
def test_an_episode_has_a_green_or_red_title_for_each_answer(channels: int) -> None:
    file = io.BytesIO()
    episode_picture(NearestNeighbour(), split(channels), file, way=3, shot=2, query=4)
    shown = colours(file.getvalue()).astype(int)
    for colour in ([0x1A, 0x7F, 0x37], [0xCF, 0x22, 0x2E]):
        # Noise is answered now rightly, now wrongly; thin letters are blurred.
        assert np.abs(shown - colour).sum(-1).min() < 60


def test_it_tells_what_decided_the_first_query() -> None:
    part = split()
    size = {"way": 3, "shot": 2, "query": 4}
    with mock.patch.object(Figure, "savefig", autospec=True) as saved:
        episode_picture(NearestNeighbour(), part, io.BytesIO(), **size)
    axes = np.reshape(saved.call_args.args[0].axes, (3, 2 + 1 + 4))
    known = np.stack([a.images[0].get_array() for row in axes for a in row[:2]])
    asked = axes[0, 3].images[0].get_array()
    squares = np.sum((known / 255 - asked / 255) ** 2, (1, 2)).reshape(3, 2)
    nearest = np.exp(-squares.min(-1))
    within = np.exp(-squares) / np.exp(-squares).sum(-1, keepdims=True)
    wanted = 100 * (nearest / nearest.sum())[:, None] * within
    told = [[a.get_title() for a in row[:2]] for row in axes]
    assert told == [
        [f"class {label + 1}: {share:.0f} %" for share in row]
        for label, row in enumerate(wanted)
    ]
    assert [a.axison for a in axes[:, 3:].flat] == [True] + 11 * [False]


def test_a_learner_that_compares_with_no_example_tells_the_classes_alone() -> None:
    net = mlp(outputs=3, units=(4,), input_shape=(6, 6, 1))
    with mock.patch.object(Figure, "savefig", autospec=True) as saved:
        episode_picture(FromScratch(net), split(), io.BytesIO(), way=3, shot=1)
    titles = [axis.get_title() for axis in saved.call_args.args[0].axes]
    assert titles[:: 1 + 1 + 6] == ["class 1", "class 2", "class 3"]


def test_an_episode_of_no_images_is_refused(tmp_path) -> None:
    flat = Split("test", np.zeros((4, 3)), np.int32([0, 0, 1, 1]), ("a", "b"))
    with pytest.raises(ValueError, match="needs images"):
        episode_picture(NearestNeighbour(), flat, tmp_path / "x.png", way=2, shot=1)
    assert not list(tmp_path.iterdir())


def test_a_curve_is_drawn(tmp_path) -> None:
    net = mlp(outputs=3, units=(4,), input_shape=(6, 6, 1))
    result = evaluate(
        FromScratch(net), split(), way=3, shot=1, query=2, episodes=5, curve=True
    )
    curve_picture(result, tmp_path / "curve.png")
    with Image.open(tmp_path / "curve.png") as picture:
        assert picture.size == (704, 440)


def test_a_curve_has_the_mean_of_each_step_and_the_spread_of_tasks() -> None:
    curve = np.array([[0.0, 0.5, 1.0, 0.1, 0.4], [0.5, 0.75, 1.0, 0.75, 0.5]])
    settings = {"learner": "MAML", "metric": "accuracy", "split": "test", "seed": 1}
    settings |= {"way": 3, "shot": 1, "query": 2, "normalisation": "none", "steps": 5}
    settings |= {"curve": curve, "curve_steps": (0, 5)}
    result = Result(scores=curve[1], seconds=1.0, **settings)
    with mock.patch.object(Figure, "savefig", autospec=True) as saved:
        curve_picture(result, io.BytesIO())
    (axis,) = saved.call_args.args[0].axes
    steps, means = axis.lines[0].get_data()
    np.testing.assert_array_equal(steps, [0, 5])
    np.testing.assert_allclose(means, [0.4, 0.7], rtol=1e-12)
    # 5 and 95 % are at places 0.2 and 3.8 of five sorted scores; 25 and 75 % at 1, 3.
    wanted = [(0.02, 0.9, 0.5, 0.95), (0.1, 0.5, 0.5, 0.75)]
    for band, ends in zip(axis.collections, wanted, strict=False):
        found = band.get_paths()[0].vertices
        for row, step in enumerate((0, 5)):
            heights = found[found[:, 0] == step, 1]
            np.testing.assert_allclose(
                [heights.min(), heights.max()], ends[2 * row : 2 * row + 2]
            )


def test_no_curve_is_refused(tmp_path) -> None:
    options = {"way": 3, "shot": 1, "query": 2, "episodes": 5}
    result = evaluate(NearestNeighbour(), split(), **options)
    with pytest.raises(ValueError, match="needs its curve"):
        curve_picture(result, tmp_path / "curve.png")

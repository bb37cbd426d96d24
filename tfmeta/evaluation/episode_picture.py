"""A picture of one episode of images: what was shown, asked and answered."""

from __future__ import annotations

import os
from typing import IO, Any

import numpy as np
import tensorflow as tf

from tfmeta.core import Episode, Labels, Options
from tfmeta.core.episode import Nest
from tfmeta.data import Part
from tfmeta.data.nested import map_shapes
from tfmeta.evaluation.frozen import frozen
from tfmeta.learners import as_learner

_CHANNELS = (1, 3, 4)
_ROWS, _SHOTS, _QUERIES = 10, 5, 6
_RIGHT, _WRONG = "#1a7f37", "#cf222e"


def episode_picture(
    model: Any,
    split: Part,
    path: str | os.PathLike[str] | IO[bytes],
    *,
    way: int,
    shot: int,
    query: int = _QUERIES,
    index: int = 0,
    seed: int = 1,
) -> None:
    """Draws an episode: the support set on the left, the queries on the right.

    A row is a class. Above each query stands the class it was answered with and the
    probability of that answer, green where it is right; where it is wrong, in red.

    Args:
        model: A `MetaModel` or a `Learner` of labels.
        split: Whose classes; its examples are images.
        path: Where to write the PNG: a path or an open file.
        way: Classes in the episode; the first ten are drawn.
        shot: Support examples per class; the first five are drawn.
        query: Queries per class; the first six are drawn.
        index: Which episode of the seed.
        seed: Of the episodes; that of `evaluate` gives the ones it scores.

    Raises:
        ValueError: If the examples are no images, or there is no such episode.
    """
    from matplotlib.figure import Figure

    learner = as_learner(model)
    if not isinstance(split.targets, Labels) or not has_images(split):
        raise ValueError(
            "A picture of an episode needs images (height, width, channels) of "
            f"classes. Received: split {split.name!r} with examples of shape "
            f"{split.example_shape}."
        )
    stream = frozen(
        learner,
        split,
        way=way,
        shot=shot,
        query=query,
        episodes=index + 1,
        seed=seed,
    )
    x, y = next(iter(stream.unbatch().skip(index).batch(1)))
    episode = tf.nest.map_structure(lambda t: t[0], Episode.from_batch(x, y))
    adapted = learner.adapt(episode.support, Options())
    logits = learner.predict(adapted, episode.query.x, Options())[:, :way]
    support_x, query_x = _images(episode.support.x), _images(episode.query.x)
    odds, truth = tf.nn.softmax(logits).numpy(), episode.query.y.numpy()
    rows, shots, queries = min(way, _ROWS), min(shot, _SHOTS), min(query, _QUERIES)
    figure = Figure(
        figsize=(1.0 * (shots + queries) + 0.8, 1.18 * rows + 0.7), layout="constrained"
    )
    axes = figure.subplots(
        rows,
        shots + 1 + queries,
        squeeze=False,
        width_ratios=[1] * shots + [0.25] + [1] * queries,
    )
    for axis in axes.flat:
        axis.set_axis_off()
    for row in range(rows):
        support = np.flatnonzero(episode.support.y.numpy() == row)[:shots]
        for axis, i in zip(axes[row], support, strict=False):
            _show(axis, support_x[i], f"class {row + 1}", "black")
        asked = np.flatnonzero(truth == row)[:queries]
        for axis, i in zip(axes[row, shots + 1 :], asked, strict=False):
            answer = int(odds[i].argmax())
            colour = _RIGHT if answer == row else _WRONG
            _show(axis, query_x[i], f"{answer + 1}: {odds[i].max():.2f}", colour)
    accuracy = float(np.mean(odds.argmax(-1) == truth))
    figure.suptitle(
        f"{type(learner).__name__}, {split.name} episode {index}: "
        f"{100 * accuracy:.0f} % right\nleft: support set; right: queries, with "
        "answer and probability",
        fontsize="medium",
    )
    figure.savefig(path, format="png", dpi=100)


def has_images(part: Part) -> bool:
    """Whether an example is an image, or a nest that has one.

    Args:
        part: The part whose examples are meant.
    """
    shapes = map_shapes(lambda shape, _: tf.TensorShape(shape), part)
    return any(_is_image(shape) for shape in tf.nest.flatten(shapes))


def _is_image(shape: tf.TensorShape) -> bool:
    return shape.rank == 3 and shape[-1] in _CHANNELS


def _images(x: Nest) -> tf.Tensor:
    """The first leaf of a nest of examples that holds images."""
    return next(t for t in tf.nest.flatten(x) if _is_image(t.shape[1:]))


def _show(axis: Any, image: tf.Tensor, title: str, colour: str) -> None:
    """Shows one image, `(height, width, channels)`, under a title."""
    pixels = image.numpy()
    if pixels.shape[-1] == 1:
        axis.imshow(pixels[..., 0], cmap="gray_r")
    else:
        axis.imshow(pixels if pixels.dtype == np.uint8 else np.clip(pixels, 0, 1))
    axis.set_title(title, fontsize=8, color=colour, pad=2)

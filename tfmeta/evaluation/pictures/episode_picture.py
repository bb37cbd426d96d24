"""A picture of one episode of images: what was shown, asked and answered."""

from __future__ import annotations

import os
from typing import IO, Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfmeta.core import Episode, Examples, Labels, Options
from tfmeta.core.episode import Nest
from tfmeta.data import Part
from tfmeta.data.nested import map_shapes
from tfmeta.data.prepare.preparation import Preparation
from tfmeta.evaluation.frozen import frozen
from tfmeta.evaluation.prepared import preparation_of
from tfmeta.learners import Learner, as_learner
from tfmeta.ops import example_shares

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
    probability of that answer, green where it is right; where it is wrong, in red. If
    the learner compares queries with single support examples, the first query is
    framed, and above each support example stands its share in that answer: what
    `AdaptedClassifier.explain` tells.

    Args:
        model: A `MetaModel` or a `Learner` of labels.
        split: The part to draw the episode from; its examples are images.
        path: Where to write the PNG: a path or an open file.
        way: Classes in the episode; the first ten are drawn.
        shot: Support examples per class; the first five are drawn.
        query: Queries per class; the first six are drawn.
        index: The number of the episode.
        seed: The seed of the episodes; that of `evaluate` gives the ones it scores.

    Raises:
        ValueError: If the examples are no images, or there is no such episode.
    """
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
    shown = _answered(learner, preparation_of(model, split), stream, index, way)
    shots = min(shot, _SHOTS)
    figure, axes = _grid(min(way, _ROWS), shots, min(query, _QUERIES))
    for label, row in enumerate(axes):
        _draw_class(shown, label, row[:shots], row[shots + 1 :])
    figure.suptitle(
        f"{type(learner).__name__}, {split.name} episode {index}: {_legend(shown)}",
        fontsize="medium",
    )
    figure.savefig(path, format="png", dpi=100)


class _Shown(NamedTuple):
    """An episode with a learner's answers, as arrays.

    Attributes:
        support: The images of the support set, `(examples, height, width, channels)`.
        known: The labels of the support set, `(examples,)`.
        queries: The images of the queries.
        truth: The labels of the queries, `(queries,)`.
        answers: The labels that the queries are answered with, `(queries,)`.
        sure: The probability of each answer, `(queries,)`.
        shares: How much each example of the support set decided the answer to the first
            query of the first class, `(examples,)`; None if the learner cannot tell.
    """

    support: np.ndarray
    known: np.ndarray
    queries: np.ndarray
    truth: np.ndarray
    answers: np.ndarray
    sure: np.ndarray
    shares: np.ndarray | None


def _answered(
    learner: Learner,
    prepare: Preparation,
    stream: tf.data.Dataset,
    index: int,
    way: int,
) -> _Shown:
    """Has a learner answer the episode with this number in a stream."""
    x, y = next(iter(stream.unbatch().skip(index).batch(1)))
    support, query = tf.nest.map_structure(lambda t: t[0], Episode.from_batch(x, y))
    ready = Examples(prepare(support.x), support.y)
    asked = prepare(query.x)
    adapted = learner.adapt(ready, Options())
    logits = learner.predict(adapted, asked, Options())[:, :way]
    odds = tf.nn.softmax(logits).numpy()
    shares = None
    if type(learner).closeness is not Learner.closeness:
        closeness = learner.closeness(ready, asked, Options())
        first = np.flatnonzero(query.y.numpy() == 0)[0]
        shares = example_shares(logits, closeness, support.y)[first].numpy()
    return _Shown(
        support=_images(support.x).numpy(),
        known=support.y.numpy(),
        queries=_images(query.x).numpy(),
        truth=query.y.numpy(),
        answers=odds.argmax(-1),
        sure=odds.max(-1),
        shares=shares,
    )


def _legend(shown: _Shown) -> str:
    """How many answers are right, and what the titles mean."""
    text = (
        f"{100 * float(np.mean(shown.answers == shown.truth)):.0f} % right\n"
        "left: support set; right: queries, with answer and probability"
    )
    if shown.shares is not None:
        text += "\n% of the support set: shares in the answer to the framed query"
    return text


def _grid(rows: int, shots: int, queries: int) -> tuple[Any, Any]:
    """A figure, and its axes: a row has support images, a gap, then queries."""
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(1.0 * (shots + queries) + 0.8, 1.18 * rows + 0.9), layout="constrained"
    )
    axes = figure.subplots(
        rows,
        shots + 1 + queries,
        squeeze=False,
        width_ratios=[1] * shots + [0.25] + [1] * queries,
    )
    for axis in axes.flat:
        axis.set_axis_off()
    return figure, axes


def _draw_class(shown: _Shown, label: int, known: Any, asked: Any) -> None:
    """Draws a class's support images and queries, as many as there are axes."""
    for axis, i in zip(known, np.flatnonzero(shown.known == label), strict=False):
        share = "" if shown.shares is None else f": {100 * shown.shares[i]:.0f} %"
        _show(axis, shown.support[i], f"class {label + 1}{share}", "black")
    for axis, i in zip(asked, np.flatnonzero(shown.truth == label), strict=False):
        colour = _RIGHT if shown.answers[i] == label else _WRONG
        title = f"{shown.answers[i] + 1}: {shown.sure[i]:.2f}"
        _show(axis, shown.queries[i], title, colour)
    if label == 0 and shown.shares is not None:
        asked[0].set_axis_on()
        asked[0].set(xticks=[], yticks=[])
        for side in asked[0].spines.values():
            side.set_linewidth(2.5)


def has_images(part: Part) -> bool:
    """Whether an example is an image, or a nest that has one.

    Args:
        part: The part whose examples are meant.
    """
    shapes = map_shapes(
        lambda shape, _: tf.TensorShape(shape), part.example_shape, part.dtype
    )
    return any(_is_image(shape) for shape in tf.nest.flatten(shapes))


def _is_image(shape: tf.TensorShape) -> bool:
    return shape.rank == 3 and shape[-1] in _CHANNELS


def _images(x: Nest) -> tf.Tensor:
    """The first leaf of a nest of examples that holds images."""
    return next(t for t in tf.nest.flatten(x) if _is_image(t.shape[1:]))


def _show(axis: Any, pixels: np.ndarray, title: str, colour: str) -> None:
    """Shows one image, `(height, width, channels)`, under a title."""
    if pixels.shape[-1] == 1:
        axis.imshow(pixels[..., 0], cmap="gray_r")
    else:
        axis.imshow(pixels if pixels.dtype == np.uint8 else np.clip(pixels, 0, 1))
    axis.set_title(title, fontsize=8, color=colour, pad=2)

"""The frozen episodes, the same for every learner, on which learners are judged."""

from __future__ import annotations

import hashlib
import os
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfmeta.core import Labels, Targets, Values
from tfmeta.core.episode import Nest, Tensor
from tfmeta.data import Part, Split, frozen_episodes
from tfmeta.data import episodes as episode_dataset
from tfmeta.data.part import check_part
from tfmeta.data.pipeline.saved_episodes import saved_count
from tfmeta.learners import Learner

_TASKS_AT_ONCE = 20
_EXAMPLES_AT_ONCE = 200


class Frozen(NamedTuple):
    """Episodes that are the same for every learner and every run.

    Attributes:
        stream: Batches of the episodes, as `tfmeta.data.episodes` yields them.
        episodes: The number of episodes.
        way: The number of classes in an episode; None for regression.
        shot: The number of support examples per class.
        query: The number of queries per class; None where an episode takes all that are
            left.
        seed: The seed that the episodes are drawn by; None if they come from a file.
    """

    stream: tf.data.Dataset
    episodes: int
    way: int | None
    shot: int
    query: int | None
    seed: int | None

    def targets_for(self, learner: Learner) -> Targets:
        """The kind of the episodes' `y` for a learner that is scored on them."""
        return learner.targets_for(self.stream.element_spec[1])

    def settings(self, split: Part) -> dict[str, Any]:
        """The fields of a `Result` that say which episodes of a part were scored."""
        names = ("way", "shot", "query", "seed")
        drawn = {name: getattr(self, name) for name in names}
        return {"split": split.name, "disjoint": split.disjoint, **drawn}


def episodes_for(
    learner: Learner,
    split: Part,
    *,
    way: int | None,
    shot: int | None,
    query: int | None,
    episodes: int,
    seed: int,
    episodes_file: str | os.PathLike[str] | None,
) -> Frozen:
    """Draws or reads episodes; the arguments are those of `evaluate`.

    Returns:
        The episodes, with their size.

    Raises:
        ValueError: If the learner or the split cannot serve the episodes, or if not
            exactly one of `shot` and `episodes_file` is given.
    """
    _check_targets(learner, split)
    if not learner.adapts:
        _check_without_support(learner, way, shot, episodes_file)
        return whole(learner, split)
    if episodes_file is None:
        if shot is None:
            raise ValueError(
                "An episode has a size. Received: neither shot nor episodes_file. Give "
                "way and shot, such as way=5 and shot=1, or give episodes_file."
            )
        stream = frozen(
            learner,
            split,
            way=way,
            shot=shot,
            query=query,
            episodes=episodes,
            seed=seed,
        )
        return Frozen(stream, episodes, way, shot, query, seed)
    if way is not None or shot is not None:
        raise ValueError(
            "A file of episodes has their way and shot. Leave out way and shot, or "
            f"episodes_file. Received: way={way}, shot={shot}."
        )
    found = _from_file(episodes_file, split)
    _check_way(learner, found.way)
    return found


def frozen(
    learner: Learner,
    split: Part,
    *,
    way: int | None = None,
    shot: int,
    query: int | None,
    episodes: int,
    seed: int,
) -> tf.data.Dataset:
    """Batches of episodes that are the same for every learner and every run.

    Args:
        learner: The learner to score, which must be able to serve the way.
        split: The part to draw from, such as `data.test`.
        way: The number of classes in an episode; None for regression.
        shot: The number of support examples per class.
        query: The number of queries per class; None for all that are left.
        episodes: The number of episodes.
        seed: The seed of the episodes; another seed draws other episodes.

    Returns:
        The dataset of `tfmeta.data.episodes`.

    Raises:
        ValueError: If the learner or the split cannot serve the episodes.
    """
    _check_way(learner, way)
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1. Received: {episodes}.")
    return episode_dataset(
        split,
        way=way,
        shot=shot,
        query=query,
        tasks=_TASKS_AT_ONCE if query is not None else 1,
        seed=seed,
        count=episodes,
    )


def whole(learner: Learner, split: Part) -> Frozen:
    """All examples of a part, each as an episode of one query without a support set.

    Args:
        learner: A learner that does not adapt.
        split: The part to score on, such as `data.test`.

    Returns:
        The episodes, in the order of the part; a query's label is its class's number.

    Raises:
        ValueError: If the part has no examples of classes, or the learner has another
            number of classes.
    """
    name = type(learner).__name__
    if not isinstance(split, Split) or not len(split.y):
        raise ValueError(
            f"{name} is scored on the examples of classes. Received: the part "
            f"{split.name!r}, which has none. Use another source or part."
        )
    if split.num_classes != learner.max_way or split.disjoint != "examples":
        raise ValueError(
            f"{name} answers with the {learner.max_way} classes that it was trained "
            f"on. Received: {split.num_classes} classes in {split.name!r}, and parts "
            f"that share no {split.disjoint}. Set disjoint='examples', so that all "
            "parts have all classes."
        )
    classes = tf.constant(split.y)

    def batch(first: tf.Tensor) -> tuple[dict[str, Nest], Tensor]:
        ids = tf.range(first, tf.minimum(first + _EXAMPLES_AT_ONCE, len(split.y)))
        x, y = split.take(ids), tf.gather(classes, ids)
        none = tf.nest.map_structure(lambda t: t[:, tf.newaxis][:, :0], (x, y))
        one = tf.nest.map_structure(lambda t: t[:, tf.newaxis], (x, y))
        return {"support_x": none[0], "support_y": none[1], "query_x": one[0]}, one[1]

    starts = tf.data.Dataset.range(0, len(split.y), _EXAMPLES_AT_ONCE)
    stream = starts.map(batch).prefetch(1)
    return Frozen(stream, len(split.y), split.num_classes, 0, None, None)


def _from_file(path: str | os.PathLike[str], split: Any) -> Frozen:
    """Reads episodes from a file; the first batch tells their way, shot and query."""
    if not split.class_names:
        raise ValueError(
            f"A file holds episodes of classes, but the tasks of split {split.name!r} "
            "have values. Give shot and seed instead."
        )
    stream = frozen_episodes(path, split, tasks=_TASKS_AT_ONCE)
    x, y = next(iter(stream))
    way = 1 + int(tf.reduce_max(x["support_y"]))
    shot, query = (int(part.shape[1]) // way for part in (x["support_y"], y))
    return Frozen(stream, saved_count(path), way, shot, query, None)


def _check_without_support(learner: Learner, *asked: Any) -> None:
    if any(each is not None for each in asked):
        raise ValueError(
            f"{type(learner).__name__} does not adapt: it is scored on every example, "
            "without episodes. Leave out way, shot and episodes_file."
        )


def _check_way(learner: Learner, way: int | None) -> None:
    if way is not None and learner.max_way is not None and way > learner.max_way:
        raise ValueError(
            f"way={way} needs a head of {way} outputs, but the net has "
            f"{learner.max_way}. Lower way, or train a net without a head."
        )


def _check_targets(learner: Learner, split: Part) -> None:
    check_part(split)
    if learner.targets is None:
        return
    both = (learner.targets, split.targets)
    # Targets of a user's own class are not compared.
    if {type(targets) for targets in both} == {Labels, Values}:
        raise ValueError(
            f"{type(learner).__name__} learns {both[0].name}, but the tasks of split "
            f"{split.name!r} have {both[1].name}. Use another learner, or another "
            "source."
        )


class Digest:
    """A short text that differs between any two lists of episodes.

    The text depends on the episodes and their order, not on how they are batched.
    """

    def __init__(self) -> None:
        self._content = hashlib.blake2b(digest_size=16)

    def add(self, x: dict[str, Nest], y: Tensor) -> None:
        """Adds the episodes of a batch.

        Args:
            x: The inputs of the batch.
            y: The labels or targets of the batch's queries.
        """
        tensors = [x["support_x"], x["support_y"], x["query_x"], y]
        arrays: list[Any] = [tensor.numpy() for tensor in tf.nest.flatten(tensors)]
        for task in zip(*arrays, strict=True):
            for array in task:
                self._content.update(f"{array.dtype.str} {array.shape}".encode())
                texts = array.dtype.kind == "O"
                self._content.update(
                    repr(array.tolist()).encode()
                    if texts
                    else np.ascontiguousarray(array).data
                )

    def text(self) -> str:
        """The hash of all episodes that were added."""
        return self._content.hexdigest()

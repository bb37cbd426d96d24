"""The frozen episodes on which learners are judged."""

from __future__ import annotations

import hashlib
from typing import Any

import tensorflow as tf

from tfmeta.core.episode import Tensor
from tfmeta.data import Part
from tfmeta.data import episodes as episode_dataset
from tfmeta.learners import Learner

_TASKS_AT_ONCE = 20


def frozen(
    learner: Learner,
    split: Part,
    *,
    way: int | None,
    shot: int,
    query: int | None,
    episodes: int,
    seed: int,
) -> tf.data.Dataset:
    """Batches of episodes that are the same for every learner and every run.

    Args:
        learner: Who shall be judged, to see whether it can serve them.
        split: Which classes, such as `data.test`.
        way: Classes in an episode; None for regression.
        shot: Support examples per class.
        query: Queries per class; None for all that are left.
        episodes: How many.
        seed: Which.

    Returns:
        The dataset of `tfmeta.data.episodes`.

    Raises:
        ValueError: If the learner or the split cannot serve them.
    """
    if way is not None and learner.max_way is not None and way > learner.max_way:
        raise ValueError(
            f"way={way} needs a head of {way} outputs, but the net has "
            f"{learner.max_way}. Lower way, or train a net without a head."
        )
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


def metric_of(stream: tf.data.Dataset) -> str:
    """What episodes are scored by: "accuracy" for labels, "mse" for float targets."""
    return "accuracy" if stream.element_spec[1].dtype.is_integer else "mse"


def digest(x: dict[str, Tensor], y: Tensor) -> str:
    """A short text that tells a batch of episodes from any other.

    Args:
        x: The inputs of the batch.
        y: The labels or targets of its queries.

    Returns:
        A hash of their content.
    """
    content = hashlib.blake2b(digest_size=16)
    tensors: list[Any] = [x["support_x"], x["support_y"], x["query_x"], y]
    for tensor in tensors:
        content.update(tf.io.serialize_tensor(tensor).numpy())
    return content.hexdigest()

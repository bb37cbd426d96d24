"""Checks of a batch before a learner learns from it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmeta.core import Batch, Labels
from tfmeta.core.nests import named
from tfmeta.data.prepare.fits import checked_batch
from tfmeta.data.prepare.preparation import Preparation
from tfmeta.learners import Learner


def unpacked(data: Any) -> tuple[Any, Any]:
    """Takes a batch apart, and refuses weights, which no loss here has a use for.

    Args:
        data: What Keras hands to `train_step` and `test_step`, `(x, y)` or
            `(x, y, weights)`. Keras makes weights of `class_weight` too.

    Returns:
        The inputs `x` and the targets `y`.

    Raises:
        ValueError: If there are weights.
    """
    x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
    if weights is not None:
        raise ValueError(
            "All examples have the same weight. Received: class_weight, sample_weight "
            "or a dataset of (x, y, weights). Leave the weights out."
        )
    return x, y


def first_batch(data: Any) -> Any:
    """The first batch of a dataset.

    Raises:
        ValueError: If the dataset is empty.
    """
    for batch in data:
        return batch
    raise ValueError(
        "A dataset to train on must have a batch. Received: an empty dataset."
    )


def check_batch(
    x: dict[str, Any], y: Any, learner: Learner, prepare: Preparation
) -> None:
    """Refuses examples that a cast would change, and labels that cannot be answers.

    The prepared examples must stay the same when they are cast to the net's dtype. The
    learner must be able to answer with every label; values always pass.

    Args:
        x: The raw inputs of a batch, as eager tensors.
        y: The labels or values of the batch's queries.
        learner: The learner that shall learn from the batch.
        prepare: The preparation of the inputs.

    Raises:
        ValueError: If the prepared examples do not fit the net, if a label is out of
            range, or if a query has a class that its support set lacks.
    """
    checked_batch(prepare, x, learner.inputs)
    _check_lengths(x, y)
    if not isinstance(learner.targets_for(y), Labels):
        return
    for name, labels in (("support_y", x["support_y"]), ("y", y)):
        if len(labels.shape) != 2 or not _whole(labels):
            raise ValueError(
                f"{name} must hold the number of each example's class, whole numbers "
                f"(tasks, examples). Received: {tf.as_dtype(labels.dtype).name} "
                f"{tuple(labels.shape)}. Give numbers in place of one-hot rows or "
                "floats; values need a learner of values, such as "
                'MAML(net, targets="values").'
            )
    batch = Batch.read(x, y)
    support, query = (np.asarray(part.y) for part in batch.episode)
    counts = batch.counts
    for task in range(len(support)):
        known, asked = support[task], query[task]
        if counts is not None:
            known = known[: int(counts.support.y[task])]
            asked = asked[: int(counts.query.y[task])]
        most = learner.max_way
        if known.min() < 0 or (most is not None and known.max() >= most):
            below = "" if most is None else f" and below {most}, the net's outputs"
            raise ValueError(
                f"Labels must be at least 0{below}. Received: labels {known.min()} to "
                f"{known.max()} in the support set of task {task}. Number the "
                "classes of each task from 0, or use a net of more outputs."
            )
        missing = sorted(set(asked.tolist()) - set(known.tolist()))
        if missing:
            raise ValueError(
                "Each query must be of a class that its support set has. Received: "
                f"task {task} asks for class {missing[0]}, and its support set has "
                f"{sorted(set(known.tolist()))}. Leave such queries out."
            )


def _whole(labels: Any) -> bool:
    dtype = tf.as_dtype(labels.dtype)
    return bool(dtype.is_integer or dtype.is_bool)


def _check_lengths(x: dict[str, Any], y: Any) -> None:
    """Raises unless each example has its label or value."""
    for name, labels in (("support", x["support_y"]), ("query", y)):
        for leaf_name, leaf in named(x[f"{name}_x"], f"{name}_x").items():
            if tuple(leaf.shape[:2]) != tuple(labels.shape[:2]):
                raise ValueError(
                    f"{leaf_name} and the labels or values of its examples must begin "
                    "with the same two axes, (tasks, examples). Received: shapes "
                    f"{tuple(leaf.shape)} and {tuple(labels.shape)}. Give each example "
                    "its label."
                )

"""Statistics of the classes in one support set."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.core.episode import Tensor


def count_ways(y: Tensor) -> Tensor:
    """The way of a support set: its highest label plus one, as an int32 scalar."""
    return tf.reduce_max(y) + 1


def class_counts(y: Tensor, way: Tensor | int) -> Tensor:
    """The number of examples of each of the classes 0..way-1.

    Args:
        y: `(examples,)` int32 labels.
        way: The number of classes.

    Returns:
        `(way,)` int32.
    """
    return tf.math.unsorted_segment_sum(tf.ones_like(y), y, way)


def present_classes(y: Tensor, way: Tensor | int) -> Tensor:
    """Which of the classes 0..way-1 occur among the labels.

    Args:
        y: `(examples,)` int32 labels.
        way: The number of classes.

    Returns:
        `(way,)` bool.
    """
    return class_counts(y, way) > 0


def class_sums(z: Tensor, y: Tensor, way: Tensor | int) -> Tensor:
    """The sum of each class's rows.

    Args:
        z: `(examples, features)`.
        y: `(examples,)` int32 labels in `0..way-1`.
        way: The number of classes.

    Returns:
        `(way, features)`; zeros for a class without examples.
    """
    return tf.matmul(_members(y, way, z.dtype), z)


def class_means(z: Tensor, y: Tensor, way: Tensor | int) -> Tensor:
    """The mean of each class's rows; classes may have unequal numbers of rows.

    Args:
        z: `(examples, features)`.
        y: `(examples,)` int32 labels in `0..way-1`.
        way: The number of classes.

    Returns:
        `(way, features)`; zeros for a class without examples.
    """
    counts = tf.cast(class_counts(y, way), z.dtype)
    return class_sums(z, y, way) / tf.maximum(counts, 1)[:, None]


def class_maxima(scores: Tensor, y: Tensor, way: Tensor | int) -> Tensor:
    """Each class's largest score in every row.

    Args:
        scores: `(rows, examples)`.
        y: `(examples,)` int32 labels in `0..way-1`.
        way: The number of classes.

    Returns:
        `(rows, way)`; the dtype's lowest number for a class without examples.
    """
    return tf.transpose(tf.math.unsorted_segment_max(tf.transpose(scores), y, way))


def class_logsumexp(scores: Tensor, y: Tensor, way: Tensor | int) -> Tensor:
    """The logarithm of each class's summed exponentials in every row.

    Args:
        scores: `(rows, examples)`.
        y: `(examples,)` int32 labels in `0..way-1`.
        way: The number of classes.

    Returns:
        `(rows, way)`; a finite number without meaning for a class without examples.
    """
    columns = tf.transpose(scores)
    top = tf.stop_gradient(tf.math.unsorted_segment_max(columns, y, way))
    shares = tf.exp(columns - tf.gather(top, y))
    sums = tf.math.unsorted_segment_sum(shares, y, way)
    # A class with examples has a sum of about 1 or more. A class without examples has
    # the sum 0, which 1 replaces: log(0) has no finite derivative.
    sums = tf.where(sums > 0, sums, tf.ones_like(sums))
    return tf.transpose(tf.math.log(sums) + top)


def example_shares(logits: Tensor, closeness: Tensor, y: Tensor) -> Tensor:
    """Divides the probability of each class among its support examples.

    Args:
        logits: `(queries, way)`; -inf for a class without examples.
        closeness: `(queries, examples)`, how near each example lies; within a class the
            shares are its softmax.
        y: `(examples,)` int32 labels in `0..way-1`.

    Returns:
        `(queries, examples)`; each row sums to one.
    """
    probabilities = tf.gather(tf.nn.softmax(logits), y, axis=1)
    totals = class_logsumexp(closeness, y, tf.shape(logits)[1])
    return probabilities * tf.exp(closeness - tf.gather(totals, y, axis=1))


def masked(logits: Tensor, present: Tensor) -> Tensor:
    """Gives absent classes the logit -inf, so that they are never the answer.

    Args:
        logits: `(queries, way)`.
        present: `(way,)` bool, whether the support set has the class.

    Returns:
        `(queries, way)`.
    """
    return tf.where(present, logits, tf.constant(-float("inf"), logits.dtype))


def _members(y: Tensor, way: Tensor | int, dtype: tf.DType) -> Tensor:
    """A matrix `(way, examples)`: 1 where the example is of the class, else 0."""
    return tf.cast(tf.equal(tf.range(way)[:, None], y[None, :]), dtype)

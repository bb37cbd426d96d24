"""Prototypical networks."""

from __future__ import annotations

from typing import Any, Literal

import keras
import tensorflow as tf

from tfmeta.core import Examples, Options
from tfmeta.core.episode import Nest
from tfmeta.inner.modes import ModeName
from tfmeta.learners.base import Learner
from tfmeta.nets.given_net import check_embeds
from tfmeta.ops import (
    class_counts,
    class_sums,
    cosine_similarity,
    count_ways,
    masked,
    squared_euclidean,
)

DISTANCES = ("euclidean", "cosine")


@keras.saving.register_keras_serializable("tfmeta")
class ProtoNet(Learner):
    """Classifies by the distance to each class's mean embedding.

    `adapt` embeds the support set and averages each class; `predict` embeds a query
    and takes the negative squared Euclidean distance to each mean as its logit, or
    the cosine times a scale. It takes any way and shot, and needs no gradients when
    served.

    Args:
        net: A built Keras net that embeds: `(examples, ...)` to `(examples, features)`.
        distance: "euclidean" (squared) or "cosine".
        scale: The factor of the cosine; without effect on "euclidean".
        normalisation: Where batch normalisation takes its statistics from outside
            training: "running" (moving averages, as in the paper's code), "support"
            (the support set) or "task" (each set of examples itself); see
            `tfmeta.inner.Body`.
        **kwargs: For `Learner`, such as `name`.

    Raises:
        ValueError: If there is no such distance, or the net does not embed.

    Reference:
        J. Snell, K. Swersky, R. Zemel, "Prototypical Networks for Few-shot Learning",
        NeurIPS 2017.
        Differs from the paper: support and query sets are embedded in two calls, so
        in training each is normalised by its own batch.
    """

    def __init__(
        self,
        net: keras.Model,
        *,
        distance: Literal["euclidean", "cosine"] = "euclidean",
        scale: float = 10.0,
        normalisation: ModeName = "running",
        **kwargs: Any,
    ):
        super().__init__(
            net, normalisation=normalisation, targets="labels", vectors=True, **kwargs
        )
        check_embeds(net, type(self).__name__)
        if distance not in DISTANCES:
            raise ValueError(
                f"distance must be one of {', '.join(DISTANCES)}. "
                f"Received: {distance!r}."
            )
        self.distance, self.scale = distance, scale

    @property
    def extends(self) -> bool:
        """True unless the support set's examples are normalised together."""
        return not self.body.mode.joint

    def adapt(self, support: Examples, options: Options) -> Nest:
        """Averages each class's embeddings; see `Learner.adapt`.

        Returns:
            A dict with `prototypes` `(way, features)`, `counts` `(way,)` int32, the
            number of examples of each class, and `state`, what normalisation keeps for
            the queries.
        """
        z, state = self.body.support(support.x, options)
        way = count_ways(support.y)
        counts = class_counts(support.y, way)
        sums = class_sums(z, support.y, way)
        return {"prototypes": _means(sums, counts), "counts": counts, "state": state}

    def predict(self, adapted: Nest, x: Nest, options: Options) -> Nest:
        """Compares queries with the prototypes; see `Learner.predict`."""
        z = self.body.query(x, adapted["state"], options)
        logits = self._closeness(z, adapted["prototypes"])
        return masked(logits, adapted["counts"] > 0)

    def closeness(self, support: Examples, x: Nest, options: Options) -> tf.Tensor:
        """Compares queries with single examples; see `Learner.closeness`."""
        examples, state = self.body.support(support.x, options)
        return self._closeness(self.body.query(x, state, options), examples)

    def _closeness(self, z: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
        """How near each row of `z` lies to each row of the others."""
        if self.distance == "euclidean":
            return -squared_euclidean(z, others)
        return self.scale * cosine_similarity(z, others)

    def extend(self, adapted: Nest, support: Examples, options: Options) -> Nest:
        """Averages further examples in; see `Learner.extend`."""
        if not self.extends:
            return super().extend(adapted, support, options)
        before = adapted["counts"]
        way = tf.maximum(tf.shape(before)[0], count_ways(support.y))
        room = way - tf.shape(before)[0]
        z, _ = self.body.support(support.x, options)
        sums = tf.cast(before, z.dtype)[:, None] * adapted["prototypes"]
        sums = tf.pad(sums, [[0, room], [0, 0]]) + class_sums(z, support.y, way)
        counts = tf.pad(before, [[0, room]]) + class_counts(support.y, way)
        means = _means(sums, counts)
        return {**adapted, "prototypes": means, "counts": counts}


def _means(sums: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
    return sums / tf.maximum(tf.cast(counts, sums.dtype), 1)[:, None]

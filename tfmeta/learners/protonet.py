"""Prototypical networks."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.core import functional
from tfmeta.core.episode import Examples, Nest, Tensor
from tfmeta.learners.base import Learner
from tfmeta.ops import (
    class_means,
    cosine_similarity,
    count_ways,
    present_classes,
    squared_euclidean,
)

DISTANCES = ("euclidean", "cosine")


@keras.saving.register_keras_serializable("tfmeta")
class ProtoNet(Learner):
    """Classifies by the distance to each class's mean embedding.

    `adapt` embeds the support set and averages each class; `predict` embeds a query
    and takes the negative squared Euclidean distance to each mean as its logit, or
    the cosine times a scale. Any way and shot, without gradients when served.

    Args:
        net: A built Keras net that embeds: `(examples, ...)` to `(examples, features)`.
        distance: "euclidean" (squared) or "cosine".
        scale: What the cosine is multiplied by; without effect on "euclidean".
        normalisation: "running" as in the paper's code, "support" or "task".
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: If there is no such distance.

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
        distance: str = "euclidean",
        scale: float = 10.0,
        normalisation: str = "running",
        **kwargs: Any,
    ):
        super().__init__(net, normalisation=normalisation, **kwargs)
        if distance not in DISTANCES:
            raise ValueError(
                f"distance must be one of {', '.join(DISTANCES)}. "
                f"Received: {distance!r}."
            )
        self.distance, self.scale = distance, scale

    def adapt(
        self,
        support: Examples,
        *,
        training: bool = False,
        steps: int | None = None,
        seed: Tensor | None = None,
    ) -> Nest:
        """Averages each class's embeddings; see `Learner.adapt`.

        Returns:
            `prototypes` `(way, features)`, `present` `(way,)` bool, and `state`.
        """
        params = functional.parameters(self.net)
        z, state = self._normalised.support(
            params, support.x, training=training, seed=seed
        )
        way = count_ways(support.y)
        return {
            "prototypes": class_means(z, support.y, way),
            "present": present_classes(support.y, way),
            "state": state,
        }

    def predict(
        self,
        adapted: Nest,
        x: Tensor,
        *,
        training: bool = False,
        seed: Tensor | None = None,
    ) -> Tensor:
        """Compares queries with the prototypes; see `Learner.predict`."""
        params = functional.parameters(self.net)
        z = self._normalised.query(
            params, adapted["state"], x, training=training, seed=seed
        )
        if self.distance == "euclidean":
            logits = -squared_euclidean(z, adapted["prototypes"])
        else:
            logits = self.scale * cosine_similarity(z, adapted["prototypes"])
        absent = tf.constant(-float("inf"), logits.dtype)
        return tf.where(adapted["present"], logits, absent)

    @property
    def grows(self) -> bool:
        """Unless the support set's statistics normalise all of it."""
        return self.normalisation in ("none", "running")

    def merge(self, adapted: Nest, more: Nest) -> Nest:
        """Puts prototypes beside prototypes; see `Learner.merge`."""
        if not self.grows:
            return super().merge(adapted, more)
        pairs = {
            name: [adapted[name], more[name]] for name in ("prototypes", "present")
        }
        joined = {name: tf.concat(pair, axis=0) for name, pair in pairs.items()}
        return {**joined, "state": adapted["state"]}

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this learner again."""
        return {
            **super().get_config(),
            "distance": self.distance,
            "scale": self.scale,
        }

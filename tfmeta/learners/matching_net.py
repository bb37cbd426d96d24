"""Matching networks."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.core import Examples, Options
from tfmeta.core.episode import Nest
from tfmeta.inner.modes import ModeName
from tfmeta.learners.base import Learner
from tfmeta.nets.full_context import FullContext
from tfmeta.nets.given_net import check_embeds
from tfmeta.ops import (
    class_logsumexp,
    cosine_similarity,
    count_ways,
    masked,
    present_classes,
)


@keras.saving.register_keras_serializable("tfmeta")
class MatchingNet(Learner):
    """Classifies by attention over the support examples.

    A query attends to every support example by the cosine of their embeddings; the
    probability of a class is the attention its examples get. With full context
    embeddings, recurrent nets embed each support example in the light of the whole
    set, and each query in the light of the support set. It takes any way and shot, and
    needs no gradients when served.

    Args:
        net: A built Keras net that embeds: `(examples, ...)` to `(examples, features)`.
        scale: The factor of the cosine before the softmax. With a small factor no
            probability can come near 1, least of all with many classes.
        full_context: Whether to use full context embeddings. The answer then depends
            on the support examples' order, as in the paper.
        reads: The number of times that a query reads the support set, with
            `full_context`.
        seed: The seed of the recurrent nets' initial weights.
        normalisation: Where batch normalisation takes its statistics from outside
            training: "running" (moving averages), "support" (the support set) or
            "task" (each set of examples itself); see `tfmeta.inner.Body`.
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: If a number is out of range, or the net does not embed.

    Reference:
        O. Vinyals, C. Blundell, T. Lillicrap, K. Kavukcuoglu, D. Wierstra, "Matching
        Networks for One Shot Learning", NeurIPS 2016.
        Differs from the paper: the cosine is scaled; `scale=1` is the paper's.
    """

    def __init__(
        self,
        net: keras.Model,
        *,
        scale: float = 30.0,
        full_context: bool = False,
        reads: int = 5,
        seed: int = 0,
        normalisation: ModeName = "running",
        **kwargs: Any,
    ):
        super().__init__(
            net, normalisation=normalisation, targets="labels", vectors=True, **kwargs
        )
        check_embeds(net, type(self).__name__)
        if not scale > 0:
            raise ValueError(f"scale must be above 0. Received: {scale}.")
        if reads < 1:
            raise ValueError(f"reads must be at least 1. Received: {reads}.")
        self.scale, self.full_context = scale, full_context
        self.reads, self.seed = reads, seed
        self.context: Any = None
        if full_context:
            self.context = FullContext(
                self.body.features,
                reads=reads,
                seed=seed,
                dtype=self.body.outputs.dtype.name,
            )

    @property
    def extends(self) -> bool:
        """True unless statistics or full contexts depend on the whole support set."""
        return self.context is None and not self.body.mode.joint

    def adapt(self, support: Examples, options: Options) -> Nest:
        """Embeds the support set; see `Learner.adapt`.

        Returns:
            A dict with `embeddings` `(examples, features)`, their `labels`
            `(examples,)` int32, and `state`, what normalisation keeps for the queries.
        """
        z, state = self.body.support(support.x, options)
        if self.context is not None:
            z = self.context.support(z)
        return {"embeddings": z, "labels": support.y, "state": state}

    def predict(self, adapted: Nest, x: Nest, options: Options) -> Nest:
        """Attends to the support set; see `Learner.predict`.

        Returns:
            Logits `(queries, way)`: the logarithm of each class's attention, up to a
            constant.
        """
        attention = self._attention(adapted, x, options)
        labels, way = adapted["labels"], count_ways(adapted["labels"])
        logits = class_logsumexp(attention, labels, way)
        return masked(logits, present_classes(labels, way))

    def closeness(self, support: Examples, x: Nest, options: Options) -> tf.Tensor:
        """The logarithms of attention, up to constants; see `Learner.closeness`."""
        return self._attention(self.adapt(support, options), x, options)

    def _attention(self, adapted: Nest, x: Nest, options: Options) -> tf.Tensor:
        """The scaled cosines, `(queries, examples)`, before the softmax."""
        z = self.body.query(x, adapted["state"], options)
        if self.context is not None:
            z = self.context.query(z, adapted["embeddings"])
        return self.scale * cosine_similarity(z, adapted["embeddings"])

    def extend(self, adapted: Nest, support: Examples, options: Options) -> Nest:
        """Keeps the further examples too; see `Learner.extend`."""
        if not self.extends:
            return super().extend(adapted, support, options)
        z, _ = self.body.support(support.x, options)
        return {
            **adapted,
            "embeddings": tf.concat([adapted["embeddings"], z], axis=0),
            "labels": tf.concat([adapted["labels"], support.y], axis=0),
        }

"""Matching networks."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.core import functional
from tfmeta.core.episode import Examples, Nest, Tensor
from tfmeta.learners.base import Learner
from tfmeta.nets.full_context import FullContext
from tfmeta.ops import cosine_similarity, count_ways, joined_members


@keras.saving.register_keras_serializable("tfmeta")
class MatchingNet(Learner):
    """Classifies by attention over the support examples.

    A query attends to every support example by the cosine of their embeddings; the
    probability of a class is the attention its examples get. With full context
    embeddings, recurrent nets embed each support example in the light of the whole
    set, and each query in the light of the support set. Any way and shot, without
    gradients when served.

    Args:
        net: A built Keras net that embeds: `(examples, ...)` to `(examples, features)`.
        scale: What the cosine is multiplied by before the softmax. With little of it
            no probability can come near 1, the less so the higher the way.
        full_context: Whether to use full context embeddings. The answer then depends
            on the support examples' order, as in the paper.
        reads: How often a query reads the support set, with `full_context`.
        draw: The seed of the recurrent nets' initial weights.
        normalisation: "running", "support" or "task".
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: If a number is out of range.

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
        draw: int = 0,
        normalisation: str = "running",
        **kwargs: Any,
    ):
        super().__init__(net, normalisation=normalisation, **kwargs)
        if not scale > 0 or reads < 1:
            raise ValueError(
                "scale must be above 0 and reads at least 1. Received: "
                f"scale={scale}, reads={reads}."
            )
        self.scale, self.full_context = scale, full_context
        self.reads, self.draw = reads, draw
        self.context: Any = None
        if full_context:
            self.context = FullContext(net.output_shape[-1], reads=reads, draw=draw)

    def adapt(
        self,
        support: Examples,
        *,
        training: bool = False,
        steps: int | None = None,
        seed: Tensor | None = None,
    ) -> Nest:
        """Embeds the support set; see `Learner.adapt`.

        Returns:
            `embeddings` `(examples, features)`; `members` `(way, examples)` bool,
            which of them are of which class; and `state`.
        """
        params = functional.parameters(self.net)
        z, state = self._normalised.support(
            params, support.x, training=training, seed=seed
        )
        if self.context is not None:
            z = self.context.support(z)
        classes = tf.range(count_ways(support.y))
        members = tf.equal(classes[:, None], support.y[None, :])
        return {"embeddings": z, "members": members, "state": state}

    def predict(
        self,
        adapted: Nest,
        x: Tensor,
        *,
        training: bool = False,
        seed: Tensor | None = None,
    ) -> Tensor:
        """Attends to the support set; see `Learner.predict`.

        Returns:
            Logits `(queries, way)`: the logarithm of each class's attention, up to a
            constant.
        """
        params = functional.parameters(self.net)
        z = self._normalised.query(
            params, adapted["state"], x, training=training, seed=seed
        )
        if self.context is not None:
            z = self.context.query(z, adapted["embeddings"])
        attention = self.scale * cosine_similarity(z, adapted["embeddings"])
        members = adapted["members"]
        present = tf.reduce_any(members, axis=1)
        # An absent class takes part unmasked: no derivative of log(0) anywhere.
        counted = members | ~present[:, None]
        nothing = tf.constant(-float("inf"), z.dtype)
        of_class = tf.where(counted[None], attention[:, None, :], nothing)
        return tf.where(present, tf.reduce_logsumexp(of_class, axis=-1), nothing)

    @property
    def grows(self) -> bool:
        """Unless statistics or full contexts are of the whole support set."""
        return self.context is None and self.normalisation in ("none", "running")

    def merge(self, adapted: Nest, more: Nest) -> Nest:
        """Keeps both sets of examples; see `Learner.merge`."""
        if not self.grows:
            return super().merge(adapted, more)
        embeddings = [adapted["embeddings"], more["embeddings"]]
        return {
            "embeddings": tf.concat(embeddings, axis=0),
            "members": joined_members(adapted["members"], more["members"]),
            "state": adapted["state"],
        }

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this learner again."""
        return {
            **super().get_config(),
            "scale": self.scale,
            "full_context": self.full_context,
            "reads": self.reads,
            "draw": self.draw,
        }

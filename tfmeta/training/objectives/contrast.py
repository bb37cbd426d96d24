"""Pretraining without labels: find the other view of the same example."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.core import keys
from tfmeta.core.episode import Nest, Tensor
from tfmeta.learners import Learner
from tfmeta.training.objectives.objective import Objective, embeddings_of


@keras.saving.register_keras_serializable("tfmeta")
class Contrast(Objective):
    """Learns embeddings in which two views of one example are near each other.

    A batch has each example twice, augmented in two ways. For each view, the net has
    to tell the other view of the same example from all other pictures in the batch: the
    loss is the cross-entropy of a softmax over cosines, divided by the temperature, of
    vectors that a small net of two layers makes of the embeddings.

    Args:
        temperature: What cosines are divided by, above 0.
        units: The units of the hidden layer that stands on the embedding.
        projection: The size of the vectors that are compared.

    Reference:
        T. Chen, S. Kornblith, M. Norouzi, G. Hinton, "A Simple Framework for
        Contrastive Learning of Visual Representations" (SimCLR), ICML 2020. Differs
        from the paper: the views are those of the augmentation that is given.
    """

    views = 2

    def __init__(
        self,
        *,
        temperature: float = 0.5,
        units: int = 128,
        projection: int = 64,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if temperature <= 0 or min(units, projection) < 1:
            raise ValueError(
                "temperature must be above 0, units and projection at least 1. "
                f"Received: {temperature}, {units} and {projection}."
            )
        self.temperature, self.units, self.projection = temperature, units, projection
        self.layers: Any = None

    def prepare_for(self, learner: Learner, classes: int | None, seed: int) -> None:
        """Makes the two layers; see `Objective`."""
        first, last = (
            keras.initializers.GlorotUniform(keys.integer(seed, "weights/contrast", i))
            for i in range(2)
        )
        self.layers = keras.Sequential(
            [
                keras.Input((embeddings_of(learner, self),)),
                keras.layers.Dense(
                    self.units, activation="relu", kernel_initializer=first
                ),
                keras.layers.Dense(self.projection, kernel_initializer=last),
            ],
            name="projection",
        )

    def call(self, z: Tensor) -> Tensor:
        """The vectors that are compared, `(2 * examples, projection)` float32."""
        return tf.cast(self.layers(z), tf.float32)

    def loss(self, predictions: Tensor, x: Nest, y: Tensor) -> Tensor:
        """The mean cross-entropy over all views; see `Objective`."""
        unit = tf.math.l2_normalize(predictions, axis=-1, epsilon=1e-12)
        count = tf.shape(unit)[0]
        cosines = tf.matmul(unit, unit, transpose_b=True) / self.temperature
        others = tf.linalg.set_diag(cosines, tf.fill([count], cosines.dtype.min))
        partner = tf.math.floormod(tf.range(count) + count // 2, count)
        return tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(partner, others)
        )

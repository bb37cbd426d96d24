"""Pretraining by labels: tell all classes apart, or predict all values."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.core import Labels, Targets, Values, keys
from tfmeta.core.episode import Nest, Tensor
from tfmeta.inner.body import at_least_float32
from tfmeta.learners import Learner
from tfmeta.training.objectives.objective import Objective


@keras.saving.register_keras_serializable("tfmeta")
class Classify(Objective):
    """Learns to tell all classes apart; with values, to predict them.

    A net that embeds gets a linear layer with an output for each class. A net that ends
    in a head, as the learner's `headed` tells, learns with its own outputs, and so does
    every net that learns values.
    """

    labelled = True

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.targets: Targets = Labels()
        self.layer: Any = keras.layers.Identity()

    def prepare_for(self, learner: Learner, classes: int | None, seed: int) -> None:
        """Makes the linear layer, if the net needs one; see `Objective`."""
        self.targets = Values() if classes is None else Labels()
        if classes is not None and Labels not in learner.headed:
            self.layer = keras.layers.Dense(
                classes,
                kernel_initializer=keras.initializers.GlorotUniform(
                    keys.integer(seed, "weights/classifier")
                ),
                name="classifier",
            )
        self.layer.build((None, learner.body.features))

    def call(self, z: Tensor) -> Tensor:
        """Logits `(examples, classes)`, or the values that the net gives."""
        outputs = self.layer(z)
        return tf.cast(outputs, at_least_float32(outputs.dtype))

    def loss(self, predictions: Tensor, x: Nest, y: Tensor) -> Tensor:
        """The loss of the targets: cross-entropy, or the mean squared error."""
        return self.targets.loss(predictions, y)

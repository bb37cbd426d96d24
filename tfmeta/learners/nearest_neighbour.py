"""The baseline that learns nothing: the nearest support example's class."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfmeta.core import Examples, Options, nests
from tfmeta.core.episode import Nest
from tfmeta.learners.base import Learner
from tfmeta.ops import (
    class_maxima,
    count_ways,
    masked,
    present_classes,
    squared_euclidean,
)


@keras.saving.register_keras_serializable("tfmeta")
class NearestNeighbour(Learner):
    """Answers with the class of the nearest support example, by raw inputs.

    The logit of a class is the negative squared Euclidean distance to its nearest
    example. The learner has no weights, so there is nothing to train. Any meta-learner
    should score above it.

    Args:
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Reference:
        T. Cover, P. Hart, "Nearest Neighbor Pattern Classification", IEEE
        Transactions on Information Theory, 1967.
        Does not differ from the paper.
    """

    def __init__(self, **kwargs):
        super().__init__(targets="labels", **kwargs)

    @property
    def extends(self) -> bool:
        """Always True: further examples are kept beside the first."""
        return True

    def adapt(self, support: Examples, options: Options) -> Nest:
        """Keeps the support set; see `Learner.adapt`.

        Returns:
            A dict with `examples` `(examples, numbers)`, the inputs in rows, and their
            `labels` `(examples,)` int32.
        """
        return {"examples": _rows(support.x), "labels": support.y}

    def predict(self, adapted: Nest, x: Nest, options: Options) -> Nest:
        """Measures the distances to each class; see `Learner.predict`."""
        labels, way = adapted["labels"], count_ways(adapted["labels"])
        closeness = -squared_euclidean(_rows(x), adapted["examples"])
        logits = class_maxima(closeness, labels, way)
        return masked(logits, present_classes(labels, way))

    def closeness(self, support: Examples, x: Nest, options: Options) -> tf.Tensor:
        """The negative squared distances of raw inputs; see `Learner.closeness`."""
        return -squared_euclidean(_rows(x), _rows(support.x))

    def extend(self, adapted: Nest, support: Examples, options: Options) -> Nest:
        """Keeps the further examples too; see `Learner.extend`."""
        return nests.concat(adapted, self.adapt(support, options))


def _rows(x: Nest) -> tf.Tensor:
    def as_float(leaf: tf.Tensor) -> tf.Tensor:
        return leaf if leaf.dtype.is_floating else tf.cast(leaf, tf.float32)

    return nests.flat(tf.nest.map_structure(as_float, x))

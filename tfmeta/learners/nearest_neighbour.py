"""The baseline that learns nothing: the nearest support example's class."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfmeta.core.episode import Examples, Nest, Tensor
from tfmeta.learners.base import Learner
from tfmeta.ops import count_ways, joined_members, squared_euclidean


@keras.saving.register_keras_serializable("tfmeta")
class NearestNeighbour(Learner):
    """Answers with the class of the nearest support example, by raw inputs.

    The logit of a class is the negative squared Euclidean distance to its nearest
    example. It has no weights: there is nothing to train, and any meta-learner
    should be above it.

    Args:
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Reference:
        T. Cover, P. Hart, "Nearest Neighbor Pattern Classification", IEEE
        Transactions on Information Theory, 1967.
        Differs from the paper: does not.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    def adapt(
        self,
        support: Examples,
        *,
        training: bool = False,
        steps: int | None = None,
        seed: Tensor | None = None,
    ) -> Nest:
        """Keeps the support set; see `Learner.adapt`.

        Returns:
            `examples` `(examples, features)`, and `members` `(way, examples)` bool:
            which of them are of which class.
        """
        classes = tf.range(count_ways(support.y))
        members = tf.equal(classes[:, None], support.y[None, :])
        return {"examples": _flat(support.x), "members": members}

    def predict(
        self,
        adapted: Nest,
        x: Tensor,
        *,
        training: bool = False,
        seed: Tensor | None = None,
    ) -> Tensor:
        """Measures the distances to each class; see `Learner.predict`."""
        distances = squared_euclidean(_flat(x), adapted["examples"])
        far = tf.constant(float("inf"), distances.dtype)
        to_class = tf.where(adapted["members"][None], distances[:, None, :], far)
        return -tf.reduce_min(to_class, axis=-1)

    @property
    def grows(self) -> bool:
        """Always: it keeps examples."""
        return True

    def merge(self, adapted: Nest, more: Nest) -> Nest:
        """Keeps both sets of examples; see `Learner.merge`."""
        return {
            "examples": tf.concat([adapted["examples"], more["examples"]], axis=0),
            "members": joined_members(adapted["members"], more["members"]),
        }


def _flat(x: Tensor) -> Tensor:
    # A size of -1 would leave no way to have no examples.
    size = x.shape[1:].num_elements() or tf.reduce_prod(tf.shape(x)[1:])
    return tf.reshape(x, [tf.shape(x)[0], size])

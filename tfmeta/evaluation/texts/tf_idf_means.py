"""The nearest class mean of TF-IDF weights."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfmeta.core import Examples, Options
from tfmeta.core.episode import Nest, Tensor
from tfmeta.learners import Learner
from tfmeta.ops import count_ways, masked, present_classes


@keras.saving.register_keras_serializable("tfmeta")
class TfIdfMeans(Learner):
    """Answers with the class whose mean TF-IDF weights have the smallest angle.

    The logit of a class is the cosine. There is nothing to train.

    Args:
        vocabulary: The number of words that `tfmeta.data.prepare.tf_idf.TfIdf` tells
            apart; the learner takes what that layer makes.
        **kwargs: For `keras.layers.Layer`, such as `name`.
    """

    def __init__(self, *, vocabulary: int, **kwargs):
        super().__init__(targets="labels", **kwargs)
        self.vocabulary = vocabulary

    def adapt(self, support: Examples, options: Options) -> Nest:
        """Sums the weights of each class; see `Learner.adapt`.

        Returns:
            A dict with `words` `(way, vocabulary)`, of length 1, and `present`
            `(way,)`.
        """
        way = count_ways(support.y)
        ids, values = support.x["ids"], support.x["values"]
        rows = tf.broadcast_to(support.y[:, tf.newaxis], tf.shape(ids))
        sums = tf.scatter_nd(
            tf.stack([rows, ids], -1), values, tf.stack([way, self.vocabulary])
        )
        words = tf.math.l2_normalize(sums, axis=1)
        return {"words": words, "present": present_classes(support.y, way)}

    def predict(self, adapted: Nest, x: Nest, options: Options) -> Nest:
        """Measures the cosines; see `Learner.predict`."""
        return masked(products(x, adapted["words"]), adapted["present"])


def products(x: Nest, words: Tensor) -> Tensor:
    """The scalar products of texts with weights of all words.

    Args:
        x: What `TfIdf` made, `(examples, length)` each.
        words: `(rows, vocabulary)`.

    Returns:
        `(examples, rows)`.
    """
    found = tf.gather(words, x["ids"], axis=1)
    return tf.einsum("rel,el->er", found, x["values"])

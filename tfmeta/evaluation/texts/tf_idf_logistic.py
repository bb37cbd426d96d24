"""Logistic regression on TF-IDF weights, by scikit-learn."""

from __future__ import annotations

import importlib.util
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmeta.core import Examples, Options
from tfmeta.core.episode import Nest
from tfmeta.evaluation.texts.tf_idf_means import products
from tfmeta.learners import Learner
from tfmeta.ops import count_ways, masked, present_classes


@keras.saving.register_keras_serializable("tfmeta")
class TfIdfLogistic(Learner):
    """Fits scikit-learn's `LogisticRegression` to the TF-IDF weights of a support set.

    Its settings are scikit-learn's own. It can be scored, not served.

    Args:
        vocabulary: The number of words that `tfmeta.data.prepare.tf_idf.TfIdf` tells
            apart; the learner takes what that layer makes.
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Raises:
        ImportError: If scikit-learn is not installed.
    """

    def __init__(self, *, vocabulary: int, **kwargs):
        super().__init__(targets="labels", **kwargs)
        if not is_there():
            raise ImportError(
                "Logistic regression needs scikit-learn. Install the extra 'text': "
                'pip install "tfmeta[text]".'
            )
        self.vocabulary = vocabulary

    def adapt(self, support: Examples, options: Options) -> Nest:
        """Fits the regression; see `Learner.adapt`.

        Returns:
            A dict with `words` `(way, vocabulary)`, `bias` `(way,)` and `present`
            `(way,)`.
        """
        way = count_ways(support.y)

        def fitted(ids: Any, values: Any, y: Any, way: Any) -> Any:
            return _fitted(ids, values, y, int(way), self.vocabulary)

        words, bias = tf.numpy_function(
            fitted,
            [support.x["ids"], support.x["values"], support.y, way],
            [tf.float32, tf.float32],
        )
        words = tf.ensure_shape(words, (None, self.vocabulary))
        bias = tf.ensure_shape(bias, (None,))
        present = present_classes(support.y, way)
        return {"words": words, "bias": bias, "present": present}

    def predict(self, adapted: Nest, x: Nest, options: Options) -> Nest:
        """The logits of the regression; see `Learner.predict`."""
        logits = products(x, adapted["words"]) + adapted["bias"]
        return masked(logits, adapted["present"])


def is_there() -> bool:
    """Whether scikit-learn is installed."""
    return importlib.util.find_spec("sklearn") is not None


def _fitted(
    ids: np.ndarray, values: np.ndarray, y: np.ndarray, way: int, vocabulary: int
) -> tuple[np.ndarray, np.ndarray]:
    """Weights `(way, vocabulary)` and biases `(way,)`, zeros for absent classes."""
    from sklearn.linear_model import LogisticRegression

    words, bias = np.zeros((way, vocabulary), np.float32), np.zeros(way, np.float32)
    present = np.unique(y)
    if len(present) < 2:
        return words, bias
    used, places = np.unique(ids, return_inverse=True)
    table = np.zeros((len(ids), len(used)))
    np.add.at(table, (np.arange(len(ids))[:, None], places.reshape(ids.shape)), values)
    model = LogisticRegression(max_iter=1000).fit(table, y)
    found, biases = model.coef_, model.intercept_
    if len(present) == 2:  # One row tells the second class from the first.
        found, biases = (np.concatenate([0 * v, v]) for v in (found, biases))
    words[np.ix_(present, used)], bias[present] = found, biases
    return words, bias

"""Plain supervised learning: one task, learned from all its examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfmeta.core import Examples, Labels, Options
from tfmeta.core.episode import NO_EXAMPLES, Nest
from tfmeta.inner.body import at_least_float32
from tfmeta.learners.base import Learner
from tfmeta.nets.given_net import check_logits


@keras.saving.register_keras_serializable("tfmeta")
class Supervised(Learner):
    """A classifier of fixed classes, which adapts to nothing.

    The net is trained on all examples of all its classes, as any Keras classifier, by
    `tfmeta.training.pretrain` or the app train. It is what transfer learning starts
    from, and what a data set with many examples of each class needs. A support set
    tells it nothing: `adapt` takes none, and labels are numbers in `classes`.
    `tfmeta.evaluate` scores it on every example of a part.

    Args:
        net: A built Keras net whose outputs are logits, `(examples, ...)` to
            `(examples, classes)`.
        classes: The names of the classes, in the order of the net's outputs; None for
            the numbers of the outputs.
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: If the net does not give a logit for each class.

    Example:
        >>> from tfmeta.nets import mlp
        >>> net = mlp(outputs=2, input_shape=(4,))
        >>> Supervised(net, classes=["no", "yes"]).class_names
        ('no', 'yes')
    """

    adapts = False
    meta_trained = False
    pretrained = True
    headed = (Labels,)

    def __init__(
        self, net: keras.Model, *, classes: Sequence[str] | None = None, **kwargs: Any
    ):
        super().__init__(
            net, normalisation="running", targets="labels", vectors=True, **kwargs
        )
        check_logits(net, instead="take its outputs before the last activation")
        outputs = self.body.features
        self.classes = None if classes is None else tuple(map(str, classes))
        if self.classes is not None and len(self.classes) != outputs:
            raise ValueError(
                "The net must have an output for each class. Received: a net with "
                f"{outputs} outputs, and {len(self.classes)} classes. Build the net "
                f"with way={len(self.classes)}."
            )

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes; their numbers, if no names were given."""
        return self.classes or tuple(map(str, range(self.max_way)))

    @property
    def max_way(self) -> int:
        """The number of classes."""
        return self.body.features

    def adapt(self, support: Examples, options: Options) -> Nest:
        """Returns the state of the net, which has learned all it will learn.

        Args:
            support: `NO_EXAMPLES`; what is given is only looked at in training, for the
                moving averages of the net's normalisation.
            options: The options of this call.
        """
        return {"state": self.body.state_of(support.x, options)}

    def predict(self, adapted: Nest, x: Nest, options: Options) -> Nest:
        """The net's logits, `(queries, classes)`; see `Learner.predict`."""
        return self.body.query(x, adapted["state"], options)

    def answer(self, x: dict[str, Nest], *, steps: int | None = None) -> Nest:
        """Answers the queries of all tasks of a batch at once; see `Learner.answer`."""
        queries = x["query_x"]
        first = tf.nest.flatten(queries)[0]
        tasks, count = tf.shape(first)[0], tf.shape(first)[1]
        together = tf.nest.map_structure(
            lambda t: tf.reshape(t, tf.concat([[tasks * count], tf.shape(t)[2:]], 0)),
            queries,
        )
        together = tf.nest.map_structure(
            lambda t, given: tf.ensure_shape(t, [None, *given.shape[2:]]),
            together,
            queries,
        )
        logits = self.predict(self.adapt(NO_EXAMPLES, Options()), together, Options())
        logits = tf.cast(logits, at_least_float32(logits.dtype))
        return tf.reshape(logits, [tasks, count, logits.shape[-1]])

"""How a raw input becomes what a net takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfmeta.core.nests import named
from tfmeta.data.pictures.format import PictureFormat
from tfmeta.data.prepare.raw_inputs import from_texts, to_texts
from tfmeta.data.prepare.scale_pictures import ScalePictures


@keras.saving.register_keras_serializable("tfmeta")
class Preparation(keras.layers.Layer):
    """How a raw input becomes what a net takes; the same in training and when served.

    A data set yields raw inputs, as users and clients have them. A `MetaModel` prepares
    them at its entrance, in `fit`, `predict`, `evaluate`, `adapt` and export. The
    preparation itself is not trained.

    Args:
        layer: A Keras layer of examples, `(examples, ...)` or a nest of such tensors;
            None for `ScalePictures()`.
        pictures: What an encoded picture (a JPEG file, for example) becomes before the
            layer sees it, as a `PictureFormat` or four values; None if the raw inputs
            are no pictures.
        inputs: The raw examples, a nest of `tf.TensorSpec` whose leading axis counts
            the examples; None if the net's own inputs tell their shapes and dtypes.
        low: The smallest prepared value of meta-training, one number for each part of
            an example in the order of `tf.nest.flatten`; None if it is not known.
        high: The largest such value.
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: If `layer` is no Keras layer, so that it could not be saved.

    Example:
        >>> preparation = Preparation(keras.layers.Rescaling(2.0))
        >>> x = {"support_x": tf.ones((4, 5, 3)), "query_x": tf.ones((4, 15, 3))}
        >>> ready = preparation.batch(x)
        >>> ready["query_x"].shape, float(tf.reduce_max(ready["support_x"]))
        (TensorShape([4, 15, 3]), 2.0)
    """

    def __init__(
        self,
        layer: keras.layers.Layer | None = None,
        *,
        pictures: Sequence[Any] | None = None,
        inputs: Any = None,
        low: Sequence[float] | None = None,
        high: Sequence[float] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**{"trainable": False, "autocast": False, **kwargs})
        self.layer = ScalePictures() if layer is None else layer
        if not isinstance(self.layer, keras.layers.Layer):
            raise ValueError(
                "A preparation must be a Keras layer, so that it can be saved with the "
                "model, such as keras.layers.Rescaling(1 / 255). Received: "
                f"{type(layer).__name__}."
            )
        self.pictures = None if pictures is None else PictureFormat(*pictures)
        self.inputs = None if inputs is None else from_texts(inputs)
        self.low = None if low is None else [float(value) for value in low]
        self.high = None if high is None else [float(value) for value in high]

    def call(self, x: Any) -> Any:
        """Prepares examples.

        Args:
            x: `(examples, ...)`, or a nest of such tensors.

        Returns:
            What the net takes, `(examples, ...)` or a nest.
        """
        return self.layer(x)

    def tasks(self, x: Any) -> Any:
        """Prepares the examples of a batch of tasks.

        Args:
            x: `(tasks, examples, ...)`, or a nest of such tensors.

        Returns:
            What the net takes, `(tasks, examples, ...)` or a nest.
        """
        first = tf.nest.flatten(x)[0]
        leading = [
            a or b
            for a, b in zip(
                first.shape[:2], tf.unstack(tf.shape(first)[:2]), strict=True
            )
        ]
        rows = tf.nest.map_structure(
            lambda leaf: tf.reshape(leaf, [-1, *leaf.shape[2:]]), x
        )
        return tf.nest.map_structure(
            lambda leaf: tf.reshape(leaf, [*leading, *leaf.shape[1:]]), self(rows)
        )

    def batch(self, x: dict[str, Any]) -> dict[str, Any]:
        """Prepares the support sets and queries of a batch of episodes.

        Args:
            x: The inputs of a batch, as `tfmeta.data.episodes` yields them.

        Returns:
            The same inputs, with prepared `support_x` and `query_x`.
        """
        ready = {name: self.tasks(x[name]) for name in ("support_x", "query_x")}
        return {**x, **ready}

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this preparation again."""
        return {
            **super().get_config(),
            "layer": keras.saving.serialize_keras_object(self.layer),
            "pictures": None if self.pictures is None else list(self.pictures),
            "inputs": None if self.inputs is None else to_texts(self.inputs),
            "low": self.low,
            "high": self.high,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Preparation:
        """Makes a preparation from what `get_config` returned."""
        layer = keras.saving.deserialize_keras_object(config["layer"])
        return cls(**{**config, "layer": layer})


def as_preparation(prepare: Any, inputs: Any = None) -> Preparation:
    """What a user gives as `prepare`, as a `Preparation`.

    Args:
        prepare: A `Preparation` or a Keras layer; None for the default: pictures are
            scaled where the net takes floats, and all else stays as it is.
        inputs: The net's inputs, a nest of `tf.TensorSpec`; None for a learner without
            a net, which computes with floats.

    Returns:
        The preparation.

    Raises:
        ValueError: If `prepare` is no Keras layer.
    """
    if isinstance(prepare, Preparation):
        return prepare
    if prepare is not None:
        return Preparation(prepare)
    specs = named(inputs, "" if tf.nest.is_nested(inputs) else "x")
    whole = [n for n, s in specs.items() if s is not None and s.dtype.is_integer]
    return Preparation(ScalePictures(whole=whole))

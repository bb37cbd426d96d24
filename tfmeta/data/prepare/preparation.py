"""How a raw input becomes what a net takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfmeta.core.nests import named
from tfmeta.data.pictures.format import PictureFormat
from tfmeta.data.pictures.is_picture import is_picture
from tfmeta.data.prepare.raw_inputs import from_texts, to_texts
from tfmeta.data.prepare.scale_pictures import ScalePictures


@keras.saving.register_keras_serializable("tfmeta")
class Preparation(keras.layers.Layer):
    """How a raw input becomes what a net takes; the same in training and when served.

    A data set yields raw inputs, as users and clients have them. A `MetaModel` prepares
    them at its entrance, in `fit`, `predict`, `evaluate`, `adapt` and export. The
    preparation itself is not trained: its layer becomes `trainable = False`.

    Args:
        layer: A Keras layer of examples, `(examples, ...)` or a nest of such tensors.
            What it makes of an example must not depend on the other examples. None for
            `ScalePictures()`.
        pictures: What an encoded picture (a JPEG file, for example) becomes before the
            layer sees it, as a `PictureFormat` or four values; None if the raw inputs
            are no pictures.
        inputs: The raw examples, a nest of `tf.TensorSpec` whose leading axis counts
            the examples; None if the net's own inputs tell their shapes and dtypes.
        low: The smallest prepared value of meta-training, one number for each part of
            an example in the order of `tf.nest.flatten`; None in place of a number, or
            of all, where it is not known.
        high: The largest such value.
        **kwargs: For `keras.layers.Layer`, such as `name`.

    Raises:
        ValueError: If `layer` is no Keras layer, so that it could not be saved, or if
            `low` and `high` do not belong together.

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
        low: Sequence[float | None] | None = None,
        high: Sequence[float | None] | None = None,
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
        self.layer.trainable = False
        self.pictures = None if pictures is None else PictureFormat(*pictures)
        self.inputs = None if inputs is None else from_texts(inputs)
        self.low, self.high = _numbers(low), _numbers(high)
        if [v is None for v in self.low or ()] != [v is None for v in self.high or ()]:
            raise ValueError(
                "low and high must have a number each for the same parts of an "
                f"example. Received: low={low} and high={high}."
            )
        self.built = True  # Of its own it has no weights; the layer builds itself.

    def call(self, x: Any) -> Any:
        """Prepares examples.

        Args:
            x: `(examples, ...)`, or a nest of such tensors.

        Returns:
            What the net takes, `(examples, ...)` or a nest.
        """
        return self.layer(x, training=False)

    def learn(self, chunks: Iterable[Any]) -> None:
        """Lets the layer learn from meta-train, if it learns and has not done so.

        A layer learns if it has a method `learn`, which takes what `chunks` is here,
        and a property `learned`; see `Tokens`. A `Source` calls this method.

        Args:
            chunks: Sets of raw examples of meta-train, `(some, ...)` or nests.
        """
        learn = getattr(self.layer, "learn", None)
        if learn is not None and not self.layer.learned:
            learn(chunks)

    @property
    def net_arguments(self) -> dict[str, Any]:
        """What a net must know of prepared examples: arguments by name; {} if nothing.

        It is the layer's own `net_arguments`; see `Tokens`.
        """
        return dict(getattr(self.layer, "net_arguments", {}))

    def tasks(self, x: Any) -> Any:
        """Prepares the examples of a batch of tasks.

        Args:
            x: `(tasks, examples, ...)`, or a nest of such tensors.

        Returns:
            What the net takes, `(tasks, examples, ...)` or a nest.
        """
        first = tf.convert_to_tensor(tf.nest.flatten(x)[0])
        tasks, examples = _sizes(first)[:2]

        def rows(leaf: Any) -> tf.Tensor:
            leaf = tf.convert_to_tensor(leaf)
            return tf.reshape(leaf, [tasks * examples, *_sizes(leaf)[2:]])

        def by_task(leaf: tf.Tensor) -> tf.Tensor:
            return tf.reshape(leaf, [tasks, examples, *_sizes(leaf)[1:]])

        return tf.nest.map_structure(by_task, self(tf.nest.map_structure(rows, x)))

    def batch(self, x: dict[str, Any]) -> dict[str, Any]:
        """Prepares the support sets and queries of a batch of episodes.

        Args:
            x: The inputs of a batch, as `tfmeta.data.episodes` yields them.

        Returns:
            The same inputs, with prepared `support_x` and `query_x`.
        """
        sets = ("support_x", "query_x")
        return {n: self.tasks(each) if n in sets else each for n, each in x.items()}

    def outside(self, prepared: Any, name: str = "x") -> tuple[tf.Tensor, tf.Tensor]:
        """Looks for values far outside those of meta-training, in the graph.

        Far outside is what lies outside an interval three times as wide as `low` to
        `high`, with the same centre. Where `low` and `high` are not known, or where
        they are equal, nothing is far outside.

        Args:
            prepared: What `call` returned, `(examples, ...)` or a nest.
            name: The name of the examples in the sentence.

        Returns:
            Whether no value is far outside, a scalar bool; and a scalar string, the
            sentence for when one is: what was expected, what was received, what to do.
        """
        holds, sentence = tf.constant(True), tf.constant("")
        leaves = named(prepared, name)
        for (leaf_name, leaf), low, high in zip(
            leaves.items(), self.low or (), self.high or (), strict=False
        ):
            leaf = tf.convert_to_tensor(leaf)
            if low is None or high is None or low == high or not _numeric(leaf.dtype):
                continue
            span = high - low
            least, most = (
                tf.cast(reduce(leaf), tf.float32)
                for reduce in (tf.reduce_min, tf.reduce_max)
            )
            inside = (least >= low - span) & (most <= high + span)
            worst = tf.where(low - least > most - high, least, most)
            told = tf.strings.join(
                [
                    f"{leaf_name} must be like the inputs of training, which are in "
                    f"{low:.4g}..{high:.4g} when prepared. Received: ",
                    tf.strings.as_string(worst, shortest=True),
                    f". {self._remedy(leaf)}",
                ]
            )
            sentence = tf.where(holds & ~inside, told, sentence)
            holds &= inside
        return holds, sentence

    def _remedy(self, leaf: tf.Tensor) -> str:
        scaled = isinstance(self.layer, ScalePictures)
        if scaled and is_picture(leaf.shape[1:], tf.uint8):
            return (
                "Give pictures as uint8 in 0..255, which are divided by 255, or as "
                "floats that are divided by 255 already."
            )
        return "Give inputs in the units and the scale of the training data."

    def replaced(self, **changes: Any) -> Preparation:
        """A preparation that differs from this one in some arguments.

        Args:
            **changes: Arguments of the constructor by name.

        Returns:
            The preparation; it shares the layer, unless another one is given.
        """
        names = ("layer", "pictures", "inputs", "low", "high")
        kept = {name: getattr(self, name) for name in names}
        return Preparation(**{**kept, **changes})

    def __repr__(self) -> str:
        """The kind of the layer, and the range of what it makes, if it is known."""
        known = "" if not self.low else f", low={self.low}, high={self.high}"
        return f"Preparation({type(self.layer).__name__}{known})"

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


def _numbers(values: Sequence[float | None] | None) -> list[float | None] | None:
    if values is None:
        return None
    return [None if value is None else float(value) for value in values]


def _sizes(tensor: tf.Tensor) -> list[Any]:
    """The sizes of all axes, integers where they are static, else scalar tensors."""
    given = tf.shape(tensor)
    return [given[i] if n is None else n for i, n in enumerate(tensor.shape)]


def _numeric(dtype: tf.DType) -> bool:
    return dtype.is_floating or dtype.is_integer


def as_preparation(prepare: Any, inputs: Any = None) -> Preparation:
    """What a user gives as `prepare`, as a `Preparation`.

    Args:
        prepare: A `Preparation` or a Keras layer; None for the default: pictures are
            scaled where the net takes floats, and all else stays as it is.
        inputs: The net's inputs, a nest of `tf.TensorSpec`; None for a learner without
            a net, which computes with floats.

    Returns:
        The preparation. One that only scales pictures scales none where the net takes
        whole numbers.

    Raises:
        ValueError: If `prepare` is no Keras layer.
    """
    specs = named(inputs, "" if tf.nest.is_nested(inputs) else "x")
    whole = {n for n, s in specs.items() if s is not None and s.dtype.is_integer}
    if prepare is None:
        return Preparation(ScalePictures(whole=sorted(whole)))
    if not isinstance(prepare, Preparation):
        return Preparation(prepare)
    if type(prepare.layer) is not ScalePictures or whole <= set(prepare.layer.whole):
        return prepare
    layer = ScalePictures(whole=sorted(whole | set(prepare.layer.whole)))
    low, high = (
        ends and [None if n in whole else v for n, v in zip(specs, ends, strict=False)]
        for ends in (prepare.low, prepare.high)
    )
    return prepare.replaced(layer=layer, low=low, high=high)

"""Layer normalisation that is exact to second order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfmeta.layers.base import Normalisation, moments, resolve_axis, statistics_dtype


@keras.saving.register_keras_serializable("tfmeta")
class LayerNorm(Normalisation):
    """Standardises each example over its features.

    Every position is normalised by its own mean and variance over `axis`, so
    the result depends neither on the batch nor on `training`, and gradients
    are right to any order.

    Args:
        axis: the feature axis, or several; `gamma` and `beta` have their shape.
        epsilon: added to the variance.
        center: whether to learn an offset `beta` (starts at 0).
        scale: whether to learn a factor `gamma` (starts at 1).
        **kwargs: `name`, `dtype` and the like, as for any Keras layer.

    Raises:
        ValueError: if `epsilon` is not positive or an axis has no known size.

    Reference:
        Jimmy Lei Ba, Jamie Ryan Kiros, Geoffrey E. Hinton. Layer
        Normalization. arXiv:1607.06450, 2016. Does not differ from the paper.

    Example:
        >>> LayerNorm()(tf.constant([[1.0, 3.0]])).numpy().round(3).tolist()
        [[-1.0, 1.0]]
    """

    def __init__(
        self,
        *,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(epsilon=epsilon, center=center, scale=scale, **kwargs)
        self.axis = axis if isinstance(axis, int) else list(axis)
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the affine weights in the shape of the feature axes."""
        self.add_affine(tuple(self._features(input_shape).values()))

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns normalised `inputs`: the same shape, in the compute dtype."""
        x = tf.cast(inputs, statistics_dtype(inputs.dtype))
        features = self._features(inputs.shape)
        shape = tuple(features.get(i, 1) for i in range(len(inputs.shape)))
        outputs = self.normalise(x, *moments(x, list(features)), shape)
        return tf.cast(outputs, self.compute_dtype)

    def _features(self, shape: tuple[int | None, ...]) -> dict[int, int]:
        """Maps each feature axis, counted from the front, to its size."""
        axes = [self.axis] if isinstance(self.axis, int) else self.axis
        return dict(sorted(resolve_axis(axis, shape) for axis in axes))

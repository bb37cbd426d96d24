"""Group normalisation that is exact to second order."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.layers.base import Normalisation, moments, resolve_axis, statistics_dtype


@keras.saving.register_keras_serializable("tfmeta")
class GroupNorm(Normalisation):
    """Standardises groups of channels within each example.

    Each example's channels are cut into `groups` of neighbours and every group
    is normalised over its channels and all positions. Nothing depends on the
    batch or on `training`, which makes it the simple choice where a served
    answer must not depend on who else is asked.

    Args:
        groups: how many groups; must divide the channels. -1 gives each
            channel its own (instance normalisation).
        epsilon: added to the variance.
        center: whether to learn an offset `beta` (starts at 0).
        scale: whether to learn a factor `gamma` (starts at 1).
        axis: the channels.
        **kwargs: `name`, `dtype` and the like, as for any Keras layer.

    Raises:
        ValueError: if `groups` does not divide the channels, `epsilon` is not
            positive, or `axis` is the batch axis or has no known size.

    Reference:
        Yuxin Wu, Kaiming He. Group Normalization. ECCV 2018. Does not differ
        from the paper.

    Example:
        >>> x = tf.constant([[1.0, 3.0, 10.0, 30.0]])
        >>> GroupNorm(groups=2)(x).numpy().round(2).tolist()
        [[-1.0, 1.0, -1.0, 1.0]]
    """

    def __init__(
        self,
        *,
        groups: int = 32,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        axis: int = -1,
        **kwargs: Any,
    ) -> None:
        super().__init__(epsilon=epsilon, center=center, scale=scale, **kwargs)
        if groups != -1 and groups < 1:
            raise ValueError(
                "groups must be a positive number, or -1 for one group a channel. "
                f"Received: groups={groups}."
            )
        self.groups = groups
        self.axis = axis
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the affine weights and checks that the groups fit."""
        axis, channels = resolve_axis(self.axis, input_shape)
        if axis == 0 or channels % self._groups(channels):
            raise ValueError(
                "groups must divide the channels, which are not the batch axis. "
                f"Received: groups={self.groups}, axis={self.axis}, inputs of shape "
                f"{tuple(input_shape)}. Choose groups that divide {channels}."
            )
        self.add_affine((channels,))

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns normalised `inputs`: the same shape, in the compute dtype."""
        x = tf.cast(inputs, statistics_dtype(inputs.dtype))
        axis, channels = resolve_axis(self.axis, inputs.shape)
        groups, after = self._groups(channels), len(inputs.shape) - axis - 1
        shape = tf.shape(x)
        split = tf.concat([shape[:axis], [groups, -1], shape[axis + 1 :]], 0)
        affine = (1,) * axis + (groups, channels // groups) + (1,) * after
        x = tf.reshape(x, split)
        axes = [i for i in range(1, len(inputs.shape) + 1) if i != axis]
        outputs = tf.reshape(self.normalise(x, *moments(x, axes), affine), shape)
        outputs = tf.ensure_shape(outputs, inputs.shape)
        return tf.cast(outputs, self.compute_dtype)

    def _groups(self, channels: int) -> int:
        return channels if self.groups == -1 else self.groups

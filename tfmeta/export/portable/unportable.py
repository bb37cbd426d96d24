"""What a runtime has no operation for."""

from __future__ import annotations

import tensorflow as tf

# Parts of an operation's name that TensorFlow adds to those of layers.
_ADDED = (
    "StatefulPartitionedCall",
    "PartitionedCall",
    "gradient_tape",
    "while",
    "cond",
)


class Unportable(ValueError):
    """An operation for which a runtime has no form."""


def layer_of(op: tf.Operation) -> str:
    """The layer or scope that an operation is of, for errors."""
    return scope_of(op.name)


def scope_of(name: str) -> str:
    """The layer in the name of an operation; the name itself if it has none.

    Example:
        >>> scope_of("StatefulPartitionedCall/gradient_tape/conv4/block1_norm/Rsqrt")
        'conv4/block1_norm'
    """
    parts = [p for p in name.split("/")[:-1] if not p.startswith(_ADDED)]
    return "/".join(parts) or name

"""Whether what a preparation makes of raw inputs is what a net takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfmeta.core.nests import named
from tfmeta.data.prepare.castable import check_inputs
from tfmeta.data.prepare.preparation import Preparation


def ready(
    preparation: Preparation,
    x: Any,
    name: str = "x",
    apply: Callable[[Any], Any] | None = None,
) -> Any:
    """Prepares examples; tells in a sentence if the layer cannot take them.

    Args:
        preparation: The preparation.
        x: What the preparation takes.
        name: The name of the examples in an error.
        apply: What applies the preparation, such as its method `tasks` or a graph of
            it; None for the preparation itself.

    Returns:
        What `apply` returns of `x`.

    Raises:
        ValueError: If the preparation's layer fails on the examples.
    """
    try:
        return (apply or preparation)(x)
    except (TypeError, ValueError, KeyError, tf.errors.OpError) as error:
        raise ValueError(
            f"The preparation {_layer(preparation)} cannot take {name}: {error} Give "
            "other inputs, or another preparation."
        ) from error


def checked(
    preparation: Preparation,
    x: Any,
    inputs: Any,
    name: str = "x",
    *,
    axes: int = 1,
    apply: Callable[[Any], Any] | None = None,
) -> Any:
    """Prepares examples, and refuses those that a net cannot take.

    Args:
        preparation: The preparation.
        x: Raw examples, eager tensors or a nest of them.
        inputs: The net's inputs, a nest of `tf.TensorSpec`; None for a learner without
            a net.
        name: The name of the examples in an error.
        axes: The number of axes before an example's own: 1 of `(examples, ...)`, 2 of
            `(tasks, examples, ...)`.
        apply: As in `ready`.

    Returns:
        The prepared examples, with the same leading axes.

    Raises:
        ValueError: If the prepared examples do not fit the net, see `check_fits`, or
            if a number would become another one in the net.
    """
    prepared = ready(preparation, x, name, apply)

    def spec(leaf: Any) -> tf.TensorSpec:
        return tf.TensorSpec((None, *leaf.shape[axes:]), leaf.dtype)

    raw, made = (tf.nest.map_structure(spec, nest) for nest in (x, prepared))
    check_fits(preparation, raw, made, inputs, name)
    check_inputs({name: prepared}, inputs)
    return prepared


def checked_batch(
    preparation: Preparation,
    x: dict[str, Any],
    inputs: Any,
    apply: Callable[[Any], Any] | None = None,
) -> dict[str, Any]:
    """Prepares a batch of episodes, and refuses one that a net cannot take.

    Args:
        preparation: The preparation.
        x: The raw inputs of a batch, as eager tensors.
        inputs: As in `checked`.
        apply: A graph of the preparation's `tasks`; None for this method itself.

    Returns:
        The same inputs, with prepared `support_x` and `query_x`.

    Raises:
        ValueError: As for `checked`.
    """
    apply = apply or preparation.tasks
    sets = {
        name: checked(preparation, x[name], inputs, name, axes=2, apply=apply)
        for name in ("support_x", "query_x")
    }
    return {**x, **sets}


def check_fits(
    preparation: Preparation, raw: Any, prepared: Any, inputs: Any, name: str = "x"
) -> None:
    """Refuses a preparation that does not make what the net takes.

    Args:
        preparation: The preparation.
        raw: Raw examples, `(examples, ...)` tensors or specs, or a nest of them.
        prepared: What the preparation makes of them.
        inputs: The net's inputs, a nest of `tf.TensorSpec`; None for a learner without
            a net, which takes all numbers.
        name: The name of the examples in an error.

    Raises:
        ValueError: If the prepared examples differ from the net's inputs in structure
            or shape, or are made floats where the net takes whole numbers, or are no
            numbers.
    """
    wanted = "numbers" if inputs is None else _told(inputs, name)
    if _taken(tf.nest.flatten(raw), prepared, inputs):
        return
    raise ValueError(
        f"The inputs do not fit the net. It takes {wanted}. Received: "
        f"{_told(raw, name)}, of which the preparation {_layer(preparation)} makes "
        f"{_told(prepared, name)}. Give other inputs, another preparation or another "
        "net."
    )


def _taken(raws: list[Any], prepared: Any, inputs: Any) -> bool:
    leaves, specs = tf.nest.flatten(prepared), tf.nest.flatten(inputs)
    if any(t.dtype == tf.string for t in leaves):
        return False
    if inputs is None:
        return True
    # Keras would take the parts of another structure by their order.
    same = list(named(inputs, "x")) == list(named(prepared, "x"))
    from_whole = not any(t.dtype.is_floating for t in raws)
    return same and all(
        _takes(s, t, from_whole) for s, t in zip(specs, leaves, strict=True)
    )


def _takes(spec: tf.TensorSpec, made: Any, from_whole: bool) -> bool:
    """Whether a net that takes `spec` can take a tensor, if its numbers are exact."""
    if spec.dtype.is_integer and made.dtype.is_floating and from_whole:
        return False
    wanted, got = spec.shape[1:], made.shape[1:]
    if wanted.rank is None or got.rank is None:
        return True
    # Keras adds and drops a last axis of size 1.
    return any(
        a.is_compatible_with(b)
        for a, b in ((wanted, got), (wanted + [1], got), (wanted, got + [1]))
    )


def _layer(preparation: Preparation) -> str:
    return type(preparation.layer).__name__


def _told(x: Any, name: str) -> str:
    return " and ".join(
        f"{leaf_name} of {leaf.dtype.name} {_shape(leaf.shape)}"
        for leaf_name, leaf in named(x, name).items()
    )


def _shape(shape: tf.TensorShape) -> str:
    if shape.rank is None:
        return "of any shape"
    sizes = ["any number" if n is None else str(n) for n in shape[1:]]
    return f"({', '.join(['examples', *sizes])})"

"""What a served model refuses, inside its graph, with a sentence."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from tfmeta.core.episode import Tensor

Check = tuple[Tensor, Tensor]


def checked(tensors: Sequence[Tensor], checks: Sequence[Check]) -> list[Tensor]:
    """Lets tensors through only where every check holds.

    Whatever is computed from the returned tensors waits for the checks, so they run
    even where a server asks for a single output. The first check that fails speaks.

    Args:
        tensors: What is checked.
        checks: Pairs of a scalar bool and the sentence, a scalar string, to refuse
            with where it is false.

    Returns:
        The tensors.
    """
    before: list[tf.Operation] = []
    for holds, sentence in checks:
        with tf.control_dependencies(before):
            before = [tf.debugging.Assert(holds, [sentence])]
    with tf.control_dependencies(before):
        return [tf.identity(t) for t in tensors]


def support_checks(x: Tensor, y: Tensor, max_way: int | None) -> list[Check]:
    """What must hold of a support set.

    A label of a learner without a head is bounded by the number of examples: with
    labels 0, 1, ... and an example for each class no label is higher, and what a
    request can make the server allocate stays in proportion to the request.

    Args:
        x: `(examples, ...)`.
        y: `(examples,)` int32.
        max_way: The number of classes of the head; None without one.

    Returns:
        The checks, in order.
    """
    given, labels = tf.shape(x)[0], tf.shape(y)[0]
    bound = given if max_way is None else tf.constant(max_way)
    worst = tf.where(tf.reduce_any(y < 0), tf.reduce_min(y), tf.reduce_max(y))
    if max_way is None:
        range_text = tf.strings.format(
            "support_y has the label {}, but with {} examples labels must be in 0..{}. "
            "Number the classes 0, 1, 2, ... and give an example of each.",
            [worst, given, given - 1],
        )
    else:
        range_text = tf.strings.format(
            "support_y has the label {}, but labels must be in "
            f"0..{max_way - 1}: this model serves at most {max_way} classes.",
            [worst],
        )
    return [
        (
            tf.equal(given, labels),
            tf.strings.format(
                "support_x has {} examples, but support_y has {} labels. Give one "
                "label for each example.",
                [given, labels],
            ),
        ),
        (
            given > 0,
            tf.constant(
                "The support set is empty. Give at least one labelled example."
            ),
        ),
        (tf.reduce_all((y >= 0) & (y < bound)), range_text),
        *finite_checks("support_x", x),
    ]


def finite_checks(name: str, x: Tensor) -> list[Check]:
    """That a tensor holds no NaN and no infinity; nothing for other than floats.

    Args:
        name: What to call it.
        x: Any shape.

    Returns:
        The checks.
    """
    if not x.dtype.is_floating:
        return []
    sentence = (
        f"{name} has a value that is NaN or infinite. Give finite numbers, scaled as "
        "in training."
    )
    return [(tf.reduce_all(tf.math.is_finite(x)), tf.constant(sentence))]

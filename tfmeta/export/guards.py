"""What a served graph does with a request that fails a check: raise, or flag it."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence

import tensorflow as tf

from tfmeta.core.episode import Tensor
from tfmeta.export.checks import Check, said, shape_checks

VALID = "valid"
STATE_VALID = "state_valid"  # In an adapted state, which `predict` gets beside queries.
Tensors = dict[str, Tensor]


class Guard(abc.ABC):
    """Lets tensors through checks, while one signature is traced; abstract."""

    @abc.abstractmethod
    def shapes(self, inputs: Tensors) -> list[Check]:
        """The checks of the shapes of inputs that this guard needs."""

    @abc.abstractmethod
    def passed(self, tensors: Mapping[str, Tensor], checks: Sequence[Check]) -> Tensors:
        """Lets tensors through, in such a way that a failed check has its effect.

        Args:
            tensors: The tensors by name.
            checks: What must hold.

        Returns:
            The tensors by name.
        """

    @abc.abstractmethod
    def rows(self, support: Tensors) -> Tensors:
        """Makes a support set one that can be computed with, whatever failed.

        Args:
            support: The inputs of a support set, `(examples, ...)` each.

        Returns:
            The same inputs.
        """

    @abc.abstractmethod
    def state_checks(self, state: Tensors) -> list[Check]:
        """The checks of an adapted state that a client hands back."""

    @abc.abstractmethod
    def state(self, tensors: Tensors) -> Tensors:
        """Adds to an adapted state what `state_checks` will look at."""

    @abc.abstractmethod
    def answer(self, outputs: Tensors, nothing: float) -> Tensors:
        """Finishes the numbers of an answer.

        Args:
            outputs: Floats and labels by name.
            nothing: What stands for the floats of no answer.

        Returns:
            The outputs, and what the guard says beside them.
        """


class Raise(Guard):
    """Refuses a request with the sentence of the first check that fails.

    Whatever is computed from the tensors that it lets through waits for the checks, so
    they run even where a server asks for a single output.
    """

    def shapes(self, inputs: Tensors) -> list[Check]:
        """All of them; see `Guard.shapes`."""
        return shape_checks(inputs)

    def passed(self, tensors: Mapping[str, Tensor], checks: Sequence[Check]) -> Tensors:
        """The same tensors, after the checks; see `Guard.passed`."""
        before: list[tf.Operation] = []
        for check in checks:
            with tf.control_dependencies(before):
                before = [tf.debugging.Assert(check.holds, [check.sentence()])]
        with tf.control_dependencies(before):
            return {name: tf.identity(t) for name, t in tensors.items()}

    def rows(self, support: Tensors) -> Tensors:
        """The support set as it is; see `Guard.rows`."""
        return support

    def state_checks(self, state: Tensors) -> list[Check]:
        """None; see `Guard.state_checks`."""
        return []

    def state(self, tensors: Tensors) -> Tensors:
        """The state as it is; see `Guard.state`."""
        return tensors

    def answer(self, outputs: Tensors, nothing: float) -> Tensors:
        """The outputs as they are; see `Guard.answer`."""
        return outputs


class Flag(Guard):
    """Says by an output `valid` (int32, 1 or 0) whether all checks have held.

    It is for runtimes that cannot raise. After a failed check the graph computes with
    zeros, and the answer is none: label -1, probability 0 for each class, NaN for
    values. An adapted state has `state_valid`, so that no state of a refused support
    set is answered from. Shapes are compared by the runtime itself.
    """

    def __init__(self) -> None:
        self.valid: Tensor = tf.constant(True)

    def shapes(self, inputs: Tensors) -> list[Check]:
        """None; see `Guard.shapes`."""
        return []

    def passed(self, tensors: Mapping[str, Tensor], checks: Sequence[Check]) -> Tensors:
        """The same tensors, or zeros; see `Guard.passed`."""
        for check in checks:
            self.valid = tf.logical_and(self.valid, check.holds)
        return {
            n: tf.where(self.valid, t, tf.zeros_like(t)) for n, t in tensors.items()
        }

    def rows(self, support: Tensors) -> Tensors:
        """As many rows of each input, at least one; see `Guard.rows`."""
        fewest = tf.reduce_min([tf.shape(t)[0] for t in support.values()])

        def cut(t: Tensor) -> Tensor:
            extra = tf.zeros([tf.maximum(1 - fewest, 0), *t.shape[1:]], t.dtype)
            return tf.concat([t[:fewest], extra], 0)

        return {name: cut(t) for name, t in support.items()}

    def state_checks(self, state: Tensors) -> list[Check]:
        """That the support set was valid; see `Guard.state_checks`."""
        sentence = said("The adapted state is of a support set that was not valid.")
        return [Check(tf.equal(state[STATE_VALID], 1), sentence)]

    def state(self, tensors: Tensors) -> Tensors:
        """Adds `state_valid`; see `Guard.state`."""
        return {**tensors, STATE_VALID: tf.cast(self.valid, tf.int32)}

    def answer(self, outputs: Tensors, nothing: float) -> Tensors:
        """No answer where a check has failed, and `valid`; see `Guard.answer`."""

        def or_none(t: Tensor) -> Tensor:
            none = tf.constant(nothing if t.dtype.is_floating else -1, t.dtype)
            return tf.where(self.valid, t, none)

        answers = {name: or_none(t) for name, t in outputs.items()}
        return {**answers, VALID: tf.cast(self.valid, tf.int32)}

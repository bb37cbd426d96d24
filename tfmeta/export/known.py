"""What a client knows of its examples: labels, values, or the names of classes."""

from __future__ import annotations

import abc
from collections.abc import Mapping

import tensorflow as tf

from tfmeta.core import Labels, Targets
from tfmeta.core.class_names import encode_in_graph, extend_in_graph
from tfmeta.core.episode import Tensor
from tfmeta.export.checks import (
    Check,
    finite_checks,
    label_check,
    name_checks,
    said,
    way_check,
)
from tfmeta.export.guards import Guard

CLASSES = "classes"
Tensors = dict[str, Tensor]


class Known(abc.ABC):
    """How the `y` of support examples is sent; abstract.

    Attributes:
        spec: The name, dtype and shape of the input.
        max_way: The most classes that the learner serves; None for any number.
    """

    def __init__(self, spec: tf.TensorSpec, max_way: int | None):
        self.spec, self.max_way = spec, max_way

    @abc.abstractmethod
    def checks(self, sent: Tensor, state: Tensors | None) -> list[Check]:
        """What must hold of the input before anything is computed from it.

        Args:
            sent: The input, `(examples, ...)`.
            state: The adapted state that goes on, by name; None for a new task.
        """

    @abc.abstractmethod
    def read(
        self, sent: Tensor, state: Tensors | None, guard: Guard
    ) -> tuple[Tensor, Tensors]:
        """The `y` of the examples, and what an adapted state keeps beside.

        Args:
            sent: The input, `(examples, ...)`.
            state: The adapted state that goes on, by name; None for a new task.
            guard: Lets tensors through checks.

        Returns:
            `(examples, ...)` labels or values, and tensors by name.
        """

    def state_checks(self, state: Mapping[str, Tensor]) -> list[Check]:
        """What must hold of what `read` kept in a state that a client hands back."""
        return []


class Numbers(Known):
    """Labels or values, as the learner takes them."""

    def __init__(self, spec: tf.TensorSpec, max_way: int | None, targets: Targets):
        super().__init__(spec, max_way)
        self.targets = targets

    def checks(self, sent: Tensor, state: Tensors | None) -> list[Check]:
        """Labels are in range, values are finite; see `Known.checks`."""
        if not isinstance(self.targets, Labels):
            return finite_checks({self.spec.name: sent})
        known = None if state is None else _rows(state)
        return [label_check(sent, self.max_way, known)]

    def read(
        self, sent: Tensor, state: Tensors | None, guard: Guard
    ) -> tuple[Tensor, Tensors]:
        """The input itself; see `Known.read`."""
        return sent, {}


class Names(Known):
    """Names of classes, by the codec of `tfmeta.core.class_names`.

    An adapted state keeps the classes, so that answers can name them.
    """

    def checks(self, sent: Tensor, state: Tensors | None) -> list[Check]:
        """The names can be names of classes; see `Known.checks`."""
        return name_checks(self.spec.name, sent)

    def read(
        self, sent: Tensor, state: Tensors | None, guard: Guard
    ) -> tuple[Tensor, Tensors]:
        """Labels and `classes`; see `Known.read`."""
        if state is None:
            classes, y = encode_in_graph(sent)
        else:
            classes, y = extend_in_graph(state[CLASSES], sent)
        passed = guard.passed({"y": y}, way_check(classes, self.max_way))
        return passed["y"], {CLASSES: classes}

    def state_checks(self, state: Mapping[str, Tensor]) -> list[Check]:
        """The classes are distinct names; see `Known.state_checks`."""
        classes = state[CLASSES]
        distinct = tf.size(tf.unique(classes)[0])
        sentence = said("classes has a name more than once. Give what adapt returned.")
        return [
            *name_checks(CLASSES, classes),
            Check(tf.equal(distinct, tf.size(classes)), sentence),
        ]


def _rows(state: Tensors) -> Tensor:
    """The most rows of a state's tensors: a state has no more classes than that."""
    sizes = [tf.shape(t)[0] for t in state.values() if t.shape.rank]
    return tf.reduce_max(tf.stack([*sizes, 0]))

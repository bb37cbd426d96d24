"""A Keras net under a normalisation mode."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import keras
import tensorflow as tf

from tfmeta.core import functional
from tfmeta.core.episode import Nest, Tensor
from tfmeta.core.options import Options
from tfmeta.core.problems import Problem, listed, refuse
from tfmeta.inner.modes import MODES, Mode, NoStatistics
from tfmeta.layers.exact import second_order_problems


class State(NamedTuple):
    """What normalisation keeps of a support set for its queries.

    Each body has its own subclass, `Body.State`. By this type `states_in` finds the
    body's state wherever a learner puts it in `adapted`.

    Attributes:
        statistics: A tensor for each of the body's `statistics`; an empty list where
            queries need none.
    """

    statistics: list[Tensor]


class Body:
    """A net's forward passes under one normalisation mode; pure.

    * `support`: the support set's statistics normalise the support set and the queries.
      A query's answer depends on no other query.
    * `task`: the statistics of each call's batch normalise that batch. Queries are
      normalised together (transductive).
    * `running`: in training, the statistics of each call's batch normalise that batch;
      afterwards, moving averages over the training tasks' support sets do.

    A net without moving statistics behaves alike in all three modes.

    Args:
        net: A built Keras model of one argument, which may be a nest.
        normalisation: One of "support", "task" and "running".
        place: The place of the body among the learner's bodies, such as "0". Bodies of
            different places draw different random masks.
        second_order: Whether gradients of the net's gradients will be taken, so that
            its operations must have right ones, see `tfmeta.layers.check_exact`.
        vectors: Whether the net must give a vector for each example, see
            `check_vectors`.

    Attributes:
        net: The net.
        mode: The mode in use, which is `NoStatistics` for a net without statistics.
        inputs: The net's inputs, a nest of `tf.TensorSpec` whose leading axes are None.
        outputs: The outputs of `support` and `query`, a nest of `tf.TensorSpec`. Half
            precision becomes float32.
        statistics: The net's moving statistics, a list of Keras variables.
        random: Whether the net has random layers such as Dropout.
        State: The type of the states that `support` returns.

    Raises:
        ValueError: If there is no such mode, if the net is not built, if the mode would
            leave the net's random layers on when served, if the mode is "support"
            and the net has moving statistics outside `tfmeta.layers.BatchNorm`, or if
            second derivatives or vectors are asked for and the net does not have them.
            One error names all that is wrong with the net.
    """

    def __init__(
        self,
        net: keras.Model,
        normalisation: str = "support",
        *,
        place: str = "0",
        second_order: bool = False,
        vectors: bool = False,
    ):
        if normalisation not in MODES:
            raise ValueError(
                f"normalisation must be one of {', '.join(MODES)}. "
                f"Received: {normalisation!r}."
            )
        if not net.built:
            raise ValueError(
                f"The net {net.name!r} must be built before a learner takes it. Give "
                "it an Input layer, or call it once."
            )
        self.net, self.normalisation = net, normalisation
        self.place = place
        self.inputs, outputs, self._moving = functional.traits(net)
        self.outputs = tf.nest.map_structure(_widened, outputs)
        self._is_statistic = [
            moves and tf.as_dtype(v.dtype).is_floating
            for v, moves in zip(net.non_trainable_variables, self._moving, strict=True)
        ]
        self.statistics = list(
            itertools.compress(net.non_trainable_variables, self._is_statistic)
        )
        self.random = sum(self._moving) > len(self.statistics)
        self.mode: Mode = MODES[normalisation] if self.statistics else NoStatistics()
        problems = self.mode.problems(self)
        if second_order:
            problems += second_order_problems(net, self.inputs)
        if vectors:
            problems += self._shape_problems()
        refuse(net.name, problems)
        self.State = type("State", (State,), {"__slots__": ()})

    @property
    def features(self) -> int:
        """The size of the outputs' last axis; for a dict, that of its entry "mean".

        Raises:
            ValueError: If the net has several outputs and none is called "mean".
        """
        outputs = tf.nest.flatten(self.outputs)
        if isinstance(self.outputs, dict) and "mean" in self.outputs:
            outputs = [self.outputs["mean"]]
        if len(outputs) > 1 or not outputs[0].shape.rank:
            raise ValueError(
                f"The net {self.net.name!r} must have one output, (examples, "
                f"features), or one called 'mean'. Received: {self.outputs}."
            )
        return outputs[0].shape[-1]

    def check_vectors(self, *, instead: str = "") -> None:
        """Refuses a net that does not give a vector for each example.

        Args:
            instead: What the caller may do in place of changing the net, for the error.

        Raises:
            ValueError: If the net has several outputs, or its output is not
                `(examples, features)`.
        """
        refuse(self.net.name, self._shape_problems(instead))

    def _shape_problems(self, instead: str = "") -> list[Problem]:
        shapes = [tuple(spec.shape) for spec in tf.nest.flatten(self.outputs)]
        if isinstance(self.outputs, tf.TensorSpec) and len(shapes[0]) == 2:
            return []
        cure = "let it give one output"
        if len(shapes) == 1:
            cure = "add a pooling or Flatten layer at its end"
        if len(shapes) == 1 and len(shapes[0]) < 2:
            cure = "let it keep a last axis, (examples, 1)"
        fault = (
            f"gives outputs of shape {listed(map(str, shapes))}, but a learner of "
            "classes needs one output of shape (examples, features)"
        )
        return [Problem(fault, (cure,), instead)]

    def part(self, net: keras.Model, number: int) -> Body:
        """A body around a part of this body's net, in the same mode.

        Args:
            net: A model that shares layers with this body's net.
            number: The number of the part, 0 or 1. Different parts draw different
                random masks.
        """
        return Body(net, self.normalisation, place=f"{self.place}.{number}")

    def support(
        self, x: Nest, options: Options, params: list[Tensor] | None = None
    ) -> tuple[Nest, State]:
        """Runs a support set through the net.

        Args:
            x: `(examples, ...)`.
            options: `training` and `seed` are read.
            params: One tensor for each of the net's trainable variables; None for the
                variables themselves.

        Returns:
            The outputs `(examples, ...)`, and the state to hand to `query`.
        """
        options = options.fold(f"support set/{self.place}")
        z, statistics = self.mode.support(self, x, options, params)
        return z, self.State(statistics)

    def query(
        self,
        x: Nest,
        state: State,
        options: Options,
        params: list[Tensor] | None = None,
    ) -> Nest:
        """Runs queries through the net.

        Args:
            x: `(queries, ...)`.
            state: What `support` returned.
            options: `training` and `seed` are read.
            params: As in `support`.

        Returns:
            The outputs, `(queries, ...)`.
        """
        options = options.fold(f"queries/{self.place}")
        return self.mode.query(self, x, list(state.statistics), options, params)

    def state_of(
        self, x: Nest, options: Options, params: list[Tensor] | None = None
    ) -> State:
        """The state that `support` returns, without a forward pass where it is empty.

        Args:
            x: `(examples, ...)`.
            options: As in `support`.
            params: As in `support`.

        Returns:
            The state to hand to `query`.
        """
        if not self.mode.has_state(options):
            return self.State([])
        return self.support(x, options, params)[1]

    def kept(self, state: State | None) -> list[Tensor]:
        """The new values of the moving statistics after a support set in training.

        Args:
            state: The state that `support` returned; None if there is none.

        Returns:
            A tensor for each of `statistics`.

        Raises:
            ValueError: If `state` is None, although the mode keeps moving averages.
        """
        if state is None:
            raise ValueError(
                f"The state that support returned for the net {self.net.name!r} must "
                "be somewhere in what adapt returns, so that its moving averages can "
                "be kept."
            )
        return list(state.statistics)

    def empty_statistics(self) -> list[Tensor]:
        """Statistics of no examples: zeros, which one pass in training mode fills."""
        return [tf.zeros(v.shape, v.dtype) for v in self.statistics]

    def run(
        self,
        x: Nest,
        options: Options,
        params: list[Tensor] | None,
        *,
        training: bool,
        statistics: list[Tensor] | None = None,
    ) -> tuple[Nest, list[Tensor]]:
        """Runs the net once; the modes call this method.

        Args:
            x: `(examples, ...)`.
            options: `seed` is read.
            params: As in `support`.
            training: The argument `training` of the net's layers.
            statistics: The statistics before the pass, a tensor for each of the body's
                `statistics`; None for the values of these variables.

        Returns:
            The outputs, and the statistics after the pass.
        """
        if params is None:
            params = functional.parameters(self.net)
        given = None if statistics is None else iter(statistics)
        values = [
            next(given)
            if wanted and given is not None
            else tf.convert_to_tensor(variable.value)
            for variable, wanted in zip(
                self.net.non_trainable_variables, self._is_statistic, strict=True
            )
        ]
        values = functional.seeded(values, options.seed, self._moving)
        z, after = functional.call(
            self.net,
            params,
            values,
            self._as_taken(x),
            training=training,
            layer_losses=options.layer_losses,
        )
        kept = zip(after, self._is_statistic, strict=True)
        z = tf.nest.map_structure(lambda t: tf.cast(t, at_least_float32(t.dtype)), z)
        return z, [v for v, wanted in kept if wanted]

    def _as_taken(self, x: Nest) -> Nest:
        """Casts examples to the dtypes that the net takes."""
        leaves, specs = tf.nest.flatten(x), tf.nest.flatten(self.inputs)
        if len(leaves) != len(specs):
            raise ValueError(
                f"The net {self.net.name!r} takes {len(specs)} tensors. Received: "
                f"{len(leaves)}. Give examples of the structure {self.inputs}."
            )
        cast = [tf.cast(t, s.dtype) for t, s in zip(leaves, specs, strict=True)]
        return tf.nest.pack_sequence_as(x, cast)


def _widened(spec: tf.TensorSpec) -> tf.TensorSpec:
    return tf.TensorSpec(spec.shape, at_least_float32(spec.dtype))


def at_least_float32(dtype: tf.DType) -> tf.DType:
    """The dtype for what is computed from half precision: heads, distances, losses.

    Args:
        dtype: Any dtype.

    Returns:
        float32 for a floating dtype of half precision, else the dtype itself.
    """
    half = dtype.is_floating and dtype.size < tf.float32.size
    return tf.float32 if half else dtype


def states_in(adapted: Nest) -> dict[type, State]:
    """Finds the states of bodies wherever they are in an adapted task.

    Args:
        adapted: What `Learner.adapt` returned.

    Returns:
        A dict from the type of each state to the state.
    """
    if isinstance(adapted, State):
        return {type(adapted): adapted}
    found: dict[type, State] = {}
    if isinstance(adapted, dict):
        adapted = list(adapted.values())
    if isinstance(adapted, list | tuple):
        for each in adapted:
            found.update(states_in(each))
    return found

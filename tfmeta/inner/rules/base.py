"""The interface of a rule that turns inner gradients into inner steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import keras

from tfmeta.core.configured import Configured
from tfmeta.core.episode import Nest, Tensor


class Step(NamedTuple):
    """Facts about one inner step, which a rule is handed with the gradients.

    Attributes:
        number: The number of the step, a scalar int32; 0 for the first step.
        steps: The number of all inner steps, a Python integer.
        loss: The support loss before the step, a scalar.
    """

    number: Tensor
    steps: int
    loss: Tensor


class UpdateRule(Configured, keras.layers.Layer):
    """Turns gradients into updates, which are added to adapted parameters; abstract.

    A rule is pure: `update` takes the rule's state and returns the next one. A rule may
    own meta-parameters, such as learned rates: create them in `build`, which gets the
    list of the adapted parameters' shapes, and read them in `update`. A shape has None
    for the way where a head is made for each task.

    Attributes:
        takes_step: Whether the rule's updates are to be added to parameters. False for
            a rule that only changes gradients, such as clipping: that rule needs
            another rule after it, see `chain`.
    """

    takes_step: ClassVar[bool] = True

    @property
    def statistics(self) -> list[keras.Variable]:
        """What the rule carries from one training task to the next; see `kept`.

        They are averaged over the tasks of an outer step, as a learner's moving
        statistics are, and tasks outside training read them alone.
        """
        return []

    def kept(self, state: Nest) -> list[Tensor]:
        """The new values of `statistics` after a training task.

        Args:
            state: What the last `update` returned.

        Returns:
            A tensor for each of `statistics`.
        """
        return []

    def init(self, params: list[Tensor]) -> Nest:
        """The rule's state before the first step.

        Args:
            params: The adapted parameters.

        Returns:
            Any nest of tensors; () for a rule without memory.
        """
        return ()

    def update(
        self, grads: list[Tensor], state: Nest, params: list[Tensor], step: Step
    ) -> tuple[list[Tensor], Nest]:
        """Turns the gradients of one step into updates.

        Args:
            grads: The support loss's gradient, a tensor for each parameter.
            state: The state that `init` or the previous `update` returned.
            params: The parameters before the step.
            step: The step's number, the number of steps, and the loss.

        Returns:
            The updates to add to the parameters, a tensor for each parameter, and the
            state after the step.
        """
        raise NotImplementedError(f"{type(self).__name__} must define update.")


def made_rule(
    rule: UpdateRule | Callable[..., UpdateRule] | None,
    inner_lr: float | None,
    own: Callable[..., UpdateRule],
) -> UpdateRule:
    """Makes the inner rule of a learner from the learner's arguments.

    Args:
        rule: An instance, a class or function that makes one, or None for the learner's
            own rule.
        inner_lr: The learning rate of the rule that is made, where `rule` is a class or
            None; None for the default rate of that rule.
        own: A function that makes the learner's own rule; it takes `learning_rate`.

    Returns:
        The rule.

    Raises:
        ValueError: If `inner_lr` is not above zero, or is given beside an instance,
            which has its own rate; if `rule` is no rule; or if the rule only changes
            gradients.
    """
    if inner_lr is not None and not inner_lr > 0:
        raise ValueError(
            "inner_lr must be above 0, as the size of an inner step. Received: "
            f"inner_lr={inner_lr}."
        )
    if isinstance(rule, UpdateRule):
        if inner_lr is not None:
            raise ValueError(
                f"rule={type(rule).__name__}(...) has its rate already. Received: "
                f"inner_lr={inner_lr}. Leave out inner_lr and give the rate to the "
                "rule, or give the rule's class."
            )
        made: Any = rule
    else:
        rate = {} if inner_lr is None else {"learning_rate": inner_lr}
        make = own if rule is None else rule
        made = make(**rate) if callable(make) else None
        if not isinstance(made, UpdateRule):
            raise ValueError(
                "rule must be an update rule such as tfmeta.inner.Adam(), its class, "
                f"or a function that makes one. Received: {rule!r}."
            )
    if not made.takes_step:
        raise ValueError(
            f"{type(made).__name__} changes gradients and takes no step. Put a rule "
            "that takes steps after it: tfmeta.inner.rules.chain("
            f"{type(made).__name__}(...), tfmeta.inner.GradientDescent(...))."
        )
    return made

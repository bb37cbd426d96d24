"""Learners that adapt by gradient steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import keras

from tfmeta.core import Examples, Labels, Options, Targets, Values, as_targets
from tfmeta.core.episode import Nest, Tensor
from tfmeta.inner import UpdateRule, made_rule
from tfmeta.inner.adapt_only import AdaptOnly, chosen_to_adapt, paths_inside
from tfmeta.inner.descent import Descent
from tfmeta.inner.heads import HeadName, OwnHead, as_head
from tfmeta.learners.base import Learner
from tfmeta.nets.given_net import check_embeds, check_logits

_IF_VALUES = 'give the learner targets="values" if its outputs are values'


class GradientLearner(Learner):
    """A learner that adapts copies of its net's weights by gradient steps; abstract.

    It defines the two verbs. A subclass chooses the rule, the head, the number of
    steps, and what is meta-trained.

    Args:
        net: A built Keras net.
        rule: The rule that turns a gradient into an update: a rule, its class, or None
            for the learner's own rule.
        inner_lr: The learning rate of the learner's own rule, or of `rule` if it is a
            class; None for the default rate of that rule.
        own_rule: A function that makes the learner's own rule. It takes
            `learning_rate`, which has a default.
        inner_steps: The number of inner steps in training.
        eval_steps: The number of inner steps outside training; None for `inner_steps`.
        first_order: Whether differentiation through the steps treats their gradients
            as constants.
        head: "net", "prototypes" or "zeros", see `tfmeta.inner.heads`. None is "net" if
            the net's outputs are logits or the targets are values, else `made_head`.
        made_head: The name of the head for a net that embeds.
        adapt_net: Whether the net's weights adapt. A head that is made for each task
            always adapts.
        adapt_only: The weights of the net that adapt, see `chosen_to_adapt`; None for
            all.
        inner_batch: The number of support examples that a step looks at; None for all.
        **kwargs: For `Learner`, such as `normalisation`.

    Raises:
        ValueError: If a number is out of range, or the net cannot be used as asked; one
            error names all that is wrong with the net's layers.

    Attributes:
        meta_trained: Whether the method has a meta-training phase; of the class.
    """

    meta_trained: ClassVar[bool] = True

    def __init__(
        self,
        net: keras.Model,
        *,
        rule: UpdateRule | type[UpdateRule] | None,
        inner_lr: float | None,
        own_rule: Callable[..., UpdateRule],
        inner_steps: int,
        eval_steps: int | None = None,
        first_order: bool = True,
        head: HeadName | None = None,
        made_head: HeadName = "prototypes",
        adapt_net: bool = True,
        adapt_only: AdaptOnly | None = None,
        inner_batch: int | None = None,
        **kwargs: Any,
    ):
        labels = isinstance(as_targets(kwargs.get("targets")), Labels)
        super().__init__(net, second_order=not first_order, vectors=labels, **kwargs)
        _check_at_least(0, inner_steps=inner_steps, eval_steps=eval_steps)
        _check_at_least(1, inner_batch=inner_batch)
        self.inner_steps, self.eval_steps = inner_steps, eval_steps
        self.rule, self.inner_lr = made_rule(rule, inner_lr, own_rule), inner_lr
        self.first_order, self.head, self.inner_batch = first_order, head, inner_batch
        adapts, self.adapt_only = _chosen(net, adapt_net, adapt_only)
        own = head is None and isinstance(self.targets, Values)  # So are its outputs.
        chosen = as_head(OwnHead.name if own else head, net, made=made_head)
        if chosen.made:
            self.body.check_vectors(instead=_IF_VALUES)
        self._check_end(chosen.made)
        self.descent = Descent(
            self.body,
            self.rule,
            head=chosen,
            first_order=first_order,
            adapts=adapts,
            batch_size=inner_batch,
        )
        self.bodies = self.descent.bodies
        self._check_carried()

    def _check_end(self, made: bool) -> None:
        """Refuses a net that ends in probabilities, where its end is known to matter.

        Args:
            made: Whether a head is made for each task.
        """
        if isinstance(self.targets, Values):
            return
        if Labels not in self.headed:
            if made:
                check_embeds(self.net, type(self).__name__, instead=_IF_VALUES)
        elif self.head is None or not made:
            instead = _IF_VALUES
            if "head" in self.arguments():
                instead += ', or head="prototypes" if they embed'
            check_logits(self.net, instead=instead)

    def _check_carried(self) -> None:
        """Refuses a rule that learns from task to task where no task trains it."""
        if self.rule.statistics and not self.meta_trained:
            name = type(self).__name__
            raise ValueError(
                "A rule that carries moments from one training task to the next, such "
                "as Adam(carried=True), needs a learner that is meta-trained. "
                f"Received: one for {name}, whose tasks all start alike. Leave out "
                "carried."
            )

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """The variables that meta-training moves; none unless `meta_trained`."""
        return super().trainable_variables if self.meta_trained else []

    @property
    def default_steps(self) -> int:
        """The number of inner steps outside training."""
        return self.inner_steps if self.eval_steps is None else self.eval_steps

    @property
    def max_way(self) -> int | None:
        """The number of the net's outputs; None if a head is made for each task."""
        return None if self.descent.head.made else self.body.features

    def adapt(self, support: Examples, options: Options) -> Nest:
        """Takes inner steps on the support loss; see `Learner.adapt`.

        Returns:
            A dict with `params`, the adapted weights, and `states`, what normalisation
            keeps for the queries. For labels it also has `present`, `(way,)` bool:
            whether the support set has the class.
        """
        targets = self._checked_targets(support)
        return self.descent.adapt(support, options, targets, self._steps(options))

    def predict(self, adapted: Nest, x: Nest, options: Options) -> Nest:
        """Runs the adapted net; see `Learner.predict`."""
        return self.descent.predict(adapted, x, options)

    def trajectory(
        self, support: Examples, options: Options, after: Sequence[int] | None = None
    ) -> Nest:
        """The results of `adapt` after 0, 1, ... steps; see `Learner.trajectory`."""
        targets = self._checked_targets(support)
        steps = self._steps(options)
        return self.descent.trajectory(support, options, targets, steps, after=after)

    @property
    def statistics(self) -> list[keras.Variable]:
        """The moving statistics of the net, then those of the rule."""
        return [*super().statistics, *self.rule.statistics]

    def new_statistics(self, adapted: Nest) -> list[Tensor]:
        """The new values of `statistics`; see `Learner.new_statistics`."""
        return [*super().new_statistics(adapted), *adapted.get("carried", ())]

    def arguments(self) -> list[str]:
        """The names of the arguments that the config has; `rule` holds the rate."""
        return [name for name in super().arguments() if name != "inner_lr"]

    def _checked_targets(self, support: Examples) -> Targets:
        targets = self.targets_for(support.y)
        if isinstance(targets, Labels):
            self.body.check_vectors(instead=_IF_VALUES)
        return targets

    def _steps(self, options: Options) -> int:
        if options.steps is not None:
            return options.steps
        return self.inner_steps if options.training else self.default_steps


def _chosen(
    net: keras.Model, adapt_net: bool, adapt_only: AdaptOnly | None
) -> tuple[list[bool], AdaptOnly | None]:
    """Whether each of the net's weights adapts, and what a config says of it."""
    if not adapt_net:
        return [False] * len(net.trainable_variables), adapt_only
    adapts = chosen_to_adapt(net, adapt_only)
    if callable(adapt_only):  # A config can hold paths, but no function.
        paths = zip(paths_inside(net), adapts, strict=True)
        adapt_only = [f"/{path}" for path, adapted in paths if adapted]
    return adapts, adapt_only


def _check_at_least(least: int, **values: int | None) -> None:
    for name, value in values.items():
        if value is not None and value < least:
            raise ValueError(f"{name} must be at least {least}. Received: {value}.")

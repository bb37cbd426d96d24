"""Makes the learner that flags name, with its net and its rule."""

from __future__ import annotations

import functools
import typing
from collections.abc import Sequence
from typing import Any

import keras

from tfmeta.apps.flags.arguments import signature_of
from tfmeta.apps.flags.kinds import LEARNER, NET, RULE
from tfmeta.apps.flags.parts import Parts
from tfmeta.core import Labels
from tfmeta.data import Part
from tfmeta.data.nested import array_shape
from tfmeta.data.prepare.texts import is_text
from tfmeta.inner import UpdateRule
from tfmeta.learners import Learner
from tfmeta.nets import freeze as freeze_layers
from tfmeta.nets import fresh


def make_learner(
    parts: Parts,
    part: Part,
    *,
    way: int | None,
    seed: int,
    freeze: Sequence[str] = (),
    **given: Any,
) -> Learner:
    """Makes the learner that flags name, around a net with weights from a seed.

    A net for a learner that answers with its net's outputs has `way` of them, or as
    many as the part's values have. Any other net embeds.

    Args:
        parts: The parts that flags name.
        part: The part that tasks are drawn from.
        way: The most classes of a task; None where tasks have values. A learner that
            does not adapt has all classes of the part.
        seed: The seed of the net's first weights, and of the learner's own.
        freeze: The names of layers of the net to leave as they are.
        **given: Arguments of the learner for which the app has flags of its own.

    Returns:
        A new learner.

    Raises:
        ValueError: If the learner, the net or the rule cannot be made so.
    """
    name = str(parts.name("learner"))
    takes = signature_of(LEARNER.constructor(name))
    if not adapts(name):
        way = len(part.class_names)
    answers = way if isinstance(part.targets, Labels) else outputs_of(part)
    if parts.name("rule") is not None:
        if "rule" not in takes:
            raise ValueError(
                f"--learner={name} takes no inner steps by a rule. Leave out --rule."
            )
        given["rule"] = _rule(parts)
    if "net" not in takes:
        if parts.name("net") is not None:
            raise ValueError(f"--learner={name} takes no net. Leave out --net.")
    else:
        headed = _is_headed(name, parts, part)
        given["net"] = _net(parts, part, answers if headed else None, seed)
        if freeze:
            freeze_layers(given["net"], freeze)
    given |= {"input_shape": part.example_shape, "way": answers, "outputs": answers}
    given["classes"] = part.class_names
    return parts.make("learner", seed=seed, **given)


def class_of(learner: str) -> Any:
    """The class of the learner of a name; for a function, what it says it returns."""
    constructor: Any = LEARNER.constructor(learner)
    if isinstance(constructor, type):
        return constructor
    try:
        return typing.get_type_hints(constructor).get("return")
    except NameError:  # A name that only a type checker imports.
        return None


def adapts(learner: str) -> bool:
    """Whether the learner of a name learns tasks from support sets."""
    return getattr(class_of(learner), "adapts", True)


def needs_training(learner: str) -> bool:
    """Whether a learner must be trained before it is scored."""
    made = class_of(learner)
    meta_trained = getattr(made, "meta_trained", True)
    takes_net = "net" in signature_of(LEARNER.constructor(learner))
    return takes_net and (meta_trained or getattr(made, "pretrained", False))


def outputs_of(part: Part) -> int:
    """The size of one value of a part whose tasks have values; 1 for functions."""
    values = getattr(part, "y", None)
    return 1 if values is None else int(values.shape[-1])


def _is_headed(name: str, parts: Parts, part: Part) -> bool:
    """Whether the learner's net is to end in a head."""
    if parts.said("learner").get("head") not in (None, "net"):
        return False  # The learner makes one for each task.
    return isinstance(part.targets, getattr(class_of(name), "headed", ()))


def _rule(parts: Parts) -> UpdateRule | functools.partial[UpdateRule]:
    said = parts.said("rule")
    if "learning_rate" in said:
        return parts.make("rule")
    # Then the rate is the learner's `inner_lr`.
    return functools.partial(RULE.constructor(str(parts.name("rule"))), **said)


def _net(parts: Parts, part: Part, answers: int | None, seed: int) -> keras.Model:
    shape = part.example_shape
    if parts.name("net") is None:
        single = array_shape(shape, part.dtype)
        if single is None:
            raise ValueError(
                f"The examples of {part.name!r} have parts {shape}, and no net "
                "of tfmeta takes these. Name a function of your own that builds one: "
                "--net=package.module:name."
            )
        default = "conv4" if len(single) == 3 else "mlp"
        text = is_text(shape, part.dtype)
        parts.settle("net", "text_encoder" if text else default)
    takes = signature_of(NET.constructor(str(parts.name("net"))))
    given = {**part.prepare.net_arguments, "input_shape": shape, "seed": seed}
    net = parts.make("net", way=answers, outputs=answers, **given)
    if not net.built:
        net.build((None, *shape))
    return net if "seed" in takes else fresh(net, seed=seed)

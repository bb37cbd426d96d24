"""The kinds of parts that flags name: source, learner, net, rule, and others."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

import keras

from tfmeta import inner, learners, nets
from tfmeta.apps.flags.arguments import Argument, arguments_of, signature_of
from tfmeta.data import Source
from tfmeta.data.load import PREFIXES, load
from tfmeta.data.pipeline.augmentation import AUGMENTATIONS
from tfmeta.own_code import import_own_code, is_own_code
from tfmeta.training import objectives

Constructor = Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of part, such as the learner.

    Attributes:
        flag: The flag that names a part of this kind.
        help: What the flag means.
        known: The constructors of the parts that tfmeta has, by name.
        default: The names of the parts that may be meant where the flag is left out.
        makes: The class of what a constructor makes.
        given: The arguments that an app gives by itself, and that are no flags.
        renamed: The flags of arguments that go by another name.
        otherwise: The constructor of all other names; None if there are no others.
        prefixes: What may stand before a colon in a name and is no module.
    """

    flag: str
    help: str
    known: Mapping[str, Constructor]
    default: tuple[str, ...]
    makes: type
    given: frozenset[str] = frozenset()
    renamed: Mapping[str, str] = dataclasses.field(default_factory=dict)
    otherwise: Constructor | None = None
    prefixes: tuple[str, ...] = ()

    def is_own_code(self, name: str) -> bool:
        """Whether a name stands for code of a user's own."""
        return is_own_code(name) and name.partition(":")[0] not in self.prefixes

    def constructor(self, name: str) -> Constructor:
        """The class or function that makes the part of a name.

        Args:
            name: The name of a known part, or `package.module:name`.

        Returns:
            The constructor.

        Raises:
            ValueError: If there is no such part, or it cannot be called.
        """
        if self.is_own_code(name):
            found = import_own_code(name)
            if callable(found):
                return found
            raise ValueError(
                f"--{self.flag}={name} must name a class or a function. Received: "
                f"{type(found).__name__}."
            )
        found = self.known.get(name, self.otherwise)
        if found is not None:
            return found
        raise ValueError(
            f"There is no {self.flag} {name!r}. --{self.flag} is one of: "
            f"{', '.join(sorted(self.known))}; or package.module:name for code of your "
            "own."
        )

    def arguments(self, name: str) -> tuple[Argument, ...]:
        """The arguments of a part that are flags."""
        return _arguments(self.constructor(name), self.given)

    def make(self, name: str, given: Mapping[str, Any], said: Mapping[str, Any]) -> Any:
        """Makes a part.

        Args:
            name: The part's name.
            given: What the app gives; what the constructor does not take is left out.
            said: The arguments that flags have given.

        Returns:
            What the constructor makes.

        Raises:
            ValueError: If an argument is missing, or if the constructor makes something
                else.
        """
        constructor = self.constructor(name)
        parameters = signature_of(constructor)
        taken = {k: v for k, v in given.items() if k in parameters}
        self._check_complete(name, taken.keys() | said.keys())
        flags = {argument.name: argument for argument in self.arguments(name)}
        said = {k: flags[k].taken(v) if k in flags else v for k, v in said.items()}
        made = constructor(**taken, **said)
        if not isinstance(made, self.makes):
            raise ValueError(
                f"--{self.flag}={name} must make a {self.makes.__name__}. Received: "
                f"{type(made).__name__}."
            )
        return made

    def _check_complete(self, name: str, there: Collection[str]) -> None:
        required = [
            argument
            for argument, parameter in signature_of(self.constructor(name)).items()
            if parameter.default is inspect.Parameter.empty and argument not in there
        ]
        if not required:
            return
        flags = {argument.name for argument in self.arguments(name)}
        if flags.issuperset(required):
            advice = f"Give {', '.join(f'--{each}' for each in required)}."
        else:
            advice = (
                "Arguments that are annotated as numbers, text, truth values or "
                "sequences of these have flags. Name a function that gives the others."
            )
        raise ValueError(f"--{self.flag}={name} needs {', '.join(required)}. {advice}")


@functools.cache
def _arguments(constructor: Constructor, given: frozenset[str]) -> tuple[Argument, ...]:
    return tuple(arguments_of(constructor, without=given))


def _public(module: Any, base: type, *others: type) -> dict[str, Constructor]:
    """The public subclasses of a class by their names in lower case."""
    found = {name: getattr(module, name) for name in module.__all__}
    return {
        name.lower(): each
        for name, each in found.items()
        if isinstance(each, type)
        and issubclass(each, base)
        and each not in (base, *others)
    }


def _nets() -> dict[str, Constructor]:
    """The functions of `tfmeta.nets` that build a net, and take none."""
    found = {name: getattr(nets, name) for name in nets.__all__}
    return {n: each for n, each in found.items() if "net" not in signature_of(each)}


LEARNER = Kind(
    "learner",
    "The method",
    _public(learners, learners.Learner, learners.GradientLearner),
    ("protonet",),
    learners.Learner,
    frozenset(
        {"net", "input_shape", "way", "outputs", "name", "seed", "rule", "classes"}
    ),
)
NET = Kind(
    "net",
    "The net that it trains. Left out: conv4 for pictures, text_encoder for texts, mlp "
    "for vectors",
    _nets(),
    ("conv4", "mlp", "text_encoder"),
    keras.Model,
    frozenset(
        {"input_shape", "way", "outputs", "name", "seed", "vocabulary", "length", "idf"}
    ),
)
RULE = Kind(
    "rule",
    "The rule of the inner steps, for learners that have one. Left out: the learner's "
    "own",
    _public(inner, inner.UpdateRule, inner.Chain),
    (),
    inner.UpdateRule,
    frozenset({"name", "seed"}),
)
OBJECTIVE = Kind(
    "objective",
    "What a net learns before a learner takes it, for learners whose net is "
    "pretrained: classify tells all classes apart; reconstruct (an autoencoder) and "
    "contrast (of two augmented views) need no labels. Left out: classify",
    _public(objectives, objectives.Objective),
    (),
    objectives.Objective,
    frozenset({"name", "seed"}),
)
AUGMENT = Kind(
    "augment",
    "How training pictures are changed: small_moves turns, shifts and zooms characters "
    "and other drawings on an empty ground; flips_and_shifts is for photographs, and "
    "crops_and_colours for photographs with --objective=contrast. Left out: not at all",
    AUGMENTATIONS,
    (),
    keras.layers.Layer,
    frozenset({"name", "seed"}),
)
DATASET = Kind(
    "dataset",
    "Where tasks come from: glyphs (drawn by a program, nothing to download), "
    "tfds:NAME (such as tfds:omniglot), folder:PATH (your pictures, a folder a class), "
    "npz:PATH, jsonl:PATH or csv:PATH (texts); for regression sinusoid, harmonic or "
    "lines, without --way",
    {},
    ("glyphs",),
    Source,
    frozenset({"name"}),
    {"seed": "data_seed"},
    otherwise=load,
    prefixes=PREFIXES,
)

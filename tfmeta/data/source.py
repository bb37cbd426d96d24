"""A data set in three parts, for meta-training, validation and test."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from typing import Any, Generic, TypeVar

import tensorflow as tf

from tfmeta.data.nested import map_shapes
from tfmeta.data.part import Part
from tfmeta.data.prepare.measured import measured
from tfmeta.data.prepare.preparation import Preparation
from tfmeta.data.prepare.scale_pictures import ScalePictures

PartT = TypeVar("PartT", bound=Part)
_PARTS = ("train", "val", "test")


@dataclasses.dataclass(frozen=True, eq=False)
class Source(Generic[PartT]):
    """Three parts of one data set, which share no class, no task, or no example.

    Meta-training, meta-validation and meta-test draw their episodes from different
    classes, or for regression from different tasks. The constructor checks by name that
    no class or task is in two parts. The parts of a plain supervised data set share
    their classes, and only the examples are different; then `disjoint` is "examples". A
    part may have no class or task at all (in a source that is only for testing). If
    tasks are functions, the three parts draw different functions of one family. If the
    preparation of the train part learns, such as the words of texts, it learns from
    the train part alone, when the source is made.

    Args:
        name: The source's name, such as "glyphs" or "tfds:omniglot".
        train: The part for meta-training.
        val: The part for meta-validation.
        test: The part for meta-test.

    Raises:
        ValueError: If a class or a task is in two splits, or if the splits differ in
            the shape or dtype of their examples, in the kind of `y`, or in what they do
            not share.

    Example:
        >>> import numpy as np
        >>> from tfmeta.data import Split
        >>> def one(split):
        ...     return Split(split, np.zeros((2, 4)), np.int32([0, 0]), (split + "/a",))
        >>> Source("toy", one("train"), one("val"), one("test"))
        Source('toy',
          train=Split('train', 1 classes, 2 examples of (4,), in memory),
          val=Split('val', 1 classes, 2 examples of (4,), in memory),
          test=Split('test', 1 classes, 2 examples of (4,), in memory))
    """

    name: str
    train: PartT
    val: PartT
    test: PartT

    def __post_init__(self) -> None:
        for field in _PARTS:
            split = getattr(self, field)
            if split.name != field:
                raise ValueError(
                    f"The {field} split of source {self.name!r} must be named "
                    f"{field!r}. Received: {split.name!r}."
                )
            if (split.example_shape, split.dtype) != (
                self.train.example_shape,
                self.train.dtype,
            ):
                raise ValueError(
                    f"The splits of source {self.name!r} must have examples of one "
                    f"shape and dtype. Received: {self.train.example_shape} "
                    f"{self.train.dtype} in 'train', {split.example_shape} "
                    f"{split.dtype} in {field!r}."
                )
            if split.targets != self.train.targets:
                raise ValueError(
                    f"The splits of source {self.name!r} must have targets of one "
                    f"kind. Received: {self.train.targets} in 'train', "
                    f"{split.targets} in {field!r}."
                )
            if split.disjoint != self.disjoint:
                raise ValueError(
                    f"The splits of source {self.name!r} must agree on what they do "
                    f"not share. Received: {self.disjoint!r} in 'train', "
                    f"{split.disjoint!r} in {field!r}."
                )
        self._check_names()
        self.train.prepare.learn(self.train.chunks())

    def _check_names(self) -> None:
        """Raises if a class or a task is in two parts."""
        owner: dict[str, str] = {}
        for field in _PARTS:
            split = getattr(self, field)
            kind = "class" if split.class_names else "task"
            for name in () if self.disjoint == "examples" else split.group_names:
                if name in owner:
                    raise ValueError(
                        f"The splits of a source must share no {kind}, but {name!r} of "
                        f"{self.name!r} is in {owner[name]!r} and {field!r}. Put it "
                        "in one of them."
                    )
                owner[name] = field

    def __repr__(self) -> str:
        """The name and the three parts, a line each, with their sizes."""
        parts = "".join(f",\n  {part}={getattr(self, part)!r}" for part in _PARTS)
        return f"Source({self.name!r}{parts})"

    @property
    def disjoint(self) -> str:
        """What no two parts share: "classes", "tasks" or "examples"."""
        return self.train.disjoint

    @functools.cached_property
    def prepare(self) -> Preparation:
        """How raw examples become what a net takes, for `MetaModel(prepare=...)`.

        It is the preparation of the train part, with the smallest and the largest
        prepared value of meta-training. They are measured once, when first asked for.
        """
        found = measured(self.train.prepare, self.train.chunks())
        if type(found.layer) is ScalePictures:
            return found  # Its raw inputs have the shapes that the net takes.
        return found.replaced(inputs=_specs(self.train))

    def identity(self) -> dict[str, dict[str, Any]]:
        """Digests by which a run recognises the data that it was trained on.

        Returns:
            A dict for each part: `classes` is a digest of the names of the part's
            classes or tasks, `counts` a digest of their numbers of examples. If the
            parts share no example but all classes, `rows` is a digest of which
            examples are the part's. All families of functions have the same digests.
        """
        return {part: _identity(getattr(self, part)) for part in _PARTS}


def _identity(part: Any) -> dict[str, str]:
    digests = {
        "classes": _digest(part.group_names),
        "counts": _digest([int(n) for n in getattr(part, "counts", ())]),
    }
    if part.disjoint == "examples":
        # Other seeds divide the same classes into as many, but other, examples.
        rows = getattr(part, "rows", None)
        digests["rows"] = _digest(() if rows is None else rows.tolist())
    return digests


def _specs(part: Part) -> Any:
    """The raw examples of a part, a nest of `tf.TensorSpec`."""
    return map_shapes(
        lambda shape, dtype: tf.TensorSpec([None, *shape], tf.as_dtype(dtype)),
        part.example_shape,
        part.dtype,
    )


def _digest(values: Any) -> str:
    text = json.dumps(list(values))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

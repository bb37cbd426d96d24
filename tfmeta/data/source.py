"""A data set as three class-disjoint splits."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any, Generic, TypeVar

from tfmeta.data.part import Part

PartT = TypeVar("PartT", bound=Part)


@dataclasses.dataclass(frozen=True, eq=False)
class Source(Generic[PartT]):
    """Three parts of one data set that share no class and no task.

    Meta-training, meta-validation and meta-test draw their episodes from different
    classes, or for regression from different tasks; that none is in two splits is
    checked by name here. A split may have none at all (a source that is only for
    testing). Where tasks are functions, the three draw from one family, each from a
    stream of its own.

    Args:
        name: The source's name, such as "glyphs" or "tfds:omniglot".
        train: The part for meta-training.
        val: The part for meta-validation.
        test: The part for meta-test.

    Raises:
        ValueError: Where a class or a task is in two splits, or the splits differ in
            the shape or dtype of their examples or in what `y` is.

    Example:
        >>> import numpy as np
        >>> from tfmeta.data import Split
        >>> def one(split):
        ...     return Split(split, np.zeros((2, 4)), np.int32([0, 0]), (split + "/a",))
        >>> Source("toy", one("train"), one("val"), one("test")).test.num_classes
        1
    """

    name: str
    train: PartT
    val: PartT
    test: PartT

    def __post_init__(self) -> None:
        owner: dict[str, str] = {}
        for field in ("train", "val", "test"):
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
            kind = "class" if split.class_names else "task"
            for name in split.group_names:
                if name in owner:
                    raise ValueError(
                        f"The splits of a source must share no {kind}, but {name!r} of "
                        f"{self.name!r} is in {owner[name]!r} and {field!r}. Put it "
                        "in one of them."
                    )
                owner[name] = field

    def identity(self) -> dict[str, dict[str, Any]]:
        """What tells whether this is the data that a run was trained on.

        Returns:
            For each part `classes`, a digest of the names of its classes or tasks,
            and `counts`, one of how many examples each has; the same for all
            functions.
        """
        return {
            part: {
                "classes": _digest(getattr(self, part).group_names),
                "counts": _digest(
                    [int(n) for n in getattr(getattr(self, part), "counts", ())]
                ),
            }
            for part in ("train", "val", "test")
        }


def _digest(values: Any) -> str:
    text = json.dumps(list(values))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

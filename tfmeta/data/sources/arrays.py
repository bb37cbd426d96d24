"""Arrays in memory as a source."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from tfmeta.core.nests import named
from tfmeta.data.nested import as_array, as_arrays
from tfmeta.data.source import Source
from tfmeta.data.sources.class_lists import FRACTIONS, PARTS, ClassSplit, class_parts
from tfmeta.data.sources.rotations import with_rotations
from tfmeta.data.split import Split
from tfmeta.data.task_split import TaskSplit, finite_targets

Arrays: TypeAlias = np.ndarray | dict[str, Any] | Sequence[Any]


def from_arrays(
    x: Arrays,
    y: Arrays,
    *,
    tasks: Arrays | None = None,
    class_names: Sequence[str] | None = None,
    split: ClassSplit | None = FRACTIONS,
    rotations: bool = False,
    seed: int = 0,
    name: str = "arrays",
) -> Source:
    """Makes a source of your own examples.

    The classes, not the examples, are shared out among meta-train, meta-val and
    meta-test. For regression `y` holds floats, and `tasks` says which task each example
    belongs to, such as the example's user or device; then the tasks are shared out. If
    the examples are in three parts already, give three arrays each for `x`, `y` and
    `tasks`.

    Args:
        x: `(examples, *example_shape)`, an array or a list of examples; or a dict of
            these if an example has several inputs; or a list of three of these, for
            train, val and test. uint8
            `(examples, height, width)` are grey images, which get a channel axis.
            Episodes scale uint8 images of 1 or 3 channels to 0..1, and nothing else.
        y: `(examples,)` labels (integers, bools or strings) in any order; or with
            `tasks` floats, `(examples,)` or `(examples, ...)`; or three such arrays.
        tasks: `(examples,)` integers or strings, the task of each example, in any
            order; or three such arrays; None if `y` holds labels.
        class_names: The name of each label where labels are `0..len(class_names)-1`;
            None names a class by its label. A class without examples is left out.
        split: Three fractions of the classes or tasks; or `{"train": [names],
            "val": [names], "test": [names]}`; or a string, see `class_lists`.
        rotations: Whether each class turned by 90, 180 and 270 degrees is a further
            class.
        seed: If `split` is fractions, another seed puts other classes or tasks in each
            part.
        name: The source's name.

    Returns:
        The source, whose three parts share no class and no task. A part is a `Split`,
        or with `tasks` a `TaskSplit`.

    Raises:
        ValueError: If the arrays do not fit each other, or `split` does not fit them.

    Example:
        >>> x = np.zeros((100, 8, 8, 1), np.uint8)
        >>> source = from_arrays(x, np.arange(100) % 10, split=(0.6, 0.2, 0.2))
        >>> source.train.num_classes, source.val.num_classes, len(source.test.y)
        (6, 2, 20)
        >>> users = np.repeat(["ann", "bo", "cy", "di", "ed"], 20)
        >>> source = from_arrays(x, np.linspace(0.0, 1.0, 100), tasks=users)
        >>> source.train.num_tasks, source.train.y.shape
        (3, (60, 1))
    """
    if tasks is not None and (class_names is not None or rotations):
        given = "rotations" if class_names is None else "class_names"
        raise ValueError(
            f"{given} is about classes, but with tasks the targets are values. "
            f"Received: both tasks and {given}. Leave one of them out."
        )
    if _in_parts(x, y if tasks is None else tasks):
        _check_three(x, y, tasks, split)
        columns = [None] * 3 if tasks is None else tasks
        tables = [
            _table(one_x, one_y, column, class_names, f"{part}_")
            for part, one_x, one_y, column in zip(PARTS, x, y, columns, strict=True)
        ]
        _check_targets(tables)
        parts = {p: t.part(p, None) for p, t in zip(PARTS, tables, strict=True)}
    else:
        table = _table(x, y, tasks, class_names)
        shares = class_parts(split, table.names, seed=seed, kind=table.kind)
        parts = {part: table.part(part, taken) for part, taken in shares.items()}
    if rotations:
        parts = {part: with_rotations(split) for part, split in parts.items()}
    return Source(name, **parts)


@dataclasses.dataclass(frozen=True, eq=False)
class _Table:
    """Examples with the group that each belongs to, in any order."""

    x: Any
    y: np.ndarray | None  # The values; None where the groups are the labels.
    groups: np.ndarray
    names: list[str]

    @property
    def kind(self) -> str:
        return "class" if self.y is None else "task"

    def part(self, name: str, taken: np.ndarray | None) -> Any:
        """Returns the split of the groups `taken`, examples sorted by group."""
        taken = np.arange(len(self.names)) if taken is None else taken
        new = np.full(len(self.names), -1, np.int32)
        new[taken] = np.arange(len(taken))
        order = np.argsort(self.groups, kind="stable")
        order = order[new[self.groups[order]] >= 0]
        x = tf.nest.map_structure(lambda leaf: leaf[order], self.x)
        groups, names = new[self.groups[order]], tuple(self.names[i] for i in taken)
        if self.y is None:
            return Split(name, x, groups, names)
        return TaskSplit(name, x, self.y[order], groups, names)


def _table(
    x: Any, y: Any, tasks: Any, class_names: Sequence[str] | None, prefix: str = ""
) -> _Table:
    """Checks one set of arrays and reads it."""
    x, y = _read(as_arrays, x, f"{prefix}x"), _column(y, f"{prefix}y")
    tasks = None if tasks is None else _column(tasks, f"{prefix}tasks")
    _check_shapes(x, y, tasks, prefix)
    _check_kinds(y, tasks, prefix)
    x = _numbers(x, prefix)
    if tasks is None:
        return _Table(x, None, *_classes(y, class_names))
    return _Table(x, finite_targets(y, f"{prefix}y"), *_classes(tasks, None))


def _in_parts(x: Any, groups: Any) -> bool:
    """Whether arrays are given for train, val and test apart.

    Labels and tasks are vectors, so a list of vectors stands for several parts. A list
    of examples is one part, like an array.
    """
    if not isinstance(x, list | tuple) or not isinstance(groups, list | tuple):
        return False
    return any(isinstance(each, list | tuple | np.ndarray) for each in groups)


def _read(reader: Callable[[Any], Any], values: Any, name: str) -> Any:
    """Reads arrays; says which could not be read."""
    try:
        return reader(values)
    except ValueError as error:
        raise ValueError(
            f"{name} must hold an array for each example, all of one shape. Received: "
            f"{type(values).__name__}, and NumPy says: {error}. Cut the arrays to one "
            "shape, or pad them."
        ) from error


def _column(values: Any, name: str) -> np.ndarray:
    """Reads labels, values or tasks; refuses texts among other things."""
    column = _read(as_array, values, name)
    if column.dtype.kind in "OUS" and column.ndim == 1:
        # NumPy makes a text of a number that stands among texts.
        given = values if isinstance(values, list | tuple) else np.asarray(values)
        kinds = {type(each): each for each in given}
        if len({issubclass(kind, str | bytes) for kind in kinds}) > 1:
            raise ValueError(
                f"{name} must hold texts alone, or numbers alone. Received: "
                f"{', '.join(map(repr, kinds.values()))}. Fill in what is missing, or "
                "turn all into texts."
            )
    return column


def _check_three(x: Any, y: Any, tasks: Any, split: ClassSplit | None) -> None:
    """Raises unless there are three arrays of each kind, and no `split`."""
    if split is not None and split is not FRACTIONS:
        raise ValueError(
            "split must be left out where x and y are given for train, val and test. "
            f"Received: {split!r}."
        )
    given = {"x": x, "y": y} | ({} if tasks is None else {"tasks": tasks})
    if any(not isinstance(v, (list, tuple)) or len(v) != 3 for v in given.values()):
        sizes = ", ".join(f"{len(v)} for {name}" for name, v in given.items())
        raise ValueError(
            f"{' and '.join(given)} must be one array each, or a list of three each "
            f"(train, val, test). Received: {sizes}."
        )


def _check_targets(tables: Sequence[_Table]) -> None:
    """Raises unless the values of three tables have one shape."""
    shapes = [None if t.y is None else t.y.shape[1:] for t in tables]
    if len(set(shapes)) > 1:
        raise ValueError(
            "train_y, val_y and test_y must have targets of one shape. Received: "
            f"{', '.join(map(str, shapes))} for an example."
        )


def _leaves(x: Any, prefix: str) -> dict[str, np.ndarray]:
    """Returns the arrays of a nest by their names in errors, such as `x['age']`."""
    if not tf.nest.is_nested(x):
        return {f"{prefix}x": x}
    return {f"{prefix}x[{name!r}]": leaf for name, leaf in named(x).items()}


def _check_shapes(x: Any, y: np.ndarray, tasks: np.ndarray | None, prefix: str) -> None:
    """Raises unless all arrays have one length, and labels or tasks have one axis."""
    columns = {**_leaves(x, prefix), f"{prefix}y": y}
    vector = f"{prefix}y" if tasks is None else f"{prefix}tasks"
    what = "labels" if tasks is None else "integers or strings"
    if tasks is not None:
        columns[vector] = tasks
    lengths = {len(c) if c.ndim else None for c in columns.values()}
    whole = len(lengths) == 1 and None not in lengths and len(columns) > 1
    if not whole or columns[vector].ndim != 1:
        shapes = ", ".join(f"{name} of shape {c.shape}" for name, c in columns.items())
        raise ValueError(
            f"{' and '.join(columns)} must have the same length, and {vector} must be "
            f"a vector of {what}. Received: {shapes}."
        )


def _check_kinds(y: np.ndarray, tasks: np.ndarray | None, prefix: str) -> None:
    """Raises unless `y` holds labels and there are no tasks, or floats with tasks."""
    if tasks is None:
        if y.dtype.kind == "f":
            raise ValueError(
                f"Float {prefix}y are values to predict, so tasks must say which task "
                f"each example belongs to. Received: dtype {y.dtype}, and no tasks. "
                "Give tasks, or labels that are integers or strings."
            )
        if y.dtype.kind not in "biuUS":
            raise ValueError(
                f"{prefix}y must hold integers, bools or strings. Received: dtype "
                f"{y.dtype}."
            )
        return
    if y.dtype.kind != "f":
        raise ValueError(
            f"tasks need float targets, but {prefix}y holds labels. Received: dtype "
            f"{y.dtype}. Leave tasks out, or convert values with y.astype('float32')."
        )
    if tasks.dtype.kind not in "biuUS":
        raise ValueError(
            f"{prefix}tasks must hold integers, bools or strings. Received: dtype "
            f"{tasks.dtype}."
        )


def _numbers(x: Any, prefix: str) -> Any:
    """Checks that examples are finite numbers; gives images a channel axis."""
    for name, leaf in _leaves(x, prefix).items():
        if leaf.dtype.kind not in "biuf":
            raise ValueError(
                f"{name} must hold numbers. Received: dtype {leaf.dtype}. Texts become "
                "numbers by a layer such as keras.layers.TextVectorization."
            )
        if leaf.dtype.kind == "f":
            whole = np.isfinite(leaf).all(axis=tuple(range(1, leaf.ndim)))
            if not whole.all():
                raise ValueError(
                    f"{name} must hold finite numbers. Received: NaN or infinite "
                    f"values in {int(np.sum(~whole))} of {len(leaf)} examples, the "
                    f"first in number {int(np.argmin(whole))}. Leave them out, or fill "
                    "them in."
                )
    return tf.nest.map_structure(
        lambda leaf: (
            leaf[..., np.newaxis] if leaf.dtype == np.uint8 and leaf.ndim == 3 else leaf
        ),
        x,
    )


def _classes(
    y: np.ndarray, class_names: Sequence[str] | None
) -> tuple[np.ndarray, list[str]]:
    """Returns each example's id in `0..n-1`, and the n names of classes or tasks."""
    labels, y = np.unique(y, return_inverse=True)
    if class_names is None:
        if labels.dtype.kind == "S":
            labels = np.char.decode(labels, "utf-8")
        return y, [str(label) for label in labels]
    if labels.dtype.kind == "b":
        labels = labels.astype(int)
    if labels.dtype.kind not in "iu":
        raise ValueError(
            "class_names needs integer labels; strings in y are names already. "
            f"Received: y of dtype {labels.dtype}."
        )
    if len(labels) and (labels[0] < 0 or labels[-1] >= len(class_names)):
        raise ValueError(
            f"{len(class_names)} class names need labels in 0..{len(class_names) - 1}. "
            f"Received: labels from {labels[0]} to {labels[-1]}."
        )
    return y, [str(class_names[label]) for label in labels]

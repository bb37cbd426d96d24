"""Arrays in memory as a source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from tfmeta.core.nests import named
from tfmeta.data.nested import as_array, as_arrays, holds_texts
from tfmeta.data.prepare.texts import check_texts
from tfmeta.data.source import Source
from tfmeta.data.sources.class_lists import PARTS, ClassSplit
from tfmeta.data.sources.pool import Pool, divide
from tfmeta.data.sources.rotations import turned
from tfmeta.data.stores.memory import MemoryStore
from tfmeta.data.stores.store import Store
from tfmeta.data.task_split import finite_targets

_CHUNK = 4096  # Examples that are checked at once.
_REMEDY = {"O": "Fill in what is missing, and leave out columns of objects."}
_OTHER = "Convert them to numbers."  # Such as dates.

Arrays: TypeAlias = np.ndarray | dict[str, Any] | Sequence[Any]


def from_arrays(
    x: Arrays,
    y: Arrays,
    *,
    tasks: Arrays | None = None,
    class_names: Sequence[str] | None = None,
    split: ClassSplit | None = None,
    rotations: bool = False,
    seed: int = 0,
    name: str = "arrays",
    disjoint: str | None = None,
    prepare: Any = None,
    per_class: int | None = None,
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
            train, val and test. Numbers or texts. uint8
            `(examples, height, width)` are grey images, which get a channel axis.
            A `MetaModel` divides uint8 images of 1 or 3 channels by 255, nothing else.
        y: `(examples,)` labels (integers, bools or strings) in any order; or with
            `tasks` floats, `(examples,)` or `(examples, ...)`; or three such arrays.
        tasks: `(examples,)` integers or strings, the task of each example, in any
            order; or three such arrays; None if `y` holds labels.
        class_names: The name of each label where labels are `0..len(class_names)-1`;
            None names a class by its label. A class without examples is left out.
        split: Three fractions of the classes or tasks, None for 0.64, 0.16, 0.2; or
            `{"train": [names], "val": [names], "test": [names]}`; or a string, see
            `class_lists`.
        rotations: Whether each class turned by 90, 180 and 270 degrees is a further
            class.
        seed: If `split` is fractions, another seed puts other classes or tasks in each
            part.
        name: The source's name.
        disjoint: What no two parts share; None for classes, or tasks. With "examples"
            every part has all classes, as in a plain supervised data set.
        prepare: A Keras layer by which an example becomes what a net takes, such as
            `keras.layers.Normalization()`. It may still be adapted to `train.x`, before
            `source.prepare` is asked for. None for the default: `Tokens` for texts,
            which learns the words of meta-train; else see `MetaModel`.
        per_class: How many examples of each class or task the train part keeps, drawn
            by `seed`; None for all.

    Returns:
        The source. A part is a `Split`, or with `tasks` a `TaskSplit`.

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
    names = class_names
    pools = array_pools(
        x, y, tasks=tasks, class_names=names, name=name, prepare=prepare
    )
    source = divide(pools, split, seed=seed, disjoint=disjoint, per_class=per_class)
    return turned(source) if rotations else source


def array_pools(
    x: Arrays,
    y: Arrays,
    *,
    tasks: Arrays | None = None,
    class_names: Sequence[str] | None = None,
    name: str = "arrays",
    stored: Callable[[Any], Store] = MemoryStore,
    prepare: Any = None,
) -> Pool | dict[str, Pool]:
    """Checks examples of one's own and reads them; see `from_arrays`.

    Args:
        x: See `from_arrays`.
        y: See `from_arrays`.
        tasks: See `from_arrays`.
        class_names: See `from_arrays`.
        name: The source's name.
        stored: Makes the store that holds the checked arrays.
        prepare: See `from_arrays`.

    Returns:
        All examples; or those of each part, if they were given for train, val and test.

    Raises:
        ValueError: If the arrays do not fit each other.
    """
    options: dict[str, Any] = {
        "class_names": class_names,
        "stored": stored,
        "prepare": prepare,
    }
    if not _in_parts(x, y if tasks is None else tasks):
        return _pool(name, x, y, tasks, **options)
    _check_three(x, y, tasks)
    columns = [None] * 3 if tasks is None else tasks
    pools = {
        part: _pool(name, one_x, one_y, column, prefix=f"{part}_", **options)
        for part, one_x, one_y, column in zip(PARTS, x, y, columns, strict=True)
    }
    _check_targets(list(pools.values()))
    return pools


def _pool(
    name: str,
    x: Any,
    y: Any,
    tasks: Any,
    *,
    class_names: Sequence[str] | None,
    stored: Callable[[Any], Store],
    prepare: Any,
    prefix: str = "",
) -> Pool:
    """Checks one set of arrays and reads it."""
    x, y = _read(as_arrays, x, f"{prefix}x"), _column(y, f"{prefix}y")
    tasks = None if tasks is None else _column(tasks, f"{prefix}tasks")
    _check_shapes(x, y, tasks, prefix)
    _check_kinds(y, tasks, prefix)
    store = stored(_checked(x, prefix))
    if tasks is None:
        return Pool(name, store, *classes_of(y, class_names), prepare=prepare)
    values = finite_targets(y, f"{prefix}y")
    return Pool(name, store, *classes_of(tasks, None), values, prepare=prepare)


def _in_parts(x: Any, groups: Any) -> bool:
    """Whether arrays are given for train, val and test apart.

    Labels and tasks are vectors, so a list of vectors stands for several parts. A list
    of examples is one part, like an array.
    """
    if not isinstance(x, list | tuple) or not isinstance(groups, list | tuple):
        return False
    return any(
        isinstance(each, list | tuple) or len(getattr(each, "shape", ()))
        for each in groups
    )


def _read(reader: Callable[[Any], Any], values: Any, name: str) -> Any:
    """Reads arrays; says which could not be read."""
    try:
        arrays = reader(values)
    except ValueError as error:
        raise ValueError(
            f"{name} must hold an array for each example, all of one shape. Received: "
            f"{type(values).__name__}, and NumPy says: {error}. Cut the arrays to one "
            "shape, or pad them."
        ) from error
    if any(not leaf.ndim for leaf in tf.nest.flatten(arrays)):
        raise ValueError(
            f"{name} must be an array or a list, with an entry for each example. "
            f"Received: {type(values).__name__}. Read datasets and generators into "
            "arrays first, such as by np.stack(list(generator))."
        )
    return arrays


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


def _check_three(x: Any, y: Any, tasks: Any) -> None:
    """Raises unless there are three arrays of each kind."""
    given = {"x": x, "y": y} | ({} if tasks is None else {"tasks": tasks})
    if any(not isinstance(v, (list, tuple)) or len(v) != 3 for v in given.values()):
        sizes = ", ".join(f"{len(v)} for {name}" for name, v in given.items())
        raise ValueError(
            f"{' and '.join(given)} must be one array each, or a list of three each "
            f"(train, val, test). Received: {sizes}."
        )


def _check_targets(pools: Sequence[Pool]) -> None:
    """Raises unless the values of three pools have one shape."""
    shapes = [None if p.values is None else p.values.shape[1:] for p in pools]
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
    """Raises unless all arrays have one length, and labels or tasks are a vector."""
    columns = {**_leaves(x, prefix), f"{prefix}y": y}
    vector = f"{prefix}y" if tasks is None else f"{prefix}tasks"
    what = "labels" if tasks is None else "integers or strings"
    if tasks is not None:
        columns[vector] = tasks
    shapes = ", ".join(f"{name} of shape {c.shape}" for name, c in columns.items())
    if len({len(c) for c in columns.values()}) > 1 or len(columns) < 2:
        raise ValueError(
            f"{' and '.join(columns)} must have the same length, one entry for each "
            f"example. Received: {shapes}."
        )
    if columns[vector].ndim != 1:
        raise ValueError(
            f"{vector} must be a vector of {what}. Received: {shapes}. A column "
            f"becomes a vector by {vector}[:, 0], one-hot rows become labels by "
            f"{vector}.argmax(-1)."
        )


def _check_kinds(y: np.ndarray, tasks: np.ndarray | None, prefix: str) -> None:
    """Raises unless `y` holds labels and there are no tasks, or floats with tasks."""
    if tasks is None:
        if y.dtype.kind == "f":
            lost = int(np.sum(np.isnan(y)))
            missing = f", NaN in {lost} of {len(y)} examples" if lost else ""
            raise ValueError(
                f"Float {prefix}y are values to predict, and an array called tasks "
                "says which task each belongs to. Received: dtype "
                f"{y.dtype}{missing}, and no such array. Give that array, or labels "
                "that are integers or strings."
            )
        _check_names(y, f"{prefix}y")
        return
    if y.dtype.kind != "f":
        raise ValueError(
            f"The array tasks needs float targets, but {prefix}y holds labels. "
            f"Received: dtype {y.dtype}. Leave that array out, or convert values with "
            "y.astype('float32')."
        )
    _check_names(tasks, f"{prefix}tasks")


def _check_names(column: np.ndarray, name: str) -> None:
    if column.dtype.kind not in "biuUS":
        raise ValueError(
            f"{name} must hold integers, bools or strings. Received: dtype "
            f"{column.dtype}. Fill in what is missing and convert the column, such as "
            "by astype(int) or astype(str)."
        )


def _checked(x: Any, prefix: str) -> Any:
    """Checks that examples are numbers or texts; gives images a channel axis."""
    check_texts(f"{prefix}x", x)
    for name, leaf in _leaves(x, prefix).items():
        if leaf.dtype.kind not in "biuf" and not holds_texts(leaf):
            raise ValueError(
                f"{name} must hold numbers or texts. Received: dtype {leaf.dtype}. "
                f"{_REMEDY.get(leaf.dtype.kind, _OTHER)}"
            )
        if leaf.dtype.kind == "f":
            whole = _finite(leaf)
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


def _finite(leaf: np.ndarray) -> np.ndarray:
    """Whether each example is finite, `(examples,)`; looks at a few at a time."""
    axes = tuple(range(1, leaf.ndim))
    chunks = range(0, len(leaf), _CHUNK)
    found = [np.isfinite(leaf[i : i + _CHUNK]).all(axis=axes) for i in chunks]
    return np.concatenate(found) if found else np.ones(0, bool)


def classes_of(
    y: np.ndarray, class_names: Sequence[str] | None
) -> tuple[np.ndarray, list[str]]:
    """Numbers classes or tasks.

    Args:
        y: `(examples,)` integers, bools or texts.
        class_names: The name of each label where labels are
            `0..len(class_names)-1`; None names a class by its label.

    Returns:
        The id of each example's class in `0..n-1`, and the names of the n classes.

    Raises:
        ValueError: If the labels do not fit the names.
    """
    labels, y = np.unique(y, return_inverse=True)
    if class_names is not None and len(set(map(str, class_names))) < len(class_names):
        raise ValueError(
            "class_names must name each class differently. Received: a name that is "
            "there twice. Rename or merge one of the two."
        )
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

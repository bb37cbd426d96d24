"""Episodes frozen in a file: example ids and labels, no examples."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.core.nests import named
from tfmeta.data.part import check_part
from tfmeta.data.pipeline.episodes import batches
from tfmeta.data.sampling.episode_sampler import (
    EpisodeSampler,
    episode_batch,
    values_of,
)
from tfmeta.data.sampling.sampler import Batch
from tfmeta.data.split import Split
from tfmeta.data.task_split import TaskSplit
from tfmeta.npz_files import read_npz, reason, write_npz

_ARRAYS = ("support", "support_y", "query", "query_y")
_SIZES = ("way", "shot", "query", "count")
_AT_ONCE = 1000


def save_episodes(
    path: str | os.PathLike[str],
    split: Split | TaskSplit,
    *,
    way: int | None = None,
    shot: int,
    query: int | None = 15,
    seed: int = 0,
    count: int,
) -> pathlib.Path:
    """Writes the first episodes of a stream into a file that others can score on.

    The file holds example ids and labels, how they were drawn, and a checksum of the
    split, so that it is small and cannot be read with other data by mistake. It does
    not depend on how any version of this library draws episodes. Of tasks of values
    the labels are all 0, and the values are the split's.

    Args:
        path: The file, such as `test-5way-1shot.npz`.
        split: The part of a source to draw from.
        way: The number of classes of an episode; None where `y` are values.
        shot: The number of support examples of each class (or of the task).
        query: The number of query examples of each class (or of the task); None takes
            all that the support leaves.
        seed: Another seed draws other episodes.
        count: The number of episodes.

    Returns:
        The path.

    Raises:
        ValueError: Where the split has no such episodes, or they differ in size.
        OSError: If the file cannot be written.
    """
    sampler = _sampler(split, way, shot, query, seed, count)
    draw = tf.function(sampler.batch_ids)
    drawn = [
        [array.numpy() for array in draw(tf.range(i, min(i + _AT_ONCE, count)))]
        for i in range(0, count, _AT_ONCE)
    ]
    arrays = [np.concatenate(parts) for parts in zip(*drawn, strict=True)]
    sizes = (sampler.way, sampler.shot, sampler.query or 0, count)
    return write_episodes(path, split, arrays, sizes=sizes, seed=seed)


def write_episodes(
    path: str | os.PathLike[str],
    split: Split | TaskSplit,
    arrays: Sequence[np.ndarray],
    *,
    sizes: tuple[int, int, int, int],
    seed: int,
) -> pathlib.Path:
    """Writes episodes that are given into such a file.

    Args:
        path: The file.
        split: The part whose example ids they are.
        arrays: The ids and the int32 labels of the support examples, then those of the
            queries; each `(count, way * shot)` or `(count, way * query)`.
        sizes: Way, shot, query and the number of episodes.
        seed: What they were drawn by.

    Returns:
        The path.

    Raises:
        OSError: If the file cannot be written.
    """
    about = {
        "split": split.name,
        "checksum": checksum(split),
        "seed": int(seed),
        **{name: int(size) for name, size in zip(_SIZES, sizes, strict=True)},
    }
    path = pathlib.Path(path)
    named_arrays = dict(zip(_ARRAYS, arrays, strict=True))
    write_npz(
        path, {"about": np.array(json.dumps(about)), **named_arrays}, compressed=True
    )
    return path


def _sampler(
    split: Split | TaskSplit,
    way: int | None,
    shot: int,
    query: int | None,
    seed: int,
    count: int,
) -> EpisodeSampler:
    """What draws the episodes; refuses those that a file cannot hold."""
    check_part(split)
    if not isinstance(split, (Split, TaskSplit)):
        raise ValueError(
            f"The tasks of part {split.name!r} are functions, which have no examples "
            "to name. Their seed says which they are: use episodes."
        )
    if count < 1:
        raise ValueError(f"count must be at least 1. Received: {count}.")
    sampler = split.sampler(way=way, shot=shot, query=query, seed=seed)
    if not isinstance(sampler, EpisodeSampler):
        raise ValueError(
            "The episodes of a file have one size, so way must be an integer, and shot "
            f"too. Received: way={way}, shot={shot}. Give one number for each."
        )
    if not sampler.static:
        raise ValueError(
            "query=None needs classes of one size, or tasks of one size, but those of "
            f"split {split.name!r} differ. Give query a number."
        )
    return sampler


def frozen_episodes(
    path: str | os.PathLike[str], split: Split | TaskSplit, *, tasks: int = 1
) -> tf.data.Dataset:
    """Reads what `save_episodes` wrote.

    Args:
        path: The file.
        split: The split the episodes were drawn from, of the same examples.
        tasks: The number of episodes in a batch.

    Returns:
        The dataset that `episodes` returned for the arguments of `save_episodes`;
        "episode" is the place of each episode in the file.

    Raises:
        ValueError: If the file is missing, broken or of other data, or a query is of
            a class that the support set of its episode lacks.
    """
    path = pathlib.Path(path)
    about, arrays = _read(path)
    if about["checksum"] != checksum(split):
        raise ValueError(
            f"{path} holds episodes of other data: it was made from a split "
            f"{about['split']!r} whose names, counts or examples are not those of the "
            f"split {split.name!r} given. Load the data it was made from."
        )
    _check(path, about, arrays, len(split.y))
    _check_classes(path, about["way"], arrays[1], arrays[3])
    values = values_of(split)
    rows = [tf.constant(array) for array in arrays]

    def draw(indices: tf.Tensor, number: tf.Tensor) -> Batch:
        del number  # All episodes have one size.
        return episode_batch(split, values, *(tf.gather(row, indices) for row in rows))

    return batches(draw, tasks=tasks, start=0, count=about["count"])


def saved_count(path: str | os.PathLike[str]) -> int:
    """The number of episodes in a file that `save_episodes` wrote.

    Args:
        path: The file.

    Returns:
        The number.

    Raises:
        ValueError: If the file is missing or broken.
    """
    return _read(pathlib.Path(path))[0]["count"]


def checksum(split: Split | TaskSplit) -> str:
    """A text that tells a split's names, counts and examples from any other's."""
    names = json.dumps([split.name, split.group_names, split.counts.tolist()])
    content = hashlib.blake2b(names.encode(), digest_size=16)
    # A lone array has no name, so that files of any version can be read.
    nested = tf.nest.is_nested(split.dtype)
    keys = list(named(split.dtype)) if nested else [""]
    for place, name in enumerate(keys):
        for start in range(0, max(len(split), 1), _AT_ONCE):
            ids = np.arange(start, min(start + _AT_ONCE, len(split)))
            array = tf.nest.flatten(split.read(ids))[place]
            if not start:
                shape = (len(split), *array.shape[1:])
                content.update(f"{name} {array.dtype.str} {shape}".lstrip().encode())
            content.update(np.ascontiguousarray(array).view(np.uint8).data)
    if isinstance(split, TaskSplit):
        content.update(f"targets y {split.y.dtype.str} {split.y.shape}".encode())
        content.update(np.ascontiguousarray(split.y).view(np.uint8).data)
    return content.hexdigest()


def _read(path: pathlib.Path) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Returns how the episodes were drawn, and their ids and labels."""
    if not path.is_file():
        raise ValueError(
            f"There is no file {str(path)!r}. Write it with save_episodes."
        )
    try:
        stored = read_npz(path)
        about = json.loads(str(stored["about"]))
        arrays = [stored[name] for name in _ARRAYS]
        numbers = {name: int(about[name]) for name in (*_SIZES, "seed")}
        texts = {name: str(about[name]) for name in ("split", "checksum")}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is not a whole file of save_episodes ({reason(error)})."
            " Restore it from a copy, or write it again."
        ) from error
    return {**numbers, **texts}, arrays


def _check(
    path: pathlib.Path, about: dict[str, Any], arrays: list[np.ndarray], examples: int
) -> None:
    """Raises where ids or labels are not those of such episodes."""
    way, shot, query, count = (about[name] for name in _SIZES)
    for name, array in zip(_ARRAYS, arrays, strict=True):
        each = shot if name.startswith("support") else query
        end = way if name.endswith("_y") else examples
        kinds = ("int32",) if name.endswith("_y") else ("int32", "int64")
        fits = array.dtype.name in kinds and array.shape == (count, way * each)
        fits = fits and array.size > 0
        if not fits or array.min() < 0 or array.max() >= end:
            raise ValueError(
                f"{path} is broken: {name} must be {' or '.join(kinds)} of shape "
                f"({count}, {way * each}) in 0..{end - 1}. Received: {array.dtype} of "
                f"shape {array.shape}. Restore it from a copy, or write it again."
            )


def _check_classes(
    path: pathlib.Path, way: int, support_y: np.ndarray, query_y: np.ndarray
) -> None:
    """Raises where a query is of a class that its support set lacks."""
    for label in range(way):
        lacks = np.any(query_y == label, axis=1) & ~np.any(support_y == label, axis=1)
        if lacks.any():
            raise ValueError(
                f"{path} must have every class of the queries in the support set too, "
                f"but episode {int(np.argmax(lacks))} has queries of class {label} and "
                "no support example of it. Write the file again with save_episodes."
            )

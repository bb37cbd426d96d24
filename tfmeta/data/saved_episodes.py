"""Episodes frozen in a file: example ids and labels, no examples."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import zipfile
import zlib
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.data.episodes import batches
from tfmeta.data.gather import Gather
from tfmeta.data.part import Batch
from tfmeta.data.sampler import EpisodeSampler
from tfmeta.data.split import Split

_ARRAYS = ("support", "support_y", "query", "query_y")
_SIZES = ("way", "shot", "query", "count")
_AT_ONCE = 1000
# What NumPy, zipfile and json raise on a file that is not one of these.
_BROKEN = (
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


def save_episodes(
    path: str | os.PathLike[str],
    split: Split,
    *,
    way: int,
    shot: int,
    query: int | None = 15,
    seed: int = 0,
    count: int,
) -> pathlib.Path:
    """Writes the first episodes of a stream into a file that others can score on.

    The file holds example ids and labels, how they were drawn, and a checksum of the
    split, so that it is small and cannot be read with other data by mistake. It does
    not depend on how any version of this library draws episodes.

    Args:
        path: The file, such as `test-5way-1shot.npz`.
        split: Where to draw from.
        way: Classes an episode.
        shot: Support examples a class.
        query: Query examples a class; None takes all that the support leaves.
        seed: Another seed, other episodes.
        count: How many.

    Returns:
        The path.

    Raises:
        ValueError: Where the split has no such episodes, or they differ in size.
        OSError: If the file cannot be written.
    """
    if not split.class_names:
        raise ValueError(
            f"The tasks of part {split.name!r} are functions, which have no examples "
            "to name. Their seed says which they are: use episodes."
        )
    if count < 1:
        raise ValueError(f"count must be at least 1. Received: {count}.")
    sampler = EpisodeSampler(split, way=way, shot=shot, query=query, seed=seed)
    if not sampler.static:
        raise ValueError(
            f"query=None needs classes of one size, but those of split {split.name!r} "
            "differ. Give query a number."
        )
    draw = tf.function(sampler.batch_ids)
    drawn = [
        [array.numpy() for array in draw(tf.range(i, min(i + _AT_ONCE, count)))]
        for i in range(0, count, _AT_ONCE)
    ]
    arrays = [np.concatenate(parts) for parts in zip(*drawn, strict=True)]
    sizes = (way, shot, sampler.query or 0, count)
    about = {
        "split": split.name,
        "checksum": checksum(split),
        "seed": int(seed),
        **{name: int(size) for name, size in zip(_SIZES, sizes, strict=True)},
    }
    path = pathlib.Path(path)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        named: dict[str, Any] = dict(zip(_ARRAYS, arrays, strict=True))
        np.savez_compressed(file, about=np.array(json.dumps(about)), **named)
    os.replace(partial, path)
    return path


def frozen_episodes(
    path: str | os.PathLike[str], split: Split, *, tasks: int = 1
) -> tf.data.Dataset:
    """Reads what `save_episodes` wrote.

    Args:
        path: The file.
        split: The split the episodes were drawn from, of the same examples.
        tasks: Episodes a batch.

    Returns:
        The dataset that `episodes` returned for the arguments of `save_episodes`.

    Raises:
        ValueError: If the file is missing, broken or of other data.
    """
    path = pathlib.Path(path)
    about, arrays = _read(path)
    if about["checksum"] != checksum(split):
        raise ValueError(
            f"{path} holds episodes of other data: it was made from a split "
            f"{about['split']!r} whose names, counts or examples are not those of the "
            f"split {split.name!r} given. Load the data it was made from."
        )
    _check(path, about, arrays, len(split.x))
    gather = Gather(split.x)
    rows = [tf.constant(array) for array in arrays]

    def draw(indices: tf.Tensor) -> Batch:
        return gather.batch(*(tf.gather(row, indices) for row in rows))

    return batches(draw, tasks=tasks, start=0, count=about["count"])


def checksum(split: Split) -> str:
    """A text that tells a split's names, counts and examples from any other's."""
    names = json.dumps([split.name, split.class_names, split.counts.tolist()])
    content = hashlib.blake2b(names.encode(), digest_size=16)
    content.update(f"{split.x.dtype.str} {split.x.shape}".encode())
    content.update(np.ascontiguousarray(split.x).view(np.uint8).data)
    return content.hexdigest()


def _read(path: pathlib.Path) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Returns how the episodes were drawn, and their ids and labels."""
    if not path.is_file():
        raise ValueError(
            f"There is no file {str(path)!r}. Write it with save_episodes."
        )
    try:
        # NumPy leaves a file open that it cannot read.
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            arrays = [file[name] for name in _ARRAYS]
            numbers = {name: int(about[name]) for name in (*_SIZES, "seed")}
            texts = {name: str(about[name]) for name in ("split", "checksum")}
    except _BROKEN as error:
        raise ValueError(
            f"{path} is not a whole file of save_episodes ({error or 'cut short'}). "
            "Restore it from a copy, or write it again."
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
        whole = np.issubdtype(array.dtype, np.int32) and array.size
        fits = whole and array.shape == (count, way * each)
        if not fits or array.min() < 0 or array.max() >= end:
            raise ValueError(
                f"{path} is broken: {name} must be int32 of shape ({count}, "
                f"{way * each}) in 0..{end - 1}. Restore it from a copy, or write it "
                "again."
            )

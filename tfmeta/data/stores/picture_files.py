"""Pictures that stay in their files."""

from __future__ import annotations

import concurrent.futures
import functools
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.data.pictures.decode import decode_pictures
from tfmeta.data.pictures.format import PictureFormat
from tfmeta.data.pictures.pillow import check_pillow, pillow_pixels
from tfmeta.data.stores.memory import aligned
from tfmeta.data.stores.store import Store

# The endings of files that TensorFlow does not decode.
BY_PILLOW = (".pgm", ".ppm", ".tif", ".tiff", ".webp")
_CHUNK = 256  # Pictures that are read at once where all are read.
# What an error of TensorFlow names beside its reason: nodes, and Python's trace.
_NOT_A_REASON = re.compile(
    r"Graph execution error:|Detected at node[^\n]*|File \"[^\"]*\", line \d+, in \S+"
    r"|\{\{.*?\}\}|\[\[.*?\]\]|\[Op:.*?\]|Traceback .*",
    re.S,
)


class PictureFiles(Store):
    """Reads, decodes and resizes pictures in parallel as they are drawn, in the graph.

    What is read is equal, to the bit, to what `read_all` gives. JPEG, PNG, GIF and BMP
    are decoded by TensorFlow, see `decode_pictures`, and all other kinds by Pillow.

    Args:
        paths: The files.
        form: What the pictures become.
        lengths: The lengths of the files in bytes, for files that were listed before;
            None looks them up. A file of another length is an error when it is drawn.

    Raises:
        ValueError: If a file is missing.
        ImportError: If Pillow is missing and the ending of a file shows that it is
            needed.

    Example:
        >>> import tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "a.png")
        >>> tf.io.write_file(path, tf.io.encode_png(tf.zeros((9, 9, 1), tf.uint8)))
        >>> store = PictureFiles([path], PictureFormat(2, 2, 3))
        >>> len(store), store.take(tf.constant([[0, 0]])).shape
        (1, TensorShape([1, 2, 2, 2, 3]))
    """

    place = "disk"

    def __init__(
        self,
        paths: Sequence[str | os.PathLike[str]],
        form: PictureFormat,
        lengths: Sequence[int] | None = None,
    ):
        self.paths, self.form = [os.fspath(path) for path in paths], form
        if lengths is None:
            lengths = [_length(path) for path in self.paths]
        self.lengths = np.asarray(lengths, np.int64)
        if any(path.lower().endswith(BY_PILLOW) for path in self.paths):
            check_pillow()

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of one picture, `(height, width, channels)`."""
        return self.form.shape

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the pictures, uint8."""
        return np.dtype(np.uint8)

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.paths)

    @tf.autograph.experimental.do_not_convert
    def take(self, ids: tf.Tensor) -> tf.Tensor:
        """Reads pictures; see `Store.take`.

        Raises:
            tf.errors.OpError: If a file is missing, has another length than before, or
                cannot be decoded; `problem` names it.
        """
        paths, lengths = self._files
        flat = tf.reshape(ids, (-1,))
        pixels = _pixels(tf.gather(paths, flat), tf.gather(lengths, flat), self.form)
        pixels = tf.reshape(pixels, tf.concat([tf.shape(ids), self.shape], 0))
        return tf.ensure_shape(pixels, (*ids.shape, *self.shape))

    def problem(self) -> str | None:
        """Says which file is the first that cannot be drawn, and why.

        It looks at all files, so ask it only when drawing has failed: the error of a
        graph does not name the file.

        Returns:
            One sentence or more; None if all files are well.
        """
        for path, length in zip(self.paths, self.lengths, strict=True):
            sentence = _change(path, int(length))
            if sentence:
                return sentence
        for number, why in broken(self).items():
            return (
                f"The picture {self.paths[number]!r} cannot be read: {why}. Replace or "
                "remove it."
            )
        return None

    @functools.cached_property
    def _files(self) -> tuple[tf.Tensor, tf.Tensor]:
        # Captured by the graph, not a constant inside it.
        with tf.init_scope(), tf.device("CPU:0"):
            return tf.constant(self.paths, tf.string), tf.constant(self.lengths)


def read_all(store: PictureFiles) -> tuple[np.ndarray, dict[int, str]]:
    """Reads all pictures, in parallel, into one array.

    Beside the array only the pictures that are being read are in memory.

    Args:
        store: The files.

    Returns:
        uint8 `(pictures, height, width, channels)`, which TensorFlow can read where it
        lies; and the reason for each picture that cannot be read, by its number. What
        the array holds at these numbers is not defined.
    """
    pixels = aligned((len(store), *store.shape), store.dtype)
    return pixels, _draw_all(store, pixels)


def broken(store: PictureFiles) -> dict[int, str]:
    """Reads all pictures, in parallel, to find those that cannot be read.

    Args:
        store: The files.

    Returns:
        The reason for each picture that cannot be read, by its number.
    """
    return _draw_all(store, None)


def _draw_all(store: PictureFiles, pixels: np.ndarray | None) -> dict[int, str]:
    """Draws all pictures, into an array if there is one; returns what is broken."""
    wrong: dict[int, str] = {}
    for first, found in _chunks(store):
        for number, picture in enumerate(found, first):
            if isinstance(picture, str):
                wrong[number] = picture
            elif pixels is not None:
                pixels[number] = picture
    return wrong


def _chunks(store: PictureFiles) -> Iterator[tuple[int, Sequence[np.ndarray | str]]]:
    """Yields a number, and the pictures from it on or why they cannot be read."""
    compiled = _compiled(store.form)

    def read(ids: np.ndarray) -> Sequence[np.ndarray | str]:
        paths = tf.constant([store.paths[i] for i in ids])
        try:
            with tf.device("CPU:0"):
                return compiled(paths, tf.constant(store.lengths[ids])).numpy()
        except tf.errors.OpError as error:
            if len(ids) == 1:
                return [_reason(error)]
            middle = len(ids) // 2
            return [*read(ids[:middle]), *read(ids[middle:])]

    starts = range(0, len(store), _CHUNK)
    every = [np.arange(i, min(i + _CHUNK, len(store))) for i in starts]
    threads = os.cpu_count() or 1
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        # So many at once, or all that are done would wait in memory for the first.
        for i in range(0, len(every), threads):
            group = every[i : i + threads]
            yield from zip(
                (int(ids[0]) for ids in group), pool.map(read, group), strict=True
            )


@functools.cache
def _compiled(form: PictureFormat) -> Any:
    """The function that reads files, compiled once for all stores of a form."""
    return tf.function(
        functools.partial(_pixels, form=form),
        input_signature=[
            tf.TensorSpec([None], tf.string),
            tf.TensorSpec([None], tf.int64),
        ],
        autograph=False,
    )


def _pixels(paths: tf.Tensor, lengths: tf.Tensor, form: PictureFormat) -> tf.Tensor:
    """Reads files of the given lengths, `(files, height, width, channels)` uint8."""
    contents = _contents(paths, lengths)
    return decode_pictures(contents, form, other=pillow_pixels)


def _contents(paths: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Returns the bytes of files, `(files,)`, which must have their lengths."""
    contents = tf.map_fn(tf.io.read_file, paths)
    changed = tf.strings.length(contents) != tf.cast(lengths, tf.int32)
    named = tf.strings.reduce_join(tf.boolean_mask(paths, changed)[:1])
    sentence = ["A picture has another length than when it was listed:", named]
    check = tf.debugging.Assert(~tf.reduce_any(changed), sentence)
    with tf.control_dependencies([check] if check is not None else []):
        return tf.identity(contents)


def _length(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError as error:
        raise ValueError(
            f"The picture {path!r} must be a file that can be read. Received: "
            f"{error.strerror}. Restore it, or list the pictures anew."
        ) from error


def _change(path: str, length: int) -> str | None:
    """Says what happened to a file since it was listed; None if nothing did."""
    try:
        found = _length(path)
    except ValueError as error:
        return str(error)
    if found == length:
        return None
    return (
        f"The picture {path!r} must stay as it was when it was listed, with {length} "
        f"bytes. Received: {found} bytes. Restore it, or start anew."
    )


def _reason(error: tf.errors.OpError) -> str:
    """Returns what is wrong with a picture, out of TensorFlow's error."""
    text = " ".join(_NOT_A_REASON.sub("", error.message).split())
    return text.removeprefix("ValueError: ").strip(". ")

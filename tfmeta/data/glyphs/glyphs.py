"""Characters of invented alphabets, drawn by a program."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tfmeta.data.glyphs import pen, strokes
from tfmeta.data.pictures.format import PictureFormat
from tfmeta.data.prepare.preparation import Preparation
from tfmeta.data.source import Source
from tfmeta.data.sources.pool import Pool, divide
from tfmeta.data.stores.memory import MemoryStore

_DRAWERS = 20
_ALPHABETS = {"train": 19, "val": 5, "test": 6}
_OPEN = 0.88  # a character whose ink covers less than this of its length is a tangle
_ALIKE = 0.82  # characters whose blurred drawings have a higher cosine are the same


def glyphs(*, seed: int = 0) -> Source:
    """Draws the source `glyphs`: handwriting nobody has seen, in a few seconds.

    A program invents 30 alphabets with 14 to 30 characters each, as strokes, and has
    every character drawn by 20 drawers. Characters of an alphabet share a style and
    sub-strokes; near-duplicates, also between alphabets, are thrown away. Each
    alphabet has its own drawers, who keep their slant, size, pen and neatness from
    character to character. To nearest neighbours on pixels it is about as hard as
    Omniglot, and like there a small convolutional net learns it: a source for tests,
    examples and first experiments that needs no download.

    Args:
        seed: Other seeds give other alphabets and other drawers. The same seed always
            gives the same bytes.

    Returns:
        The source, split by alphabet: 415 meta-train, 109 meta-val and 128 meta-test
        classes of 20 examples, `(28, 28, 1)` uint8, ink 255 on 0. Classes are named
        like "alphabet07/character03"; within a class example `i` is by drawer `i`.

    Raises:
        ValueError: Where `seed` is not an integer of at least 0.

    Example:
        >>> source = glyphs()
        >>> source.train.num_classes, source.test.x.shape
        (415, (2560, 28, 28, 1))

    Reference:
        Lake, Salakhutdinov and Tenenbaum, "Human-level concept learning through
        probabilistic program induction", Science 2015, the model for the task.
        Differs from the paper: no data of Omniglot is used, and the programs are
        drawn from hand-made rules, not learned from people's strokes.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(
            f"seed must be an integer of at least 0. Received: {seed!r}. Use seed=0 "
            "for the standard glyphs."
        )
    return divide(glyph_pool(seed))


def glyph_pool(seed: int = 0) -> Pool:
    """Draws the glyphs, alphabet by alphabet, as a pool with parts of its own.

    Args:
        seed: As in `glyphs`.

    Returns:
        The examples of all parts.
    """
    pictures: list[np.ndarray] = []
    names: list[str] = []
    parts: list[np.ndarray] = []
    known = np.zeros((0, pen.SIZE**2), np.float32)
    first = 0
    for part, alphabets in enumerate(_ALPHABETS.values()):
        for alphabet in range(first, first + alphabets):
            rng = np.random.default_rng([seed, alphabet])
            # Every seed has the same numbers of classes.
            wanted = 14 + 13 * alphabet % 17
            script, known = _script(rng, wanted, known)
            pictures.append(_drawings(rng, script))
            names += [
                f"alphabet{alphabet + 1:02d}/character{i + 1:02d}"
                for i in range(len(script.shown))
            ]
            parts.append(np.full(len(pictures[-1]), part, np.int8))
        first += alphabets
    x = np.concatenate(pictures)[..., None]
    y = np.repeat(np.arange(len(names), dtype=np.int32), _DRAWERS)
    form = PictureFormat(pen.SIZE, pen.SIZE, 1)
    return Pool(
        "glyphs",
        MemoryStore(x),
        y,
        names,
        parts=np.concatenate(parts),
        prepare=Preparation(pictures=form),
    )


class _Script(NamedTuple):
    """The characters of an alphabet, strokes and points padded to one size."""

    points: np.ndarray  # (characters, strokes, points, 2)
    bases: np.ndarray  # (characters, strokes, 2, samples, points)
    ends: np.ndarray  # (characters, strokes) the last point's index
    shown: np.ndarray  # (characters, strokes) whether there is such a stroke
    roundness: float


def _pad(characters: list[list[np.ndarray]], roundness: float) -> _Script:
    """Puts the strokes of characters into arrays of one shape."""
    count, width = strokes.STROKES, strokes.WIDTH
    shape = (len(characters), count)
    points = np.zeros((*shape, width, 2))
    ends = np.ones(shape, int)
    shown = np.zeros(shape, bool)
    blank = pen.curve_bases(2, False, width)
    bases = np.broadcast_to(blank, (*shape, *blank.shape)).copy()
    for c, character in enumerate(characters):
        for s, stroke in enumerate(character):
            n = len(stroke)
            closed = bool(n > 3 and np.abs(stroke[0] - stroke[-1]).max() < 0.2)
            points[c, s, :n] = stroke
            bases[c, s] = pen.curve_bases(n, closed, width)
            ends[c, s], shown[c, s] = n - 1, True
    return _Script(points, bases, ends, shown, roundness)


def _curves(script: _Script, points: np.ndarray, roundness: np.ndarray) -> np.ndarray:
    """Curves through moved points: `(drawers, characters, strokes, samples, 2)`."""
    d, c, k, width, _ = points.shape
    # One product a stroke serves all drawers and both kinds of curve.
    columns = points.transpose(1, 2, 3, 0, 4).reshape(c, k, width, d * 2)
    curves = script.bases.reshape(c, k, -1, width) @ columns
    curves = curves.reshape(c, k, 2, -1, d, 2).transpose(2, 4, 0, 1, 3, 5)
    blend = roundness[:, None, None, None, None]
    curves = (1 - blend) * curves[0] + blend * curves[1]
    return np.where(script.shown[..., None, None], curves, np.nan)


def _script(
    rng: np.random.Generator, wanted: int, known: np.ndarray
) -> tuple[_Script, np.ndarray]:
    """Invents an alphabet whose characters differ from each other and all known."""
    style = strokes.invent_style(rng)
    kept: list[list[np.ndarray]] = []
    alike, apart = _ALIKE, _OPEN
    while len(kept) < wanted:
        batch = [strokes.invent_character(rng, style) for _ in range(2 * wanted)]
        looks, openness = _looks(_pad(batch, style.roundness))
        seen = np.concatenate([known, looks])
        # Small whole numbers: the products are exact, and so is each decision.
        products = (seen @ looks.T).astype(np.float64)
        squares = (seen**2).sum(1, dtype=np.float64)
        near = products**2 > alike**2 * squares[:, None] * squares[len(known) :]
        taken = list(range(len(known)))
        for i, character in enumerate(batch):
            if len(kept) == wanted or openness[i] < apart or near[taken, i].any():
                continue
            taken.append(len(known) + i)
            kept.append(character)
        known = seen[taken]
        # A style that is nearly used up may repeat itself a little.
        alike, apart = alike + 0.01, apart - 0.01
    return _pad(kept, style.roundness), known


def _looks(script: _Script) -> tuple[np.ndarray, np.ndarray]:
    """What characters look like from afar, to compare them.

    Returns:
        Blurred drawings in whole numbers up to 16, `(characters, 784)` float32, and
        the ink relative to what its length would cover without crossings,
        `(characters,)`.
    """
    curves = _curves(script, script.points[None], np.array([script.roundness]))[0]
    low = np.nanmin(curves, axis=(1, 2), keepdims=True)
    high = np.nanmax(curves, axis=(1, 2), keepdims=True)
    size = np.maximum(high - low, 0.5 * (high - low).max(-1, keepdims=True))
    curves = 14 + 18 * (curves - (low + high) / 2) / size
    positions = pen.along_ink(curves)
    ink = pen.draw(positions, np.ones(len(curves))).astype(np.int64)
    steps = np.sqrt(np.sum(np.diff(curves, axis=2) ** 2, axis=-1))
    length = np.nansum(steps, axis=(1, 2))
    openness = ink.sum((1, 2)) / 255 / (2 * length)
    for axis in (1, 2, 1, 2):
        ink = ink + np.roll(ink, 1, axis) + np.roll(ink, -1, axis)
    looks = (ink // (81 * 16)).reshape(len(ink), -1).astype(np.float32)
    return looks, openness


def _drawings(rng: np.random.Generator, script: _Script) -> np.ndarray:
    """Every character by every drawer: `(characters * 20, 28, 28)` uint8."""
    d, (c, s) = _DRAWERS, script.shown.shape
    messy = rng.uniform(0.6, 1.4, d)  # a drawer's lack of care
    points = _moved(rng, script, messy)
    roundness = np.clip(script.roundness + rng.normal(0, 0.15, d), 0, 1)
    curves = _curves(script, points, roundness)
    t = np.linspace(0, 1, curves.shape[3])
    for cycles in (0.5, 1.2):
        phase = rng.uniform(0, 2 * np.pi, (d, c, s, 1, 2))
        size = 0.015 * messy[:, None, None, None, None]
        curves = curves + size * np.sin(2 * np.pi * cycles * t[:, None] + phase)
    curves = _placed(rng, curves)
    width = rng.uniform(0.6, 0.95, (d, 1)) * rng.uniform(0.95, 1.05, (d, c))
    flat = curves.swapaxes(0, 1).reshape(c * d, *curves.shape[2:])
    return pen.draw(pen.along_ink(flat), width.T.ravel())


def _moved(rng: np.random.Generator, script: _Script, messy: np.ndarray) -> np.ndarray:
    """Control points as each drawer places them."""
    d, (c, s) = len(messy), script.shown.shape
    messy = messy[:, None, None, None, None]
    points = np.broadcast_to(script.points, (d, *script.points.shape))
    ends = script.ends
    rows = np.arange(c)[:, None], np.arange(s)
    centre = (script.points[:, :, 0] + script.points[(*rows, ends)])[:, :, None] / 2
    turn = rng.normal(0, 0.07, (d, c, s, 1, 1)) * messy
    grow = 1 + rng.normal(0, 0.08, (d, c, s, 1, 2)) * messy
    local = (points - centre) * grow
    local = local + turn * local[..., ::-1] * [1, -1]
    shift = rng.normal(0, 0.028, (d, c, s, 1, 2)) * messy
    points = centre + local + shift
    # Short strokes are drawn as surely as long ones, relative to their length.
    reach = np.abs(script.points - script.points[:, :, :1]).max(-1) * (
        np.arange(points.shape[-2]) <= ends[..., None]
    )
    extent = np.clip(reach.max(-1), 0.25, 0.8)[..., None, None]
    points = points + rng.normal(0, 0.034, points.shape) * messy * extent
    over = rng.normal(0.02, 0.07, (2, d, c, s, 1)) * messy[..., 0]
    start = points[..., 0, :] + over[0] * (points[..., 0, :] - points[..., 1, :])
    last = points[(slice(None), *rows, ends)]
    stop = last + over[1] * (last - points[(slice(None), *rows, ends - 1)])
    points[..., 0, :] = start
    points[(slice(None), *rows, ends)] = stop
    return points


def _placed(rng: np.random.Generator, curves: np.ndarray) -> np.ndarray:
    """Bends, slants, turns, scales and shifts drawings; in pixels."""
    d, c = curves.shape[:2]

    def per(drawer: float, drawing: float, *shape: int) -> np.ndarray:
        own = rng.normal(0, drawer, (d, 1, 1, 1, *shape))
        return own + rng.normal(0, drawing, (d, c, 1, 1, *shape))

    x, y = curves[..., 0], curves[..., 1]
    bend = per(0.03, 0.05, 6)
    x, y = (
        x + bend[..., 0] * x * x + bend[..., 1] * x * y + bend[..., 2] * y * y,
        y + bend[..., 3] * x * x + bend[..., 4] * x * y + bend[..., 5] * y * y,
    )
    wide = 1 + per(0.07, 0.05)
    x, y = x * wide - y * per(0.11, 0.05), y / wide
    angle = per(0.05, 0.04)
    x, y = x - angle * y, y + angle * x
    size = 15.5 * (1 + per(0.10, 0.06))
    x, y = size * x + 14 + per(0.6, 1.2), size * y + 14 + per(0.6, 1.2)
    return np.stack([x, y], axis=-1)

"""The scripts of the glyphs: alphabets with a style, characters made of strokes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

WIDTH = 12  # control points a stroke, at most
STROKES = 5  # strokes a character, at most

# Sub-strokes: points "x,y" in percent of a square, x to the right and y down.
_ANGULAR = {
    "stem": "50,0 50,100",
    "bar": "0,50 100,50",
    "slash": "100,0 0,100",
    "corner": "0,0 0,100 100,100",
    "vee": "0,0 50,100 100,0",
    "tick": "0,60 30,100 100,0",
    "zed": "0,0 100,0 0,100 100,100",
    "en": "0,100 0,0 100,100 100,0",
    "step": "0,0 0,50 100,50 100,100",
    "gate": "0,100 0,0 100,0 100,100",
    "flag": "0,100 0,0 100,30 0,60",
    "square": "0,0 100,0 100,100 0,100 0,0",
    "triangle": "50,0 100,100 0,100 50,0",
    "diamond": "50,0 100,50 50,100 0,50 50,0",
    "saw": "0,100 25,0 50,100 75,0 100,100",
    "fish": "100,0 0,75 40,100 60,60 0,0",
}
_ROUND = {
    "cup": "0,0 2,65 50,100 98,65 100,0",
    "arc": "100,12 50,0 0,50 50,100 100,88",
    "bowl": "0,0 70,6 100,50 70,94 0,100",
    "snake": "100,10 40,0 10,27 50,50 90,75 50,100 0,88",
    "ring": "50,0 8,25 8,75 50,100 92,75 92,25 50,0",
    "hook": "80,0 82,70 45,100 5,75",
    "cane": "0,30 30,0 65,20 60,60 60,100",
    "alpha": "100,5 40,95 0,55 35,10 75,60 100,100",
    "curl": "100,40 55,0 0,45 45,100 95,75 70,38 40,60",
    "wave": "0,70 25,15 50,50 75,85 100,30",
    "arches": "0,100 2,30 25,0 48,30 50,90 54,30 77,0 98,30 100,100",
    "three": "0,10 60,0 85,25 35,48 95,70 60,100 0,90",
    "two": "0,25 40,0 90,25 60,65 0,100 100,95",
    "nine": "95,30 50,58 5,32 45,0 92,20 90,100",
    "loop": "0,100 60,65 85,20 50,0 20,25 50,70 100,100",
    "ear": "0,0 10,70 50,95 75,60 50,40 35,70 100,100",
}
_MARKS = {
    "dot": "45,45 55,45 55,55 45,50",
    "dash": "0,50 100,50",
    "accent": "80,0 20,100",
    "breve": "0,10 50,90 100,10",
    "circle": "50,0 0,50 50,100 100,50 50,0",
}
_LAYOUTS = ("single", "chain", "stem", "pair", "stack", "marked", "crossed", "branched")


class Style(NamedTuple):
    """What the characters of one alphabet have in common."""

    roundness: float  # 0: polylines, 1: smooth curves
    slant: float  # x per y
    aspect: float  # width over height
    shapes: tuple[np.ndarray, ...]  # its sub-strokes, each (points, 2)
    marks: tuple[np.ndarray, ...]
    layouts: tuple[str, ...]
    mirrored: bool  # whether sub-strokes also occur mirrored
    headline: bool  # whether characters hang from a bar


def invent_style(rng: np.random.Generator) -> Style:
    """Draws the style of a new alphabet."""
    roundness = float(rng.choice([0.0, 0.0, 0.5, 0.9, 1.0, 1.0, 1.0]))
    angular, rounded, marks = _read(_ANGULAR), _read(_ROUND), _read(_MARKS)
    bends = round((1.5 + 5 * roundness) + rng.uniform(-1, 1))
    picks = [rounded[i] for i in rng.choice(len(rounded), bends, replace=False)]
    picks += [angular[i] for i in rng.choice(len(angular), 9 - bends, replace=False)]
    picks.append(_walk(rng))
    shapes = tuple(p + rng.normal(0, 0.05, p.shape) for p in picks)
    return Style(
        roundness=roundness,
        slant=rng.normal(0, 0.08),
        aspect=rng.uniform(0.7, 1.25),
        shapes=shapes,
        marks=tuple(marks[i] for i in rng.choice(len(marks), 2, replace=False)),
        layouts=tuple(rng.choice(_LAYOUTS, 5, replace=False)),
        mirrored=bool(rng.random() < 0.5),
        headline=bool(rng.random() < 0.12),
    )


def _read(table: dict[str, str]) -> list[np.ndarray]:
    """The points of each sub-stroke of a table, `(points, 2)` in 0..1."""
    return [
        np.array([point.split(",") for point in text.split()], float) / 100
        for text in table.values()
    ]


def _walk(rng: np.random.Generator) -> np.ndarray:
    """A sub-stroke nobody has thought of: a walk on a 3 x 3 lattice."""
    points = [rng.integers(0, 3, 2)]
    while len(points) < rng.integers(4, 7):
        step = rng.integers(0, 3, 2)
        if all(np.any(step != p) for p in points[-2:]):
            points.append(step)
    return np.array(points) / 2.0


def invent_character(rng: np.random.Generator, style: Style) -> list[np.ndarray]:
    """Draws a new character of an alphabet.

    Args:
        rng: The source of randomness.
        style: The alphabet's style.

    Returns:
        Its strokes, each `(points, 2)` with 2 to `WIDTH` points, in a box of height
        or width 1 around the origin.
    """
    strokes = _compose(rng, style, str(rng.choice(style.layouts)))
    if style.headline and len(strokes) < STROKES:
        strokes.append(np.array([(-0.05, 0.0), (1.05, 0.0)]))
    strokes = [s + rng.normal(0, 0.015, s.shape) for s in strokes]
    points = np.concatenate(strokes)
    low, high = points.min(0), points.max(0)
    size = np.maximum(high - low, 0.15)
    middle = (low + high) / 2
    scale = 1.0 / max(size[0] * style.aspect, size[1])
    strokes = [(s - middle) * [style.aspect * scale, scale] for s in strokes]
    return [s - s[:, 1:] * [style.slant, 0.0] for s in strokes]


def _shape(rng: np.random.Generator, style: Style) -> np.ndarray:
    """One of the alphabet's sub-strokes, in some alphabets mirrored at times."""
    shape = style.shapes[rng.integers(len(style.shapes))]
    if style.mirrored:
        flip = rng.random(2) < 0.35
        shape = np.where(flip, 1 - shape, shape)
    return shape


def _put(
    shape: np.ndarray, left: float, top: float, right: float, bottom: float
) -> np.ndarray:
    """Fits a sub-stroke of the unit square into a box."""
    return shape * [right - left, bottom - top] + [left, top]


def _compose(rng: np.random.Generator, style: Style, layout: str) -> list[np.ndarray]:
    """Arranges sub-strokes in the unit square."""
    a, b = _shape(rng, style), _shape(rng, style)
    cut = float(rng.choice([0.4, 0.5, 0.6]))
    if layout == "chain":
        joined = np.concatenate([_put(a, 0, 0, cut, 1), _put(b, cut, 0, 1, 1)[1:]])
        if len(joined) <= WIDTH:
            return [joined]
        layout = "pair"
    if layout == "pair":
        return [
            _put(a, 0, 0, cut, 1),
            _put(b, cut, float(rng.choice([0, 0, 0.4])), 1, 1),
        ]
    if layout == "stack":
        edge = float(rng.choice([0, 0, 0.25]))
        return [_put(a, 0, 0, 1, cut), _put(b, edge, cut, 1 - edge, 1)]
    if layout == "stem":
        return _stem(rng, a, b)
    if layout == "marked":
        return [_put(a, 0, 0.1, 1, 1), *_mark(rng, style)]
    if layout == "crossed":
        y = rng.choice([0.25, 0.5, 0.75])
        bar = np.array([(0.0, y), (1.0, y)])
        bar = bar if rng.random() < 0.6 else bar[:, ::-1]
        return [_put(a, 0.1, 0, 0.9, 1), bar]
    if layout == "branched":
        start = a[rng.integers(len(a))]
        return [a, _put(b - b[0], *start, *(start + rng.choice([0.45, 0.6], 2)))]
    return [a]


def _stem(rng: np.random.Generator, a: np.ndarray, b: np.ndarray) -> list[np.ndarray]:
    """A stem with one or two sub-strokes at its sides."""
    x = float(rng.choice([0.0, 0.5, 1.0]))
    spans = [(0, 0.5), (0.5, 1), (0.2, 0.8), (0, 1)]
    strokes = [np.array([(x, 0.0), (x, 1.0)])]
    for part in (a, b)[: rng.integers(1, 3)]:
        top, bottom = spans[rng.integers(4)]
        side = x if x != 0.5 else float(rng.integers(2))
        if side == 1.0:
            strokes.append(_put(part * [-1, 1], x, top, x + 0.65, bottom))
        else:
            strokes.append(_put(part, x, top, x + 0.65, bottom))
    return strokes


def _mark(rng: np.random.Generator, style: Style) -> list[np.ndarray]:
    """A small mark, single or double, above, below, in or beside a character."""
    mark = style.marks[rng.integers(len(style.marks))]
    places = [
        (0.5, -0.15),
        (0.5, 1.25),
        (0.5, 0.55),
        (1.2, 0.3),
        (1.2, 0.9),
        (-0.2, 0.5),
    ]
    x, y = places[rng.integers(len(places))]
    marks = [_put(mark, x - 0.13, y - 0.1, x + 0.13, y + 0.1)]
    if rng.random() < 0.35:
        marks = [m + [d, 0] for m in marks for d in (-0.2, 0.2)]
    return marks

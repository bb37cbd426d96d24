"""The pen of the glyphs: control points to curves, curves to pixels.

Curves are computed in float64 and rounded to 1/64 pixel. From there on every number
is exact or correctly rounded (differences, squares, minima and one square root), so
the bytes of a drawing do not depend on the order or width of vector instructions.
"""

from __future__ import annotations

import functools

import numpy as np

SIZE = 28
_SAMPLES = 45  # curve samples a stroke
_DOTS = 224  # pen positions a drawing, equally spaced along its ink
_MARGIN = 6  # ink outside the picture lands here and is cut off
_GRID = 64  # pen positions are multiples of 1/64 pixel
_REACH = 4  # a pen position touches 4 x 4 pixels: all those nearer than 2 pixels


@functools.cache
def curve_bases(num_points: int, closed: bool, width: int) -> np.ndarray:
    """The two linear maps from control points to samples of a curve.

    A curve is linear in its control points, both as the polyline through them and
    as the uniform Catmull-Rom spline through them. A blend of the two gives every
    degree of roundness.

    Args:
        num_points: Control points of the stroke, at least 2.
        closed: Whether the last point meets the first, so that the spline is smooth
            there too.
        width: Columns of the result, at least `num_points`; the rest are zero.

    Returns:
        `(2, samples, width)` float64: polyline, then spline.
    """
    t = np.linspace(0.0, num_points - 1, _SAMPLES)
    i = np.minimum(t.astype(int), num_points - 2)
    u = (t - i)[:, None]
    eye = np.eye(num_points)
    before, after = 2 * eye[0] - eye[1], 2 * eye[-1] - eye[-2]
    if closed:
        before, after = eye[-2], eye[1]
    p = np.concatenate([before[None], eye, after[None]])
    p0, p1, p2, p3 = p[i], p[i + 1], p[i + 2], p[i + 3]
    line = (1 - u) * p1 + u * p2
    spline = 0.5 * (
        2 * p1
        + (p2 - p0) * u
        + (2 * p0 - 5 * p1 + 4 * p2 - p3) * u**2
        + (3 * p1 - p0 - 3 * p2 + p3) * u**3
    )
    bases = np.zeros((2, _SAMPLES, width))
    bases[:, :, :num_points] = line, spline
    return bases


def along_ink(curves: np.ndarray) -> np.ndarray:
    """Pen positions equally spaced along the ink of each drawing.

    Args:
        curves: `(drawings, strokes, samples, 2)`; the pen is lifted between strokes,
            and a stroke whose samples are all NaN is not drawn. Stroke 0 always is.

    Returns:
        `(drawings, positions, 2)` float64 in the units of `curves`.
    """
    drawings, strokes, samples, _ = curves.shape
    absent = np.isnan(curves[:, :, :1, :1])
    curves = np.where(absent, curves[:, :1, :1], curves)
    steps = np.zeros((drawings, strokes, samples))
    steps[:, :, 1:] = np.sqrt(np.sum(np.diff(curves, axis=2) ** 2, axis=-1))
    length = np.cumsum(steps.reshape(drawings, -1), axis=1)
    length /= np.maximum(length[:, -1:], 1e-9)
    rows = 2.0 * np.arange(drawings)[:, None]  # one increasing axis for all drawings
    wanted = rows + (np.arange(_DOTS) + 0.5) / _DOTS
    have = (rows + length).ravel()
    flat = curves.reshape(-1, 2)
    return np.stack(
        [np.interp(wanted, have, np.ascontiguousarray(flat[:, k])) for k in (0, 1)],
        axis=-1,
    )


def draw(positions: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Draws pen positions as anti-aliased ink.

    The value of a pixel follows from the distance between its centre and the nearest
    pen position: full within `radius - 0.5`, none beyond `radius + 0.5`.

    Args:
        positions: `(drawings, positions, 2)` x and y in pixels from the top left.
        radius: `(drawings,)` half the thickness of the pen in pixels, at most 1.4.

    Returns:
        `(drawings, 28, 28)` uint8, ink 255 on 0.
    """
    drawings, dots, _ = positions.shape
    side = SIZE + 2 * _MARGIN
    inside = np.clip(positions + _MARGIN, _REACH, side - _REACH)
    fixed = np.rint(inside * _GRID) / _GRID
    corner = np.rint(fixed).astype(np.int64)
    centres = np.arange(_REACH) - 0.5 * (_REACH - 1)
    apart = ((corner - fixed)[..., None] + centres).astype(np.float32) ** 2
    first = corner[..., 1] * side + corner[..., 0] - (side + 1) * (_REACH // 2)
    first += np.arange(drawings)[:, None] * side * side
    window = (np.arange(_REACH)[:, None] * side + np.arange(_REACH)).ravel()
    nearest = np.full(drawings * side * side, 64.0, np.float32)
    for k in range(dots):
        pixels = first[:, k, None] + window
        square = (apart[:, k, 1, :, None] + apart[:, k, 0, None, :]).reshape(
            drawings, -1
        )
        nearest[pixels] = np.minimum(nearest[pixels], square)
    canvas = nearest.reshape(drawings, side, side)
    canvas = np.sqrt(canvas[:, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN])
    reach = (np.rint(radius * _GRID) / _GRID + 0.5).astype(np.float32)
    ink = np.clip(reach[:, None, None] - canvas, 0.0, 1.0)
    return np.rint(ink * np.float32(255)).astype(np.uint8)

"""The trials of Lake's test."""

from __future__ import annotations

import os
import pathlib

import numpy as np

from tfmeta.core import keys
from tfmeta.data.lake.drawers import DRAWERS, omniglot_drawers
from tfmeta.data.part import Part
from tfmeta.data.pipeline.saved_episodes import write_episodes
from tfmeta.data.split import Split

WAY = 20
TRIALS = 20


def save_lake_trials(
    path: str | os.PathLike[str],
    part: Part,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    seed: int = 1,
    count: int = TRIALS,
) -> pathlib.Path:
    """Writes trials of Lake's one-shot test into a file that `evaluate` can score on.

    A trial takes 20 characters of one alphabet. The support set is one person's drawing
    of each, the queries are another person's drawings of the same characters. Alphabet,
    characters and people are drawn by the seed and the trial's number alone.

    Args:
        path: The file, such as `lake.npz`.
        part: The test part of "tfds:omniglot", see `omniglot_drawers`.
        data_dir: Where TFDS keeps its data; None for its default.
        seed: Another seed draws other trials.
        count: The number of trials, at least 1; the paper has 20.

    Returns:
        The path.

    Raises:
        ValueError: If the part is another one, TFDS' records lie in another order, or
            `count` is below 1.
        OSError: If the file cannot be written.

    Reference:
        B. Lake, R. Salakhutdinov, J. Tenenbaum, "Human-level concept learning through
        probabilistic program induction", Science 2015. Differs from the paper:
        alphabets, characters and people are drawn, where the paper's are ten
        alphabets, two trials each, with chosen characters.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1. Received: {count}.")
    if not isinstance(part, Split):
        raise ValueError(
            "Lake's test is on Omniglot's characters. Received: a part of tasks of "
            "values. Load tfds:omniglot."
        )
    drawers = omniglot_drawers(part, data_dir=data_dir)
    drawings = _drawings(part, drawers)
    trials = np.stack([_trial(drawings, seed, number) for number in range(count)])
    labels = np.tile(np.arange(WAY, dtype=np.int32), (count, 1))
    return write_episodes(
        path,
        part,
        (trials[:, 0], labels, trials[:, 1], labels),
        sizes=(WAY, 1, 1, count),
        seed=seed,
    )


def _drawings(part: Split, drawers: np.ndarray) -> list[np.ndarray]:
    """Of each large alphabet the examples' ids, `(characters, drawers)`."""
    alphabets: dict[str, list[np.ndarray]] = {}
    for place, name in enumerate(part.class_names):
        ids = np.flatnonzero((part.y == place) & (drawers > 0))
        if len(ids) == DRAWERS:
            by_drawer = ids[np.argsort(drawers[ids])]
            alphabets.setdefault(name.split("/")[0], []).append(by_drawer)
    return [np.stack(rows) for _, rows in sorted(alphabets.items()) if len(rows) >= WAY]


def _trial(drawings: list[np.ndarray], seed: int, number: int) -> np.ndarray:
    """The ids of one trial, `(2, way)`: the support set's, and the queries'."""
    random = np.random.default_rng(keys.integer(seed, "episodes/lake", number))
    alphabet = drawings[random.integers(len(drawings))]
    characters = random.choice(len(alphabet), WAY, replace=False)
    people = random.choice(DRAWERS, 2, replace=False)
    return alphabet[np.ix_(characters, people)].T

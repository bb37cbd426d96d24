"""Scores every learner of classes where the support set's labels are shuffled.

    python benchmarks/shuffled.py --data_dir=DIR [NAME ...]

The zoo's nets are scored as they ship. The other learners are put around the net of
glyphs_protonet, with a new head of as many outputs as there are classes where they need
one, so all of them know the characters.

If a label tells nothing, nobody can do better than guess. A learner that does has seen
the answers somewhere, such as by the order of the queries. The program prints a table
in Markdown: the accuracy, how many standard errors it is from chance, and the accuracy
on the same episodes as they are.
"""

from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
from absl import app, flags

from tfmeta import evaluate, learners, zoo
from tfmeta.apps import runs
from tfmeta.core import Labels
from tfmeta.data import Split, save_episodes
from tfmeta.data.pipeline.saved_episodes import write_episodes
from tfmeta.inner import LearnedRates
from tfmeta.nets import conv4
from tfmeta.npz_files import read_npz
from tfmeta.training import copy_weights

FLAGS = flags.FLAGS
flags.DEFINE_integer("episodes", 600, "The number of episodes.", lower_bound=2)
flags.DEFINE_integer("way", 5, "The number of classes.", lower_bound=2)
flags.DEFINE_integer("shot", 1, "Support examples of each class.", lower_bound=1)
flags.DEFINE_integer("query", 15, "Queries of each class.", lower_bound=1)
flags.DEFINE_integer("seed", 3, "The seed of the episodes, and of the shuffling.")
runs.define_place_flags()


NET = "glyphs_protonet"


def embedding() -> Any:
    """A trained net that embeds."""
    return zoo.load(NET).learner.net


def headed() -> Any:
    """The same net with a new head."""
    net = conv4(way=FLAGS.way, strided=True)
    copy_weights(embedding(), net)
    return net


OTHERS: dict[str, Callable[[], Any]] = {
    "MatchingNet": lambda: learners.MatchingNet(embedding()),
    "MAML": lambda: learners.MAML(headed(), inner_steps=5, inner_lr=0.1),
    "ANIL": lambda: learners.MAML(
        headed(), inner_steps=20, inner_lr=0.1, adapt_only="head"
    ),
    "Meta-SGD": lambda: learners.MAML(
        headed(), inner_steps=5, inner_lr=0.1, rule=LearnedRates
    ),
    "Reptile": lambda: learners.Reptile(headed()),
    "LinearProbe": lambda: learners.LinearProbe(embedding()),
    "FineTune": lambda: learners.FineTune(embedding()),
    "FromScratch": lambda: learners.FromScratch(headed()),
    "NearestNeighbour": learners.NearestNeighbour,
}


def main(argv: list[str]) -> None:
    """Prints the table."""
    print(
        "| learner | labels shuffled | from chance | as they are |\n|---|---|---|---|"
    )
    for name in argv[1:] or [*zoo.names(), *OTHERS]:
        run = zoo.run_folder(NET if name in OTHERS else name)
        part = runs.source_of(runs.flags_of(run)).test
        if isinstance(part.targets, Labels):
            model = OTHERS[name]() if name in OTHERS else zoo.load(name)
            print(row(name, model, part), flush=True)


def row(name: str, model: Any, part: Split) -> str:
    """The row of one learner."""
    with tempfile.TemporaryDirectory() as folder:
        plain, mixed = (pathlib.Path(folder, f"{n}.npz") for n in ("plain", "mixed"))
        sizes = {n: FLAGS[n].value for n in ("way", "shot", "query", "seed")}
        save_episodes(plain, part, count=FLAGS.episodes, **sizes)
        shuffle(plain, mixed, part)
        true, shuffled = (
            evaluate(model, part, episodes_file=f) for f in (plain, mixed)
        )
    error = shuffled.scores.std(ddof=1) / np.sqrt(len(shuffled.scores))
    away = (shuffled.mean - 1 / FLAGS.way) / error
    cells = [
        f"{100 * each.mean:.2f} ± {100 * each.ci95:.2f} %" for each in (shuffled, true)
    ]
    return f"| {name} | {cells[0]} | {away:+.1f} standard errors | {cells[1]} |"


def shuffle(plain: pathlib.Path, mixed: pathlib.Path, part: Split) -> None:
    """Writes the same episodes with the support labels of each in a random order."""
    stored = read_npz(plain)
    random = np.random.default_rng(FLAGS.seed)
    support_y = random.permuted(stored["support_y"], axis=1)
    arrays = (stored["support"], support_y, stored["query"], stored["query_y"])
    sizes = (FLAGS.way, FLAGS.shot, FLAGS.query, FLAGS.episodes)
    write_episodes(mixed, part, arrays, sizes=sizes, seed=FLAGS.seed)


if __name__ == "__main__":
    app.run(main)

"""Compares two trained runs on the same frozen episodes: which is better, if any.

    tfmeta compare --run_dir=runs/a --against=runs/b --way=5 --shot=1

The difference is taken episode by episode, so it is known better than two separate
intervals tell. --against=nearestneighbour or fromscratch compares with a baseline, and
for texts --against=tfidfmeans or tfidflogistic.
"""

from __future__ import annotations

from typing import Any

from absl import flags

from tfmeta.apps import console, runs, scoring
from tfmeta.apps.building import needs_training
from tfmeta.apps.flags.kinds import LEARNER
from tfmeta.apps.flags.parts import Parts
from tfmeta.apps.flags.protocol import check_protocol, protocol_episodes, protocol_told
from tfmeta.data import Part
from tfmeta.evaluation import Comparison, baselines, compare
from tfmeta.evaluation.texts.baselines import TEXT_BASELINES
from tfmeta.learners import as_learner
from tfmeta.training import MetaModel, RunFolder
from tfmeta.training.run.tested import count_test

FLAGS = flags.FLAGS
PARTS = Parts()
_UNTRAINED = [
    *(name for name in sorted(LEARNER.known) if not needs_training(name)),
    *(each.__name__.lower() for each in TEXT_BASELINES),
]


def define_flags() -> None:
    """Defines the app's own flags."""
    scoring.define_scoring_flags()
    runs.define_place_flags()
    flags.DEFINE_string(
        "run_dir",
        None,
        "Run A, as the app train left it; or zoo:NAME.",
    )
    flags.DEFINE_string(
        "against",
        None,
        f"Run B, another run's folder or zoo:NAME; or {' or '.join(_UNTRAINED)}.",
    )
    flags.DEFINE_bool(
        "by_superclass",
        None,
        "Whether the classes of an episode are all of one superclass. Left out: as run "
        "A was trained.",
    )
    flags.mark_flags_as_required(["run_dir", "against"])


def main() -> dict:
    """Scores both, prints a table and the verdict."""
    run, model = runs.open_model(FLAGS.run_dir, FLAGS.which)
    values = runs.flags_of(run)
    run_b, other = None, None
    if FLAGS.against not in _UNTRAINED:
        run_b, other = runs.open_model(FLAGS.against, FLAGS.which)
        _check_same_data(values, runs.flags_of(run_b))
    check_protocol(values, model, other)
    source = runs.source_of(values)
    for each in (run, run_b):
        if each is not None:
            each.check_data(source)
    part = getattr(source, FLAGS.part)
    with protocol_episodes(part, values):
        scoring.settle_episodes(part, values, model)
        other = other or _baseline(model, part, source.train)
        _check_both_adapt(model, other)
        scoring.check_steps(model, other)
        steps = None if run_b is None else scoring.steps_of(other)
        comparison = compare(
            scoring.score(model, part, steps=scoring.steps_of(model)),
            scoring.score(other, part, steps=steps),
        )
    _tell(comparison, runs.data_name(values))
    for path, each in ((FLAGS.run_dir, run), (FLAGS.against, run_b)):
        if each is not None and not runs.ships(path):
            _count(each, part.name)
    told = {"source": runs.data_name(values), **protocol_told()}
    return {**comparison.summary(), **told}


def _count(run: RunFolder, split: str) -> None:
    try:
        count_test(run, split)
    except OSError as error:
        console.say(f"{run.path} cannot be written ({error.strerror}): not counted.")


def _check_same_data(a: dict, b: dict) -> None:
    differ = runs.differing_data(a, b)
    if differ:
        raise ValueError(
            f"The runs were trained on other data or classes: {'; '.join(differ)}. "
            "Test classes of the one may be training classes of the other: train both "
            "with the same data flags."
        )


def _check_both_adapt(a: Any, b: Any) -> None:
    names = [type(as_learner(each)).__name__ for each in (a, b)]
    if as_learner(a).adapts != as_learner(b).adapts:
        raise ValueError(
            "Only learners that both adapt, or both do not, can be compared: the "
            "others are scored on episodes, or on single examples. Received: A is "
            f"{names[0]}, B is {names[1]}."
        )


def _baseline(model: MetaModel, part: Part, train: Part) -> Any:
    known = {
        type(as_learner(each)).__name__.lower(): each
        for each in baselines(model, targets=part.targets, train=train)
    }
    if FLAGS.against not in known:
        raise ValueError(
            f"--against={FLAGS.against} cannot be scored on these tasks with this net. "
            f"Use another run's folder{' or ' * bool(known)}{' or '.join(known)}."
        )
    return known[FLAGS.against]


def _tell(comparison: Comparison, source: str) -> None:
    a, b = comparison.a, comparison.b
    console.table(
        scoring.title(a, source),
        scoring.columns(a),
        [
            scoring.row(f"A: {a.learner}", a),
            scoring.row(f"B: {b.learner}", b),
            [
                "A - B, paired",
                console.measure(a.metric, comparison.difference, comparison.ci95),
                *[""] * 3,
            ],
        ],
    )
    console.say(f"A is {FLAGS.run_dir}, B is {FLAGS.against}.")
    console.say(comparison.verdict)

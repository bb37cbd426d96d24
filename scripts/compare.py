"""Compares two trained runs on the same frozen episodes: which is better, if any.

    python scripts/compare.py --run_dir=runs/a --against=runs/b --way=5 --shot=1

The difference is taken episode by episode, so it is known better than two separate
intervals tell. --against=nearestneighbour or fromscratch compares with a baseline.
"""

from __future__ import annotations

import quiet_tensorflow  # noqa: F401

# isort: split
import common_flags
import console
import scoring
from absl import flags

import tfmeta
from tfmeta.data import Part
from tfmeta.evaluation import Comparison, baselines
from tfmeta.learners import Learner
from tfmeta.training import RunFolder

FLAGS = flags.FLAGS

scoring.define_scoring_flags()
flags.DEFINE_string("run_dir", None, "Run A, as scripts/train.py left it.")
flags.DEFINE_string(
    "against",
    None,
    f"Run B, another run's folder; or {' or '.join(common_flags.UNTRAINED)}.",
)
flags.DEFINE_string("data_dir", None, "Where the data lies; left out: the run's.")
flags.DEFINE_bool("download", False, "Let TFDS download what is missing.")
flags.mark_flags_as_required(["run_dir", "against"])


def main() -> dict:
    """Scores both, prints a table and the verdict."""
    run = RunFolder(FLAGS.run_dir)
    model = run.load_model(FLAGS.which)
    values = common_flags.values_of_run(run)
    run_b, other = None, None
    if FLAGS.against not in common_flags.UNTRAINED:
        run_b = RunFolder(FLAGS.against)
        other = run_b.load_model(FLAGS.which)
        _check_same_data(values, common_flags.values_of_run(run_b))
    source = common_flags.load_source(values)
    for each in (run, run_b):
        if each is not None:
            each.check_data(source)
    part = getattr(source, FLAGS.part)
    other = other or _baseline(model, part)
    comparison = tfmeta.compare(
        scoring.score(model, part, steps=scoring.steps_of(model)),
        scoring.score(
            other,
            part,
            steps=None if run_b is None else scoring.steps_of(other),
        ),
    )
    _tell(comparison, values["dataset"])
    return {**comparison.summary(), "source": values["dataset"]}


def _check_same_data(a: dict, b: dict) -> None:
    differ = [
        f"--{name} was {a.get(name)} in A and {b.get(name)} in B"
        for name in (*common_flags.OF_DATA, "disjoint")
        if a.get(name) != b.get(name)
    ]
    if differ:
        raise ValueError(
            f"The runs were trained on other data or classes: {'; '.join(differ)}. "
            "Test classes of the one may be training classes of the other: train both "
            "with the same data flags."
        )


def _baseline(model: tfmeta.MetaModel, part: Part) -> Learner:
    known = {
        type(each).__name__.lower(): each
        for each in baselines(model, targets=part.targets)
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


if __name__ == "__main__":
    console.run(main)

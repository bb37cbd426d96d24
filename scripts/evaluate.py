"""Scores a trained run on frozen test episodes, with 95 % confidence intervals.

    python scripts/evaluate.py --run_dir=runs/first --way=5 --shot=1 --baselines

Any way and shot the learner allows. Without --run_dir it scores a learner that needs
no training: --learner=nearestneighbour --dataset=glyphs.
"""

from __future__ import annotations

import quiet_tensorflow  # noqa: F401

# isort: split
import common_flags
import console
import numpy as np
from absl import flags

import tfmeta
from tfmeta.data import Split
from tfmeta.evaluation import Result, baselines
from tfmeta.learners import Learner
from tfmeta.training import RunFolder
from tfmeta.training.run_folder import write_json

FLAGS = flags.FLAGS
# What may be said of a run anew; its data, net and method may not.
_FREE = (
    "normalisation",
    "way",
    "shot",
    "query",
    "seed",
    "steps",
    "run_dir",
    "data_dir",
    "download",
    "json",
)
_UNTRAINED = ("nearestneighbour", "fromscratch")
_ROWS = 11  # Of the table of accuracy after inner steps, at most.

common_flags.define_data_flags()
common_flags.define_episode_flags()
common_flags.define_learner_flags()
flags.DEFINE_string("run_dir", None, "The run to score, as scripts/train.py left it.")
flags.DEFINE_enum("which", "best", ["best", "last"], "Which of its checkpoints.")
flags.DEFINE_enum("part", "test", ["test", "val", "train"], "Whose classes.")
flags.DEFINE_integer("episodes", 600, "How many episodes.", lower_bound=2)
flags.DEFINE_integer("seed", 1, "Which episodes.", lower_bound=0)
flags.DEFINE_integer(
    "steps", None, "Inner steps; left out: the learner's own.", lower_bound=0
)
flags.DEFINE_bool("baselines", False, "Score learners without meta-training too.")
flags.DEFINE_bool("curve", True, "Score after every inner step, where there are any.")


def main() -> dict:
    """Scores, prints a table, writes `results.json`."""
    if FLAGS.run_dir:
        run = RunFolder(FLAGS.run_dir)
        trained = run.load_model(FLAGS.which, normalisation=FLAGS.normalisation).learner
        values = _values_of_run(run)
    else:
        run, trained, values = None, None, common_flags.values()
        _check_untrained()
    part = getattr(common_flags.load_source(values), FLAGS.part)
    learner = trained or common_flags.make_learner(part.example_shape)
    results = [_score(learner, part, FLAGS.steps, FLAGS.curve)]
    if FLAGS.baselines:
        results += [_score(each, part, None, False) for each in baselines(learner)]
    _tell(results, values["dataset"])
    summary = {
        **results[0].summary(),
        "source": values["dataset"],
        "baselines": [result.summary() for result in results[1:]],
    }
    if run is not None:
        write_json(run.results_file, {**summary, "scores": results[0].scores.tolist()})
    return summary


def _check_untrained() -> None:
    """Refuses, before data is read, a learner that must be trained first."""
    common_flags.check_learner_name()
    if FLAGS.learner not in _UNTRAINED:
        raise ValueError(
            f"--learner={FLAGS.learner} must be trained first: give the --run_dir of "
            f"scripts/train.py, or score --learner={' or '.join(_UNTRAINED)}."
        )


def _values_of_run(run: RunFolder) -> dict:
    """The run's flags; other data would hold classes it was trained on."""
    values = common_flags.values_of_run(run)
    said = [
        name
        for name in values.keys() - set(_FREE)
        if name in FLAGS and FLAGS[name].present and FLAGS[name].value != values[name]
    ]
    if said:
        raise ValueError(
            f"The run was trained otherwise: leave out --{', --'.join(sorted(said))}. "
            "With --run_dir, data, net and method are the run's, so that test classes "
            "are those never trained on."
        )
    return values


def _score(learner: Learner, part: Split, steps: int | None, curve: bool) -> Result:
    return tfmeta.evaluate(
        learner,
        part,
        way=FLAGS.way,
        shot=FLAGS.shot,
        query=FLAGS.query,
        episodes=FLAGS.episodes,
        seed=FLAGS.seed,
        steps=steps if learner.default_steps is not None else None,
        curve=curve,
    )


def _tell(results: list[Result], source: str) -> None:
    first = results[0]
    console.table(
        f"{source} {first.split}, {first.way}-way {first.shot}-shot, {first.query} "
        f"queries per class, {first.episodes} episodes of seed {first.seed}",
        ["learner", first.metric, "inner steps", "normalisation", "seconds"],
        [
            [
                result.learner,
                console.percent(result.mean, result.ci95),
                "-" if result.steps is None else str(result.steps),
                result.normalisation,
                f"{result.seconds:.1f}",
            ]
            for result in results
        ],
    )
    if first.curve is not None:
        points = first.summary()["curve"]
        shown = sorted({round(i) for i in np.linspace(0, len(points) - 1, _ROWS)})
        console.table(
            f"{first.learner} while it adapts",
            ["after inner step", first.metric],
            [
                [
                    str(points[i]["step"]),
                    console.percent(points[i]["mean"], points[i]["ci95"]),
                ]
                for i in shown
            ],
        )


if __name__ == "__main__":
    console.run(main)

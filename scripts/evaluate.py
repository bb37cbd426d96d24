"""Scores a trained run on frozen test episodes, with 95 % confidence intervals.

    python scripts/evaluate.py --run_dir=runs/first --way=5 --shot=1 --baselines

Any way and shot the learner allows. Without --run_dir it scores a learner that needs
no training: --learner=nearestneighbour --dataset=glyphs.
"""

from __future__ import annotations

import quiet_tensorflow  # noqa: F401

# isort: split
from typing import Any

import common_flags
import console
import numpy as np
import scoring
from absl import flags

from tfmeta.core import Labels
from tfmeta.data import Part, save_episodes
from tfmeta.evaluation import (
    Calibration,
    Result,
    baselines,
    fit_temperature,
    query_logits,
    regression_picture,
    reliability,
)
from tfmeta.json_files import write_json
from tfmeta.training import RunFolder

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
_ROWS = 11  # Of the table of accuracy after inner steps, at most.

common_flags.define_data_flags()
scoring.define_scoring_flags()
common_flags.define_learner_flags()
flags.DEFINE_string("run_dir", None, "The run to score, as scripts/train.py left it.")
flags.DEFINE_bool("baselines", False, "Score learners without meta-training too.")
flags.DEFINE_bool("curve", True, "Score after every inner step, where there are any.")
flags.DEFINE_bool(
    "calibration",
    False,
    "Measure how far probabilities can be believed, before and after dividing logits "
    "by a temperature that is fitted on the validation classes. The run keeps the "
    "temperature, for scripts/export.py --calibrated.",
)
flags.DEFINE_string(
    "picture",
    None,
    "Regression: draw a few tasks, and the answers after inner steps, into this PNG.",
)
flags.DEFINE_string(
    "save_episodes",
    None,
    "Write which examples the scored episodes hold into this .npz file, for others to "
    "score on.",
)


def main() -> dict:
    """Scores, prints a table, writes `results.json`."""
    if FLAGS.run_dir:
        run = RunFolder(FLAGS.run_dir)
        trained = run.load_model(FLAGS.which, normalisation=FLAGS.normalisation)
        values = _values_of_run(run)
    else:
        run, trained, values = None, None, common_flags.values()
        _check_untrained()
    _check_asked()
    source = common_flags.load_source(values)
    if run is not None:
        run.check_data(source)
    part = getattr(source, FLAGS.part)
    if FLAGS.calibration and not isinstance(part.targets, Labels):
        raise ValueError(
            "--calibration is of probabilities, but the tasks have values. Leave it "
            "out."
        )
    model = trained or common_flags.make_learner(
        part.example_shape, outputs=scoring.outputs_for(part)
    )
    steps = scoring.steps_of(model)
    if FLAGS.picture:
        regression_picture(model, part, FLAGS.picture, shot=FLAGS.shot, seed=FLAGS.seed)
        console.say(f"Drew {FLAGS.picture}")
    if FLAGS.save_episodes:
        asked = scoring.episodes_of(part)
        count = asked.pop("episodes")
        save_episodes(FLAGS.save_episodes, part, count=count, **asked)
        console.say(f"Wrote {FLAGS.save_episodes}")
    results = [scoring.score(model, part, steps=steps, curve=FLAGS.curve)]
    if FLAGS.baselines:
        others = baselines(model, targets=part.targets)
        results += [scoring.score(each, part) for each in others]
    _tell(results, values["dataset"])
    summary = {
        **results[0].summary(),
        "source": values["dataset"],
        "episodes_file": FLAGS.episodes_file,
        "baselines": [result.summary() for result in results[1:]],
    }
    if run is not None:
        write_json(run.results_file, {**results[0].record(), **summary})
    if FLAGS.calibration:
        summary["calibration"] = _calibration(model, source.val, part, results[0])
        if run is not None:
            write_json(run.results_file, {**results[0].record(), **summary})
            temperature = summary["calibration"]["after"]["temperature"]
            scoring.write_calibration(run, temperature, results[0], FLAGS.seed)
    return summary


def _check_asked() -> None:
    if FLAGS.calibration and FLAGS.part == "val":
        raise ValueError(
            "--calibration fits the temperature on the validation classes, so it must "
            "be judged on others. Leave out --part=val, or --calibration."
        )
    if FLAGS.save_episodes and FLAGS.episodes_file:
        raise ValueError(
            "The episodes of --episodes_file are in a file already. Leave out "
            "--save_episodes."
        )


def _check_untrained() -> None:
    """Refuses, before data is read, a learner that must be trained first."""
    common_flags.check_learner_name()
    if FLAGS.learner not in common_flags.UNTRAINED:
        raise ValueError(
            f"--learner={FLAGS.learner} must be trained first: give the --run_dir of "
            "scripts/train.py, or score --learner="
            f"{' or '.join(common_flags.UNTRAINED)}."
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


def _tell(results: list[Result], source: str) -> None:
    first = results[0]
    console.table(
        scoring.title(first, source),
        scoring.columns(first),
        [scoring.row(result.learner, result) for result in results],
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
                    console.measure(first.metric, points[i]["mean"], points[i]["ci95"]),
                ]
                for i in shown
            ],
        )


def _calibration(model: Any, val: Part, part: Part, result: Result) -> dict:
    """Fits on validation classes, judges on others, and says it."""
    steps = scoring.steps_of(model)
    names = ("way", "shot", "query", "episodes")
    same = {name: getattr(result, name) for name in names}
    temperature = fit_temperature(model, val, **same, seed=FLAGS.seed, steps=steps)
    given = query_logits(model, part, **scoring.episodes_of(part), steps=steps)
    before, after = reliability(given), reliability(given, temperature=temperature)
    console.table(
        f"Calibration on {before.queries} queries; the temperature was fitted on "
        "validation classes",
        ["temperature", "expected calibration error", "nats a query"],
        [
            [f"{c.temperature:.3f}", f"{100 * c.ece:.2f} %", f"{c.nll:.4f}"]
            for c in (before, after)
        ],
    )
    console.table(
        "How sure, and how often right: before | after",
        ["confidence", *["queries", "sure", "right"] * 2],
        _reliability_rows(before, after),
    )
    return {"before": before.summary(), "after": after.summary()}


def _reliability_rows(before: Calibration, after: Calibration) -> list[list[str]]:
    return [
        [
            f"{100 * bins[0].low:.0f} to {100 * bins[0].high:.0f} %",
            *(
                text
                for b in bins
                for text in (
                    str(b.count),
                    f"{100 * b.confidence:.1f} %" if b.count else "-",
                    f"{100 * b.accuracy:.1f} %" if b.count else "-",
                )
            ),
        ]
        for bins in zip(before.table, after.table, strict=True)
        if any(b.count for b in bins)
    ]


if __name__ == "__main__":
    console.run(main)

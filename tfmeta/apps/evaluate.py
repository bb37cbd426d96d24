"""Scores a trained run on frozen test episodes, with 95 % confidence intervals.

    tfmeta evaluate --run_dir=runs/first --way=5 --shot=1 --baselines

Way and shot may differ from those of training. Data, method and net are the run's.
Their flags are for scoring a learner that needs no training, without --run_dir:
--learner=nearestneighbour --dataset=glyphs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from absl import flags

from tfmeta.apps import console, runs, scoring
from tfmeta.apps.building import make_learner, needs_training
from tfmeta.apps.flags.arguments import signature_of
from tfmeta.apps.flags.kinds import LEARNER
from tfmeta.apps.flags.parts import Parts
from tfmeta.apps.flags.protocol import (
    check_protocol,
    protocol_episodes,
    protocol_told,
)
from tfmeta.core import Labels
from tfmeta.data import Part, Source, save_episodes
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
from tfmeta.training.run.tested import count_test

FLAGS = flags.FLAGS
PARTS = Parts(
    "dataset",
    "learner",
    "net",
    "rule",
    own=("normalisation", "eval_steps"),
    of_run=True,
)
# What may be said of a run anew; its data, net and method may not.
_FREE = (
    "normalisation",
    "way",
    "shot",
    "query",
    "seed",
    "eval_steps",
    "run_dir",
    "zoo",
    "json",
    *runs.ANEW,
)
_ROWS = 11  # Of the table of accuracy after inner steps, at most.


def define_flags() -> None:
    """Defines the app's own flags."""
    scoring.define_scoring_flags()
    flags.DEFINE_enum(
        "normalisation",
        None,
        ["support", "task", "running"],
        "Where batch normalisation takes its statistics from: the support set, each "
        "set of examples itself (task), or moving averages of training (running). Left "
        "out: as in training.",
    )
    runs.define_run_flags("to score")
    flags.DEFINE_bool("baselines", False, "Score learners without meta-training too.")
    flags.DEFINE_bool(
        "curve", True, "Score after every inner step, where there are any."
    )
    flags.DEFINE_bool(
        "calibration",
        False,
        "Measure how far probabilities can be believed, before and after dividing "
        "logits by a temperature that is fitted on the validation classes. The run "
        "keeps the temperature, for --calibrated of the app export.",
    )
    flags.DEFINE_string(
        "picture",
        None,
        "Regression: draw a few tasks and the answers after inner steps into this PNG.",
    )
    flags.DEFINE_string(
        "save_episodes",
        None,
        "Write which examples the scored episodes hold into this .npz file, for others "
        "to score on.",
    )


def main() -> dict:
    """Scores, prints a table, writes `results.json`."""
    path = runs.chosen()
    if path:
        run, trained = runs.open_model(
            path, FLAGS.which, normalisation=FLAGS.normalisation
        )
        values = _flags_of(run)
    else:
        run, trained, values = None, None, runs.flags_now()
        _check_untrained()
    _check_asked()
    check_protocol(values, trained)
    source = runs.source_of(values)
    if run is not None:
        run.check_data(source)
    part = getattr(source, FLAGS.part)
    with protocol_episodes(part, values):
        scoring.settle_episodes(part, {} if run is None else values, trained)
        model = trained or _untrained(part)
        scoring.check_steps(model)
        keep = None if run is None or runs.ships(path) else run
        return _scored_and_kept(model, source, part, keep, runs.data_name(values))


def _scored_and_kept(
    model: Any, source: Source, part: Part, keep: RunFolder | None, name: str
) -> dict:
    """Scores the model; a run keeps the results."""
    if FLAGS.calibration and not isinstance(part.targets, Labels):
        raise ValueError(
            "--calibration is of probabilities, but the tasks have values. Leave it "
            "out."
        )
    _write_extras(model, part)
    summary, results = _scored(model, part, source.train, name)
    if keep is not None:
        summary["tested"] = count_test(keep, part.name)
        write_json(keep.results_file, {**results[0].record(), **summary})
    if FLAGS.calibration:
        summary["calibration"] = _calibration(model, source.val, part, results[0])
        if keep is not None:
            write_json(keep.results_file, {**results[0].record(), **summary})
            temperature = summary["calibration"]["after"]["temperature"]
            scoring.write_calibration(
                keep, temperature, results[0], source=name, seed=FLAGS.seed
            )
    return summary


def _untrained(part: Part) -> Any:
    """The learner without training that flags name."""
    own = {"normalisation": FLAGS.normalisation, "eval_steps": FLAGS.eval_steps}
    said = {name: value for name, value in own.items() if value is not None}
    takes = signature_of(LEARNER.constructor(FLAGS.learner))
    for name in said.keys() - takes.keys():
        raise ValueError(
            f"--learner={FLAGS.learner} has no such setting as {name}. Leave out "
            f"--{name}."
        )
    return make_learner(PARTS, part, way=scoring.way_of(part), seed=FLAGS.seed, **said)


def _write_extras(model: Any, part: Any) -> None:
    """Draws the picture and writes the episodes that flags ask for."""
    if FLAGS.picture:
        regression_picture(model, part, FLAGS.picture, shot=FLAGS.shot, seed=FLAGS.seed)
        console.say(f"Drew {FLAGS.picture}")
    if FLAGS.save_episodes:
        asked = scoring.episodes_of(model)
        count = asked.pop("episodes")
        save_episodes(FLAGS.save_episodes, part, count=count, **asked)
        console.say(f"Wrote {FLAGS.save_episodes}")


def _scored(
    model: Any, part: Part, train: Part, source: str
) -> tuple[dict, list[Result]]:
    """Scores the model, and the baselines; returns what is told of them."""
    steps = scoring.steps_of(model)
    results = [scoring.score(model, part, steps=steps, curve=FLAGS.curve)]
    if FLAGS.baselines:
        others = baselines(model, targets=part.targets, train=train)
        results += [scoring.score(each, part) for each in others]
    _tell(results, source)
    summary = {
        **results[0].summary(),
        "source": source,
        "episodes_file": None if FLAGS.protocol else FLAGS.episodes_file,
        **protocol_told(),
        "baselines": [result.summary() for result in results[1:]],
    }
    return summary, results


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
    if needs_training(FLAGS.learner):
        untrained = [name for name in sorted(LEARNER.known) if not needs_training(name)]
        raise ValueError(
            f"--learner={FLAGS.learner} must be trained first: give the --run_dir of a "
            f"run that was trained, or score --learner={' or '.join(untrained)}."
        )


def _flags_of(run: RunFolder) -> dict:
    """The run's flags; other data would hold classes it was trained on."""
    values = runs.flags_of(run)
    said = [
        name
        for name in (values.keys() | PARTS.given()) - set(_FREE)
        if name in FLAGS
        and FLAGS[name].present
        and (name not in values or FLAGS[name].value != values[name])
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
    asked = scoring.episodes_of(model)
    same: dict[str, Any] = {}
    if asked:  # Of the same size, if they are from a file.
        names = ("way", "shot", "query", "episodes")
        same = {name: getattr(result, name) for name in names}
        same["seed"] = FLAGS.seed
    temperature = fit_temperature(model, val, **same, steps=steps)
    given = query_logits(model, part, **asked, steps=steps)
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

"""Meta-trains a learner and keeps everything in a run folder.

    python scripts/train.py --learner=protonet --dataset=glyphs --run_dir=runs/first

The same command continues a stopped run. TensorBoard reads the run folder.
"""

from __future__ import annotations

import quiet_tensorflow  # noqa: F401

# isort: split
import math

import common_flags
import console
import keras
from absl import flags

import tfmeta
from tfmeta.core import one_thread_a_task
from tfmeta.data import Source
from tfmeta.training import RunFolder, Stream, Trainer

FLAGS = flags.FLAGS

common_flags.define_data_flags()
common_flags.define_episode_flags()
common_flags.define_learner_flags()
flags.DEFINE_string(
    "run_dir",
    None,
    "The folder this run is kept in, made if need be: flags, metrics, checkpoints, "
    "TensorBoard's files.",
)
flags.DEFINE_integer(
    "seed", 0, "Of the net's first weights and the training episodes.", lower_bound=0
)
flags.DEFINE_integer("tasks", 16, "Tasks in one outer step.", lower_bound=1)
flags.DEFINE_integer(
    "steps", 2000, "Outer steps in all; a finished run goes on if more.", lower_bound=1
)
flags.DEFINE_bool(
    "augment", False, "Turn, shift and zoom the training images a little."
)
flags.DEFINE_float("outer_lr", 1e-3, "The outer optimizer's (Adam's) rate.", 0)
flags.DEFINE_integer(
    "halve_every", 0, "Halve the outer rate every so many steps; 0: never.", 0
)
flags.DEFINE_float("clip_norm", None, "Clip the meta-gradient to this norm.", 0)
flags.DEFINE_enum(
    "task_map",
    "auto",
    ["auto", "loop", "compiled"],
    "How a step goes through its tasks; auto times the ways once, when a run begins.",
)
flags.DEFINE_integer("val_way", None, "Classes in a validation episode; as --way.", 1)
flags.DEFINE_integer("val_shot", None, "Its support examples per class; as --shot.", 1)
flags.DEFINE_integer("val_query", 15, "Its queries per class.", 1)
flags.DEFINE_integer("val_episodes", 200, "Episodes of a validation.", 2)
flags.DEFINE_integer("validate_every", 500, "Steps between validations.", 1)
flags.DEFINE_integer(
    "checkpoint_every",
    500,
    "Steps between checkpoints: what a crash can cost; each validation writes one too.",
    1,
)
flags.DEFINE_integer("log_every", 50, "Steps between reports.", 1)
flags.DEFINE_integer(
    "patience", None, "Stop after so many validations without a better one.", 1
)
flags.register_validator("run_dir", lambda path: path != "", "must name a folder")
flags.mark_flag_as_required("run_dir")


def main() -> dict:
    """Trains, and says what to do next."""
    values = common_flags.values()
    run = RunFolder(FLAGS.run_dir)
    run.check_flags(values)
    run.check_writable()
    if FLAGS.tasks > 1:
        one_thread_a_task()
    common_flags.check_learner_name()
    source = common_flags.load_source(values)
    learner = common_flags.make_learner(source.train.example_shape)
    model = tfmeta.MetaModel(learner, task_map=FLAGS.task_map, seed=FLAGS.seed)
    model.compile(keras.optimizers.Adam(_rate(), clipnorm=FLAGS.clip_norm))
    trainer = Trainer(
        model,
        source,
        run,
        train=Stream(FLAGS.way, FLAGS.shot, FLAGS.query, FLAGS.tasks),
        validation=Stream(
            FLAGS.val_way or FLAGS.way,
            FLAGS.val_shot or FLAGS.shot,
            FLAGS.val_query,
            FLAGS.val_episodes,
        ),
        steps=FLAGS.steps,
        seed=FLAGS.seed,
        log_every=FLAGS.log_every,
        validate_every=FLAGS.validate_every,
        checkpoint_every=FLAGS.checkpoint_every,
        patience=FLAGS.patience,
        augment=tfmeta.data.small_moves() if FLAGS.augment else None,
        reporters=[console.TrainingProgress()],
    )
    _introduce(source, learner)
    if not run.last.exists():
        console.say("The first step takes a while: it is compiled.")
    summary = trainer.run(values)
    _tell(summary)
    return summary


def _rate() -> float | keras.optimizers.schedules.LearningRateSchedule:
    if not FLAGS.halve_every:
        return FLAGS.outer_lr
    return keras.optimizers.schedules.ExponentialDecay(
        FLAGS.outer_lr, FLAGS.halve_every, 0.5, staircase=True
    )


def _introduce(source: Source, learner: tfmeta.learners.Learner) -> None:
    weights = sum(math.prod(v.shape) for v in learner.trainable_variables)
    console.say(
        f"{source.name}: {source.train.num_classes} classes to train on, "
        f"{source.val.num_classes} to validate on, {source.test.num_classes} kept for "
        f"the test. {type(learner).__name__}: {weights} weights to train."
    )


def _tell(summary: dict) -> None:
    where = FLAGS.run_dir
    if summary["stopped"] not in (None, "early"):
        console.say(
            f"Stopped by {summary['stopped']} at step {summary['step']}; saved. The "
            "same command continues."
        )
        return
    if summary["stopped"] == "early":
        console.say(
            f"Stopped early at step {summary['step']}: {FLAGS.patience} validations "
            "without a better one."
        )
    elif not summary["new_steps"]:
        console.say(
            f"This run is finished at step {summary['step']}: nothing to do. A larger "
            "--steps continues it."
        )
    best = summary["best"]
    console.table(
        f"Meta-training in {where}",
        ["steps", "minutes", "best validation accuracy"],
        [
            [
                str(summary["step"]),
                f"{summary['seconds'] / 60:.1f}",
                "-" if best is None else f"{100 * best:.2f} %",
            ]
        ],
    )
    console.say(f"Watch:    tensorboard --logdir {where}/tensorboard")
    console.say(f"Evaluate: python scripts/evaluate.py --run_dir={where} --baselines")
    console.say(f"Export:   python scripts/export.py --run_dir={where}")


if __name__ == "__main__":
    console.run(main)

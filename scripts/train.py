"""Meta-trains a learner and keeps everything in a run folder.

    python scripts/train.py --learner=protonet --dataset=glyphs --run_dir=runs/first

The same command continues a stopped run. TensorBoard reads the run folder.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import common_flags
import console
import keras
from absl import flags

import tfmeta
from tfmeta.training import RunFolder, Stream, Trainer

FLAGS = flags.FLAGS

common_flags.define_data_flags()
common_flags.define_episode_flags()
common_flags.define_learner_flags()
flags.DEFINE_string("run_dir", None, "The folder the run is kept in.")
flags.DEFINE_integer("seed", 0, "Of the net's weights and the training episodes.")
flags.DEFINE_integer("tasks", 16, "Tasks in one outer step.", lower_bound=1)
flags.DEFINE_integer("steps", 2000, "Outer steps.", lower_bound=1)
flags.DEFINE_float("outer_lr", 1e-3, "The outer optimizer's (Adam's) rate.")
flags.DEFINE_integer("halve_every", 0, "Halve the outer rate every so many steps.")
flags.DEFINE_float("clip_norm", None, "Clip the meta-gradient to this norm.")
flags.DEFINE_enum(
    "task_map",
    "auto",
    ["auto", "loop", "compiled"],
    "How a step goes through its tasks; auto times the ways once.",
)
flags.DEFINE_integer("val_way", None, "Classes in a validation episode; as --way.")
flags.DEFINE_integer("val_shot", None, "Its support examples per class; as --shot.")
flags.DEFINE_integer("val_query", 15, "Its queries per class.")
flags.DEFINE_integer("val_episodes", 200, "Episodes of a validation.", lower_bound=2)
flags.DEFINE_integer("validate_every", 500, "Steps between validations.")
flags.DEFINE_integer("checkpoint_every", 500, "Steps between checkpoints.")
flags.DEFINE_integer("log_every", 50, "Steps between reports.")
flags.DEFINE_integer(
    "patience", None, "Stop after so many validations without a better one."
)
flags.mark_flag_as_required("run_dir")


def main() -> dict:
    """Trains, and says what to do next."""
    values = common_flags.values()
    run = RunFolder(FLAGS.run_dir)
    run.check_flags(values)
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
        reporters=[console.TrainingProgress()],
    )
    summary = trainer.run(values)
    _tell(summary)
    return summary


def _rate() -> float | keras.optimizers.schedules.LearningRateSchedule:
    if not FLAGS.halve_every:
        return FLAGS.outer_lr
    return keras.optimizers.schedules.ExponentialDecay(
        FLAGS.outer_lr, FLAGS.halve_every, 0.5, staircase=True
    )


def _tell(summary: dict) -> None:
    where = FLAGS.run_dir
    if summary["stopped"] and summary["stopped"] != "early":
        console.say(
            f"Stopped by {summary['stopped']} at step {summary['step']}; saved. The "
            "same command continues."
        )
        return
    best = summary["best"]
    console.table(
        "Meta-training",
        ["run", "steps", "minutes", "best validation accuracy"],
        [
            [
                str(where),
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

"""Meta-trains a learner and keeps everything in a run folder.

    tfmeta train --learner=protonet --dataset=glyphs --run_dir=runs/first

The same command continues a stopped run. TensorBoard reads the run folder. For
regression: --dataset=sinusoid --learner=maml --shot=10 --inner_lr=0.01. finetune and
linearprobe are baselines: their net is trained, without episodes, to tell all training
classes apart; finetune's also on functions, all alike.
"""

from __future__ import annotations

import math
import shlex

import keras
from absl import flags

from tfmeta.apps import console, runs
from tfmeta.apps.building import class_of, make_learner
from tfmeta.apps.flags.episodes import (
    define_training_flags,
    ends_of,
    query_for,
    way_for,
)
from tfmeta.apps.flags.parts import Parts
from tfmeta.apps.progress import TrainingProgress
from tfmeta.core import Labels, Targets, one_thread_a_task
from tfmeta.data import Part, Source
from tfmeta.evaluation import evaluate, over_seeds
from tfmeta.learners import Learner
from tfmeta.training import (
    ExampleStream,
    MetaModel,
    PretrainModel,
    RunFolder,
    Stream,
    Trainer,
)

FLAGS = flags.FLAGS
PARTS = Parts("dataset", "learner", "net", "rule", "augment")
_TEST_EPISODES = 600  # Of each run of several.


def define_flags() -> None:
    """Defines the app's own flags."""
    define_training_flags()
    flags.DEFINE_string(
        "run_dir",
        None,
        "The folder this run is kept in, made if need be: flags, metrics, checkpoints, "
        "TensorBoard's files.",
    )
    flags.DEFINE_integer(
        "seed",
        0,
        "Of the net's first weights and the training episodes.",
        lower_bound=0,
    )
    flags.DEFINE_integer("tasks", 16, "Tasks in one outer step.", lower_bound=1)
    flags.DEFINE_integer(
        "steps",
        2000,
        "Outer steps in all; a finished run goes on if more.",
        lower_bound=1,
    )
    flags.DEFINE_integer(
        "seeds",
        1,
        "Train so many runs, of --seed and the seeds after it, in folders of their own "
        "below --run_dir; score each on 600 test episodes of the validation's shape, "
        "and report the mean and its interval over runs.",
        1,
    )
    flags.register_validator("run_dir", lambda path: path != "", "must name a folder")
    flags.mark_flag_as_required("run_dir")
    _define_outer_flags()
    _define_periods()


def _define_outer_flags() -> None:
    """Defines how an outer step moves the weights."""
    flags.DEFINE_enum(
        "outer_optimizer",
        "adam",
        ["adam", "sgd"],
        "What moves the weights; sgd of rate 1 with reptile goes to the tasks' mean.",
    )
    flags.DEFINE_float("outer_lr", 1e-3, "The outer optimizer's rate.", 0)
    flags.DEFINE_integer(
        "halve_every", 0, "Halve the outer rate every so many steps; 0: never.", 0
    )
    flags.DEFINE_bool(
        "decay_to_zero", False, "Lower the outer rate evenly, to zero at the last step."
    )
    flags.DEFINE_integer(
        "batch_size", 64, "finetune, linearprobe: training examples in a step.", 1
    )
    flags.DEFINE_float("clip_norm", None, "Clip the meta-gradient to this norm.", 0)
    flags.DEFINE_enum(
        "task_map",
        "auto",
        ["auto", "loop", "compiled"],
        "How a step goes through its tasks; auto times the ways when a run begins.",
    )
    flags.register_validator(
        "clip_norm", lambda norm: norm is None or norm > 0, "must be above 0"
    )


def _define_periods() -> None:
    """Defines how often what is done."""
    flags.DEFINE_integer("validate_every", 500, "Steps between validations.", 1)
    flags.DEFINE_integer(
        "checkpoint_every",
        500,
        "Steps between checkpoints: what a crash can cost. Validations write one too.",
        1,
    )
    flags.DEFINE_integer("log_every", 50, "Steps between reports.", 1)
    flags.DEFINE_integer(
        "patience", None, "Stop after so many validations without a better one.", 1
    )


def main() -> dict:
    """Trains, and says what to do next."""
    if FLAGS.halve_every and FLAGS.decay_to_zero:
        raise ValueError("--halve_every and --decay_to_zero exclude each other.")
    if FLAGS.tasks > 1 and not _pretrains():
        _let_tasks_run_side_by_side()
    if FLAGS.seeds == 1:
        return _train(FLAGS.run_dir, FLAGS.seed)[0]
    return _train_several()


def _let_tasks_run_side_by_side() -> None:
    try:
        one_thread_a_task()
    except RuntimeError:
        console.say(
            "Code of your own ran TensorFlow while it was imported, so tasks cannot "
            "run side by side, which may take twice the time. Let it run TensorFlow "
            "in functions alone."
        )


def _pretrains() -> bool:
    """Whether the learner's net is trained on all classes at once, without episodes."""
    return getattr(class_of(str(PARTS.name("learner"))), "pretrained", False)


def _train(folder: str, seed: int) -> tuple[dict, Source]:
    """Trains one run; returns its summary and the data."""
    FLAGS["seed"].value = seed
    values = {**runs.flags_now(), "run_dir": folder}
    # With another last step the rate would have come down otherwise from the first.
    values["rate_zero_at"] = FLAGS.steps if FLAGS.decay_to_zero else None
    run = RunFolder(folder)
    run.check_flags(values)
    run.check_writable()
    source = runs.source_of(values)
    part = source.train
    way = ends_of(way_for(part, FLAGS.way, None))[1]
    learner = make_learner(PARTS, part, way=way, seed=seed)
    train, validation = _streams(source)
    if FLAGS.seeds > 1:
        validation.check(source.test, learner)
    model = _model(learner, source)
    learner.targets = part.targets
    model.compile(_optimizer())
    trainer = Trainer(
        model,
        source,
        run,
        train=train,
        validation=validation,
        steps=FLAGS.steps,
        seed=seed,
        log_every=FLAGS.log_every,
        validate_every=FLAGS.validate_every,
        checkpoint_every=FLAGS.checkpoint_every,
        patience=FLAGS.patience,
        augment=PARTS.make("augment") if FLAGS.augment else None,
        reporters=[TrainingProgress()],
    )
    _introduce(source, model)
    if not run.last.exists():
        console.say("The first step takes a while: it is compiled.")
    summary = trainer.run({k: v for k, v in values.items() if k not in PARTS.unused})
    _tell(summary, part.targets, folder, validation)
    return summary, source


def _train_several() -> dict:
    """Trains runs that differ in their seed alone, and scores them on test tasks."""
    results, summaries = [], []
    seeds = range(FLAGS.seed, FLAGS.seed + FLAGS.seeds)
    for seed in seeds:
        folder = f"{FLAGS.run_dir}/seed{seed}"
        summary, source = _train(folder, seed)
        summaries.append(summary)
        if summary["stopped"] not in (None, "early"):
            return {"runs": summaries}
        shape = _streams(source)[1].single()
        model = RunFolder(folder).load_model()
        results.append(evaluate(model, source.test, episodes=_TEST_EPISODES, **shape))
        keras.utils.clear_session()
    over = over_seeds(results)
    console.table(
        f"{FLAGS.run_dir}: {over.runs} runs, {_TEST_EPISODES} test episodes each",
        ["seed", over.metric],
        [
            *(
                [str(seed), console.measure(r.metric, r.mean, r.ci95)]
                for seed, r in zip(seeds, results, strict=True)
            ),
            ["over seeds", console.measure(over.metric, over.mean, over.ci95)],
        ],
    )
    return {**over.summary(), "runs": summaries}


def _model(learner: Learner, source: Source) -> MetaModel | PretrainModel:
    if _pretrains():
        labels = isinstance(source.train.targets, Labels)
        classes = len(source.train.class_names) if labels else None
        return PretrainModel(learner, classes, prepare=source.prepare, seed=FLAGS.seed)
    return MetaModel(
        learner, prepare=source.prepare, task_map=FLAGS.task_map, seed=FLAGS.seed
    )


def _streams(source: Source) -> tuple[Stream | ExampleStream, Stream]:
    """The training and the validation episodes that flags ask for."""
    part = source.train
    # Tasks without classes have no way; who asks for one is told so.
    way = FLAGS.way if FLAGS["way"].present else way_for(part, None, FLAGS.way)
    query = query_for(part, ends_of(FLAGS.shot)[1], FLAGS.query)
    train = Stream(way, FLAGS.shot, query, FLAGS.tasks, FLAGS.unequal_shots)
    shot = FLAGS.val_shot or ends_of(FLAGS.shot)[0]
    validation = Stream(
        FLAGS.val_way or ends_of(way)[0],
        shot,
        _val_query(source, shot),
        FLAGS.val_episodes,
    )
    return ExampleStream(FLAGS.batch_size) if _pretrains() else train, validation


def _val_query(source: Source, shot: int) -> int:
    """As many queries as validation and test classes both have left."""
    parts: list[Part] = [source.val, source.test]
    return min(query_for(part, shot, FLAGS.val_query) for part in parts)


def _optimizer() -> keras.optimizers.Optimizer:
    made = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}
    return made[FLAGS.outer_optimizer](_rate(), global_clipnorm=FLAGS.clip_norm)


def _rate() -> float | keras.optimizers.schedules.LearningRateSchedule:
    if FLAGS.decay_to_zero:
        return keras.optimizers.schedules.PolynomialDecay(
            FLAGS.outer_lr, FLAGS.steps, end_learning_rate=0.0
        )
    if not FLAGS.halve_every:
        return FLAGS.outer_lr
    return keras.optimizers.schedules.ExponentialDecay(
        FLAGS.outer_lr, FLAGS.halve_every, 0.5, staircase=True
    )


def _introduce(source: Source, model: MetaModel | PretrainModel) -> None:
    weights = sum(math.prod(v.shape) for v in model.trained)
    counts = [len(p.group_names) for p in (source.train, source.val, source.test)]
    tasks = "functions, drawn anew for every step"
    if counts[0]:
        kind = "classes" if source.train.class_names else "tasks"
        tasks = f"{{}} {kind} to train on, {{}} to validate on, {{}} kept for the test"
    parts = (source.train, source.val, source.test)
    stores = {id(part.store): part.store for part in parts if hasattr(part, "store")}
    if stores:
        size = sum(store.nbytes for store in stores.values()) / 1e6
        where = "held in memory" if parts[0].store.place == "memory" else "left on disk"
        tasks += f"; their examples are {where} ({size:,.0f} MB)"
    console.say(
        f"{source.name}: {tasks.format(*counts)}. {type(model.learner).__name__}: "
        f"{weights} weights to train."
    )


def _tell(summary: dict, targets: Targets, where: str, validation: Stream) -> None:
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
    shown = "-"
    if best is not None:
        labels = isinstance(targets, Labels)
        shown = f"{100 * best:.2f} %" if labels else f"{best:.4g}"
    console.table(
        f"Meta-training in {where}",
        ["steps", "minutes", f"best validation {targets.metric}"],
        [
            [
                str(summary["step"]),
                f"{summary['seconds'] / 60:.1f}",
                shown,
            ]
        ],
    )
    watch = console.program("tensorboard")
    asked = {k: v for k, v in validation.single().items() if v is not None}
    evaluation = console.command("evaluate", run_dir=where, **asked)
    console.say(f"Watch:    {watch} --logdir {shlex.quote(where)}/tensorboard")
    console.say(f"Evaluate: {evaluation} --baselines")
    console.say(f"Export:   {console.command('export', run_dir=where)}")

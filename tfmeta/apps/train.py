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
from typing import Any

import keras
from absl import flags

from tfmeta.apps import console, runs
from tfmeta.apps.building import adapts, class_of, make_learner
from tfmeta.apps.flags import training
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
from tfmeta.json_files import write_json
from tfmeta.learners import Learner
from tfmeta.training import (
    ExampleStream,
    MetaModel,
    PretrainModel,
    RunFolder,
    Stream,
    Trainer,
    copy_weights,
)
from tfmeta.training.run.tested import count_test

FLAGS = flags.FLAGS
PARTS = Parts("dataset", "learner", "net", "rule", "augment", "objective")
_TEST_EPISODES = 600  # Of each run of several.
_OF_EPISODES = (
    *("way", "shot", "query", "unequal_shots", "tasks", "task_map"),
    *("val_way", "val_shot", "val_query", "val_episodes"),
)


def define_flags() -> None:
    """Defines the app's own flags."""
    define_training_flags()
    training.define_run_flags()
    training.define_outer_flags()
    training.define_first_weights()
    training.define_periods()


def main() -> dict:
    """Trains, and says what to do next."""
    check_flags()
    for path in FLAGS.init_from or ():
        runs.at(path)  # Refuses a net that does not ship.
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


def _adapts() -> bool:
    """Whether the learner learns tasks, so that there are episodes."""
    return adapts(str(PARTS.name("learner")))


def check_flags() -> None:
    """Refuses flags that exclude each other or that the training does not look at.

    Raises:
        ValueError: If there are such flags.
    """
    if FLAGS.halve_every and FLAGS.decay_to_zero:
        raise ValueError("--halve_every and --decay_to_zero exclude each other.")
    unused: tuple[str, ...]
    if not _adapts():
        unused, why = _OF_EPISODES, "learns one task from all its examples"
    elif not _pretrains():
        unused, why = ("batch_size", "objective"), "is meta-trained on episodes"
    else:
        return
    said = [f"--{name}" for name in unused if FLAGS[name].present]
    if said:
        raise ValueError(
            f"--learner={FLAGS.learner} {why}. Leave out {', '.join(said)}."
        )


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
    learner = make_learner(PARTS, part, way=way, seed=seed, freeze=FLAGS.freeze)
    validation = _validation(source)
    if FLAGS.seeds > 1:
        validation.check(source.test, learner)
    if not run.last.exists():
        _take_weights(learner)
    model = _model(learner, source)
    if learner.targets is None:
        learner.targets = part.targets
    model.compile(_optimizer())
    trainer = Trainer(
        model,
        source,
        run,
        train=_training(source, model),
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
    _introduce(source, model, new=not run.last.exists())
    summary = trainer.run({k: v for k, v in values.items() if k not in PARTS.unused})
    _tell(summary, part.targets, folder, validation)
    return summary, source


def _take_weights(learner: Learner) -> None:
    """Copies the weights of other runs into the learner's net, and says which."""
    if not FLAGS.init_from:
        if FLAGS["init_share"].present:
            raise ValueError("--init_share is of --init_from. Give that one too.")
        return
    if FLAGS.init_share == 0:
        raise ValueError("--init_share must be above 0. Received: 0.")
    for place, path in enumerate(FLAGS.init_from):
        several = len(FLAGS.init_from) > 1
        share = 1.0 if several and place == 0 else FLAGS.init_share
        _, source = runs.open_model(path, "best")
        copied = copy_weights(source, learner, share=share)
        console.say(f"Weights of {path}: {copied}")


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
        asked = _validation(source).asked()
        if asked:
            asked["episodes"] = _TEST_EPISODES
        run = RunFolder(folder)
        results.append(evaluate(run.load_model(), source.test, **asked))
        tested = count_test(run, source.test.name)
        if not run.results_file.exists():  # What evaluate wrote there says more.
            write_json(run.results_file, {**results[-1].record(), "tested": tested})
        keras.utils.clear_session()
    over = over_seeds(results)
    console.table(
        f"{FLAGS.run_dir}: {over.runs} runs, {len(results[0].scores)} test "
        f"{'episodes' if _adapts() else 'examples'} each",
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
        objective = PARTS.make("objective") if FLAGS.objective else None
        return PretrainModel(
            learner,
            classes,
            objective=objective,
            prepare=source.prepare,
            seed=FLAGS.seed,
        )
    return MetaModel(
        learner, prepare=source.prepare, task_map=FLAGS.task_map, seed=FLAGS.seed
    )


def _training(
    source: Source, model: MetaModel | PretrainModel
) -> Stream | ExampleStream:
    """The episodes, or the examples, of a training step."""
    if isinstance(model, PretrainModel):
        return ExampleStream(FLAGS.batch_size, views=model.objective.views)
    query = query_for(source.train, ends_of(FLAGS.shot)[1], FLAGS.query)
    way = _way(source.train)
    return Stream(way, FLAGS.shot, query, FLAGS.tasks, FLAGS.unequal_shots)


def _validation(source: Source) -> Stream | ExampleStream:
    """The validation episodes that flags ask for, or all examples."""
    if not _adapts():
        return ExampleStream(FLAGS.batch_size)
    shot = FLAGS.val_shot or ends_of(FLAGS.shot)[0]
    way = FLAGS.val_way or ends_of(_way(source.train))[0]
    return Stream(way, shot, _val_query(source, shot), FLAGS.val_episodes)


def _way(part: Part) -> Any:
    # Tasks without classes have no way; who asks for one is told so.
    return FLAGS.way if FLAGS["way"].present else way_for(part, None, FLAGS.way)


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


def _introduce(source: Source, model: MetaModel | PretrainModel, *, new: bool) -> None:
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
    if new:
        console.say("The first step takes a while: it is compiled.")


def _tell(
    summary: dict, targets: Targets, where: str, validation: Stream | ExampleStream
) -> None:
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
    trained = "Training" if _pretrains() else "Meta-training"
    minutes = f"{summary['seconds'] / 60:.1f}"
    console.table(
        f"{trained} in {where}",
        ["steps", "minutes", f"best validation {targets.metric}"],
        [[str(summary["step"]), minutes, _shown(summary["best"], targets)]],
    )
    watch = console.program("tensorboard")
    sizes = validation.single() if isinstance(validation, Stream) else {}
    asked = {k: v for k, v in sizes.items() if v is not None}
    evaluation = console.command("evaluate", run_dir=where, **asked)
    evaluation += " --baselines" * bool(sizes)
    console.say(f"Watch:    {watch} --logdir {shlex.quote(where)}/tensorboard")
    console.say(f"Evaluate: {evaluation}")
    console.say(f"Export:   {console.command('export', run_dir=where)}")


def _shown(best: float | None, targets: Targets) -> str:
    """The best validation score, as people read it."""
    if best is None:
        return "-"
    return f"{100 * best:.2f} %" if isinstance(targets, Labels) else f"{best:.4g}"

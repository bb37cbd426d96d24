"""The flags that say how a training goes: steps, optimizer, first weights, periods."""

from __future__ import annotations

from absl import flags


def define_run_flags() -> None:
    """Defines the run's folder, its seed, and the number and size of its steps."""
    flags.DEFINE_string(
        "run_dir",
        None,
        "The folder this run is kept in, made if need be: flags, metrics, checkpoints, "
        "TensorBoard's files.",
    )
    flags.DEFINE_integer(
        "seed",
        0,
        "The seed of the net's first weights and of the training episodes.",
        lower_bound=0,
    )
    flags.DEFINE_integer("tasks", 16, "Tasks in one outer step.", lower_bound=1)
    flags.DEFINE_integer(
        "steps",
        2000,
        "Outer steps in all. A larger number continues a finished run.",
        lower_bound=1,
    )
    flags.DEFINE_integer(
        "seeds",
        1,
        "Train this many runs, of --seed and the seeds after it, in folders of their "
        "own below --run_dir. Score each on 600 test episodes of the size of the "
        "validation's, and report the mean and its interval over runs.",
        1,
    )
    flags.register_validator(
        "run_dir",
        lambda path: path != "" and not (path or "").startswith("zoo:"),
        "must name a folder to write",
    )
    flags.mark_flag_as_required("run_dir")


def define_outer_flags() -> None:
    """Defines how an outer step moves the weights."""
    flags.DEFINE_enum(
        "outer_optimizer",
        "adam",
        ["adam", "sgd"],
        "What moves the weights; sgd of rate 1 with reptile goes to the tasks' mean.",
    )
    flags.DEFINE_float("outer_lr", 1e-3, "The learning rate of the outer optimizer.", 0)
    flags.DEFINE_integer(
        "halve_every", 0, "Halve the outer rate every so many steps; 0: never.", 0
    )
    flags.DEFINE_bool(
        "decay_to_zero", False, "Lower the outer rate evenly, to zero at the last step."
    )
    flags.DEFINE_integer(
        "batch_size",
        64,
        "Training examples in a step; for finetune, linearprobe and supervised alone.",
        1,
    )
    flags.DEFINE_float(
        "clip_norm",
        None,
        "Clip the meta-gradient to this norm. Left out: no clipping.",
        0,
    )
    flags.DEFINE_enum(
        "task_map",
        "auto",
        ["auto", "loop", "compiled"],
        "How the tasks of a step run: operation by operation (loop), or compiled by "
        "XLA (compiled). auto times both when a run begins, and keeps the faster.",
    )
    flags.register_validator(
        "clip_norm", lambda norm: norm is None or norm > 0, "must be above 0"
    )


def define_first_weights() -> None:
    """Defines where the net's first weights come from, and which are not trained."""
    flags.DEFINE_list(
        "init_from",
        [],
        "Begin with the weights of this run's net, as far as names and shapes of "
        "layers agree. Of several runs, with commas between them, each further one's "
        "weights are mixed in by --init_share.",
    )
    flags.DEFINE_float(
        "init_share",
        1.0,
        "How much of a run's weights is taken, above 0 and at most 1; the rest is what "
        "was there before. 0.5 goes half the way.",
        lower_bound=0,
        upper_bound=1,
    )
    flags.DEFINE_list(
        "freeze",
        [],
        "Names of layers of the net that are not trained, such as block1,block2_conv.",
    )


def define_periods() -> None:
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
        "patience",
        None,
        "Stop after this many validations without a better one. Left out: never.",
        1,
    )

"""The flags that say which data, which net and which learner, and what they make."""

from __future__ import annotations

from typing import Any

import keras
from absl import flags

import tfmeta
from tfmeta.core import Labels
from tfmeta.data import Part, Source
from tfmeta.data.grouped_part import DISJOINT
from tfmeta.data.stores.choice import AUTO, DISK, MEMORY
from tfmeta.json_files import read_json
from tfmeta.training import RunFolder

FLAGS = flags.FLAGS
_OTHERS = frozenset(FLAGS)  # Those of TensorFlow and absl.


# The arguments that flags give each learner; "" for those make_learner reads itself.
_TRAINED_ON_SUPPORT = {"eval_steps": "eval_steps", "inner_lr": "inner_lr"}
_ARGUMENTS = {
    "maml": {
        "inner_steps": "inner_steps",
        "inner_lr": "inner_lr",
        "eval_steps": "eval_steps",
        "first_order": "first_order",
        "adapt_only": "adapt_only",
        "learned_rates": "",
        "prototype_head": "",
    },
    "reptile": {
        "inner_steps": "inner_steps",
        "inner_lr": "inner_lr",
        "eval_steps": "eval_steps",
        "inner_batch": "batch_size",
        "inner_optimizer": "",
    },
    "protonet": {"distance": "distance"},
    "matchingnet": {"full_context": "full_context"},
    "finetune": _TRAINED_ON_SUPPORT,
    "fromscratch": _TRAINED_ON_SUPPORT,
    "linearprobe": _TRAINED_ON_SUPPORT,
}
UNTRAINED = ("nearestneighbour", "fromscratch")
_HEADED = ("maml", "reptile", "fromscratch")
# Runs that differ here do not keep the same classes for the test.
OF_DATA = ("dataset", "split", "rotations", "data_seed", "image_size", "channels")


def define_data_flags() -> None:
    """Where tasks come from."""
    flags.DEFINE_string(
        "dataset",
        "glyphs",
        "Where tasks come from: glyphs (drawn by a program, nothing to download), "
        "tfds:NAME (such as tfds:omniglot), folder:PATH (your pictures, a folder a "
        "class) or npz:PATH; for regression sinusoid, "
        "harmonic or lines, functions without --way.",
    )
    flags.DEFINE_string(
        "data_dir", None, "Where TFDS keeps its data; PATHs are looked for here too."
    )
    flags.DEFINE_bool("download", False, "Let TFDS download what is missing.")
    flags.DEFINE_string(
        "split",
        None,
        "Which classes are for training, validation and test: a shipped list "
        "(vinyals, cifar_fs, fc100), a JSON file of class names, or three fractions "
        "such as 0.64,0.16,0.2. Left out: the source's own.",
    )
    flags.DEFINE_bool(
        "rotations", False, "Count images turned by 90, 180, 270 degrees as classes."
    )
    flags.DEFINE_enum(
        "disjoint",
        None,
        list(DISJOINT),
        "What training, validation and test do not share. Left out: classes, or tasks "
        "that have values; examples: all have the same classes, as in plain supervised "
        "learning, and --split is fractions of each class.",
    )
    flags.DEFINE_enum(
        "store",
        AUTO,
        [AUTO, MEMORY, DISK],
        "Where examples lie: in memory, or on disk, from where folder: and npz: read "
        "them as they are drawn; auto: on disk what takes more than 2 GB.",
    )
    flags.DEFINE_integer(
        "data_seed",
        0,
        "Which classes fractions take, and which glyphs are drawn.",
        lower_bound=0,
    )
    flags.DEFINE_integer(
        "image_size", None, "Resize images to this height and width, in pixels."
    )
    flags.DEFINE_integer("channels", None, "Turn images into 1 (grey) or 3 (colour).")
    flags.DEFINE_bool(
        "skip_broken",
        False,
        "folder: leave out pictures that cannot be read, with a warning.",
    )


class _RangeParser(flags.ArgumentParser):
    """Reads 5 as a number and 5:20 as the inclusive range [5, 20]."""

    syntactic_help = "a number, or a range such as 5:20"

    def parse(self, argument: Any) -> int | list[int]:
        ends = [int(end) for end in str(argument).split(":") if end.isdecimal()]
        written = ":".join(map(str, ends))
        right = written == str(argument) and 1 <= len(ends) <= 2
        if not right or not 1 <= ends[0] <= ends[-1]:
            raise ValueError(f"must be {self.syntactic_help}, from 1 on")
        return ends if len(ends) == 2 else ends[0]


def ends_of(value: int | list[int] | None) -> tuple[Any, Any]:
    """The lower and the upper end of a flag that may be a range."""
    return (value[0], value[1]) if isinstance(value, list) else (value, value)


def define_episode_flags(*, ranges: bool = False) -> None:
    """What an episode is made of.

    Args:
        ranges: Whether way and shot may be ranges, drawn anew for every batch.
    """
    way, shot = "Classes in an episode (a task)", "Support examples per class"
    if ranges:
        drawn = "; a range such as {} is drawn from for every step."
        parser = _RangeParser()
        flags.DEFINE(parser, "way", 5, way + drawn.format("5:20"))
        flags.DEFINE(parser, "shot", 1, shot + drawn.format("1:10"))
    else:
        flags.DEFINE_integer("way", 5, f"{way}.", lower_bound=1)
        flags.DEFINE_integer("shot", 1, f"{shot}.", lower_bound=1)
    flags.DEFINE_integer(
        "query", 15, "Queries (what is asked) per class.", lower_bound=1
    )


def define_learner_flags() -> None:
    """Which method, around which net."""
    flags.DEFINE_string(
        "learner", "protonet", f"The method: {', '.join(sorted(learners()))}."
    )
    flags.DEFINE_enum(
        "net", "conv4", ["conv4", "mlp", "resnet12"], "The net it trains."
    )
    flags.DEFINE_integer("filters", 64, "Channels of conv4.", lower_bound=1)
    flags.DEFINE_bool(
        "strided", False, "Whether conv4 halves by stride (faster) or by max-pooling."
    )
    flags.DEFINE_float(
        "drop_block",
        0.0,
        "resnet12: the share that drop-block takes in training; 0.1 in the paper.",
        0,
        1,
    )
    flags.DEFINE_string(
        "normalisation",
        None,
        "Where batch normalisation takes its statistics from: support (the support "
        "set), task (each batch, transductive) or running (moving averages). Left "
        "out: the learner's own, or the run's.",
    )
    flags.DEFINE_integer(
        "inner_steps",
        None,
        "maml, reptile: gradient steps with which it adapts to a task in training.",
        lower_bound=0,
    )
    flags.DEFINE_integer(
        "eval_steps",
        None,
        "Such steps when validated, evaluated and served; for maml left out: as many "
        "as in training. For finetune, linearprobe and fromscratch: all there are.",
        lower_bound=0,
    )
    flags.DEFINE_float(
        "inner_lr", None, "Size of such a step; left out: the learner's own.", 0
    )
    flags.DEFINE_integer(
        "inner_batch", None, "reptile: support examples a step looks at.", 1
    )
    flags.DEFINE_enum(
        "inner_optimizer",
        "adam",
        ["adam", "sgd"],
        "reptile: what takes its steps; adam as in the paper, its moments anew in "
        "every task.",
    )
    flags.DEFINE_bool("first_order", False, "maml: drop second derivatives: faster.")
    flags.DEFINE_string(
        "adapt_only",
        None,
        "maml: adapt only weights whose path begins so; head makes it ANIL.",
    )
    flags.DEFINE_bool(
        "learned_rates", False, "maml: learn a rate for every weight: Meta-SGD."
    )
    flags.DEFINE_bool(
        "prototype_head",
        False,
        "maml: make the last layer from each task's class means, for any way.",
    )
    flags.DEFINE_enum(
        "distance",
        "euclidean",
        ["euclidean", "cosine"],
        "protonet: how an embedding is compared with a class mean.",
    )
    flags.DEFINE_bool(
        "full_context", False, "matchingnet: embed in the light of the support set."
    )


def values() -> dict[str, Any]:
    """The values of this project's flags, by name; other libraries' left out."""
    return {
        name: FLAGS[name].value
        for name in FLAGS
        if name not in _OTHERS
        and not FLAGS.find_module_defining_flag(name).startswith("absl")
    }


def values_of_run(run: RunFolder) -> dict[str, Any]:
    """The flags of a run; where its data lies may be said anew.

    Args:
        run: The run's folder.

    Returns:
        The values by name.

    Raises:
        ValueError: If they do not say which data the run is of.
    """
    values = dict(read_json(run.config_file)["flags"])
    missing = [name for name in OF_DATA if name not in values]
    if missing:
        raise ValueError(
            f"{run.config_file} does not say which data the run is of: it lacks "
            f"{', '.join(missing)}. Scripts score runs of scripts/train.py; in Python "
            "use RunFolder.load_model and tfmeta.evaluate."
        )
    for name in ("data_dir", "download", "store"):
        if name in FLAGS and FLAGS[name].present:
            values[name] = FLAGS[name].value
    return values


def learners() -> dict[str, type[tfmeta.learners.Learner]]:
    """The learners by their name on the command line: the class name in lower case."""
    module = tfmeta.learners
    public = {name: getattr(module, name) for name in module.__all__}
    abstract = (module.Learner, module.GradientLearner)
    return {
        name.lower(): value
        for name, value in public.items()
        if isinstance(value, type)
        and issubclass(value, module.Learner)
        and value not in abstract
    }


def check_learner_name() -> None:
    """Refuses a name of no learner, before data is read.

    Raises:
        ValueError: If there is no such learner.
    """
    if FLAGS.learner not in learners():
        raise ValueError(
            f"There is no learner {FLAGS.learner!r}. --learner is one of: "
            f"{', '.join(sorted(learners()))}."
        )


def load_source(values: dict[str, Any]) -> Source:
    """The source that data flags name.

    Args:
        values: The flags, by name: FLAGS', or those a run has written down.

    Returns:
        Its three splits.
    """
    options = ("data_dir", "download", "split", "rotations", "image_size", "channels")
    return tfmeta.data.load(
        values["dataset"],
        seed=values["data_seed"],
        # Older runs do not know these.
        skip_broken=values.get("skip_broken", False),
        disjoint=values.get("disjoint"),
        store=values.get("store", AUTO),
        **{k: values[k] for k in options},
    )


def outputs_of(part: Part) -> int | None:
    """Outputs of a net that answers with the part's values; None for labels.

    Args:
        part: The part that tasks are drawn from.

    Returns:
        The size of a value; 1 for functions.
    """
    if isinstance(part.targets, Labels):
        return None
    values = getattr(part, "y", None)
    return 1 if values is None else int(values.shape[-1])


def make_learner(
    example_shape: tuple[int, ...], *, outputs: int | None = None
) -> tfmeta.learners.Learner:
    """The learner that FLAGS name, around a net with weights from `--seed`.

    Args:
        example_shape: The shape of one input.
        outputs: The outputs of a net that answers with values; None for labels, of
            which the head has as many as `--way` asks for.

    Returns:
        A new learner.

    Raises:
        ValueError: If there is no such learner.
    """
    check_learner_name()
    name = FLAGS.learner
    options = _options(name)
    if name == "nearestneighbour":
        return learners()[name](**options)
    if FLAGS.normalisation:
        options["normalisation"] = FLAGS.normalisation
    if name == "maml" and FLAGS.learned_rates:
        options["rule"] = tfmeta.inner.LearnedRates
    if name == "reptile" and FLAGS.inner_optimizer == "sgd":
        options["rule"] = tfmeta.inner.GradientDescent
    if name == "matchingnet":
        options["draw"] = FLAGS.seed
    way = ends_of(FLAGS.way)[1] if outputs is None else outputs
    headed = name in _HEADED and not FLAGS.prototype_head
    headed |= name == "finetune" and outputs is not None  # It keeps what regresses.
    net = make_net(example_shape, way if headed else None)
    return learners()[name](net, **options)


def _options(name: str) -> dict[str, Any]:
    """A learner's arguments that flags were given for.

    Raises:
        ValueError: If a flag was given that is another learner's.
    """
    own = _ARGUMENTS.get(name, {})
    for flag in {f for arguments in _ARGUMENTS.values() for f in arguments} - set(own):
        if FLAGS[flag].present and FLAGS[flag].value != FLAGS[flag].default:
            owners = sorted(n for n, flags in _ARGUMENTS.items() if flag in flags)
            raise ValueError(
                f"--{flag} is of {', '.join(owners)}; --learner={name} has no such "
                "setting. Leave it out."
            )
    given = {argument: FLAGS[flag].value for flag, argument in own.items()}
    return {k: v for k, v in given.items() if k and v is not None}


def make_net(example_shape: tuple[int, ...], way: int | None) -> keras.Model:
    """The net that FLAGS name.

    Args:
        example_shape: The shape of one input.
        way: Outputs of its head, or None for a net without one.

    Returns:
        A built net whose weights come from `--seed`.

    Raises:
        ValueError: If drop-block is asked of a net that has none.
    """
    if FLAGS.drop_block and FLAGS.net != "resnet12":
        raise ValueError(
            f"--drop_block is of --net=resnet12. Received: --net={FLAGS.net}. Leave it "
            "out."
        )
    if FLAGS.net == "conv4":
        net = tfmeta.nets.conv4(
            way=way,
            filters=FLAGS.filters,
            strided=FLAGS.strided,
            input_shape=example_shape,
        )
    elif FLAGS.net == "resnet12":
        net = tfmeta.nets.resnet12(
            way=way, drop_block=FLAGS.drop_block, input_shape=example_shape
        )
    else:
        net = tfmeta.nets.mlp(outputs=way, input_shape=example_shape)
    return tfmeta.nets.fresh(net, seed=FLAGS.seed)

"""Packs trained runs into the zoo, scores them as they ship and writes their cards.

    python benchmarks/make_zoo.py --runs=RUNS --data_dir=DIR --commit=COMMIT \
        --minutes=46 omniglot_protonet

RUNS/NAME is a run of the net's recipe. It is packed into tfmeta/zoo/nets/NAME, in half
precision, and those weights are scored on the test tasks that its row below names.
COMMIT is the commit whose code trained it, and --minutes what that took.
"""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
import shlex
import shutil
import tempfile

from absl import app, flags

from tfmeta import MetaModel, evaluate, zoo
from tfmeta.apps import runs
from tfmeta.data import Part, Source
from tfmeta.data.lake.trials import save_lake_trials
from tfmeta.evaluation import Result
from tfmeta.json_files import write_json
from tfmeta.training import RunFolder
from tfmeta.training.run.tested import tested
from tfmeta.zoo.catalogue import CARD, sha256

FLAGS = flags.FLAGS
flags.DEFINE_string("runs", None, "The folder that has the runs.", required=True)
flags.DEFINE_string("commit", None, "The commit that trained them.", required=True)
flags.DEFINE_float("minutes", None, "What the training took.", required=True)
runs.define_place_flags()

ROOT = pathlib.Path(__file__).resolve().parents[1]
NETS = ROOT / "tfmeta" / "zoo" / "nets"
SEED = 1  # Of the episodes whose scores a card has.


@dataclasses.dataclass(frozen=True)
class Data:
    """What nets are trained on, and what its licence means for them."""

    about: str
    licence: str
    open: bool
    use: str


@dataclasses.dataclass(frozen=True)
class Entry:
    """A net of the zoo.

    Attributes:
        about: What it does.
        data: What it was trained on.
        tasks: The (way, shot, query) of its scores; way is None for values.
        recipe: The recipe, if it has not the net's name.
        begins: The run whose weights the training begins with; the recipe's heading
            says how it was made.
        modes: The modes of normalisation that are scored, the one that ships first;
            none for the mode of training alone.
        episodes: The number of episodes of a score.
        before: How often earlier trainings of this net were scored on test classes.
        protocol: The published test that its tasks are of.
    """

    about: str
    data: Data
    tasks: tuple[tuple[int | None, int, int], ...]
    recipe: str | None = None
    begins: str | None = None
    modes: tuple[str, ...] = ()
    episodes: int = 1000
    before: int = 0
    protocol: str | None = None


OMNIGLOT = Data("tfds:omniglot, Vinyals' class lists", "MIT", True, "any")
OMNIGLOT_TRAIN = Data("tfds:omniglot, TFDS' own parts", "MIT", True, "any")
CIFAR_FS = Data(
    "tfds:cifar100, the class lists of CIFAR-FS",
    "none is given; pictures from the web, for research",
    False,
    "research: the pictures' owners were not asked",
)
GLYPHS = Data("tfmeta's own characters, drawn by rules", "Apache-2.0", True, "any")
SINUSOID = Data("sine waves, computed", "none needed", True, "any")

ENTRIES = {
    "glyphs_protonet": Entry(
        "Tells the built-in characters apart, of alphabets it has never seen.",
        GLYPHS,
        ((5, 1, 15), (5, 5, 10)),
        recipe="quickstart",
        before=3,
    ),
    "glyphs_maml": Entry(
        "Tells the built-in characters apart, by inner steps; its head is made from "
        "class means.",
        GLYPHS,
        ((5, 1, 15), (5, 5, 10)),
        modes=("support", "task"),
    ),
    "sinusoid_maml": Entry(
        "Learns a sine wave from five points.",
        SINUSOID,
        ((None, 5, 100),),
        before=1,
    ),
    "omniglot_protonet": Entry(
        "Tells hand-drawn characters apart, of any number of classes.",
        OMNIGLOT,
        ((5, 1, 15), (5, 5, 15), (20, 1, 15), (20, 5, 15)),
        before=12,
    ),
    "omniglot_maml": Entry(
        "Tells hand-drawn characters apart, by one inner step; its head is made from "
        "class means, so the number of classes is free.",
        OMNIGLOT,
        ((5, 1, 15), (5, 5, 15)),
        modes=("support", "task"),
        before=2,
    ),
    "omniglot_maml_fixed_head": Entry(
        "Tells five hand-drawn characters apart, by inner steps, with the paper's "
        "head.",
        OMNIGLOT,
        ((5, 1, 15),),
        begins="runs/hard",
        modes=("support", "task"),
        before=2,
    ),
    "omniglot_matchingnet": Entry(
        "Tells hand-drawn characters apart by the nearest drawings.",
        OMNIGLOT,
        ((5, 1, 15), (5, 5, 15)),
        before=2,
    ),
    "omniglot_lake": Entry(
        "Tells hand-drawn characters of one alphabet apart, which are alike.",
        OMNIGLOT_TRAIN,
        ((20, 1, 1),),
        protocol="lake",
    ),
    "cifar_fs_protonet": Entry(
        "Tells small photographs of things apart.",
        CIFAR_FS,
        ((5, 1, 15), (5, 5, 15)),
        before=2,
    ),
}


def main(argv: list[str]) -> None:
    """Packs the nets that are named."""
    for name in argv[1:]:
        if name not in ENTRIES:
            raise app.UsageError(f"There is no {name!r}: {', '.join(ENTRIES)}.")
        make(name, ENTRIES[name])
        print(zoo.card(name))


def make(name: str, entry: Entry) -> None:
    """Packs one net, scores it and writes its card."""
    run = RunFolder(f"{FLAGS.runs}/{name}")
    source = runs.source_of(runs.flags_of(run))
    run.check_data(source)
    ships = entry.modes[0] if entry.modes else None
    new = NETS / f"{name}.new"
    shutil.rmtree(new, ignore_errors=True)
    packed = zoo.pack(run.path, new, normalisation=ships)
    tell_rounding(run, packed, source, entry)
    scores = [
        score(packed, source, entry, mode, *task)
        for mode in entry.modes or (None,)
        for task in entry.tasks
    ]
    files = [path for path in packed.path.rglob("*") if path.is_file()]
    recipe = f"{entry.recipe or name}.flags"
    card = zoo.Card(
        name=name,
        about=entry.about,
        data=entry.data.about,
        licence=entry.data.licence,
        open=entry.data.open,
        use=entry.data.use,
        classes=classes(source),
        recipe=recipe,
        command=shlex.join(
            [
                *("python", "scripts/train.py"),
                f"--flagfile=scripts/recipes/{recipe}",
                *(["--data_dir=DIR"] if entry.data.about.startswith("tfds:") else []),
                f"--run_dir=runs/{name}",
                *([f"--init_from={entry.begins}"] if entry.begins else []),
            ]
        ),
        commit=FLAGS.commit,
        date=datetime.date.fromtimestamp(run.last.stat().st_mtime).isoformat(),
        minutes=FLAGS.minutes,
        scored=entry.before + tested(run) + len(scores),
        scores=tuple(scores),
        sha256={str(path.relative_to(packed.path)): sha256(path) for path in files},
    )
    write_json(packed.path / CARD, card.to_json())
    shutil.rmtree(NETS / name, ignore_errors=True)
    new.rename(NETS / name)


def tell_rounding(
    run: RunFolder, packed: RunFolder, source: Source, entry: Entry
) -> None:
    """Prints what half precision changes, on validation tasks."""
    way, shot, query = entry.tasks[0]
    size = {"way": way, "shot": shot, "query": query, "episodes": 300}
    mode = entry.modes[0] if entry.modes else None
    whole, half = (
        evaluate(each.load_model(normalisation=mode), source.val, **size)
        for each in (run, packed)
    )
    print(f"rounding: {whole.metric} {whole.mean:.5f} before, {half.mean:.5f} after")


def score(
    packed: RunFolder,
    source: Source,
    entry: Entry,
    mode: str | None,
    way: int | None,
    shot: int,
    query: int,
) -> zoo.Score:
    """Scores the weights as they ship."""
    model = packed.load_model(normalisation=mode)
    sizes = {"way": way, "shot": shot, "query": query, "episodes": entry.episodes}
    if entry.protocol:
        result = on_lake_trials(model, source.test, entry.episodes)
    else:
        result = evaluate(model, source.test, **sizes, seed=SEED)
    return zoo.Score(
        normalisation=result.normalisation,
        **sizes,
        seed=SEED,
        metric=result.metric,
        mean=result.mean,
        ci95=result.ci95,
        steps=result.steps,
        protocol=entry.protocol,
    )


def on_lake_trials(model: MetaModel, part: Part, count: int) -> Result:
    """Scores a model on many trials of Lake's test."""
    with tempfile.TemporaryDirectory() as folder:
        path = save_lake_trials(
            f"{folder}/lake.npz", part, data_dir=FLAGS.data_dir, seed=SEED, count=count
        )
        return evaluate(model, part, episodes_file=path)


def classes(source: Source) -> str:
    """How many classes the net has seen, and how many it has not."""
    if not source.train.class_names:
        return "none: its tasks are functions"
    train, val, test = (
        sum("/rot" not in name for name in part.class_names)
        for part in (source.train, source.val, source.test)
    )
    return f"trained on {train:,}, chosen by {val:,}, tested on {test:,} others"


if __name__ == "__main__":
    app.run(main)

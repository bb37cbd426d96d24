"""How many small faults in the library the tests of its folders notice.

    python benchmarks/mutations.py --out=mutations.jsonl

A mutant is a copy of the package with one fault: a numeric constant is changed, a sign
is flipped, a mean stands for a sum or a sum for a mean, an axis is another one, a bound
is changed (`<` and `<=`, a range by one), or a `stop_gradient` is dropped. The seed
draws the mutants in rounds, and a round has one of each rule in each folder that has
one. A mutant is killed when a test of its folder fails, or when the tests take too
long; it lives when they all pass. The files of tests that speak most of the mutated
module run first. At last the tests that killed run on the unchanged package, where all
of them must pass.

No mutants are made of texts, annotations, seeds, what is raised, and how pictures look.
What is known is kept in the file `--out`, a line for each mutant, and not run again:
take a line out to have its mutant run again.
"""

from __future__ import annotations

import ast
import bisect
import concurrent.futures
import itertools
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import NamedTuple

from absl import app, flags

# In the order in which they run: the tests of learners take longest.
FOLDERS = ("ops", "core", "layers", "inner", "evaluation", "learners")
FLAGS = flags.FLAGS
flags.DEFINE_integer("count", 40, "The number of mutants.", lower_bound=1)
flags.DEFINE_integer("seed", 0, "The seed of the draw of mutants.")
flags.DEFINE_multi_enum("only", None, FOLDERS, "Run the mutants of these folders.")
flags.DEFINE_integer("jobs", 1, "How many mutants run at once.", lower_bound=1)
flags.DEFINE_integer("minutes", 20, "After them the tests count as hanging.")
flags.DEFINE_string("out", "mutations.jsonl", "The file with what is known.")
flags.DEFINE_bool("list", False, "List the drawn mutants and run none.")

ROOT = pathlib.Path(__file__).resolve().parents[1]
RULES = ("constant", "sign", "mean or sum", "axis", "bound", "stop_gradient")
AVERAGES = {"mean": "sum", "reduce_mean": "reduce_sum"}
AVERAGES |= {new: old for old, new in AVERAGES.items()}
BOUNDS = {
    **{ast.Lt: ("<", "<="), ast.LtE: ("<=", "<")},
    **{ast.Gt: (">", ">="), ast.GtE: (">=", ">")},
}
SIGNS = {ast.Add: ("+", "-"), ast.Sub: ("-", "+")}
SEQUENCES = (ast.List, ast.ListComp, ast.Tuple, ast.JoinedStr)
SEEDS = ("seed", "draw")
LOOKS = ("alpha", "capsize", "dpi", "figsize", "fontsize", "lw", "ms", "pad")
LOOKS += ("width_ratios",)
SLOW, REFERENCE = "test_conformance", "test_reference"
LIVES = "lives"
Change = tuple[int, int, str]  # The bytes from here to there become this text.


class Mutant(NamedTuple):
    """One fault: the bytes from `start` to `end` of a file, replaced by `new`."""

    path: str
    rule: str
    line: int
    start: int
    end: int
    new: str
    before: str
    after: str

    @property
    def folder(self) -> str:
        """The folder of the package and of its tests."""
        return pathlib.PurePath(self.path).parts[1]

    def row(self, *cells: str) -> str:
        """A row of the table in Markdown."""
        change = f"`` {self.before} `` -> `` {self.after} ``".replace("|", r"\|")
        return f"| {self.path}:{self.line} | {self.rule} | {change} | " + (
            " | ".join(cells) + " |"
        )


class Source(NamedTuple):
    """The bytes of a file, in which Python counts the places of its parts."""

    text: bytes
    lines: list[int]

    @classmethod
    def read(cls, path: pathlib.Path) -> Source:
        """Reads a file and finds where its lines begin."""
        text = path.read_bytes()
        ends = itertools.accumulate(len(line) for line in text.splitlines(True))
        return cls(text, [0, *ends])

    def start(self, node: ast.expr) -> int:
        """Where an expression begins."""
        return self.lines[node.lineno - 1] + node.col_offset

    def end(self, node: ast.expr) -> int:
        """Where an expression ends."""
        return self.lines[node.end_lineno - 1] + node.end_col_offset

    def of(self, node: ast.expr) -> str:
        """The text of an expression."""
        return self.text[self.start(node) : self.end(node)].decode()

    def replaced(self, node: ast.expr, new: str) -> Change:
        """Another text for an expression."""
        return self.start(node), self.end(node), new

    def between(self, left: ast.expr, right: ast.expr, old: str, new: str) -> Change:
        """Another operator between two expressions."""
        start, end = self.end(left), self.start(right)
        return start, end, self.text[start:end].decode().replace(old, new, 1)


def main(_) -> None:
    """Runs the mutants that are not known yet and prints a table."""
    mutants = [m for m in drawn() if not FLAGS.only or m.folder in FLAGS.only]
    mutants.sort(key=lambda m: FOLDERS.index(m.folder))
    out = pathlib.Path(FLAGS.out)
    lines = out.read_text(encoding="utf-8").splitlines() if out.exists() else []
    known = {tuple(line["mutant"]): line for line in map(json.loads, lines)}
    print("| place | rule | change | killed by | seconds |\n|---|---|---|---|---|")
    with concurrent.futures.ThreadPoolExecutor(FLAGS.jobs) as pool:
        new = [m for m in mutants if m not in known and not FLAGS.list]
        running = {m: pool.submit(judged, m) for m in new}
        for mutant in mutants:
            if mutant in running:
                killer, seconds = running[mutant].result()
                known[mutant] = dict(mutant=mutant, killer=killer, seconds=seconds)
                with out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(known[mutant]) + "\n")
            found = known.get(mutant, {"killer": "not run", "seconds": 0})
            print(mutant.row(found["killer"], f"{found['seconds']:.0f}"), flush=True)
    killers = [known[m]["killer"] for m in mutants if m in known]
    killed = [killer for killer in killers if killer != LIVES]
    print(f"\n{len(killed)} of {len(killers)} mutants were killed.", flush=True)
    if new:
        confirm({killer for killer in killed if "::" in killer})


def drawn() -> list[Mutant]:
    """Mutants in rounds over the rules and the folders, as the seed draws them."""
    cells: dict[tuple[str, str], list[Mutant]] = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / "tfmeta" / folder).glob("*.py")):
            for mutant in mutants_of(path):
                cells.setdefault((mutant.rule, folder), []).append(mutant)
    for (rule, folder), cell in cells.items():
        random.Random(f"{FLAGS.seed}/{rule}/{folder}").shuffle(cell)
    found: list[Mutant] = []
    order = random.Random(FLAGS.seed)
    while len(found) < FLAGS.count and any(cells.values()):
        for cell in itertools.product(order.sample(RULES, len(RULES)), FOLDERS):
            found += [cells[cell].pop()] if cells.get(cell) else []
    return found[: FLAGS.count]


def mutants_of(path: pathlib.Path) -> Iterator[Mutant]:
    """All mutants of a file."""
    source = Source.read(path)
    for rule, (start, end, new) in changes(source):
        line = bisect.bisect(source.lines, start)
        first = source.lines[line - 1]
        last = source.lines[bisect.bisect_left(source.lines, end)]
        before = source.text[first:last].decode()
        after = source.text[first:start].decode() + new + source.text[end:last].decode()
        shown = (" ".join(text.split()) for text in (before, after))
        yield Mutant(str(path.relative_to(ROOT)), rule, line, start, end, new, *shown)


def changes(source: Source) -> Iterator[tuple[str, Change]]:
    """The rules' changes of a file."""
    done: set[int] = set()  # Numbers that the rule for the call around them changes.
    for node in walked(ast.parse(source.text)):
        if id(node) in done:
            continue
        if isinstance(node, ast.Call):
            yield from changes_of_call(node, source, done)
        elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
            more = 1 if isinstance(node.value, int) else node.value or 1.0
            yield "constant", source.replaced(node, repr(node.value + more))
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            yield "sign", source.replaced(node, source.of(node)[1:])
        elif isinstance(node, ast.BinOp) and type(node.op) in SIGNS:
            old, new = SIGNS[type(node.op)]
            if not any(isinstance(part, SEQUENCES) for part in (node.left, node.right)):
                yield "sign", source.between(node.left, node.right, old, new)
        elif isinstance(node, ast.Compare):
            sides = itertools.pairwise([node.left, *node.comparators])
            for op, (left, right) in zip(node.ops, sides, strict=True):
                if type(op) in BOUNDS:
                    yield "bound", source.between(left, right, *BOUNDS[type(op)])


def changes_of_call(
    node: ast.Call, source: Source, done: set[int]
) -> Iterator[tuple[str, Change]]:
    """The changes of a call; the numbers among its arguments are noted in `done`."""
    function = node.func
    name = getattr(function, "attr", getattr(function, "id", ""))
    if name == "stop_gradient":
        yield name, source.replaced(node, f"({source.of(node.args[0])})")
    if isinstance(function, ast.Attribute) and name in AVERAGES:
        changed = source.of(function).removesuffix(name) + AVERAGES[name]
        yield "mean or sum", source.replaced(function, changed)
    if name == "range":
        bound = node.args[min(1, len(node.args) - 1)]
        done.add(id(bound) if isinstance(bound, ast.Constant) else 0)
        for more in (" + 1", " - 1"):
            yield "bound", source.replaced(bound, source.of(bound) + more)
    axes = [keyword.value for keyword in node.keywords if keyword.arg == "axis"]
    if name.startswith("reduce_") or name in ("concat", "stack"):
        axes += node.args[1:2]
    for axis in axes:
        if re.fullmatch(r"-?\d+", source.of(axis)):
            done.update(id(part) for part in ast.walk(axis))
            new = "1" if source.of(axis) == "0" else "0"
            yield "axis", source.replaced(axis, new)


def walked(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all below it from which mutants are made, parents first."""
    yield node
    if isinstance(node, ast.arguments):
        named = [*zip(reversed(node.args), reversed(node.defaults), strict=False)]
        named += zip(node.kwonlyargs, node.kw_defaults, strict=True)
        children = [default for arg, default in named if arg.arg not in SEEDS]
    else:
        texts = [getattr(node, field, None) for field in ("annotation", "returns")]
        children = [c for c in ast.iter_child_nodes(node) if c not in texts]
    for child in children:
        named_seed = isinstance(child, ast.FunctionDef) and "seed" in child.name
        muted = isinstance(child, ast.keyword) and child.arg in SEEDS + LOOKS
        raised = isinstance(child, ast.Raise | ast.JoinedStr)
        if child is not None and not (named_seed or muted or raised):
            yield from walked(child)


def judged(mutant: Mutant) -> tuple[str, float]:
    """The test that kills a mutant, or that it lives; and the seconds it took."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="mutant") as folder:
        file = copied(folder) / mutant.path
        text = file.read_bytes()
        changed = text[: mutant.start] + mutant.new.encode() + text[mutant.end :]
        ast.parse(changed)
        file.write_bytes(changed)
        killer = failure(folder, "-x", *tests_of(mutant))
    return killer, time.perf_counter() - began


def tests_of(mutant: Mutant) -> list[str]:
    """The files of tests of the mutant's folder, those that may kill it first."""
    module = ROOT / mutant.path
    names = {module.stem}
    for node in ast.parse(module.read_bytes()).body:
        names.add(getattr(node, "name", module.stem))
    words = re.compile(rf"\b({'|'.join(map(re.escape, names))})\b")

    def place(test: pathlib.Path) -> tuple[bool, bool, bool, int]:
        mentions = len(words.findall(test.read_text(encoding="utf-8")))
        named = test.stem == f"test_{module.stem}"
        slow, reference = test.stem == SLOW, test.stem == REFERENCE
        return slow, not named, not reference, -mentions

    found = sorted((ROOT / "tests" / mutant.folder).glob("test_*.py"))
    return [str(test.relative_to(ROOT)) for test in sorted(found, key=place)]


def copied(folder: str) -> pathlib.Path:
    """Copies the package and its tests."""
    for name in ("tfmeta", "tests"):
        shutil.copytree(
            ROOT / name,
            pathlib.Path(folder, name),
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    shutil.copy(ROOT / "pyproject.toml", folder)
    return pathlib.Path(folder)


def failure(folder: str, *arguments: str) -> str:
    """Runs tests in a copy; returns the last that failed, or that the mutant lives."""
    env = {**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    try:
        done = subprocess.run(
            [*command, "--tb=no", *arguments],
            **dict(cwd=folder, env=env, capture_output=True, text=True),
            timeout=60 * FLAGS.minutes,
        )
    except subprocess.TimeoutExpired:
        return "the time limit"
    if done.returncode == 0:
        return LIVES
    failed = re.findall(r"^(?:FAILED|ERROR) (.*?)(?: - .*)?$", done.stdout, re.M)
    if failed:
        return failed[-1]
    if done.returncode < 0:
        return f"signal {-done.returncode}"
    sys.exit(f"The tests did not run: {done.stdout}{done.stderr}")


def confirm(killers: set[str]) -> None:
    """Runs the tests that killed on the unchanged package."""
    with tempfile.TemporaryDirectory(prefix="unchanged") as folder:
        copied(folder)
        failed = failure(folder, *sorted(killers)) if killers else LIVES
    if failed != LIVES:
        sys.exit(f"Without a mutant too a test fails: {failed}")
    print(f"On the unchanged package the {len(killers)} tests that killed pass.")


if __name__ == "__main__":
    app.run(main)

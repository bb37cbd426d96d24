"""How many small faults in the library the tests of its folders notice.

    python benchmarks/mutations.py --out=mutations.jsonl

A mutant is a copy of the package with one fault: a numeric constant is changed, a sign
is flipped, a mean stands for a sum or a sum for a mean, an axis is another one, a bound
is changed (`<` and `<=`, a range by one), or a `stop_gradient` is dropped. The seed
draws the mutants in rounds. In a round, each rule makes one mutant in each folder where
it finds a place; texts, annotations, seeds, what is raised and how pictures look are
left alone. A mutant is killed when a test of its folder fails, or when the tests take
too long; it lives when all of them pass. The files of tests that speak most of the
mutated module run first. At last the tests that killed run on the unchanged package.

What is known is kept in the file `--out`, a line for each mutant, and not run again.
Take a line out to have its mutant run again.
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
from typing import Any, NamedTuple

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

ROOT = pathlib.Path(__file__).resolve().parents[1]
RULES = ("constant", "sign", "mean or sum", "axis", "bound", "stop_gradient")
AVERAGES = {"mean": "sum", "reduce_mean": "reduce_sum"}
AVERAGES |= {new: old for old, new in AVERAGES.items()}
BOUNDS = {ast.Lt: ("<", "<="), ast.LtE: ("<=", "<")}
BOUNDS |= {ast.Gt: (">", ">="), ast.GtE: (">=", ">")}
SIGNS = {ast.Add: ("+", "-"), ast.Sub: ("-", "+")}
SEQUENCES = (ast.List, ast.ListComp, ast.Tuple, ast.JoinedStr)
SEEDS = ("seed", "draw")
LOOKS = "alpha capsize dpi figsize fontsize lw ms pad width_ratios".split()
LIVES = "lives"
Change = tuple[int, int, str]  # The bytes from here to there become this text.


class Mutant(NamedTuple):
    """One fault: the bytes from `start` to `end` of a file, replaced by `new`."""

    folder: str
    path: str
    rule: str
    line: int
    start: int
    end: int
    new: str
    before: str
    after: str


class Source(NamedTuple):
    """A file, a character for each byte: in bytes Python counts its places."""

    text: str
    lines: list[int]

    @classmethod
    def read(cls, path: pathlib.Path) -> Source:
        """Reads a file and finds where its lines begin."""
        text = path.read_text(encoding="latin-1")
        lines = re.findall(r".*\n", text)
        return cls(text, [0, *itertools.accumulate(map(len, lines))])

    def span(self, node: Any) -> tuple[int, int]:
        """Where an expression begins and ends."""
        start = self.lines[node.lineno - 1] + node.col_offset
        return start, self.lines[node.end_lineno - 1] + node.end_col_offset

    def of(self, node: ast.expr) -> str:
        """The text of an expression."""
        return self.text[slice(*self.span(node))]

    def between(self, left: ast.expr, right: ast.expr, old: str, new: str) -> Change:
        """Another operator between two expressions."""
        start, end = self.span(left)[1], self.span(right)[0]
        return start, end, self.text[start:end].replace(old, new, 1)


def main(_) -> None:
    """Runs the mutants that are not known yet and prints a table."""
    mutants = [m for m in drawn() if not FLAGS.only or m.folder in FLAGS.only]
    mutants.sort(key=lambda m: FOLDERS.index(m.folder))
    out = pathlib.Path(FLAGS.out)
    lines = out.read_text(encoding="utf-8").splitlines() if out.exists() else []
    known = {Mutant(*mutant): found for mutant, found in map(json.loads, lines)}
    print("| place | rule | change | killed by | seconds |\n|---|---|---|---|---|")
    for mutant in [m for m in mutants if m in known]:
        report(mutant, **known[mutant])
    new = [mutant for mutant in mutants if mutant not in known]
    pool = concurrent.futures.ThreadPoolExecutor(FLAGS.jobs)
    try:
        for mutant, found in zip(new, pool.map(judged, new), strict=True):
            known[mutant] = found
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps([mutant, found]) + "\n")
            report(mutant, **found)
    finally:
        pool.shutdown(cancel_futures=True)
    killers = [known[mutant]["killer"] for mutant in mutants]
    killed = len(killers) - killers.count(LIVES)
    print(f"\n{killed} of {len(killers)} mutants were killed.", flush=True)
    named = sorted({killer for killer in killers if "::" in killer})
    with tempfile.TemporaryDirectory(prefix="unchanged") as folder:
        copied(folder)
        failed = failures(folder, *named) if named else []
    print(f"On the unchanged package these of their killers fail: {failed or 'none'}.")


def report(mutant: Mutant, killer: str, seconds: int) -> None:
    """Prints a row of the table in Markdown."""
    change = f"`` {mutant.before} `` -> `` {mutant.after} ``".replace("|", r"\|")
    place = f"{mutant.path}:{mutant.line} | {mutant.rule}"
    print(f"| {place} | {change} | {killer} | {seconds} |", flush=True)


def drawn() -> list[Mutant]:
    """Mutants in rounds over the rules and the folders, as the seed draws them."""
    cells: dict[tuple[str, str], list[Mutant]] = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / "tfmeta" / folder).glob("*.py")):
            for mutant in mutants_of(path):
                cells.setdefault((mutant.rule, folder), []).append(mutant)
    for (rule, folder), cell in cells.items():
        random.Random(f"{FLAGS.seed}/{rule}/{folder}").shuffle(cell)
    order, found = random.Random(FLAGS.seed), []
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
        after = source.text[first:start] + new + source.text[end:last]
        shown = (" ".join(text.split()) for text in (source.text[first:last], after))
        place = (path.parent.name, str(path.relative_to(ROOT)), rule, line)
        yield Mutant(*place, start, end, new, *shown)


def changes(source: Source) -> Iterator[tuple[str, Change]]:
    """The rules' changes of a file."""
    done: set[int] = set()  # Numbers that the rule for the call around them changes.
    for node in walked(ast.parse(source.text.encode("latin-1"))):
        if isinstance(node, ast.Call):
            yield from changes_of_call(node, source, done)
        elif id(node) in done:
            continue
        elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
            more = 1 if isinstance(node.value, int) else node.value or 1.0
            yield "constant", (*source.span(node), repr(node.value + more))
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            yield "sign", (*source.span(node), source.of(node)[1:])
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
        yield name, (*source.span(node), f"({source.of(node.args[0])})")
    if isinstance(function, ast.Attribute) and name in AVERAGES:
        changed = source.of(function).removesuffix(name) + AVERAGES[name]
        yield "mean or sum", (*source.span(function), changed)
    if name == "range":
        bound = node.args[min(1, len(node.args) - 1)]
        done.add(id(bound) if isinstance(bound, ast.Constant) else 0)
        for more in (" + 1", " - 1"):
            yield "bound", (*source.span(bound), source.of(bound) + more)
    axes = [keyword.value for keyword in node.keywords if keyword.arg == "axis"]
    if name.startswith("reduce_") or name in ("concat", "stack"):
        axes += node.args[1:2]
    for axis in axes:
        if re.fullmatch(r"-?\d+", source.of(axis)):
            done.update(id(part) for part in ast.walk(axis))
            new = "1" if source.of(axis) == "0" else "0"
            yield "axis", (*source.span(axis), new)


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
        muted = isinstance(child, ast.keyword) and child.arg in [*SEEDS, *LOOKS]
        raised = isinstance(child, ast.Raise | ast.JoinedStr)
        if child is not None and not (named_seed or muted or raised):
            yield from walked(child)


def judged(mutant: Mutant) -> dict[str, Any]:
    """The test that kills a mutant, or that it lives; and the seconds it took."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="mutant") as folder:
        file = copied(folder) / mutant.path
        text = file.read_bytes()
        changed = text[: mutant.start] + mutant.new.encode() + text[mutant.end :]
        file.write_bytes(changed)
        failed = failures(folder, "-x", *tests_of(mutant))
    seconds = round(time.perf_counter() - began)
    return {"killer": failed[-1] if failed else LIVES, "seconds": seconds}


def tests_of(mutant: Mutant) -> list[str]:
    """The files of tests of the mutant's folder, those that may kill it first."""
    module = ROOT / mutant.path
    body = ast.parse(module.read_bytes()).body
    names = {module.stem, *(node.name for node in body if hasattr(node, "name"))}
    words = re.compile(rf"\b({'|'.join(map(re.escape, names))})\b")

    def place(test: pathlib.Path) -> tuple[bool, bool, bool, int]:
        mentions = len(words.findall(test.read_text(encoding="utf-8")))
        named = test.stem == f"test_{module.stem}"
        slow = test.stem == "test_conformance"
        return slow, not named, test.stem != "test_reference", -mentions

    found = sorted((ROOT / "tests" / mutant.folder).glob("test_*.py"))
    return [str(test.relative_to(ROOT)) for test in sorted(found, key=place)]


def copied(folder: str) -> pathlib.Path:
    """Copies the package and its tests."""
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("tfmeta", "tests"):
        shutil.copytree(ROOT / name, pathlib.Path(folder, name), ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return pathlib.Path(folder)


def failures(folder: str, *arguments: str) -> list[str]:
    """Runs tests in a copy and returns those that fail, or what stopped all."""
    env = {**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
    options = "-q --tb=no -p no:cacheprovider".split()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *arguments],
            **dict(cwd=folder, env=env, capture_output=True, text=True),
            timeout=60 * FLAGS.minutes,
        )
    except subprocess.TimeoutExpired:
        return ["the time limit"]
    failed = re.findall(r"^(?:FAILED|ERROR) (.*?)(?: - .*)?$", done.stdout, re.M)
    if done.returncode < 0:
        failed = [f"signal {-done.returncode}"]
    if done.returncode and not failed:
        sys.exit(f"The tests did not run: {done.stdout}{done.stderr}")
    return failed


if __name__ == "__main__":
    app.run(main)

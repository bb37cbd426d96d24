"""How errors and warnings of the library name arguments.

The library names Python arguments, so that the command line can tell them as flags:
`name=value`; `name must ...` where a sentence begins; after Lower, Raise, Give, Set or
Leave out; or as they are where they have an underscore.
"""

from __future__ import annotations

import ast
import pathlib
import re
from collections.abc import Iterator

import pytest

import tfmeta

ROOT = pathlib.Path(tfmeta.__file__).resolve().parent
FLAG = re.compile(r"(?<![\w-])--[a-z]")
SPLIT_UP = re.compile(r"\b[Ll]eave `?(?!it\b|them\b|both\b|all\b)\w+`? out\b")


def texts_in(source: str) -> Iterator[tuple[int, str]]:
    """The texts that a file raises or warns of, with {} for what is filled in."""
    for node in ast.walk(ast.parse(source)):
        raised = isinstance(node, ast.Raise)
        warned = isinstance(node, ast.Call) and ast.unparse(node.func).endswith("warn")
        if raised or warned:
            yield node.lineno, " ".join(map(_text, _parts(node)))


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    for each in ast.iter_child_nodes(node):
        if isinstance(each, ast.Constant | ast.JoinedStr):
            yield each
        else:
            yield from _parts(each)


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(each) for each in node.values)
    value = node.value if isinstance(node, ast.Constant) else "{}"
    return value if isinstance(value, str) else ""


def faults(source: str) -> list[str]:
    return [
        f"{line}: {text}"
        for line, text in texts_in(source)
        if FLAG.search(text) or SPLIT_UP.search(text)
    ]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('raise ValueError(f"Lower --way={n}.")', 1),
        ('warnings.warn("Use --way.")', 1),
        ('raise ValueError("Leave store out.")', 1),
        ('raise ValueError("Leave out store.")', 0),
        ('raise ValueError("Lower way, or leave it out.")', 0),
        ('"""Like --way."""', 0),
    ],
)
def test_a_flag_or_a_split_up_advice_is_found(source, found) -> None:
    assert len(faults(source)) == found


def test_the_library_names_arguments_and_no_flags() -> None:
    files = [f for f in ROOT.rglob("*.py") if "apps" not in f.relative_to(ROOT).parts]
    wrong = [
        f"{file.relative_to(ROOT)}:{each}"
        for file in files
        for each in faults(file.read_text("utf-8"))
    ]
    assert len(files) > 100 and not wrong

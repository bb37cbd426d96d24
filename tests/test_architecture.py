"""The floors of the package, and the rules every file of it keeps.

Everything here reads source text, so it needs neither TensorFlow nor an import.
"""

from __future__ import annotations

import ast
import collections
import graphlib
import pathlib
import re
from collections.abc import Iterator

import pytest

PACKAGE = pathlib.Path(__file__).resolve().parents[1] / "tfmeta"
FLOORS = {
    "core": 0,
    "ops": 1,
    "layers": 1,
    "data": 1,
    "nets": 2,
    "inner": 3,
    "learners": 4,
    "evaluation": 5,
    "export": 5,
    "serving": 6,
    "training": 7,
    "zoo": 8,
    "apps": 9,
}
# In these folders a file imports none beside it but the bases.
FLAT_FOLDERS = {"learners": {"base", "gradient_learner"}}
# Where Keras' private names stand.
INTERNALS = "tfmeta.keras_internals"
PRIVATE = re.compile(
    r"keras\.src|\b_(loss_tracker|flatten_layers|nodes_by_depth|functional)\b"
    r"|\._(layers|value|iterations)\b"
)
AT_POINT_OF_USE = {
    "PIL",
    "ai_edge_litert",
    "flatbuffers",
    "matplotlib",
    "mlserver",
    "onnx",
    "onnxruntime",
    "ray",
    "rich",
    "sklearn",
    "tensorboard",
    "tensorflow_datasets",
    "tensorflow_serving",
    "tf2onnx",
}
# A warning's cause is removed, not its text. What an app's terminal shows is the app's.
MUTES = {"set_verbosity", "filterwarnings", "simplefilter", "catch_warnings"}
MAX_LINES, MAX_FUNCTION_LINES, MAX_FILES = 400, 40, 15
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Package:
    """The parsed modules below a folder named tfmeta, by dotted name."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        self.paths = {}
        for path in sorted(root.rglob("*.py")):
            parts = ("tfmeta", *path.relative_to(root).with_suffix("").parts)
            self.paths[".".join(parts).removesuffix(".__init__")] = path
        self.trees = {
            name: ast.parse(path.read_text(encoding="utf-8"), str(path))
            for name, path in self.paths.items()
        }

    def is_init(self, name: str) -> bool:
        return self.paths[name].name == "__init__.py"

    def imports(self, name: str) -> Iterator[tuple[str, int]]:
        """Yields (imported tfmeta module, line), imports in functions included."""
        for node in ast.walk(self.trees[name]):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                children = [f"{node.module}.{alias.name}" for alias in node.names]
                targets = [c if self.knows(c) else node.module for c in children]
            else:
                continue
            for target in dict.fromkeys(targets):
                if target.split(".")[0] == "tfmeta":
                    yield target, node.lineno

    def knows(self, name: str) -> bool:
        # A folder of the design counts before it has any file.
        return name in self.paths or name.removeprefix("tfmeta.") in FLOORS


def folder(name: str) -> str:
    """Returns "layers" for "tfmeta.layers.norm" and "" for files beside them."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in FLOORS else ""


def check_floors(package: Package) -> Iterator[str]:
    for name, path in package.paths.items():
        top = name.split(".")[1] if path.parent != package.root else ""
        if top and top not in FLOORS:
            yield f"{name}: folder {top!r} has no floor"
        for target, line in package.imports(name):
            source, goal = folder(name), folder(target)
            imports = f"{name}:{line} imports {target}"
            if target == "tfmeta":
                yield f"{imports} itself, the roof"
            elif source and goal and source != goal and FLOORS[source] <= FLOORS[goal]:
                yield f"{imports}, which is no floor below"
            elif goal and not source:
                yield f"{imports}; files beside the folders do not"


def check_flat_folders(package: Package) -> Iterator[str]:
    for name in package.paths:
        if folder(name) not in FLAT_FOLDERS or package.is_init(name):
            continue
        bases = FLAT_FOLDERS[folder(name)]
        allowed = {f"tfmeta.{folder(name)}.{base}" for base in bases}
        for target, line in package.imports(name):
            if folder(target) == folder(name) and target not in allowed:
                yield f"{name}:{line} imports {target}; in this folder only the bases"


def check_cycles(package: Package) -> Iterator[str]:
    graph = {
        name: {target for target, _ in package.imports(name)} for name in package.paths
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        yield f"import cycle: {' <- '.join(error.args[1])}"


def check_length(package: Package) -> Iterator[str]:
    for name, path in package.paths.items():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MAX_LINES:
            yield f"{name} has {lines} lines, more than {MAX_LINES}"


def check_crowds(package: Package) -> Iterator[str]:
    """A folder is small enough to be read at one glance."""
    crowds = collections.Counter(path.parent for path in package.paths.values())
    for directory, files in crowds.items():
        if files > MAX_FILES:
            place = directory.relative_to(package.root.parent)
            yield f"{place} has {files} files, more than {MAX_FILES}"


def check_functions(package: Package) -> Iterator[str]:
    """Functions are short, those inside them included, their docstrings not."""
    for name, tree in package.trees.items():
        for node in ast.walk(tree):
            if not isinstance(node, FUNCTIONS):
                continue
            lines = node.end_lineno - node.lineno + 1
            if ast.get_docstring(node, clean=False) is not None:
                lines -= node.body[0].end_lineno - node.body[0].lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield f"{name}:{node.lineno} {node.name} has {lines} lines"


def check_statements(package: Package) -> Iterator[str]:
    """No print, assert, bare except, relative import or muted warnings."""
    for module, tree in package.trees.items():
        mutes = MUTES if folder(module) != "apps" else MUTES - {"set_verbosity"}
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id="print")):
                    found = "print"
                case ast.Assert():
                    found = "assert"
                case ast.ExceptHandler(type=None):
                    found = "a bare except"
                case ast.ImportFrom(level=level) if level:
                    found = "a relative import"
                case ast.Attribute(attr=name) | ast.alias(name=name) if name in mutes:
                    found = name
                case ast.Attribute(value=ast.Name(id="logging"), attr="disable"):
                    found = "logging.disable"
                case _:
                    continue
            yield f"{module}:{node.lineno} has {found}"


def check_private_names(package: Package) -> Iterator[str]:
    """Keras' private names stand in one file."""
    for name, path in package.paths.items():
        if name == INTERNALS:
            continue
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if PRIVATE.search(line):
                yield f"{name}:{number} uses a private name of Keras"


def check_inits(package: Package) -> Iterator[str]:
    """Folders are packages; their __init__ holds imports, __all__ and __dir__ alone."""
    for directory in {path.parent for path in package.paths.values()}:
        if not (directory / "__init__.py").is_file():
            yield f"{directory.relative_to(package.root)} has no __init__.py"
    for name, tree in package.trees.items():
        if not package.is_init(name):
            continue
        # The roof loads its names lazily and holds the version.
        for node in [] if name == "tfmeta" else tree.body:
            imports = isinstance(node, ast.Import | ast.ImportFrom)
            listed = is_all(node) or is_dir(node)
            if not imports and not listed and not is_text(node):
                yield f"{name}:{node.lineno} has more than imports and __all__"
        # A room of a folder has no names of its own: its files are imported.
        if not all(is_text(n) for n in tree.body) and not any(map(is_all, tree.body)):
            yield f"{name} has no __all__"


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def is_dir(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name == "__dir__"


def is_all(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"


def check_docstrings(package: Package) -> Iterator[str]:
    for name, tree in package.trees.items():
        if not ast.get_docstring(tree):
            yield f"{name} has no docstring"
        for node in tree.body:
            if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
                if not node.name.startswith("_") and not ast.get_docstring(node):
                    yield f"{name}:{node.lineno} {node.name} has no docstring"


def check_optional_imports(package: Package) -> Iterator[str]:
    for name, tree in package.trees.items():
        # An app prints, whatever it does.
        late = AT_POINT_OF_USE - ({"rich"} if folder(name) == "apps" else set())
        for node in run_at_import(tree):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                targets = [node.module or ""]
            else:
                continue
            for target in targets:
                if target.split(".")[0] in late:
                    yield f"{name}:{node.lineno} imports {target} before it is needed"


def run_at_import(node: ast.AST) -> Iterator[ast.AST]:
    """Yields the nodes that run when a module is imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (*FUNCTIONS, ast.Lambda)):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from run_at_import(child)


CHECKS = [
    check_floors,
    check_flat_folders,
    check_cycles,
    check_length,
    check_crowds,
    check_functions,
    check_statements,
    check_private_names,
    check_inits,
    check_docstrings,
    check_optional_imports,
]


@pytest.fixture(scope="module")
def tfmeta_package():
    return Package(PACKAGE)


@pytest.mark.parametrize("check", CHECKS)
def test_the_package_keeps_the_rule(check, tfmeta_package):
    violations = list(check(tfmeta_package))
    assert not violations, "\n".join(violations)


# A check, files of a package, and what it must say of them (nothing: "").
CASES = [
    (check_floors, {"ops/a.py": "from tfmeta.core import b"}, ""),
    (check_floors, {"ops/a.py": "import numpy\nfrom tfmeta.ops.b import c"}, ""),
    (check_floors, {"__init__.py": "from tfmeta._backend import a"}, ""),
    (check_floors, {"ops/a.py": "from tfmeta.nets import b"}, "no floor below"),
    (check_floors, {"ops/a.py": "from tfmeta import nets"}, "no floor below"),
    (check_floors, {"ops/a.py": "from tfmeta.data.b import c"}, "no floor below"),
    (check_floors, {"ops/a.py": "def f():\n import tfmeta.data"}, "no floor below"),
    (check_floors, {"ops/a.py": "import tfmeta"}, "the roof"),
    (check_floors, {"__init__.py": "from tfmeta import data"}, "beside the folders"),
    (check_floors, {"misc/a.py": ""}, "no floor"),
    (check_flat_folders, {"learners/a.py": "from tfmeta.learners.base import B"}, ""),
    (
        check_flat_folders,
        {"learners/__init__.py": "from tfmeta.learners.a import A"},
        "",
    ),
    (check_flat_folders, {"nets/a.py": "from tfmeta.nets.b import B"}, ""),
    (
        check_flat_folders,
        {"learners/a.py": "from tfmeta.learners.b import B"},
        "only the bases",
    ),
    (
        check_flat_folders,
        {"learners/a.py": "from tfmeta.learners import B"},
        "only the bases",
    ),
    (
        check_cycles,
        {"ops/a.py": "from tfmeta.ops import b", "ops/b.py": "import tfmeta.ops.c"},
        "",
    ),
    (
        check_cycles,
        {"ops/a.py": "from tfmeta.ops import b", "ops/b.py": "import tfmeta.ops.a"},
        "tfmeta.ops.a <- tfmeta.ops.b",
    ),
    (check_length, {"ops/a.py": "x = 1\n" * 400}, ""),
    (check_length, {"ops/a.py": "x = 1\n" * 401}, "401 lines"),
    (check_crowds, {f"ops/a{i}.py": "" for i in range(15)}, ""),
    (check_crowds, {f"ops/a{i}.py": "" for i in range(16)}, "16 files"),
    (check_functions, {"ops/a.py": "def f():\n" + " x = 1\n" * 39}, ""),
    (check_functions, {"ops/a.py": 'def f():\n "A.\\\n"\n' + " x\n" * 39}, ""),
    (check_functions, {"ops/a.py": "def f():\n" + " x = 1\n" * 40}, ":1 f has 41 l"),
    (
        check_functions,
        {"ops/a.py": "class A:\n def f(a,\n  b):\n" + "  x\n" * 39},
        "a:2 f has 41 lines",
    ),
    (
        check_functions,
        {"ops/a.py": "def f():\n def g():\n" + "  x = 1\n" * 39},
        "a:1 f has 41 lines",
    ),
    (check_statements, {"ops/a.py": "try:\n  f()\nexcept E:\n  g(print=1)"}, ""),
    (check_statements, {"ops/a.py": "def f():\n  print(1)"}, "a:2 has print"),
    (check_statements, {"ops/a.py": "assert x"}, "has assert"),
    (check_statements, {"ops/a.py": "try:\n  f()\nexcept:\n  g()"}, "bare except"),
    (check_statements, {"ops/a.py": "from . import b"}, "relative import"),
    (check_statements, {"ops/a.py": "import logging as disable"}, ""),
    (check_statements, {"ops/a.py": "logging.disable(9)"}, "has logging.disable"),
    (check_statements, {"ops/a.py": "tf.get_logger.set_verbosity(9)"}, "set_verbosity"),
    (check_statements, {"ops/a.py": "from warnings import catch_warnings"}, "catch"),
    (check_private_names, {"keras_internals.py": "from keras.src import a"}, ""),
    (check_private_names, {"ops/a.py": "x.layers._value_of"}, ""),
    (check_private_names, {"ops/a.py": "from keras.src import a"}, "private name"),
    (check_private_names, {"ops/a.py": "x\nnet._layers"}, "a:2 uses a private"),
    (check_inits, {"ops/__init__.py": '"""A."""\nimport b\n__all__ = ["b"]'}, ""),
    (check_inits, {"ops/__init__.py": "import b"}, "no __all__"),
    (check_inits, {"ops/__init__.py": "__all__ = []\nx = 1"}, ":2 has more than"),
    (check_inits, {"ops/a.py": ""}, "ops has no __init__.py"),
    (check_docstrings, {"ops/a.py": '"""A."""\ndef _f(): ...'}, ""),
    (check_docstrings, {"ops/a.py": '"""A."""\ndef f(): ...'}, ":2 f has no docstring"),
    (check_docstrings, {"ops/a.py": "x = 1"}, "a has no docstring"),
    (check_optional_imports, {"data/a.py": "def f():\n  import PIL.Image"}, ""),
    (check_optional_imports, {"data/a.py": "if TYPE_CHECKING:\n  import ray"}, ""),
    (check_optional_imports, {"data/a.py": "import PIL.Image"}, "imports PIL.Image"),
    (check_optional_imports, {"data/a.py": "import rich.table"}, "imports rich.table"),
    (check_optional_imports, {"apps/a.py": "import rich.table"}, ""),
    (check_statements, {"apps/a.py": "logging.set_verbosity(9)"}, ""),
    (
        check_optional_imports,
        {"data/a.py": "try:\n  from ray import x\nfinally: f"},
        "ray",
    ),
]


@pytest.mark.parametrize("check, files, expected", CASES)
def test_the_check_sees_what_it_should(check, files, expected, tmp_path):
    roof = '"""A."""\n__all__ = []\n'
    for name, source in ({"__init__.py": roof} | files).items():
        path = tmp_path / "tfmeta" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    violations = list(check(Package(tmp_path / "tfmeta")))
    if expected:
        assert any(expected in violation for violation in violations), violations
    else:
        assert not violations

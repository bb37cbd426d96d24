"""`import tfmeta`: cheap, lazy, on the TensorFlow backend; and a complete package."""

from __future__ import annotations

import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys
import sysconfig
import types

import pytest

import tfmeta
from tfmeta import _backend

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
INSTALLED = pathlib.Path(tfmeta.__file__).resolve().parent


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs code in a fresh interpreter where KERAS_BACKEND is unset unless given."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("KERAS_")}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=inherited | {"TF_CPP_MIN_LOG_LEVEL": "3"} | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def jax_in_keras_json(tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "jax"}))
    return str(tmp_path)


def assert_refused(result: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert result.returncode == 1
    last_line = result.stderr.strip().splitlines()[-1]
    assert last_line.startswith("ImportError: tfmeta needs Keras' TensorFlow backend")
    for part in parts:
        assert part in last_line


def test_import_alone_loads_neither_tensorflow_nor_keras():
    code = (
        "import sys, os, tfmeta\n"
        "assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules)\n"
        "assert os.environ['KERAS_BACKEND'] == 'tensorflow'\n"
    )
    for variable in ({}, {"KERAS_BACKEND": ""}, {"KERAS_BACKEND": "tensorflow"}):
        result = run_python(code, **variable)
        assert result.returncode == 0, result.stderr


def test_another_backend_in_the_environment_is_refused():
    result = run_python("import tfmeta", KERAS_BACKEND="numpy")
    assert_refused(result, "KERAS_BACKEND is 'numpy'", "set KERAS_BACKEND=tensorflow")


def test_tfmeta_before_keras_overrules_keras_json(jax_in_keras_json):
    code = "import tfmeta, keras; assert keras.config.backend() == 'tensorflow'"
    result = run_python(code, KERAS_HOME=jax_in_keras_json)
    assert result.returncode == 0, result.stderr


def test_tensorflow_before_tfmeta_obeys_keras_json_and_is_refused(jax_in_keras_json):
    # TensorFlow imports Keras here, and keeps silent when Keras fails without jax.
    code = "import tensorflow, tfmeta"
    result = run_python(code, KERAS_HOME=jax_in_keras_json)
    assert_refused(result, "'jax'", "start Python again")


def test_tensorflow_before_tfmeta_is_fine():
    code = (
        "import tensorflow, tfmeta, keras\n"
        "assert keras.config.backend() == 'tensorflow'"
    )
    result = run_python(code)
    assert result.returncode == 0, result.stderr


def test_keras_imported_with_another_backend_is_refused(monkeypatch):
    config = types.SimpleNamespace(backend=lambda: "torch")
    monkeypatch.setitem(sys.modules, "keras", types.SimpleNamespace(config=config))
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")  # Too late to count.
    with pytest.raises(ImportError, match="imported before with backend 'torch'"):
        _backend.require_tensorflow_backend()


def test_public_names_are_listed_and_load_on_access():
    assert dir(tfmeta) == sorted(tfmeta.__all__)
    for name in set(tfmeta.__all__) - {"__version__"}:
        home = tfmeta._HOMES.get(name, f"tfmeta.{name}").replace(".", "/")
        for file in (f"{home}.py", f"{home}/__init__.py"):
            if (INSTALLED.parent / file).is_file():
                assert getattr(tfmeta, name) is not None


@pytest.mark.parametrize(
    "name", [n for n in tfmeta.__all__ if (INSTALLED / n).is_dir()]
)
def test_a_folder_lists_its_public_names(name) -> None:
    folder = importlib.import_module(f"tfmeta.{name}")
    assert dir(folder) == sorted(folder.__all__)


def test_a_name_in_another_case_is_suggested() -> None:
    result = run_python("import tfmeta\ntfmeta.Metamodel")
    assert "Did you mean: 'MetaModel'" in result.stderr


def test_missing_names_fail_on_access_only(monkeypatch):
    monkeypatch.setattr(tfmeta, "_HOMES", {"evaluate": "tfmeta.no_such_module"})
    monkeypatch.delitem(vars(tfmeta), "evaluate", raising=False)
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        _ = tfmeta.evaluate
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
        _ = tfmeta.no_such_name


def test_a_keras_file_is_read_in_a_new_process(tmp_path):
    net = tfmeta.nets.mlp(units=(3,), input_shape=(2,))
    model = tfmeta.MetaModel(tfmeta.learners.ProtoNet(net))
    model.save(tmp_path / "model.keras")
    code = (
        "import keras, tfmeta.training\n"
        f"model = keras.models.load_model({str(tmp_path / 'model.keras')!r})\n"
        "print(model.adapt([[0.0, 0.0], [1.0, 1.0]], ['a', 'b']).classes)"
    )
    result = run_python(code)
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("['a' 'b']\n")


def test_version_is_the_distributions():
    assert tfmeta.__version__ == importlib.metadata.version("tfmeta")


def test_every_file_of_the_package_is_installed():
    def files(root: pathlib.Path) -> set[str]:
        found = [*root.rglob("*.py"), *root.rglob("class_lists/*.json")]
        nets = [path for path in (root / "zoo/nets").rglob("*") if path.is_file()]
        every = [*found, *nets, root / "py.typed"]
        return {str(path.relative_to(root)) for path in every}

    assert files(INSTALLED) == files(REPOSITORY / "tfmeta")
    assert "zoo/nets/glyphs_protonet/card.json" in files(INSTALLED)
    assert (INSTALLED / "py.typed").is_file()


@pytest.mark.skipif(
    "TFMETA_TEST_INSTALLED" not in os.environ,
    reason="TFMETA_TEST_INSTALLED is not set: an editable install may be tested",
)
def test_the_installed_package_is_under_test():
    site_packages = pathlib.Path(sysconfig.get_path("purelib")).resolve()
    assert site_packages / "tfmeta" == INSTALLED
    assert str(REPOSITORY) not in sys.path

"""Code of a user's own by name: where it is looked for, and where it is not."""

from __future__ import annotations

import os
import subprocess
import sys

import keras
import pytest

from tfmeta.own_code import (
    import_own_code,
    import_own_code_in,
    is_own_code,
    own_code_in,
    working_directory_hidden,
)


@pytest.mark.parametrize(
    ("name", "is_own"),
    [
        ("mine:Net", True),
        ("a.b_c.d:e", True),
        ("conv4", False),
        ("npz:a/b.npz", False),
        ("mine:", False),
        ("a..b:c", False),
    ],
)
def test_the_form_of_a_name(name: str, is_own: bool) -> None:
    assert is_own_code(name) == is_own


def test_a_name_is_imported() -> None:
    assert import_own_code("os.path:join") is os.path.join


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("no_such_module:x", "no module 'no_such_module'. Install its package"),
        ("os.path:joi", "has no 'joi'. Did you mean os.path:join"),
        ("os.path:qqq", "has no 'qqq'. Name another"),
    ],
)
def test_a_name_of_nothing_is_refused(name: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        import_own_code(name)


def test_an_import_that_fails_inside_a_module_is_that_modules(tmp_path, monkeypatch):
    (tmp_path / "needs_more.py").write_text("import no_such_module_either")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_module_either"):
        import_own_code("needs_more:x")


CODE = (
    "import sys; from tfmeta.own_code import import_own_code as i; "
    "print(i(sys.argv[1]))"
)


def run_in(folder, name: str, *options: str, **environment: str):
    return subprocess.run(
        [sys.executable, *options, "-c", CODE, name],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | environment,
        capture_output=True,
        text=True,
    )


def test_the_working_directory_is_not_searched(tmp_path) -> None:
    (tmp_path / "strange.py").write_text("open('ran', 'w'); it = 3")
    # With -c Python puts the working directory on sys.path.
    refused = run_in(tmp_path, "strange:it")
    assert refused.returncode == 1 and not (tmp_path / "ran").exists()
    assert "strange.py lies in the working directory" in refused.stderr
    assert "PYTHONPATH=. before the command" in refused.stderr
    said = run_in(tmp_path, "strange:it", PYTHONPATH=".")
    assert said.stdout.strip() == "3", said.stderr


def test_hiding_ends(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path, str(tmp_path)])
    before = list(sys.path)
    with working_directory_hidden():
        assert "" not in sys.path and str(tmp_path) not in sys.path
        assert len(sys.path) == len(before) - 2
    assert sys.path == before


@keras.saving.register_keras_serializable("test_own_code")
class Registered(keras.layers.Layer):
    pass


def test_a_config_tells_its_code() -> None:
    net = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3), Registered()])
    config = keras.saving.serialize_keras_object(net)
    assert own_code_in(config) == [f"{__name__}:Registered"]
    import_own_code_in(config)  # It is registered, so nothing is imported.
    strange = {"module": "no_such_module", "class_name": "Net", "config": {}}
    with pytest.raises(ValueError, match="no_such_module:Net is looked for on"):
        import_own_code_in({"layers": [config, strange]})

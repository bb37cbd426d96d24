"""JSON files: whole or not there, and JSON for every reader."""

from __future__ import annotations

import json
import math

import pytest

from tfmeta.json_files import read_json, to_json, write_json


def test_json_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with monkeypatch.context() as patched:
        patched.setattr(json, "dumps", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write_json(path, {"a": 2})
    assert read_json(path) == {"a": 1}
    with pytest.raises(ValueError, match="cannot be read as JSON"):
        read_json(tmp_path / "none.json")


def test_what_json_has_not_becomes_null():
    content = {"a": [math.nan, 1.5, (math.inf, -math.inf)], "b": {"c": None, "d": "x"}}
    text = to_json(content)
    assert text == '{"a": [null, 1.5, [null, null]], "b": {"c": null, "d": "x"}}'
    assert json.loads(text)["a"][1] == 1.5

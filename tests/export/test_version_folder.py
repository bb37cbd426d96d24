"""Version folders: which one, written whole or not at all, nothing overwritten."""

from __future__ import annotations

import os
import pathlib

import pytest

from tfmeta.export.version_folder import VersionFolder


def write(path: pathlib.Path | str, text: str = "new") -> pathlib.Path:
    folder = VersionFolder(path)
    with folder.writing() as partial:
        (partial / "model").write_text(text)
    return folder.path


def test_a_plain_name_takes_the_next_free_number(tmp_path):
    base = tmp_path / "some" / "birds"
    assert write(base) == base / "1"
    assert write(base) == base / "2"
    (base / "12").mkdir()
    (base / "notes").mkdir()
    assert write(base) == base / "13"


def test_a_number_is_the_version_itself(tmp_path):
    folder = VersionFolder(tmp_path / "birds" / "7")
    assert folder.served_name == "birds"
    assert write(tmp_path / "birds" / "7") == tmp_path / "birds" / "7"
    assert write(tmp_path / "birds") == tmp_path / "birds" / "8"


def test_relative_paths_and_strings_will_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert write("birds") == tmp_path / "birds" / "1"
    assert write("3") == tmp_path / "3"


def test_an_empty_version_is_filled(tmp_path):
    (tmp_path / "4").mkdir()
    assert (write(tmp_path / "4") / "model").read_text() == "new"


def test_a_version_is_never_overwritten(tmp_path):
    write(tmp_path / "4", "old")
    with pytest.raises(ValueError, match="is there already.*the next free number"):
        write(tmp_path / "4")
    assert (tmp_path / "4" / "model").read_text() == "old"
    assert os.listdir(tmp_path) == ["4"]


@pytest.mark.parametrize("path", ["0", "00"])
def test_versions_count_from_one(path, tmp_path):
    with pytest.raises(ValueError, match="at least 1"):
        VersionFolder(tmp_path / path)


def test_a_remote_folder_is_refused():
    with pytest.raises(ValueError, match="local folder"):
        VersionFolder("gs://bucket/birds")


@pytest.mark.parametrize("path", ["file", "file/1", "file/deep/er"])
def test_a_file_in_the_way_is_refused(path, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="is a file|Cannot write"):
        write(tmp_path / path)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0,
    reason="this user may write everywhere",
)
def test_an_unwritable_folder_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ValueError, match="Cannot write.*Permission denied"):
        write(tmp_path / "birds")
    tmp_path.chmod(0o700)


def test_no_room_to_write_is_told(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    folder = VersionFolder(tmp_path / "new" / "birds")
    monkeypatch.setattr(pathlib.Path, "mkdir", fail)
    with pytest.raises(ValueError, match="Cannot write.*Permission denied"):
        with folder.writing():
            pass
    assert not os.listdir(tmp_path)


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError, match="midway"):
        with VersionFolder(tmp_path / "new" / "birds").writing() as partial:
            (partial / "model").write_text("half")
            raise RuntimeError("midway")
    assert not os.listdir(tmp_path)


def test_a_watcher_sees_no_number_before_the_end(tmp_path):
    with VersionFolder(tmp_path).writing() as partial:
        (partial / "model").write_text("half")
        assert partial.parent == tmp_path
        assert not [name for name in os.listdir(tmp_path) if name[0] != "."]
    assert os.listdir(tmp_path) == ["1"]


def test_two_writers_at_once_get_two_numbers(tmp_path):
    folder = VersionFolder(tmp_path)
    with folder.writing() as partial:
        (partial / "model").write_text("slow")
        write(tmp_path, "quick")
    assert folder.path == tmp_path / "2"
    assert (tmp_path / "1" / "model").read_text() == "quick"


def test_two_writers_of_one_version_lose_nothing(tmp_path):
    with pytest.raises(ValueError, match="is there already"):
        with VersionFolder(tmp_path / "5").writing() as partial:
            (partial / "model").write_text("slow")
            write(tmp_path / "5", "quick")
    assert (tmp_path / "5" / "model").read_text() == "quick"
    assert os.listdir(tmp_path) == ["5"]

"""What the app tune refuses, before Ray is started."""

from __future__ import annotations

import pytest

REFUSED = {
    "nothing": ([], "Nothing is searched for. Give --search"),
    "no such flag": (["--search=iner_lr=1,2"], "a flag that there is not: --iner_lr"),
    "a refused value": (["--search=outer_lr=range:-1:1"], "--outer_lr a value that it"),
    "no such net": (["--search=net=conv4,conv9"], "There is no net 'conv9'"),
    "another form": (["--search=outer_lr"], "--search must be NAME=A,B,C"),
    "what trials share": (["--search=steps=2,4"], "--steps is the same for all trials"),
    "said and searched": (["--search=filters=2,4"], "--filters is given, and searched"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_searched_is_one_line_before_any_work(
    case, start, tiny, tmp_path
) -> None:
    flags, sentence = REFUSED[case]
    ended = start("tune", *tiny, *flags, f"--run_dir={tmp_path}/search").wait()
    assert ended.code == 2 and ended.err.count("\n") == 1, ended.err
    assert sentence in ended.err
    assert not (tmp_path / "search").exists()

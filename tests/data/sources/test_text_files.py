"""Files of texts, read in full and refused by the line."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

import tfmeta
from tfmeta.data import load

LABELS = ("owl", "tit", "wren", "jay", "auk")
ROWS = [
    {"text": f"the {label} sings {i}", "label": label, "split": "train"}
    for label in LABELS
    for i in range(4)
]
SPLIT = {"train": ["owl", "tit"], "val": ["wren"], "test": ["jay", "auk"]}


def jsonl(rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def written(folder, content: bytes, name: str = "texts.jsonl") -> str:
    path = folder / name
    data = gzip.compress(content) if name.endswith(".gz") else content
    path.write_bytes(data)
    return f"{name.split('.')[1]}:{path}"


def texts_of(part) -> dict:
    names = np.array(part.class_names)[part.y]
    return dict(zip(part.x.tolist(), names.tolist(), strict=True))


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_line_of_json_is_a_text(tmp_path, name):
    source = load(written(tmp_path, jsonl(ROWS), name), split=SPLIT)
    assert texts_of(source.train) == {
        f"the {label} sings {i}": label for label in ("owl", "tit") for i in range(4)
    }
    assert source.test.class_names == ("auk", "jay")
    assert source.val.example_shape == () and source.name.startswith("jsonl:")
    x, y = next(iter(tfmeta.data.episodes(source.test, way=2, shot=1, query=2)))
    assert x["support_x"].shape == (1, 2) and x["query_x"].dtype == "string"
    for text, label in zip(x["query_x"][0].numpy(), y[0].numpy(), strict=True):
        known = x["support_x"][0, label].numpy()
        assert text.split()[1] == known.split()[1]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_a_row_of_csv_is_a_text(tmp_path, name):
    content = (
        'id,review,kind\n1,"good, ""very"" good\nand cheap",up\n\n2,bad Größe,down\n'
        "3,fine,flat\n"
    )
    source = load(
        written(tmp_path, b"\xef\xbb\xbf" + content.encode(), name),
        text_field="review",
        label_field="kind",
        split={"train": ["up"], "val": ["down"], "test": ["flat"]},
    )
    assert texts_of(source.train) == {'good, "very" good\nand cheap': "up"}
    assert texts_of(source.val) == {"bad Größe": "down"}
    assert texts_of(source.test) == {"fine": "flat"}


def test_labels_may_be_numbers_in_their_order(tmp_path):
    rows = [{"text": "t", "label": n} for n in (10, 2, 9)]
    source = load(written(tmp_path, jsonl(rows)), split=(1.0, 0.0, 0.0))
    assert source.train.class_names == ("2", "9", "10")


def test_long_texts_and_many_take_the_room_of_their_letters(tmp_path):
    rows = [{"text": "x" * 200_000, "label": 0}, *ROWS]
    rows = [{"text": row["text"], "label": str(row["label"])} for row in rows]
    content = "text,label\n" + "".join(f"{r['text']},{r['label']}\n" for r in rows)
    source = load(written(tmp_path, content.encode(), "a.csv"), split=(1.0, 0, 0))
    assert 200_000 < source.train.store.nbytes < 210_000


def test_a_field_divides_the_classes(tmp_path):
    rows = [
        {**row, "split": "train" if row["label"] in ("owl", "tit") else "test"}
        for row in ROWS
    ]
    rows += [{"text": "new", "label": "kea", "split": "val"}]
    source = load(written(tmp_path, jsonl(rows)), split_field="split")
    assert source.train.class_names == ("owl", "tit")
    assert source.val.class_names == ("kea",)
    assert source.test.class_names == ("auk", "jay", "wren")


def test_parts_that_share_their_classes_are_asked_for(tmp_path):
    rows = [
        {**row, "split": "test" if row["text"].endswith(("0", "3")) else "train"}
        for row in ROWS
    ]
    name = written(tmp_path, jsonl(rows))
    source = load(name, split_field="split", disjoint="examples")
    assert len(source.test) == 10 and source.test.num_classes == 5
    assert not set(source.train.x) & set(source.test.x)
    with pytest.raises(ValueError, match=r"line 2: Parts must share no label. .*'owl'"):
        load(name, split_field="split")


POST = (
    "From: ann\nSubject: owls\n\nIn article <5> Bo writes:\n> Do owls sing?\n\n"
    "They hoot.\n| no\nOften.\n\n--\nAnn, of owls\n"
)
ENDS = "They hoot.\n| no\nOften.\n\n--\nAnn, of owls\n"


@pytest.mark.parametrize(
    ("strip", "wanted"),
    [
        (("headers",), "In article <5> Bo writes:\n> Do owls sing?\n\n" + ENDS),
        (("footers",), POST.partition("\n--")[0]),
        (
            ("quotes",),
            "From: ann\nSubject: owls\n\n\nThey hoot.\nOften.\n\n--\nAnn, of owls\n",
        ),
        (("quotes", "headers", "footers"), "\nThey hoot.\nOften.\n"),
    ],
)
def test_posts_are_stripped(tmp_path, strip, wanted):
    rows = [{"text": POST, "label": "owl"}]
    source = load(written(tmp_path, jsonl(rows)), strip=strip, split=(1.0, 0.0, 0.0))
    assert source.train.x.tolist() == [wanted]


def test_texts_that_are_stripped_to_nothing_are_left_out_and_counted(tmp_path):
    rows = [{"text": "From: ann", "label": "auk"}, {"text": POST, "label": "owl"}]
    name = written(tmp_path, jsonl(rows * 2))
    with pytest.warns(UserWarning, match="2 of 4 texts .* without their headers"):
        source = load(name, strip=("headers",), split=(1.0, 0.0, 0.0))
    assert source.train.class_names == ("owl",) and len(source.train) == 2
    with pytest.raises(ValueError, match="leaves nothing of any text"):
        load(written(tmp_path, jsonl(rows[:1])), strip=("headers",))
    with pytest.raises(ValueError, match="some of headers, footers, quotes.*'head'"):
        load(name, strip=("head",))


BAD = {
    "empty text": (
        b'{"text": "a", "label": 1}\n\n{"text": " ", "label": 1}',
        "3: .*an empty text",
    ),
    "no text": (b'{"text": 3, "label": 1}\n', "1: .*'text' must hold a text.*int"),
    "no field": (b'{"txt": "a", "label": 1}\n', r"1: .*field 'text'.*'txt', 'label'"),
    "no label": (b'{"text": "a", "label": null}\n', "1: .*'label' must .*None"),
    "empty label": (b'{"text": "a", "label": ""}\n', "1: .*'label' must .*''"),
    "a fraction": (b'{"text": "a", "label": 0.5}\n', "1: .*whole number.*0.5"),
    "both kinds": (
        b'{"text": "a", "label": 1}\n{"text": "a", "label": "1"}',
        "2: .*texts in all rows, or numbers.*'1', and 1 in line 1",
    ),
    "no JSON": (b'{"text": "a", "label": 1}\n{"text": "b"\n', "2: .*must be a JSON ob"),
    "no object": (b"[1, 2]\n", "1: .*JSON object.*list"),
    "latin1": ('{"text": "é", "label": 1}'.encode("latin1"), r"1: .*UTF-8.*b'\\xe9'"),
    "nothing": (b"\n", "must have a row for each text"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_told_with_its_line(tmp_path, case):
    content, sentence = BAD[case]
    message = sentence if case == "nothing" else f"line {sentence}"
    with pytest.raises(ValueError, match=message):
        load(written(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"text,label\na,b\n\nc\n", "line 4: .*2 fields of the first line.*1 fields"),
        (b"text,label\na,b,c\n", "line 2: .*3 fields"),
        (b'text,label\n"two\nlines",x\n"c"d,e\n', "line 4: .*CSV file"),
        (b"title,label\na,b\n", "line 2: .*field 'text'.*'title'"),
        (b'text,label\n"a\nb",x\n\xff,y\n', "line 4: .*UTF-8"),
    ],
)
def test_wrong_rows_of_csv_are_told_with_their_line(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        load(written(tmp_path, content, "a.csv"))


@pytest.mark.parametrize(
    ("parts", "options", "message"),
    [
        (["train", "dev"], {}, "line 2: .*one of train, val, test.*'dev'"),
        (["val", "test"], {}, "rows of train and another part.*'val', 'test' alone"),
        (["train", "train"], {}, "another part.*'train' alone"),
        (["train", "val"], {"disjoint": "examples"}, "train and test"),
    ],
)
def test_parts_that_cannot_be_are_refused(tmp_path, parts, options, message):
    rows = [{"text": "a", "label": n, "part": part} for n, part in enumerate(parts)]
    with pytest.raises(ValueError, match=message):
        load(written(tmp_path, jsonl(rows)), split_field="part", **options)


def test_files_that_are_not_there_or_broken(tmp_path):
    with pytest.raises(ValueError, match=r"no file '.*none.jsonl'. Give the path of a"):
        load(f"jsonl:{tmp_path}/none.jsonl")
    path = tmp_path / "a.jsonl.gz"
    for content in (b"no gzip", gzip.compress(jsonl(ROWS))[:-20]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="cannot be read.*gzip file"):
            load(f"jsonl:{path}")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"store": "disk"}, "for folder:PATH and npz:PATH"),
        ({"image_size": 8}, "need uint8 images.*dtype object"),
        ({"rotations": True}, "need square images"),
        ({"skip_broken": True}, "skip_broken is for folder: sources"),
        ({"split": "newsgroups"}, "names 'rec.autos', which is none"),
    ],
)
def test_what_texts_do_not_have_is_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        load(written(tmp_path, jsonl(ROWS)), **options)
    with pytest.raises(ValueError, match="strip is for jsonl:, csv: sources"):
        load("glyphs", strip=("headers",))


def test_relative_paths_are_looked_for_in_the_data_folder(tmp_path):
    written(tmp_path, jsonl(ROWS))
    assert (
        load("jsonl:texts.jsonl", data_dir=tmp_path, split=SPLIT).train.num_classes == 2
    )


@pytest.mark.parametrize("kind", [list, np.array, lambda x: np.array(x, object)])
def test_texts_from_python(kind):
    texts = [f"{label} {i}" for label in LABELS for i in range(4)]
    source = tfmeta.data.from_arrays(kind(texts), np.repeat(LABELS, 4), split=SPLIT)
    assert texts_of(source.val) == {f"wren {i}": "wren" for i in range(4)}
    assert source.val.dtype == object


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a", "", "c"], "x must hold no empty text. Received: '' as example number 1"),
        (["a", "b", None], "x must hold texts alone. Received: None as example numb"),
        (["a", 3, "c"], "x must hold texts alone. Received: 3 as example number 1"),
    ],
)
def test_texts_from_python_that_are_none(texts, message):
    with pytest.raises(ValueError, match=message):
        tfmeta.data.from_arrays(texts, [0, 1, 2])


def test_the_published_list_of_newsgroups(real_data):
    source = load(f"jsonl:{real_data}/text/20newsgroups.jsonl.gz", split="newsgroups")
    parts = (source.train, source.val, source.test)
    assert [part.num_classes for part in parts] == [8, 5, 7]
    assert sum(map(len, parts)) == 18_846
    assert {name.partition(".")[0] for name in source.val.class_names} == {"comp"}

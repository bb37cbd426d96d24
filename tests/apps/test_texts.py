"""Texts from a file, by the apps: trained on, scored beside TF-IDF, and served."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
import tensorflow as tf

# The labels of each part; a text says its own label twice among other words.
PARTS = {"train": "abcdef", "val": "ghi", "test": "klmn"}
FIELDS = ["--text_field=post", "--label_field=topic", "--split_field=part"]


def rows() -> list[dict[str, str]]:
    draws = np.random.default_rng(0)
    common = ["and", "is", "the", "we"]
    return [
        {
            "post": f"{' '.join(draws.choice(common, 4))} owl{label} owl{label}",
            "topic": f"topic {label}",
            "part": part,
        }
        for part, labels in PARTS.items()
        for label in labels
        for _ in range(8)
    ]


@pytest.fixture(scope="module")
def posts(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("data") / "posts.jsonl.gz"
    lines = "".join(json.dumps(row) + "\n" for row in rows())
    path.write_bytes(gzip.compress(lines.encode()))
    return f"--dataset=jsonl:{path}"


@pytest.fixture(scope="module")
def trained(start, posts, tmp_path_factory) -> str:
    run = str(tmp_path_factory.mktemp("runs") / "posts")
    flags = [
        *("--learner=protonet", "--net=text_encoder", "--kind=bag", "--width=4"),
        *(posts, *FIELDS, "--vocabulary=64", "--buckets=32", "--prefixes=3"),
        *("--length=8", "--way=3", "--shot=2", "--query=2", "--val_episodes=4"),
        *("--steps=2", "--validate_every=2", f"--run_dir={run}"),
    ]
    ended = start("train", *flags).wait()
    assert (ended.code, ended.err) == (0, ""), ended.err
    assert "6 classes to train on, 3 to validate on, 4 kept for the test" in ended.out
    return run


def test_a_run_is_scored_beside_tf_idf(trained, start):
    asked = [f"--run_dir={trained}", "--way=4", "--shot=1", "--query=3", "--json"]
    ended = start("evaluate", *asked, "--episodes=8", "--baselines").wait()
    assert (ended.code, ended.err) == (0, ""), ended.err
    found = json.loads(ended.out.splitlines()[-1])
    names = {each["learner"] for each in found["baselines"]}
    assert {"TfIdfMeans", "TfIdfLogistic"} <= names
    # Every text says its class in a word that no text of another class has. The words
    # of test are unknown, and told apart by their buckets alone.
    assert found["mean"] > 0.9
    compared = start("compare", *asked, "--episodes=8", "--against=tfidfmeans").wait()
    assert (compared.code, compared.err) == (0, ""), compared.err


def test_a_run_is_served_strings(trained, start, tmp_path):
    out = f"{tmp_path}/out"
    ended = start("export", f"--run_dir={trained}", f"--out={out}").wait()
    assert (ended.code, ended.err) == (0, ""), ended.err
    served = tf.saved_model.load(f"{out}/1").signatures["adapt_and_predict"]
    answer = served(
        support_text=tf.constant(["the owlk", "we owll", "is owlm"]),
        support_y=tf.constant([0, 1, 2]),
        query_text=tf.constant(["owlm and owlm", "owlk"]),
    )
    assert answer["labels"].numpy().tolist() == [2, 0]


def line_of(row: dict[str, str]) -> bytes:
    return json.dumps(row).encode() + b"\n"


GOOD = b"".join(map(line_of, rows()))
REFUSED = {
    "an empty text": (
        GOOD + line_of({"post": " ", "topic": "z", "part": "train"}),
        "line 105: The field 'post' must hold a text",
    ),
    "a label in two parts": (
        GOOD + line_of({"post": "owl", "topic": "topic a", "part": "test"}),
        "line 105: Parts must share no label",
    ),
    "another encoding": (GOOD + "Größe\n".encode("latin-1"), "line 105: "),
    "no such field": (GOOD + b'{"post": "owl", "part": "val"}\n', "line 105: "),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_row_that_cannot_be_read_is_named(case, start, tmp_path):
    content, sentence = REFUSED[case]
    (tmp_path / "posts.jsonl").write_bytes(content)
    flags = [f"--dataset=jsonl:{tmp_path}/posts.jsonl", *FIELDS, "--learner=protonet"]
    ended = start("train", *flags, f"--run_dir={tmp_path}/run").wait()
    assert ended.code == 2 and ended.err.count("\n") == 1, ended.err
    assert sentence in ended.err
    assert not (tmp_path / "run").exists()

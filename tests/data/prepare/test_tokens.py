"""Words become numbers, learned from meta-train alone."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta.data import Split, Tokens, load
from tfmeta.data.prepare.preparation import Preparation
from tfmeta.training.run.kept_preparation import (
    fingerprint,
    load_preparation,
    save_preparation,
)

TEXTS = ["The owl hoots; the OWL.", "An owl", "the tit"]


def learned(**options) -> Tokens:
    layer = Tokens(**options)
    layer.learn([TEXTS[:2], TEXTS[2:]])
    return layer


def test_words_are_numbered_by_how_often_they_are_used():
    """the: 3 uses in 2 texts, owl: 3 in 2, then an, hoots and tit, once each."""
    layer = learned(vocabulary=6, length=4)
    assert layer.words == ("owl", "the", "an", "hoots")
    ids = layer(tf.constant([*TEXTS, "a Tit, THE", "Hoots!", "...", "the_owl"]))
    assert ids.dtype == tf.int32
    assert ids.numpy().tolist() == [
        [3, 2, 5, 3],
        [4, 2, 0, 0],
        [3, 1, 0, 0],
        [1, 1, 3, 0],
        [5, 0, 0, 0],
        [0, 0, 0, 0],
        [1, 0, 0, 0],
    ]


def test_document_frequencies_are_of_whole_texts():
    """Unknown words count as one word, and words beyond the length count too."""
    layer = learned(vocabulary=6, length=1)
    assert int(layer.texts) == 3
    assert np.asarray(layer.counts.value).tolist() == [0, 1, 2, 2, 1, 1]
    once, twice = np.log(4 / 2) + 1, np.log(4 / 3) + 1
    wanted = [0, once, twice, twice, once, once]
    np.testing.assert_allclose(layer.idf, wanted, rtol=1e-6)
    assert learned().idf[10] == pytest.approx(np.log(4) + 1)  # No word has it.


def test_unknown_words_share_the_last_numbers():
    """The same word has the same number always; known words keep theirs."""
    layer = learned(vocabulary=1000, length=4, buckets=900)
    assert layer.words == ("owl", "the", "an", "hoots", "tit")
    ids = layer(tf.constant(["the EMU emu kiwi", "kiwi owl"])).numpy()
    (the, emu, again, kiwi), (other, owl, *rest) = ids
    assert (the, owl, rest) == (3, 2, [0, 0])
    assert emu == again != kiwi == other and min(emu, kiwi) >= 100
    assert layer.idf[emu] == pytest.approx(np.log(4) + 1)  # No text has it.


def test_words_beyond_the_vocabulary_count_in_their_bucket():
    layer = learned(vocabulary=5, length=4, buckets=1)
    assert layer.words == ("owl", "the")
    assert layer(tf.constant([TEXTS[0]])).numpy().tolist() == [[3, 2, 4, 3]]
    assert np.asarray(layer.counts.value).tolist() == [0, 0, 2, 2, 3]


def test_first_letters_are_read_as_words_too():
    """After each word; not those of a word that has no more letters."""
    layer = Tokens(length=2, prefixes=[2, 3])
    layer.learn([["owls owl ox", "ÉTÉS"]])
    assert layer.words == ("ow*", "owl", "owl*", "owls", "ox", "ét*", "été*", "étés")
    known = dict(zip(layer.words, range(2, 10), strict=True))
    assert layer.net_arguments["length"] == layer.width == 6
    ids = layer(tf.constant(["owlet ox owl", "", "étés"])).numpy()
    assert ids[0].tolist() == [1, known["ow*"], known["owl*"], known["ox"], 0, 0]
    assert ids[1].tolist() == [0] * 6
    assert ids[2, :3].tolist() == [known["étés"], known["ét*"], known["été*"]]
    again = Tokens.from_config(layer.get_config())
    assert (again.width, again.prefixes) == (6, (2, 3))


def test_letters_of_all_languages_and_broken_bytes():
    layer = Tokens(length=3)
    layer.learn([["Größe été", "ÉTÉ मीठा"]])
    assert layer.words == ("été", "größe", "मीठा")
    ids = layer(tf.constant(["GRÖSSE GRÖßE", "मीठा"])).numpy()
    assert ids.tolist() == [[1, 3, 0], [4, 0, 0]]
    assert layer(tf.constant([b"\xff\xfe \xc3\xa9t\xc3\xa9"])).numpy()[0].max() == 2
    assert layer(tf.zeros([0], tf.string)).shape == (0, 3)


def test_a_graph_gives_the_same_and_knows_the_shape():
    layer = learned(length=5)
    graph = tf.function(layer).get_concrete_function(tf.TensorSpec([None], tf.string))
    assert graph.structured_outputs.shape.as_list() == [None, 5]
    texts = tf.constant(TEXTS)
    np.testing.assert_array_equal(graph(texts), layer(texts))


def test_config_and_weights_make_it_again(tmp_path):
    layer = learned(vocabulary=7, length=4)
    save_preparation(Preparation(layer), tmp_path / "prepare.keras")
    again = load_preparation(tmp_path / "prepare.keras")
    assert again.layer.get_config() == layer.get_config() and again.layer.learned
    assert again.layer.words == layer.words
    np.testing.assert_array_equal(again.layer.idf, layer.idf)
    np.testing.assert_array_equal(again(tf.constant(TEXTS)), layer(tf.constant(TEXTS)))
    assert fingerprint(again) == fingerprint(Preparation(layer))
    other = Tokens(vocabulary=7, length=4)
    other.learn([TEXTS[:2]])
    assert fingerprint(Preparation(other)) != fingerprint(again)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vocabulary": 2}, "vocabulary must be at least 3. Received: 2"),
        ({"length": 0}, "length must be at least 1. Received: 0"),
        ({"buckets": -1}, "buckets must be at least 0. Received: -1"),
        ({"buckets": 9, "vocabulary": 11}, "vocabulary must be at least 12. Rec"),
        ({"prefixes": [3, 0]}, "each of prefixes must be at least 1. Received: 0"),
    ],
)
def test_sizes_that_are_too_small(options, message):
    with pytest.raises(ValueError, match=message):
        Tokens(**options)


def test_a_layer_without_words_says_so():
    layer = Tokens()
    layer.learn([])
    with pytest.raises(ValueError, match=r"Tokens knows no words yet\. Let it learn"):
        layer(tf.constant(["a"]))
    with pytest.raises(ValueError, match="must have words.* Received: none"):
        layer.learn([["...", "-"]])


def lines(folder, test_word: str) -> str:
    rows = [f"the owl {i} sings,owl,train\n" for i in range(4)]
    rows += [f"a {test_word} {test_word} hops,tit,test\n" for _ in range(9)]
    rows += ["a wren,wren,val\n"]
    path = folder / f"{test_word}.csv"
    path.write_text("text,label,part\n" + "".join(rows))
    return f"csv:{path}"


def test_words_are_those_of_meta_train_alone(tmp_path):
    """Whatever other parts hold, vocabulary and IDF are the same."""
    found = [
        load(lines(tmp_path, word), split_field="part", vocabulary=50, length=6)
        for word in ("tit", "owl")
    ]
    alone = Tokens(vocabulary=50, length=6)
    alone.learn([[f"the owl {i} sings" for i in range(4)]])
    for source in found:
        layer = source.prepare.layer
        assert layer.words == alone.words == ("owl", "sings", "the", *"0123")
        np.testing.assert_array_equal(layer.idf, alone.idf)
        assert source.test.prepare.layer is layer and source.val.prepare.layer is layer
    assert np.log(5 / 5) + 1 == found[0].prepare.layer.idf[2] == 1
    assert source.prepare.inputs == tf.TensorSpec([None], tf.string)
    assert source.prepare.low == source.prepare.high == [None]


def test_the_default_of_texts_from_python():
    texts = [f"{word} sings" for word in ("owl", "tit", "auk") for _ in range(3)]
    y = np.repeat([0, 1, 2], 3)
    source = tfmeta.data.from_arrays(texts, y, split=(0.34, 0.33, 0.33))
    word = texts[3 * int(source.train.class_names[0])].split()[0]
    assert set(source.prepare.layer.words) == {word, "sings"}
    three = tfmeta.data.from_arrays(
        [texts[:3], texts[3:6], texts[6:]], [["a"] * 3, ["b"] * 3, ["c"] * 3]
    )
    assert set(three.prepare.layer.words) == {"owl", "sings"}
    assert three.test.prepare.layer is three.train.prepare.layer
    own = tfmeta.data.from_arrays(texts, y, prepare=keras.layers.Identity())
    assert isinstance(own.prepare.layer, keras.layers.Identity)


def test_a_source_of_parts_learns_too():
    def part(name, word):
        return Split(name, [word] * 2, np.int32([0, 0]), (word,), prepare=layer)

    layer = Tokens(length=2)
    parts = {"train": "owl", "val": "tit", "test": "auk"}
    tfmeta.data.Source("toy", **{name: part(name, w) for name, w in parts.items()})
    assert layer.words == ("owl",)
    assert Preparation(keras.layers.Identity()).net_arguments == {}
    told = Preparation(layer).net_arguments
    assert (told["vocabulary"], told["length"], told["idf"].shape) == (
        20000,
        2,
        (20000,),
    )

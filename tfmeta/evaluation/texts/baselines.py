"""The baselines of texts, with the preparation that they share."""

from __future__ import annotations

from dataclasses import dataclass

from tfmeta.data import Part
from tfmeta.data.prepare.preparation import Preparation
from tfmeta.data.prepare.tf_idf import TfIdf
from tfmeta.evaluation.texts.tf_idf_logistic import TfIdfLogistic, is_there
from tfmeta.evaluation.texts.tf_idf_means import TfIdfMeans
from tfmeta.learners import Learner

VOCABULARY, BUCKETS, LENGTH = 300_000, 100_000, 1_000
TEXT_BASELINES = (TfIdfMeans, TfIdfLogistic)


@dataclass(frozen=True)
class PreparedLearner:
    """A learner that brings its own preparation to an evaluation, as a model does.

    Attributes:
        learner: The learner.
        prepare: How raw examples become what the learner takes.
    """

    learner: Learner
    prepare: Preparation


def text_baselines(train: Part) -> list[PreparedLearner]:
    """The baselines of texts: they weigh words, and are not meta-trained.

    They read the first 1,000 words of a text. The document frequencies are those of
    meta-train alone; words that are not in meta-train count as words of no text, in
    100,000 buckets.

    Args:
        train: The part for meta-training, whose examples are texts.

    Returns:
        `TfIdfMeans`; and `TfIdfLogistic`, if scikit-learn is installed.
    """
    prepare = Preparation(TfIdf(vocabulary=VOCABULARY, length=LENGTH, buckets=BUCKETS))
    prepare.learn(train.chunks())
    return [
        PreparedLearner(kind(vocabulary=VOCABULARY), prepare)
        for kind in TEXT_BASELINES
        if kind is not TfIdfLogistic or is_there()
    ]

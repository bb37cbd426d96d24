"""A small run that trains in seconds, for the tests of the trainer."""

from __future__ import annotations

import os
import signal

import keras
import numpy as np

from tfmeta import MetaModel
from tfmeta.data import from_arrays
from tfmeta.learners import ProtoNet
from tfmeta.nets import conv4, fresh
from tfmeta.training import RunFolder, Stream, Trainer

DRAWS = np.random.default_rng(0)
X = DRAWS.normal(size=(20, 1, 16)) + DRAWS.normal(0, 0.5, (20, 6, 16))
SOURCE = from_arrays(
    X.reshape(-1, 4, 4, 1).astype(np.float32),
    np.repeat(np.arange(20), 6),
    split=(0.5, 0.3, 0.2),
)


def protonet() -> ProtoNet:
    """With dropout, whose draws must go on too, and moving statistics."""
    conv = conv4(filters=3, strided=True, input_shape=(4, 4, 1))
    net = keras.Sequential([conv, keras.layers.Dropout(0.3, seed=1)])
    net.build((None, 4, 4, 1))
    return ProtoNet(fresh(net, seed=1), normalisation="running")


def trainer(
    folder, *, learner=None, rate=0.05, optimizer=None, way=3, **options
) -> Trainer:
    model = MetaModel(learner or protonet(), task_map="loop")
    model.compile(optimizer or keras.optimizers.Adam(rate))
    return Trainer(
        model,
        SOURCE,
        folder and RunFolder(folder),
        **{
            "train": Stream(way, 1, 2, 2),
            "validation": Stream(way, 1, 2, 4),
            "steps": 12,
            "seed": 1,  # By which the best validation is not the last.
            "log_every": 3,
            "validate_every": 4,
            "checkpoint_every": 5,
            **options,
        },
    )


class At(keras.callbacks.Callback):
    """Does something after a step."""

    def __init__(self, step, act):
        super().__init__()
        self.left, self.act = [step], act

    def on_train_batch_end(self, batch, logs=None):
        self.left[0] -= 1
        if self.left[0] == 0:
            self.act()


def interrupt(number=signal.SIGTERM):
    os.kill(os.getpid(), number)

"""Meta-learning for Keras models: exact, compiled, and adaptable where it is served.

`tfmeta.data.load` or `tfmeta.data.from_arrays` makes a source, whose parts are `train`,
`val` and `test`. `tfmeta.data.episodes` draws batches of tasks from a part. A learner
such as `tfmeta.learners.ProtoNet` takes a Keras net, and `tfmeta.MetaModel` trains the
learner by `compile` and `fit`. Then `tfmeta.evaluate` scores the model, its method
`adapt` learns a task from plain arrays, and `tfmeta.export.save` writes a SavedModel.

Public names load on first use, so that `import tfmeta` costs next to nothing and
an unused part never loads.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from tfmeta._backend import require_tensorflow_backend

__all__ = [
    "Episode",
    "Examples",
    "Labels",
    "MetaModel",
    "Options",
    "Values",
    "__version__",
    "compare",
    "data",
    "evaluate",
    "evaluation",
    "export",
    "inner",
    "layers",
    "learners",
    "nets",
    "one_thread_a_task",
    "serving",
    "training",
    "zoo",
]

__version__ = "0.7.0"

_HOMES = {
    "Episode": "tfmeta.core.episode",
    "Examples": "tfmeta.core.episode",
    "Labels": "tfmeta.core.targets",
    "MetaModel": "tfmeta.training.meta_model",
    "Options": "tfmeta.core.options",
    "Values": "tfmeta.core.targets",
    "compare": "tfmeta.evaluation",
    "evaluate": "tfmeta.evaluation",
    "one_thread_a_task": "tfmeta.core.task_map",
}

require_tensorflow_backend()


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first asked for (PEP 562)."""
    if name not in __all__:
        module = sys.modules[__name__]  # Python suggests one of its names.
        raise AttributeError(
            f"module 'tfmeta' has no attribute {name!r}", name=name, obj=module
        )
    if name not in _HOMES:
        return importlib.import_module(f"tfmeta.{name}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Lists the public names, whether loaded yet or not."""
    return sorted(__all__)

"""What all else uses: episodes, targets, options, random keys and the task map."""

from tfmeta.core.episode import Batch, Episode, Examples
from tfmeta.core.options import Options
from tfmeta.core.targets import Labels, Targets, Values, as_targets, targets_of
from tfmeta.core.task_map import STRATEGIES, map_tasks, one_thread_a_task, padded

__all__ = [
    "STRATEGIES",
    "Batch",
    "Episode",
    "Examples",
    "Labels",
    "Options",
    "Targets",
    "Values",
    "as_targets",
    "map_tasks",
    "one_thread_a_task",
    "padded",
    "targets_of",
]

"""Floor 0: episodes, functional calls of a Keras net, the task map."""

from tfmeta.core.episode import Episode, Examples
from tfmeta.core.task_map import STRATEGIES, map_tasks, one_thread_a_task, padded

__all__ = [
    "STRATEGIES",
    "Episode",
    "Examples",
    "map_tasks",
    "one_thread_a_task",
    "padded",
]

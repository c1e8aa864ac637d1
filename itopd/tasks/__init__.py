"""The background processes, one module each; ``wiring`` gives them their names, periods and lanes."""

from itopd.tasks.exec_async_task import exec_async_task

__all__ = ["exec_async_task"]

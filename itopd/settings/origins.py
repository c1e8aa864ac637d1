"""Where a value came from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """The place that gave a value; ``str()`` of it is what people read."""

    kind: str
    """``default``, ``file``, ``config-itop.php``, ``environment``, ``argument`` or ``request``."""
    where: str = ""
    """The file, the variable or the argument."""
    line: int = 0
    """1-based line of the file; 0 = none."""

    def __str__(self) -> str:
        if self.kind in {"default", "argument", "request"}:
            return self.kind
        if self.kind == "environment":
            return f"environment {self.where}"
        return f"{self.where}:{self.line}" if self.line else self.where


DEFAULT = Origin("default")
ARGUMENT = Origin("argument")
REQUEST = Origin("request")

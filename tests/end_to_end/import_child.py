"""An import that a signal hits between the second chunk's statements and their commit.

``python -m tests.end_to_end.import_child SIGKILL --config ... import ...``
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from itopd.cli import main
from itopd.writing import Writer


def hit_in_the_second_chunk(number: signal.Signals) -> None:
    """Let the second write of this process be followed by a signal to it."""
    write, calls = Writer.write, []

    def write_and_be_hit(self: Writer, *arguments: Any, **options: Any) -> Any:
        outcomes = write(self, *arguments, **options)
        calls.append(len(outcomes))
        if len(calls) == 2:
            os.kill(os.getpid(), number)
        return outcomes

    Writer.write = write_and_be_hit  # type: ignore[method-assign]


if __name__ == "__main__":
    hit_in_the_second_chunk(signal.Signals[sys.argv[1]])
    main(sys.argv[2:])

"""The log: events with a time, a level, a name and what belongs to them, as lines for people or as JSON.

Every line begins with ``time`` (ISO 8601, UTC), ``level`` and ``event``; what belongs to a run has ``run`` (its id) and
``name``. Passwords never appear: neither those of the settings, nor what is named like one, nor those in URLs.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import structlog
from pydantic import SecretStr

from itopd.heartbeat.seeing.run_log import LOGS
from itopd.settings import Settings
from itopd.settings.files import is_secret_name
from itopd.wiring.log_sink import FileSink, Sink, StreamSink

Event = MutableMapping[str, Any]

_FIRST: Final = ("time", "level", "event", "run", "name")
_STARS: Final = "***"
_URL_PASSWORD: Final = re.compile(r"(://[^\s:/@]*:)[^\s@]+(@)")
_SHORTEST: Final = 4
"""Characters of a secret that is looked for in every text; a shorter one would turn all texts into stars."""
_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_PRIORITIES: Final = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
"""Of syslog; the journal reads them from the beginning of a line, ``sd-daemon(3)``."""


Keep = Callable[[str, str], None]
"""Called with the id of a run and each line of its log."""


def set_up_log(settings: Settings, level: int = logging.INFO, *, to_file: bool = False, keep: Keep = LOGS.add) -> None:
    """Let structlog write events of ``level`` and above, in the shape that the settings ask for.

    Lines that belong to a run go to ``keep``, too: in a child, to the heartbeat that has started it.

    The daemon, ticks and their runs log ``to_file``: to where ``log_file`` says. Every other command logs to standard
    error, where its caller reads along. ``log_level`` wins over ``level``. Raises :class:`SettingsError` for a file
    that cannot be opened.
    """
    sink = _sink(settings) if to_file else StreamSink(sys.stderr)
    shape: list[Any] = [_json if settings.log_format == "json" else _console(sink)]
    if isinstance(sink, StreamSink) and sink.in_journal:
        shape.append(_with_priority)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.format_exc_info,
            _without_secrets(settings),
            _keeping(keep),
            *shape,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS.get(settings.log_level, level)),
        logger_factory=lambda *_arguments: _Logger(sink),
        cache_logger_on_first_use=False,
    )


class _Logger:
    """Hands finished lines to a sink."""

    def __init__(self, sink: Sink) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = sink.write


def _sink(settings: Settings) -> Sink:
    match settings.log_file:
        case "" | "stderr":
            return StreamSink(sys.stderr)
        case "stdout":
            return StreamSink(sys.stdout)
        case path:
            return FileSink(Path(path))


def _json(_logger: object, _method: str, event: Event) -> str:
    first = {key: event.pop(key) for key in _FIRST if key in event}
    return json.dumps({**first, **event}, default=str, ensure_ascii=False)


def _console(sink: Sink) -> Callable[[Any, str, Event], str]:
    render = structlog.dev.ConsoleRenderer(
        colors=isinstance(sink, StreamSink) and sink.is_terminal,
        timestamp_key="time",
        exception_formatter=structlog.dev.plain_traceback,  # the other one shows the values of variables
    )

    in_journal = isinstance(sink, StreamSink) and sink.in_journal

    def line(logger: Any, method: str, event: Event) -> str:  # noqa: ANN401 - structlog's signature
        if in_journal:
            event.pop("time", None)  # the journal has its own
        return str(render(logger, method, event))

    return line


def _keeping(keep: Keep) -> Callable[[Any, str, Event], Event]:
    render = structlog.dev.ConsoleRenderer(
        colors=False,
        pad_event_to=0,
        pad_level=False,
        timestamp_key="time",
        exception_formatter=structlog.dev.plain_traceback,
    )

    def kept(logger: Any, method: str, event: Event) -> Event:  # noqa: ANN401 - structlog's signature
        run_id = event.get("run")
        if run_id:
            line = {key: value for key, value in event.items() if key not in {"run", "name", "kind"}}
            keep(str(run_id), str(render(logger, method, line)))
        return event

    return kept


def _with_priority(_logger: object, method: str, line: str) -> str:
    prefix = f"<{_PRIORITIES.get(method, 6)}>"
    return "\n".join(prefix + part for part in line.split("\n"))


def _without_secrets(settings: Settings) -> Callable[[Any, str, Event], Event]:
    secrets = sorted(_secrets(settings), key=len, reverse=True)
    known = re.compile("|".join(map(re.escape, secrets))) if secrets else None

    def cleaned(value: Any) -> Any:  # noqa: ANN401 - whatever was logged
        match value:
            case str():
                text = _URL_PASSWORD.sub(rf"\1{_STARS}\2", value) if "://" in value else value
                return known.sub(_STARS, text) if known is not None else text
            case Mapping():
                return {str(key): entry(str(key), item) for key, item in value.items()}
            case list() | tuple():
                return [cleaned(item) for item in value]
            case None | bool() | int() | float():
                return value
        return cleaned(str(value))

    def entry(key: str, value: object) -> object:
        return _STARS if is_secret_name(key) and isinstance(value, str) else cleaned(value)

    def clean(_logger: object, _method: str, event: Event) -> Event:
        return {key: entry(key, value) for key, value in event.items()}

    return clean


def _secrets(settings: Settings) -> set[str]:
    """Return every password of the settings, also as URLs spell it."""
    found = set()
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            found.add(value.get_secret_value())
        elif name.endswith("_url") and isinstance(value, str) and "@" in value:
            found.add(unquote(_password(value)))
    return {form for secret in found for form in (secret, quote(secret, safe="")) if len(secret) >= _SHORTEST}


def _password(url: str) -> str:
    try:
        return urlsplit(url).password or ""
    except ValueError:  # nothing of it is a password that could be told from the rest
        return ""

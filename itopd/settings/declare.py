"""How one setting is declared: its default, what it means, its unit, and iTop's spelling of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.fields import FieldInfo

_MARK = "itopd"
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"", "0", "false", "no", "off"})


def read_switch(value: object) -> object:
    """Turn the text of a switch into a ``bool``: 1/true/yes/on, 0/false/no/off or nothing; ``ValueError`` otherwise."""
    if not isinstance(value, str):
        return value
    word = value.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("use 1, true, yes or on, or 0, false, no or off")


def read_json(value: object) -> object:
    """Turn the JSON text of a structured setting into what it says; an empty text is an empty mapping."""
    if not isinstance(value, str):
        return {} if value == [] else value  # PHP's array() is both an empty list and an empty mapping
    if not value.strip():
        return {}
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from None


def read_level(value: object) -> object:
    """Turn the text of a level, or the JSON text of a map channel -> level, into what it says."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        return read_json(value)
    return value


def read_words(value: object) -> object:
    """Turn a JSON list, or words separated by commas, into a tuple."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return read_json(value)
    return tuple(word.strip() for word in value.split(",") if word.strip())


Switch = Annotated[bool, BeforeValidator(read_switch)]
"""A yes or no, written 1/true/yes/on or 0/false/no/off/empty; any other text is refused."""

Level = Annotated[str | dict[str, str], BeforeValidator(read_level)]
"""A log level, or a map channel -> level."""


class RetryRule(BaseModel):
    """How often a failed queued task is tried again (``email.md`` §2)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_retries: int = Field(0, ge=0)
    retry_delay: int = Field(600, ge=0)
    """Seconds."""
    exponential_delay: Switch = False
    """Whether the delay doubles at each attempt."""


class DateFormat(BaseModel):
    """Display formats of one language, in PHP's letters; ``$date`` and ``$time`` stand for the two others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    date: str = "Y-m-d"
    time: str = "H:i:s"
    date_time: str = "$date $time"


RetryRules = Annotated[dict[str, RetryRule], BeforeValidator(read_json)]
DateFormats = Annotated[dict[str, DateFormat], BeforeValidator(read_json)]
Names = Annotated[dict[str, str], BeforeValidator(read_json)]
Words = Annotated[tuple[str, ...], BeforeValidator(read_words)]
"""A list of words: JSON in a file of ours, or separated by commas."""


OptionalPath = Annotated[Path | None, BeforeValidator(lambda value: value or None)]
"""A path, or nothing when the text is empty."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is known about a setting beside its type."""

    field: str
    """Its Python name."""
    itop_name: str | None
    """iTop's spelling, ``module/name`` for a module's; ``None`` for a setting of itopd alone."""
    help: str
    unit: str
    older: bool
    """One of iTop's older entries: no placeholders (``params.md`` §4)."""
    default: Any
    annotation: Any

    @property
    def spellings(self) -> tuple[str, ...]:
        """Return the keys under which files may give it."""
        itop = (self.itop_name.replace("/", "."),) if self.itop_name else ()
        return tuple(dict.fromkeys((self.field, *itop)))


def itop(
    default: Any,  # noqa: ANN401 - a pydantic field: any type, checked against the annotation
    help: str,  # noqa: A002 - the word that readers of a declaration expect
    *,
    name: str | None = None,
    unit: str = "",
    older: bool = False,
    **limits: Any,  # noqa: ANN401 - pydantic's ge, le, ...
) -> Any:  # noqa: ANN401 - as pydantic's Field
    """Declare a setting that iTop has too; ``name`` is iTop's spelling where it is no Python name."""
    return _declare(default, help, {"itop_name": name or True, "unit": unit, "older": older}, limits)


def own(default: Any, help: str, *, unit: str = "", **limits: Any) -> Any:  # noqa: ANN401, A002 - as above
    """Declare a setting of itopd alone; an iTop configuration cannot give it."""
    return _declare(default, help, {"itop_name": None, "unit": unit, "older": False}, limits)


def declarations(model: type[BaseModel]) -> Mapping[str, Declaration]:
    """Return the declarations of a model of settings, by Python name."""
    return {name: _declaration(name, info) for name, info in model.model_fields.items()}


def _declare(default: object, text: str, mark: dict[str, Any], limits: dict[str, Any]) -> Any:  # noqa: ANN401
    return Field(default, description=text, json_schema_extra={_MARK: mark}, validate_default=True, **limits)


def _declaration(name: str, info: FieldInfo) -> Declaration:
    extra = info.json_schema_extra
    mark: Any = extra.get(_MARK) if isinstance(extra, dict) else None
    if mark is None:
        raise TypeError(f"setting {name} is not declared with itop() or own()")
    return Declaration(
        field=name,
        itop_name=name if mark["itop_name"] is True else mark["itop_name"],
        help=info.description or "",
        unit=mark["unit"],
        older=mark["older"],
        default=info.get_default(call_default_factory=True),
        annotation=info.annotation,
    )

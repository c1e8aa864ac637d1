"""Arguments of a query: values given under names, and attributes of objects given by reference (``spec/oql.md`` §5)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from itopd.errors import OqlError
from itopd.oql.builder import GREATEST
from itopd.oql.tree import Parameter
from itopd.oql.values import Many, Value, null, number, text

_HALF = re.compile("[\ud800-\udfff]")
"""Half of a surrogate pair: no database stores it; Python makes one of each byte that is no UTF-8."""


@dataclass(frozen=True, slots=True)
class ObjectReference:
    """An object whose attributes a query may use: ``:this->org_id``."""

    cls: str
    id: int


Scalar: TypeAlias = str | int | None
Argument: TypeAlias = Scalar | Sequence[Scalar] | ObjectReference

ReadReference = Callable[[ObjectReference, Parameter], Value]
"""Reads the attribute of a referenced object that a parameter names."""


def account_arguments(user_id: int, contact_id: int) -> dict[str, Argument]:
    """Return the magic arguments of a connected account; ``contact_id`` is 0 when it has no contact."""
    return {
        "current_contact_id": contact_id,
        "current_contact": ObjectReference("Contact", contact_id) if contact_id else None,
        "current_user": ObjectReference("User", user_id),
    }


class Arguments:
    """What stands for each parameter."""

    def __init__(
        self, given: Mapping[str, Argument], read: ReadReference, own: Mapping[str, Argument] = MappingProxyType({})
    ) -> None:
        self._given = {**given, **own}
        self._read = read
        self._known = ", ".join(sorted(given)) or "none"

    def value(self, parameter: Parameter) -> Value | Many:
        """Return the value of a parameter, or the values of a list; raise ``missing_argument`` when it is not given."""
        if parameter.text in self._given:
            return self._convert(parameter, self._given[parameter.text])
        if parameter.attribute is not None and parameter.name in self._given:
            owner = self._given[parameter.name]
            if owner is None:
                return null()
            if isinstance(owner, ObjectReference):
                return self._read(owner, parameter)
        raise OqlError(
            "missing_argument",
            f"the query needs an argument '{parameter.text}' (given: {self._known})",
            word=parameter.text,
            position=parameter.position,
        )

    def scalar(self, parameter: Parameter) -> Value:
        """Return the value of a parameter that stands outside a list."""
        value = self.value(parameter)
        if isinstance(value, Many):
            raise _bad_argument(parameter, "is a list, which only IN (...) takes")
        return value

    def _convert(self, parameter: Parameter, argument: Argument) -> Value | Many:
        match argument:
            case None:
                return null()
            case str():
                if not argument.isascii() and _HALF.search(argument):
                    raise _bad_argument(parameter, "is no text in UTF-8: it holds bytes or half characters of another")
                return text(argument)
            case int():
                return number(max(-GREATEST, min(int(argument), GREATEST)))
            case ObjectReference():
                raise _bad_argument(parameter, f"is an object; write :{parameter.text}->attribute")
            case Sequence():
                items = [self._convert(parameter, item) for item in argument]
                return Many(tuple(item for item in items if isinstance(item, Value)))
            case _:
                raise _bad_argument(parameter, f"is of the type {type(argument).__name__}; give a text, number or list")


def _bad_argument(parameter: Parameter, message: str) -> OqlError:
    return OqlError(
        "bad_argument", f"argument '{parameter.text}' {message}", word=parameter.text, position=parameter.position
    )

"""Parameters of services: declared once in a pydantic model, read from arguments, requests and files.

    class Parameters(BaseModel):
        class_: str = parameter(help="class of the rows", name="class")
        separator: str = parameter(",", help="one character, or the word tab", filter="raw_data")
        simulate: Switch = parameter(False, help="change nothing", filter="raw_data")
        query_arguments: dict[str, str] = parameter_family("arg_", help="values of the query's parameters")

A switch that protects data is declared with ``raw_data``: a text it does not know is then refused under all rules,
and never taken for the default.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import PydanticUndefined

from itopd.errors import SettingsError
from itopd.rules import Rules
from itopd.settings.arguments import parse_arguments
from itopd.settings.files import ParameterFile
from itopd.settings.filters import FilterName, Refused, Value, apply_filter, loses_characters
from itopd.settings.origins import ARGUMENT, DEFAULT, REQUEST, Origin

Edge = Literal["cli", "http", "file"]
"""Where parameters come in."""

EVERYWHERE: frozenset[Edge] = frozenset({"cli", "http", "file"})
PARAM_FILE = "param_file"
"""Names the parameters files; whoever resolves has read them already."""

_MARK = "itopd"
Instance = TypeVar("Instance", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One declared parameter, or a family of them that share a prefix."""

    field: str
    """Its Python name."""
    name: str
    """iTop's name, what callers write; of a family the prefix."""
    default: Any = None
    help: str = ""
    filter: FilterName = "parameter"
    where: frozenset[Edge] = EVERYWHERE
    mandatory: bool = False
    secret: bool = False
    """Whether its value must never be shown."""
    family: bool = False
    multiline: bool = False
    """Whether an argument may hold line feeds: where iTop overlooks such a value, itopd takes it."""
    aliases: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Return all names under which it may be given."""
        return (self.name, *self.aliases)


@dataclass(frozen=True, slots=True)
class Given:
    """What a caller gave, before anything was checked."""

    values: Mapping[str, Value]
    """Of the command line or the request."""
    edge: Edge
    files: ParameterFile = field(default_factory=ParameterFile)


@dataclass(frozen=True, slots=True)
class Resolved(Generic[Instance]):
    """The parameters of one call."""

    values: Instance
    origins: Mapping[str, Origin]
    """By iTop's name."""
    warnings: tuple[str, ...]


def parameter(
    default: Any = ...,  # noqa: ANN401 - as pydantic's Field: checked against the annotation
    *,
    help: str,  # noqa: A002 - the word that readers of a declaration expect
    filter: FilterName = "parameter",  # noqa: A002 - iTop's word
    where: Collection[Edge] = EVERYWHERE,
    secret: bool = False,
    name: str | None = None,
    aliases: Sequence[str] = (),
    multiline: bool = False,
    **limits: Any,  # noqa: ANN401 - pydantic's ge, le, ...
) -> Any:  # noqa: ANN401 - as pydantic's Field
    """Declare a parameter; without ``default`` it is mandatory.

    ``name`` is iTop's name where it is no Python name (``text-qualifier``); ``where`` says at which edges it may be
    given; ``aliases`` are further names for it; a ``multiline`` one may hold line feeds.
    """
    mark: dict[str, Any] = {
        "filter": filter,
        "where": sorted(where),
        "secret": secret,
        "name": name,
        "aliases": list(aliases),
        "multiline": multiline,
    }
    return Field(default, description=help, json_schema_extra={_MARK: mark}, validate_default=True, **limits)


def parameter_family(
    prefix: str,
    *,
    help: str,  # noqa: A002 - as in parameter()
    filter: FilterName = "raw_data",  # noqa: A002 - as in parameter()
    where: Collection[Edge] = EVERYWHERE,
) -> Any:  # noqa: ANN401 - as pydantic's Field
    """Declare all parameters whose names start with ``prefix``; the field is a mapping name without prefix -> value."""
    mark: dict[str, Any] = {
        "filter": filter,
        "where": sorted(where),
        "secret": False,
        "name": prefix,
        "aliases": [],
        "family": True,
    }
    return Field(default_factory=dict, description=help, json_schema_extra={_MARK: mark})


def declared_parameters(model: type[BaseModel]) -> tuple[Parameter, ...]:
    """Return the parameters that a model declares, in its order; ``TypeError`` for a field made otherwise."""
    return tuple(_declared(name, info) for name, info in model.model_fields.items())


def parameter_keys(*models: type[BaseModel]) -> frozenset[str]:
    """Return all names that the parameters of ``models`` may be given under; a family's is ``prefix*``."""
    return frozenset(
        f"{name}*" if one.family else name
        for model in models
        for one in declared_parameters(model)
        for name in one.names
    )


def is_known(name: str, keys: Collection[str]) -> bool:
    """Return whether ``name`` is one of ``keys``, or belongs to a family among them."""
    return name in keys or name.startswith(tuple(key[:-1] for key in keys if key.endswith("*")))


def resolve_parameters(
    model: type[Instance],
    arguments: Sequence[str] | Mapping[str, Value],
    files: ParameterFile,
    rules: Rules,
    *,
    edge: Edge = "cli",
    other_known: Collection[str] = frozenset(),
    is_class: Callable[[str], bool] = bool,
) -> Resolved[Instance]:
    """Return the parameters of one call: arguments or request beat files, files beat defaults.

    ``arguments`` are ``--name=value`` words of a command line, or a mapping (for HTTP see ``request_values``).
    ``other_known`` are names that mean something to others: settings, credentials, another service's parameters;
    those of a family end in ``*`` (see :func:`parameter_keys`).
    ``is_class`` is asked by the filter ``class``. Raises :class:`SettingsError` naming every problem at once.
    """
    warnings, problems = list(files.warnings), list[str]()
    if not isinstance(arguments, Mapping):
        multiline = {name for one in declared_parameters(model) if one.multiline for name in one.names}
        arguments, overlooked = parse_arguments(arguments, multiline)
        _complain(overlooked, rules, problems, warnings)
    given = Given(arguments, edge, files)
    parameters = declared_parameters(model)
    known = frozenset({PARAM_FILE, *parameter_keys(model), *other_known})
    _complain(_unknown(parameters, given, known), rules, problems, warnings)
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for one in parameters:
        for member in _members(one, given):
            try:
                value, origin = read_parameter(member, given, rules, is_class, warnings)
            except SettingsError as error:
                problems.append(error.message)
                continue
            origins[member.name] = origin
            if origin is not DEFAULT:
                _put(values, one, member, value)
            elif one.mandatory:
                problems.append(f"Missing argument '{one.name}' ({one.help}); give it as {_spelled(one, given)}")
    instance = _instance(model, values, origins, problems)
    return Resolved(instance, origins, tuple(warnings))


def read_parameter(
    one: Parameter, given: Given, rules: Rules, is_class: Callable[[str], bool], warnings: list[str]
) -> tuple[Any, Origin]:
    """Return the filtered value of one parameter and where it came from; the default when nobody gave it.

    A value that the filter refuses raises :class:`SettingsError`, or where the rules say so gives the default and a
    warning. An unknown class raises under all rules.
    """
    found = _find(one, given, rules, warnings)
    if found is None:
        return one.default, DEFAULT
    value, origin = found
    if value == one.default:
        return value, origin
    try:
        filtered = apply_filter(one.filter, value, is_class)
    except Refused as refused:
        problem = f"{_shown(one, value)} of parameter '{one.name}' ({origin}) is refused: {refused}"
        if rules.refused_value == "refuse" or one.filter == "class":
            raise SettingsError(problem) from None
        warnings.append(f"{problem}; the default is used")
        return one.default, DEFAULT
    if filtered != value and loses_characters(one.filter):
        problem = f"{_shown(one, value)} of parameter '{one.name}' ({origin}) is no {one.filter.replace('_', ' ')}"
        if rules.refused_value == "refuse":
            raise SettingsError(f"{problem}: remove what does not belong there")
        warnings.append(f"{problem}; read as '{filtered}'")
    return filtered, origin


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint at the nearest of ``known``, or nothing."""
    near = get_close_matches(word, list(known), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def _find(one: Parameter, given: Given, rules: Rules, warnings: list[str]) -> tuple[Value, Origin] | None:
    for name in one.names:
        if name in given.values:
            if given.edge in one.where:
                return given.values[name], REQUEST if given.edge == "http" else ARGUMENT
            problem = f"parameter '{name}' cannot be given {_PLACE[given.edge]}"
            if rules.unknown_parameter == "refuse":
                raise SettingsError(f"{problem}; give it {_places(one.where)}")
            warnings.append(f"{problem}; ignored")
    if "file" in one.where:
        for name in one.names:
            if name in given.files.values:
                return given.files.values[name], given.files.sources[name]
    return None


def _members(one: Parameter, given: Given) -> Sequence[Parameter]:
    """Return the parameter itself, or of a family one parameter for each name that was given."""
    if not one.family:
        return (one,)
    names = dict.fromkeys((*given.files.values, *given.values))
    return [
        Parameter(one.field, name, filter=one.filter, where=one.where, help=one.help)
        for name in names
        if name.startswith(one.name)
    ]


def _put(values: dict[str, Any], one: Parameter, member: Parameter, value: object) -> None:
    if one.family:
        values.setdefault(one.field, {})[member.name.removeprefix(one.name)] = value
    else:
        values[one.field] = value


def _unknown(parameters: Sequence[Parameter], given: Given, known: frozenset[str]) -> list[str]:
    names = [name for one in parameters if not one.family for name in one.names]
    places = {name: given.files.sources[name] for name in given.files.values} | dict.fromkeys(
        given.values, REQUEST if given.edge == "http" else ARGUMENT
    )
    return [
        f"unknown parameter '{name}' ({origin}){nearest(name, names)}"
        for name, origin in places.items()
        if not is_known(name, known)
    ]


def _complain(found: Sequence[str], rules: Rules, problems: list[str], warnings: list[str]) -> None:
    if rules.unknown_parameter == "refuse":
        problems += found
    else:
        warnings += [f"{problem}; ignored" for problem in found]


def _instance(
    model: type[Instance], values: dict[str, Any], origins: Mapping[str, Origin], problems: list[str]
) -> Instance:
    """Check types and limits; raise one error for these and the problems found before."""
    names = {one.field: one for one in declared_parameters(model)}
    try:
        instance = model.model_validate(values)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            one = names.get(str(detail["loc"][0])) if detail["loc"] else None
            if one is None:
                problems.append(_sentence(detail["msg"]))
            elif detail["type"] != "missing":  # told above, with what to do
                value = _shown(one, detail["input"])
                problems.append(
                    f"{value} of parameter '{one.name}' ({origins.get(one.name, DEFAULT)}) is refused: "
                    f"{_sentence(detail['msg'])}"
                )
        raise SettingsError("\n".join(problems)) from None
    if problems:
        raise SettingsError("\n".join(problems))
    return instance


def _sentence(message: str) -> str:
    return message.removeprefix("Value error, ")


def _shown(one: Parameter, value: object) -> str:
    return "the value" if one.secret else f"value {value!r}"


def _spelled(one: Parameter, given: Given) -> str:
    direct = f"--{one.name}=..." if given.edge == "cli" else f"a field '{one.name}' of the request"
    ways = [direct] if given.edge in {"cli", "http"} and given.edge in one.where else []
    if "file" in one.where:
        ways.append(f"'{one.name} = ...' in a parameters file")
    return ", or as ".join(ways)


_PLACE: dict[Edge, str] = {
    "cli": "on the command line",
    "http": "in a request",
    "file": "in a parameters file",
}


def _places(where: frozenset[Edge]) -> str:
    return " or ".join(text for edge, text in _PLACE.items() if edge in where)


def _declared(field_name: str, info: Any) -> Parameter:  # noqa: ANN401 - pydantic's FieldInfo with its loose extras
    mark = info.json_schema_extra.get(_MARK) if isinstance(info.json_schema_extra, dict) else None
    if mark is None:
        raise TypeError(f"parameter {field_name} is not declared with parameter() or parameter_family()")
    default = info.get_default(call_default_factory=True)
    return Parameter(
        field=field_name,
        name=mark["name"] or field_name,
        default=None if default is PydanticUndefined else default,
        help=info.description or "",
        filter=mark["filter"],
        where=frozenset(mark["where"]),
        mandatory=info.is_required(),
        secret=mark["secret"],
        family=mark.get("family", False),
        multiline=mark.get("multiline", False),
        aliases=tuple(mark["aliases"]),
    )

"""Parameters of services: declared once, given by arguments, requests and files."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from itopd.errors import SettingsError
from itopd.rules import ITOP, ITOPD, Rules
from itopd.settings import (
    Parameter,
    ParameterFile,
    Resolved,
    Switch,
    declared_parameters,
    parameter,
    parameter_family,
    parameter_keys,
    parse_arguments,
    parse_parameters,
    request_values,
    resolve_parameters,
)
from itopd.settings.parameters import Edge

BOTH = pytest.mark.parametrize("rules", [ITOP, ITOPD], ids=["itop", "itopd"])


class Sample(BaseModel):
    """Parameters with everything that a declaration can say."""

    class_: str = parameter(help="class of the rows", name="class", filter="class")
    text_qualifier: str = parameter('"', help="quote", filter="raw_data", name="text-qualifier", aliases=("qualifier",))
    charset: str = parameter("UTF-8", help="character set")
    limit: int = parameter(10, help="rows", filter="integer", ge=1)
    simulate: Switch = parameter(False, help="change nothing", filter="raw_data")
    password: str = parameter("", help="a secret", filter="raw_data", secret=True)
    csvdata: str = parameter("", help="the rows", filter="raw_data", where={"http"})
    query_arguments: dict[str, str] = parameter_family("arg_", help="values of the query")


def resolve(
    *arguments: str, files: str = "", rules: Rules = ITOPD, known: frozenset[str] = frozenset()
) -> Resolved[Sample]:
    return resolve_parameters(
        Sample, arguments, read(files), rules, other_known=known, is_class={"Person"}.__contains__
    )


def read(text: str) -> ParameterFile:
    return parse_parameters(text.encode(), "a.params", ITOPD)


def test_an_argument_beats_a_file_which_beats_the_default_and_each_tells_its_origin() -> None:
    resolved = resolve("--class=Person", "--limit=3", files="limit = 5\ncharset = latin1\n")
    assert (resolved.values.limit, resolved.values.charset, resolved.values.text_qualifier) == (3, "latin1", '"')
    assert {name: str(origin) for name, origin in resolved.origins.items()} == {
        "class": "argument",
        "limit": "argument",
        "charset": "a.params:2",
        "text-qualifier": "default",
        "simulate": "default",
        "password": "default",
        "csvdata": "default",
    }


@BOTH
def test_an_empty_value_counts_as_given(rules: Rules) -> None:
    assert (
        resolve("--class=Person", "--text-qualifier=", files="text-qualifier = x", rules=rules).values.text_qualifier
        == ""
    )
    assert resolve("--class=Person", files="text-qualifier =", rules=rules).values.text_qualifier == ""


def test_the_last_argument_of_a_name_wins_and_its_value_stays_as_it_arrives() -> None:
    values, problems = parse_arguments(["--a=1", "--", '--a= x=y # "z" ', "--A=2"])
    assert values == {"a": ' x=y # "z" ', "A": "2"}
    assert not problems


def test_an_alias_gives_the_same_parameter() -> None:
    assert resolve("--class=Person", "--qualifier='").values.text_qualifier == "'"


def test_a_family_collects_all_its_names() -> None:
    resolved = resolve("--class=Person", "--arg_name=a b/c", files="arg_org_id = 3\narg_name = weaker\n")
    assert resolved.values.query_arguments == {"org_id": "3", "name": "a b/c"}
    assert str(resolved.origins["arg_org_id"]) == "a.params:1"


@pytest.mark.parametrize("argument", ["--verbose", "-class=Person", "class=Person", "--charset=a\nb", "word"])
def test_what_itop_overlooks_on_the_command_line_is_an_error_or_a_warning(argument: str) -> None:
    with pytest.raises(SettingsError, match="write"):
        resolve("--class=Person", argument)
    resolved = resolve("--class=Person", argument, rules=ITOP)
    assert resolved.values.charset == "UTF-8"
    assert resolved.warnings[0].endswith("; ignored")


def test_the_value_of_a_misspelt_argument_is_never_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        resolve("--class=Person", "-auth_pwd=s3cret")
    assert "s3cret" not in caught.value.message


def test_an_unknown_parameter_is_named_with_its_place_and_the_nearest_one() -> None:
    with pytest.raises(SettingsError) as caught:
        resolve("--class=Person", "--charst=x", files="\nclas = Person\n")
    assert caught.value.message.splitlines() == [
        "unknown parameter 'clas' (a.params:2); did you mean 'class'?",
        "unknown parameter 'charst' (argument); did you mean 'charset'?",
    ]
    assert len(resolve("--class=Person", "--charst=x", files="clas = Person", rules=ITOP).warnings) == 2


def test_what_means_something_to_others_is_not_unknown() -> None:
    resolved = resolve("--class=Person", "--param_file=a", files="auth_user = x", known=frozenset({"auth_user"}))
    assert not resolved.warnings


def test_a_family_of_another_service_is_not_unknown() -> None:
    class Other(BaseModel):
        """Parameters of somebody else."""

        name: str = parameter("", help="", aliases=("called",))
        more: dict[str, str] = parameter_family("env_", help="")

    known = parameter_keys(Other)
    assert known == {"name", "called", "env_*"}
    assert not resolve("--class=Person", "--env_x=1", "--called=y", known=known).warnings
    with pytest.raises(SettingsError, match="unknown parameter 'enw_x'"):
        resolve("--class=Person", "--enw_x=1", known=known)


@BOTH
def test_a_mandatory_parameter_that_is_missing_is_named_with_its_meaning(rules: Rules) -> None:
    with pytest.raises(
        SettingsError, match=r"Missing argument 'class' \(class of the rows\); give it as --class=\.\.\."
    ):
        resolve(rules=rules)


def test_a_refused_value_is_an_error_or_the_default_with_a_warning() -> None:
    with pytest.raises(SettingsError, match=r"'a/b' of parameter 'charset' \(argument\) is refused: use letters"):
        resolve("--class=Person", "--charset=a/b")
    resolved = resolve("--class=Person", "--charset=a/b", rules=ITOP)
    assert resolved.values.charset == "UTF-8"
    assert str(resolved.origins["charset"]) == "default"
    assert "the default is used" in resolved.warnings[0]


def test_a_value_equal_to_the_default_passes_every_filter() -> None:
    class Odd(BaseModel):
        """A default that its own filter refuses."""

        mode: str = parameter("a/b", help="")

    assert resolve_parameters(Odd, ["--mode=a/b"], ParameterFile(), ITOPD).values.mode == "a/b"


def test_a_number_is_not_made_of_what_is_none() -> None:
    with pytest.raises(SettingsError, match=r"'1\.5' of parameter 'limit' \(argument\) is no integer"):
        resolve("--class=Person", "--limit=1.5")
    resolved = resolve("--class=Person", "--limit=1.5", rules=ITOP)
    assert resolved.values.limit == 15
    assert "read as '15'" in resolved.warnings[0]


@BOTH
def test_an_unknown_class_is_an_error_under_all_rules(rules: Rules) -> None:
    with pytest.raises(SettingsError, match="Unknown class 'Persn'"):
        resolve("--class=Persn", rules=rules)


@BOTH
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", True),
        ("true", True),
        ("YES", True),
        ("on", True),
        ("0", False),
        ("false", False),
        ("no", False),
        ("off", False),
        ("", False),
    ],
)
def test_a_switch_knows_its_words(text: str, value: bool, rules: Rules) -> None:
    assert resolve("--class=Person", f"--simulate={text}", rules=rules).values.simulate is value


@BOTH
@pytest.mark.parametrize("text", ["maybe", "2", "1.0", "y"])
def test_a_switch_refuses_other_words_and_never_takes_them_for_the_default(text: str, rules: Rules) -> None:
    with pytest.raises(SettingsError, match="parameter 'simulate'"):
        resolve("--class=Person", f"--simulate={text}", rules=rules)


def test_all_problems_are_told_at_once_and_secrets_never() -> None:
    with pytest.raises(SettingsError) as caught:
        resolve("--limit=0", "--simulate=x", "--nope=1", "--password=s3cret")
    assert len(caught.value.message.splitlines()) == 4
    assert "s3cret" not in caught.value.message


def test_a_parameter_that_may_not_come_from_here_is_refused_or_ignored() -> None:
    with pytest.raises(SettingsError, match="'csvdata' cannot be given on the command line; give it in a request"):
        resolve("--class=Person", "--csvdata=x")
    resolved = resolve("--class=Person", "--csvdata=x", files="csvdata = y", rules=ITOP)
    assert resolved.values.csvdata == ""


def test_a_request_gives_lists_and_its_body_beats_its_query() -> None:
    assert request_values([("a[]", "x"), ("a[]", "y"), ("b", "1")], [("b", "2"), ("c", "3")]) == {
        "a": ["x", "y"],
        "b": "2",
        "c": "3",
    }


@pytest.mark.parametrize(("edge", "origin"), [("http", "request"), ("cli", "argument")])
def test_a_mapping_of_values_resolves_like_arguments(edge: Edge, origin: str) -> None:
    given = {"class": "Person", "csvdata": "a"} if edge == "http" else {"class": "Person"}
    resolved = resolve_parameters(Sample, given, ParameterFile(), ITOPD, edge=edge, is_class=bool)
    assert str(resolved.origins["class"]) == origin


def test_a_list_for_a_plain_parameter_is_refused() -> None:
    with pytest.raises(SettingsError, match="parameter 'charset'"):
        resolve_parameters(Sample, {"class": "P", "charset": ["a", "b"]}, ParameterFile(), ITOPD, edge="http")


def test_the_declarations_of_a_model_can_be_listed_for_help_and_options() -> None:
    first = declared_parameters(Sample)[0]
    assert first == Parameter("class_", "class", None, "class of the rows", "class", mandatory=True)
    assert [one.name for one in declared_parameters(Sample) if one.secret] == ["password"]
    assert [one.name for one in declared_parameters(Sample) if one.family] == ["arg_"]


def test_a_field_made_otherwise_is_a_mistake_of_the_programmer() -> None:
    class Wrong(BaseModel):
        """A field without declaration."""

        name: str = ""

    with pytest.raises(TypeError, match="parameter name is not declared"):
        declared_parameters(Wrong)


def test_the_model_can_still_say_its_json_schema() -> None:
    assert set(Sample.model_json_schema()["properties"]) >= {"class_", "limit"}

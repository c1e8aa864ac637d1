import itertools
import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopd.errors import OqlError
from itopd.oql.limits import MAX_BYTES, MAX_DEPTH, MAX_MEMBERS, MAX_PARENTHESES
from itopd.oql.parser import parse, parse_condition
from itopd.oql.text import RESERVED, condition_to_text, to_text
from itopd.oql.tree import (
    Binary,
    Expression,
    Field,
    Function,
    In,
    InQuery,
    Interval,
    Join,
    Logical,
    Matches,
    Name,
    Null,
    Number,
    Parameter,
    Query,
    Text,
    Union,
)


def meaning(condition: str) -> str:
    return condition_to_text(parse_condition(condition)).replace("`", "")


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("id = 1 + 1", "((id = 1) + 1)"),
        ("id = 3 - 1", "((id = 3) - 1)"),
        ("id + 1 = 3", "((id + 1) = 3)"),
        ("id - 1 IN (1)", "(id - (1 IN (1)))"),
        ("id < 6 AND id & 1", "(((id < 6) AND id) & 1)"),
        ("id = 1 | 2", "((id = 1) | 2)"),
        ("5 ^ 4 = 1", "(5 ^ (4 = 1))"),
        ("2 < id < 4", "((2 < id) < 4)"),
        ("id * 2 = 6 / 3", "((id * 2) = (6 / 3))"),
        ("a OR b AND c OR d", "((a OR (b AND c)) OR d)"),
        ("(a OR b) OR c", "((a OR b) OR c)"),
        ("a OR (b OR c)", "(a OR (b OR c))"),
        ("a OR b | c OR d", "(((a OR b) | c) OR d)"),
        ("a AND (b AND c) AND d", "((a AND (b AND c)) AND d)"),
        ("1 << 2 * 3", "((1 << 2) * 3)"),
        ("2 -1", "(2 - 1)"),
        ("2 - - 1", "(2 - -1)"),
        ("a NOT IN (1, - 2)", "(a NOT IN (1, -2))"),
        ("x IN (1) IN (2)", "((x IN (1)) IN (2))"),
        ("a LIKE 'x' NOT LIKE 'y'", "((a LIKE 'x') NOT LIKE 'y')"),
        ("DATE_ADD(d, INTERVAL 1+1 DAY)", "DATE_ADD(d, INTERVAL (1 + 1) DAY)"),
        ("(id=2)OR(id=3AND name='x')", "((id = 2) OR ((id = 3) AND (name = 'x')))"),
    ],
)
def test_operators_bind_as_in_itop(written: str, means: str) -> None:
    assert meaning(written) == means


@pytest.mark.parametrize("word", ["ORDERS", "DATES", "INTERNAL", "select", "NOT", "TRUE", "IS", "`IF`", "`two words`"])
def test_the_longest_token_wins_so_these_are_names(word: str) -> None:
    assert parse_condition(f"{word} = 1") == Binary("=", Field(None, Name(word.strip("`"))), Number(1))


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("'O\\'Brien, \"Jr\"'", 'O\'Brien, "Jr"'),
        ('"O\'Brien, \\"Jr\\""', 'O\'Brien, "Jr"'),
        ('"100\\\\%%"', "100\\%%"),
        ("''", ""),
        ("'a\nb'", "a\nb"),
        ("'é日本'", "é日本"),
    ],
)
def test_texts_keep_what_they_quote(literal: str, value: str) -> None:
    assert parse_condition(literal) == Text(value)


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("0x10", 16),
        ("0xfF", 255),
        ("007", 7),
        ("- 2", -2),
        ("9" * 30, 2**63 - 1),
        ("0x" + "f" * 20, 2**63 - 1),
        ("0" * 9000, 0),
    ],
)
def test_numbers_are_clamped_to_64_bits(literal: str, value: int) -> None:
    assert parse_condition(literal) == Number(value)


def test_parameters_have_no_blanks_inside() -> None:
    assert parse_condition(":this->org_id") == Parameter("this", "org_id")
    with pytest.raises(OqlError) as caught:
        parse_condition(":this ->org_id")
    assert (caught.value.word, caught.value.position) == (">", 7)


def test_the_class_is_the_alias_when_none_is_written() -> None:
    assert parse("SELECT Person") == parse("SELECT Person FROM Person AS `Person` WHERE 1")


@pytest.mark.parametrize(
    ("query", "problem", "word", "position"),
    [
        ('SELECT P WHERE a = "é" AND b ==', "syntax", "=", 31),
        ('SELECT P WHERE a = "a\\nb"', "lexical", '"', 19),
        ("SELECT P WHERE a = 'a\\\"b'", "lexical", "'", 19),
        ("SELECT P WHERE é = 1", "lexical", "é", 15),
        ("SELECT P\u00a0WHERE a = 1", "lexical", "\u00a0", 8),
        ("SELECT P; ", "lexical", ";", 8),
        ("SELECT P WHERE -id = 1", "syntax", "id", 16),
        ("SELECT P WHERE -(1)", "syntax", "(", 16),
        ("SELECT P WHERE id NOT\tIN (1)", "syntax", "NOT", 18),
        ("SELECT P WHERE id IN ()", "syntax", ")", 22),
        ("SELECT P WHERE NOW = 1", "syntax", "=", 19),
        ("name = 1", "not_a_query", "BinaryOqlExpression", 0),
        ("SELECT P WHERE a = '\ud800'", "lexical", "'\\ud800'", 20),
    ],
)
def test_errors_name_the_word_and_its_byte_position(query: str, problem: str, word: str, position: int) -> None:
    with pytest.raises(OqlError) as caught:
        parse(query)
    assert (caught.value.problem, caught.value.word, caught.value.position) == (problem, word, position)


@pytest.mark.parametrize(
    "query", ["", "  ", "SELECT", "SELECT Person WHERE", "SELECT Pérson WHERE"[:7], "SELECT A UNION "]
)
def test_a_query_that_ends_too_early_is_reported_at_its_end(query: str) -> None:
    with pytest.raises(OqlError) as caught:
        parse(query)
    assert (caught.value.problem, caught.value.at_end, caught.value.position) == ("syntax", True, len(query.encode()))


@pytest.mark.parametrize(
    ("condition", "operator"),
    [("id NOT  IN (1)", "NOT IN"), ("id NOT\nLIKE 'x'", "NOT LIKE")],
)
def test_a_broken_two_word_operator_is_named(condition: str, operator: str) -> None:
    with pytest.raises(OqlError, match=f"write {operator} with exactly one space"):
        parse(f"SELECT P WHERE {condition}")


def test_nesting_is_accepted_up_to_the_limit_and_refused_above() -> None:
    assert parse(f"SELECT P WHERE {'(' * MAX_PARENTHESES}1{')' * MAX_PARENTHESES}") == parse("SELECT P")
    for query in (
        f"SELECT P WHERE {'(' * (MAX_PARENTHESES + 1)}1{')' * (MAX_PARENTHESES + 1)}",
        f"SELECT P WHERE 1{' + 1' * (MAX_DEPTH + 1)}",
        f"SELECT P WHERE {'x IN (SELECT P WHERE ' * MAX_DEPTH}1{')' * MAX_DEPTH}",
    ):
        with pytest.raises(OqlError) as caught:
            parse(query)
        assert caught.value.problem == "too_complex"


def test_members_of_a_union_are_accepted_up_to_the_limit_and_refused_above() -> None:
    union = parse("SELECT P" + " UNION SELECT P" * (MAX_MEMBERS - 1))
    assert isinstance(union, Union)
    assert len(union.members) == MAX_MEMBERS
    with pytest.raises(OqlError) as caught:
        parse("SELECT P" + " UNION SELECT Q" * MAX_MEMBERS)
    assert (caught.value.problem, caught.value.word) == ("too_complex", "Q")


def test_long_chains_and_lists_are_not_deep() -> None:
    thousands = range(3_000)
    parse(f"SELECT P WHERE id IN ({', '.join(map(str, thousands))})")
    chain = parse(f"SELECT P WHERE {' OR '.join(f'id = {n}' for n in thousands)}")
    assert isinstance(chain, Query)
    assert isinstance(chain.where, Logical)
    assert len(chain.where.operands) == len(thousands)
    assert parse(to_text(chain)) == chain


# --- printing and parsing again -------------------------------------------------------------------------------------

names = st.one_of(
    st.sampled_from(["id", "name", "org_id", "p", "Person", "x1", "_"]),
    st.sampled_from(sorted(RESERVED)),
    st.text(st.characters(codec="utf-8", exclude_characters="`"), min_size=1, max_size=6),
).map(Name)
fields = st.builds(Field, st.none() | names, names)
plain_names = st.text(string.ascii_letters + "_", min_size=1, max_size=8)
numbers = st.builds(Number, st.integers(-(2**63) + 1, 2**63 - 1), hexadecimal=st.booleans())
parameters = st.builds(Parameter, plain_names, st.none() | plain_names)
literals = st.one_of(st.builds(Text, st.text(st.characters(codec="utf-8"))), numbers, st.just(Null()), parameters)


def logical(operator: str, operands: list[Expression]) -> Expression:
    first, *others = operands
    if isinstance(first, Logical) and first.operator == operator:
        return Logical(operator, (*first.operands, *others))
    return Logical(operator, (first, *others))


OPERATORS = ["+", "-", "*", "/", "<<", "=", "!=", "<", ">=", "LIKE", "NOT LIKE", "REGEXP", "&", "|", "^"]


def larger(smaller: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    operators = st.sampled_from(OPERATORS)
    arguments = smaller | st.builds(Interval, smaller, st.sampled_from(["DAY", "YEAR", "SECOND"]))
    return st.one_of(
        st.builds(Binary, operators, smaller, smaller),
        st.builds(logical, st.sampled_from(["AND", "OR"]), st.lists(smaller, min_size=2, max_size=3)),
        st.builds(In, smaller, st.booleans(), st.lists(smaller, min_size=1, max_size=3).map(tuple)),
        st.builds(InQuery, smaller, st.booleans(), queries(smaller)),
        st.builds(
            Function, st.sampled_from(["IF", "DATE_ADD", "NOW", "YEAR"]), st.lists(arguments, max_size=3).map(tuple)
        ),
    )


def queries(conditions: st.SearchStrategy[Expression]) -> st.SearchStrategy[Query]:
    operators = st.sampled_from(["=", "BELOW", "NOT BELOW STRICT", "ABOVE STRICT"])
    joins = st.lists(st.builds(Join, names, names, fields, operators, fields), max_size=2).map(tuple)
    where = (st.none() | conditions).map(lambda condition: None if condition == Number(1) else condition)
    selected = st.lists(names, min_size=1, max_size=2).map(tuple)
    return st.builds(Query, selected, names, names, joins, where)


conditions = st.recursive(st.one_of(literals, fields, st.builds(Matches, fields, literals)), larger, max_leaves=12)
trees = queries(conditions) | st.builds(Union, st.lists(queries(conditions), min_size=2, max_size=3).map(tuple))


@given(trees)
def test_what_is_printed_parses_to_the_same_tree(tree: Query | Union) -> None:
    assert parse(to_text(tree)) == tree


@given(st.text(max_size=60))
def test_any_text_gives_a_tree_or_a_located_error(text: str) -> None:
    located(text)


def located(text: str) -> Query | Union | None:
    """The tree, or nothing after an error, which must say where."""
    try:
        return parse(text)
    except OqlError as error:
        problem = error
    assert problem.position is not None
    assert 0 <= problem.position <= len(text.encode("utf-8", "surrogatepass"))
    return None


@given(st.binary(max_size=80))
def test_any_bytes_give_a_tree_or_a_located_error(data: bytes) -> None:
    located(f"SELECT P WHERE {data.decode('utf-8', 'surrogateescape')}")
    located(data.decode("latin-1"))


NESTINGS = [
    ("(", ")"),
    ("IF(", ", 1, 2)"),
    ("x IN (", ")"),
    ("x IN (SELECT P WHERE ", ")"),
    ("1 + (", ")"),
    ("NOW(", ""),
]


@pytest.mark.parametrize("depth", [2, 60, 249, 251, 499, 501, 2_000])
def test_any_depth_gives_a_tree_or_is_too_complex(depth: int) -> None:
    for one, other in itertools.product(NESTINGS, repeat=2):
        openings = [(one, other)[level % 2] for level in range(depth)]
        text = "".join(o for o, _ in openings) + "1" + "".join(c for _, c in reversed(openings))
        tree = located(f"SELECT P WHERE {text}")
        assert tree is None or parse(to_text(tree)) == tree


def test_a_text_beyond_the_limit_is_too_complex() -> None:
    with pytest.raises(OqlError) as caught:
        parse("SELECT P WHERE a = '" + "é" * (MAX_BYTES // 2) + "'")
    assert caught.value.problem == "too_complex"
    parse("SELECT P WHERE a = '" + "x" * (MAX_BYTES // 2) + "'")


KEYWORDS = ["SELECT", "FROM", "AS", "WHERE", "JOIN", "ON", "AND", "OR", "LIKE", "IN", "NULL", "BELOW", "UNION", "DAY"]
TWO_WORDS = ["NOT IN", "NOT LIKE", "NOT BELOW STRICT"]
OTHERS = ["INTERVAL", "IF", "NOW", "a", "id", "0x1F", "12", "'x'", '"y"', ":p", ":this->id", "`q`"]
WORDS = [*KEYWORDS, *TWO_WORDS, *OTHERS, *"(()),.=+-"]


@given(st.randoms(use_true_random=False), st.integers(0, 15))
def test_any_run_of_words_gives_a_tree_that_prints_or_a_located_error(source: random.Random, count: int) -> None:
    text = "SELECT P WHERE " + " ".join(source.choice(WORDS) for _ in range(count))
    tree = located(text)
    assert tree is None or parse(to_text(tree)) == tree

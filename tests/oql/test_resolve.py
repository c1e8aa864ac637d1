import pytest

from itopd.datamodel import bundled_model
from itopd.errors import OqlError
from itopd.oql import Selected, parse, resolve, to_text
from itopd.oql.names import nearest


@pytest.mark.parametrize(
    ("query", "problem", "word"),
    [
        ("SELECT Persn", "unknown_class", "Persn"),
        ("SELECT person", "unknown_class", "person"),
        ("SELECT Person JOIN Locaton AS l ON Person.location_id = l.id", "unknown_class", "Locaton"),
        ("SELECT Person WHERE id IN (SELECT Toto)", "unknown_class", "Toto"),
        ("SELECT Person AS p WHERE Person.name = 1", "unknown_alias", "Person"),
        ("SELECT p, x FROM Person AS p", "unknown_alias", "x"),
        ("SELECT Person WHERE nom = 1", "unknown_attribute", "nom"),
        ("SELECT Person WHERE Name = 1", "unknown_attribute", "Name"),
        ("SELECT Contact WHERE first_name = 1", "unknown_attribute", "first_name"),
        ("SELECT UserRequest WHERE tto_timespent = 1", "unknown_attribute", "tto_timespent"),
        ("SELECT Person WHERE picture = 1", "unknown_attribute", "picture"),
        ("SELECT Ticket WHERE obsolescence_flag = 1", "unknown_attribute", "obsolescence_flag"),
        ("SELECT Person AS p JOIN Location AS l ON p.location_id = l.id WHERE name = 1", "ambiguous_attribute", "name"),
        ("SELECT Person WHERE org_id IN (SELECT Organization WHERE name = 1)", "ambiguous_attribute", "name"),
        ("SELECT Person AS p JOIN Location AS p ON p.location_id = p.id", "duplicate_alias", "p"),
        ("SELECT Person JOIN Person ON Person.manager_id = Person.id", "duplicate_alias", "Person"),
        (
            "SELECT Person WHERE id IN (SELECT Team JOIN lnkPersonToTeam AS Person ON Person.team_id = Team.id)",
            "duplicate_alias",
            "Person",
        ),
        ("SELECT Person AS p JOIN lnkPersonToTeam AS l ON p.id = l.person_id", "bad_join", "person_id"),
        ("SELECT Person AS p JOIN Location AS l ON q.location_id = l.id", "bad_join", "q"),
        ("SELECT Person AS p JOIN Location AS l ON p.location_id = q.id", "bad_join", "q"),
        ("SELECT Person AS p JOIN Location AS l ON location_id = l.id", "bad_join", ""),
        ("SELECT Person AS p JOIN Organization AS o ON p.org_name = o.id", "bad_join", "org_name"),
        ("SELECT Person AS p JOIN Organization AS o ON p.id = o.id", "bad_join", "id"),
        ("SELECT Person AS p JOIN Team AS t ON p.location_id = t.id", "bad_join", "location_id"),
        ("SELECT Person AS p JOIN Organization AS o ON p.org_id BELOW o.id", "bad_join", "org_id"),
        (
            "SELECT Person AS p JOIN Location AS l ON p.location_id = l.id JOIN Team AS t ON p.location_id = l.id",
            "bad_join",
            "p",
        ),
        ("SELECT Person UNION SELECT Server", "union_mismatch", "Server"),
        ("SELECT Person WHERE id IN (SELECT Person AS p UNION SELECT Server AS s)", "union_mismatch", "Server"),
        (
            "SELECT p, l FROM Person AS p JOIN Location AS l ON p.location_id = l.id UNION SELECT Person",
            "union_mismatch",
            "Person",
        ),
        ("SELECT Person WHERE ISNULL(name, 1)", "bad_function", "ISNULL"),
        ("SELECT Person WHERE NOW(1)", "bad_function", "NOW"),
        ("SELECT Person WHERE CONCAT()", "bad_function", "CONCAT"),
        ("SELECT Person WHERE DATE_ADD(NOW(), 1)", "bad_function", "DATE_ADD"),
        ("SELECT Person WHERE YEAR(INTERVAL 1 DAY)", "bad_function", "YEAR"),
        ("SELECT Person WHERE DATE_ADD(INTERVAL 1 DAY, NOW())", "bad_function", "DATE_ADD"),
        ("SELECT Person WHERE SUBSTR(name)", "bad_function", "SUBSTR"),
        ("SELECT Person WHERE ELT(1)", "bad_function", "ELT"),
        ("SELECT Person WHERE DATE_ADD(NOW(), INTERVAL nom DAY)", "unknown_attribute", "nom"),
        ("SELECT Person WHERE id IN (1, nom)", "unknown_attribute", "nom"),
        ("SELECT Person UNION SELECT Person WHERE nom = 1", "unknown_attribute", "nom"),
        (
            "SELECT Person WHERE id IN (SELECT p, l FROM Person AS p JOIN Location AS l ON p.location_id = l.id)",
            "bad_nested",
            "l",
        ),
        ("SELECT FAQ WHERE domains MATCHES title", "bad_matches", "title"),
        ("SELECT FAQ WHERE id MATCHES 'x'", "bad_matches", "id"),
        ("SELECT Person WHERE org_id MATCHES 'x'", "bad_matches", "org_id"),
    ],
)
def test_a_wrong_query_is_refused_before_the_database_is_asked(query: str, problem: str, word: str | None) -> None:
    with pytest.raises(OqlError) as caught:
        resolve(parse(query), bundled_model())
    assert (caught.value.problem, caught.value.word) == (problem, word)
    assert caught.value.position is not None
    assert word is None or query[caught.value.position :].startswith(word)


def test_the_first_failure_in_the_order_of_checks_is_reported() -> None:
    with pytest.raises(OqlError) as caught:
        resolve(parse("SELECT x FROM Person WHERE toto = 1 AND ISNULL()"), bundled_model())
    assert caught.value.problem == "unknown_alias"


@pytest.mark.parametrize(
    ("query", "line", "column"),
    [
        ("SELECT Persn", 1, 8),
        ("SELECT Person\nWHERE nam = 1", 2, 7),
        ("SELECT Person WHERE name = 'é' AND nam = 1", 1, 36),
        ("SELECT Person WHERE\r\n\tid IN (SELECT Tam)", 2, 16),
        ("SELECT Person UNION\nSELECT Team AS t WHERE x.id = 1", 2, 24),
        ("SELECT Person AS p\nJOIN Location AS p ON p.location_id = p.id", 2, 18),
        ("SELECT Person WHERE name = 'x\ny' AND YEAR()", 2, 8),
        ("SELECT Person WHERE name\nREGEXP '('", 2, 8),
        ("SELECT Person WHERE name REGEXP '[[.a.]]'", 1, 33),
        ("SELECT Person WHERE name REGEXP '[[:<:]]'", 1, 33),
        ("SELECT Person WHERE name REGEXP '[:alpha:]'", 1, 33),
        ("SELECT Person WHERE name REGEXP '[^][:foo:]]'", 1, 33),
        ("SELECT Person WHERE id = :current_contact->nope", 1, 26),
        ("SELECT Person\nUNION SELECT Rack", 2, 14),
    ],
)
def test_errors_of_names_and_calls_say_line_and_column(query: str, line: int, column: int) -> None:
    with pytest.raises(OqlError) as caught:
        resolve(parse(query), bundled_model())
    assert (caught.value.line, caught.value.column) == (line, column)
    assert f"(position {caught.value.position}: line {line}, column {column})" in caught.value.message


def test_attributes_of_the_account_and_its_contact_are_known_before_the_query_runs() -> None:
    for known in (":current_contact->first_name", ":current_contact->id", ":current_user->login"):
        resolve(parse(f"SELECT Person WHERE name = {known}"), bundled_model())
    with pytest.raises(OqlError) as caught:
        resolve(parse("SELECT Person WHERE name = :current_user->logn"), bundled_model())
    assert (caught.value.problem, caught.value.word) == ("unknown_attribute", "logn")


def test_a_checked_query_is_checked_once() -> None:
    query = "SELECT Person WHERE name = 'once'"
    assert parse(query) is parse(query)
    assert resolve(parse(query), bundled_model()) is resolve(parse(query), bundled_model())


def test_names_are_qualified() -> None:
    query = "SELECT Person JOIN Location AS l ON Person.location_id = l.id WHERE city = 'x' AND first_name IN ('y')"
    assert to_text(resolve(parse(query), bundled_model()).tree) == (
        "SELECT `Person` FROM Person AS `Person` JOIN Location AS `l` ON `Person`.location_id = `l`.id "
        "WHERE ((`l`.`city` = 'x') AND (`Person`.`first_name` IN ('y')))"
    )


def test_inner_aliases_hide_outer_ones_and_outer_ones_are_visible() -> None:
    query = "SELECT Person AS p WHERE id IN (SELECT Team AS t WHERE t.org_id = p.org_id AND manager_id = 0)"
    assert "(`p`.`manager_id` = 0)" in to_text(resolve(parse(query), bundled_model()).tree)
    resolve(parse("SELECT Person WHERE id IN (SELECT Person WHERE name = 'x')"), bundled_model())


def test_a_union_selects_the_lowest_common_ancestor_under_the_first_alias() -> None:
    union = resolve(
        parse("SELECT Server AS a UNION SELECT Rack AS b UNION SELECT ApplicationSolution AS c"), bundled_model()
    )
    assert union.selected == (Selected("a", "FunctionalCI"),)


def test_parameters_are_those_that_the_caller_must_give() -> None:
    query = (
        "SELECT Person WHERE org_id = :this->org_id AND id IN (:l, :l, :current_contact_id) "
        "UNION SELECT Team WHERE id IN (SELECT Team AS t WHERE t.name = :n AND t.id = :current_user->id)"
    )
    assert resolve(parse(query), bundled_model()).parameters == ("this->org_id", "l", "n")


def test_suspicious_queries_get_hints() -> None:
    def hints(query: str) -> list[tuple[str, int]]:
        return [(hint.kind, hint.position) for hint in resolve(parse(query), bundled_model()).hints]

    assert hints("SELECT Person WHERE id = 1 + 1") == [("arithmetic_after_comparison", 27)]
    assert hints("SELECT Person WHERE (id = 1) + 1") == []
    assert hints("SELECT Person WHERE id + 1 = 2") == []
    assert hints("SELECT Server AS s JOIN Location AS l ON s.location_id = l.id") == [("outer_join", 24)]
    assert hints("SELECT Person AS p JOIN Organization AS o ON p.org_id = o.id") == []
    assert hints("SELECT Location AS l JOIN Server AS s ON s.location_id = l.id") == []


def test_the_nearest_name_is_the_last_of_the_closest() -> None:
    assert nearest("Toto", ["Team", "Tower", "Tape"]) == "Tape"
    assert nearest("Toto", ["Server", "Organization"]) is None

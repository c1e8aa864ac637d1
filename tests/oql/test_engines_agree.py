"""SQLite and PostgreSQL must answer as MariaDB does: the same expressions and queries, with the same data."""

from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from itopd.database import Database
from itopd.oql import ColumnPath, Reader, compile_query, parse, resolve
from itopd.oql.compile import _dialect
from itopd.oql.members import MemberCompiler
from itopd.oql.names import usable_names
from itopd.oql.parser import parse_condition
from tests.oql.conftest import Engines

pytestmark = [pytest.mark.mariadb, pytest.mark.postgresql, pytest.mark.shared]

NOW = "2024-05-06 07:08:09"


def worth(database: Database, connection: sa.Connection, condition: str) -> object:
    compiler = MemberCompiler(database, _dialect(database), {}, Reader(), NOW)
    source = compiler.source("Organization", optional=False)
    value: Any = connection.execute(sa.select(compiler._rule(source, parse_condition(condition)).sql)).scalar_one()
    return float(value) if isinstance(value, Decimal | int) else value


ARITHMETIC = """
7/2 ; -7/2 ; 1/0 ; 1/3*3 ; 5 & 3 ; 5 | 3 ; 5 ; 5 ^ 3 ; 1 << 3 ; 1 << 64 ; -1 >> 1 ; "5.5" & 7 ; (5 & 3) - 7 ; 5 - 7
(-5 | 2) > 0 ; (-1 & 3) - 7 ; 9223372036854775807 * 9223372036854775807 * 9223372036854775807 > 9
INET_ATON("255.255.255.255") * INET_ATON("255.255.255.255") * 4 > 9 ; CONCAT(2*3) ; CONCAT(7*3/2) ; "1.5" * 3
NULL + 1 ; ROUND(5/2) ; ROUND(-5/2) ; ROUND(7/3, 2) ; ROUND(1234, -2) ; FLOOR(-5/2) ; FLOOR("3abc") ; "abc" + 1
"3abc" * 2 ; 10 / "2" ; 0x10 + 1 ; 0x41 = 65 ; (1 = 1) + (2 = 2) ; INET_ATON("1.1.1.1") - INET_ATON("2.2.2.2")
"""
LOGIC = """
1 AND "abc" ; 1 AND "1abc" ; 0 OR NULL ; 1 OR NULL ; 0 AND NULL ; IF(NULL, 1, 2) ; IF("abc", 1, 2) ; IF("1abc", 1, 2)
IF(1, "a", 2) ; ISNULL(1/0) ; NULL = NULL ; 1 IN (NULL, 2) ; 1 IN (NULL, 1) ; 1 NOT IN (2, NULL) ; 3 IN (1, "3abc")
NULL IN (1, "a") ; "7" IN (7, "a") ; ISNULL("a\0")
"x" IN ("X", "y") ; COALESCE(NULL, NULL, 3) ; COALESCE(NULL) ; ELT(2, "a", "b") ; ELT(3, "a", "b") ; ELT(NULL, "a")
ELT("2", "a", "b") ; ELT(5/2, "a", "b", "c") ; COALESCE(CURRENT_DATE(), NOW()) ; IF(1, CURRENT_DATE(), NOW())
"""
TEXTS = """
CONCAT(1, "a", 2*3) ; CONCAT(7/2) ; CONCAT(1/3) ; CONCAT("a", NULL) ; CONCAT(ROUND(5/2)) ; CONCAT(0x41)
CONCAT(NOW(), "x") ; SUBSTR("Hello", 2, 3) ; SUBSTR("Hello", -3) ; SUBSTR("Hello", -10) ; SUBSTR("Hello", 0)
SUBSTR("Hello", 2, -1) ; SUBSTR("Hello", 99) ; SUBSTR("héllo日本", 6) ; SUBSTR(12345, 2) ; SUBSTR("Hello", NULL)
TRIM("  x y ") ; TRIM(7) ; TRIM(" a\t") ; "a" = "A" ; "é" = "E" ; "a  " = "a" ; "straße" = "strasse"
"Łukasz" = "Lukasz" ; "" = "   " ; "a" < "B" ; "_x" < "1" ; "" < "a" ; "12" = 12 ; "12abc" = 12 ; "abc" = 0
"a" LIKE "A" ; "é" LIKE "E" ; "a " LIKE "a" ; "" LIKE "" ; "straße" LIKE "strasse" ; "100%" LIKE "100\\\\%"
"a_c" LIKE "a\\\\_c" ; "abc" LIKE "a\\\\_c" ; "abc" LIKE "%B%" ; "a\\\\b" LIKE "a\\\\\\\\b" ; " " LIKE ""
"Łukasz" LIKE "L%" ; "ABC" REGEXP "b" ; "É" REGEXP "é" ; "é" REGEXP "e" ; "ab12" REGEXP "[[:digit:]]+"
"abc" REGEXP "^b" ; "abc" NOT LIKE "%z%" ; INET_ATON("10.1.2.3") ; INET_ATON("10.1") ; INET_ATON("10.1.2")
INET_ATON("256.1.1.1") ; INET_ATON("::1") ; INET_ATON("1") ; INET_ATON("") ; INET_NTOA(167837955) ; INET_NTOA(-1)
INET_NTOA(4294967296) ; INET_NTOA("5")
"""
DATES = """
DATE("2024-02-30") ; DATE("2024-02-29 10:11:12") ; DATE("2024-2-9") ; DATE("20240229") ; DATE("abc")
DATE("24-01-05") ; TIME("2024-02-29 10:11:12") ; YEAR("2024-02-29") ; MONTH("2024-02-29 10:00:00") ; DAY("2024-02-29")
YEAR("bogus") ; TO_DAYS("1970-01-01") ; TO_DAYS("2024-02-29 10:00:00") ; FROM_DAYS(719528) ; CONCAT(FROM_DAYS(365))
CONCAT(FROM_DAYS(3652425))
FROM_DAYS(366) ; FROM_DAYS("739000") ; FROM_DAYS(NULL) ; DATE_ADD("2023-01-31", INTERVAL 1 MONTH)
DATE_ADD("2024-02-29", INTERVAL 1 YEAR) ; DATE_ADD("2023-01-31", INTERVAL -2 MONTH)
DATE_SUB("2023-03-31", INTERVAL 1 MONTH) ; DATE_ADD("bogus", INTERVAL 1 DAY)
DATE_ADD("2023-01-31", INTERVAL 90 MINUTE) ; DATE_ADD("2023-01-31 23:00:00", INTERVAL 2 HOUR)
DATE_ADD("2023-01-31 23:00:00", INTERVAL 1 DAY) ; DATE_ADD("2023-01-31", INTERVAL 5/2 DAY)
DATE_ADD("2023-01-31", INTERVAL "2" DAY) ; DATE_ADD("2023-01-31", INTERVAL -5/2 DAY)
DATE_ADD("9999-12-31", INTERVAL 1 DAY) ; DATE_ADD("2023-01-31", INTERVAL NULL DAY)
DATE_ADD(CURRENT_DATE(), INTERVAL 1 MONTH) ; DATE_ADD(NOW(), INTERVAL 1 SECOND) ; NOW() ; CURRENT_DATE()
DATE(NOW()) = CURRENT_DATE() ; NOW() > "2024-01-01" ; NOW() = "2024-05-06 07:08:09" ; CURRENT_DATE() = "2024-05-06"
CURRENT_DATE() = "2024-05-06 00:00:00" ; CURRENT_DATE() < NOW() ; NOW() = CURRENT_DATE()
CURRENT_DATE() IN ("2024-05-06", "2024-05-07") ; NOW() > 5 ; CURRENT_DATE() = 20240506 ; CURRENT_DATE() <= "bogus"
CURRENT_DATE() != "bogus" ; CURRENT_DATE() = "2024-5-6"
DATE_ADD("1000-01-01", INTERVAL -1 SECOND) ; DATE_ADD("0999-12-31", INTERVAL 1 DAY) ; NOW() > "0999-01-01"
CURRENT_DATE() > "0999-1-1" ; NOW() IN ("0999-01-01", "2024-05-06 07:08:09")
DATE_ADD("2024-01-31", INTERVAL 9223372036854775807 YEAR) ; DATE_SUB(NOW(), INTERVAL 9223372036854775807 MONTH)
DATE_ADD(NOW(), INTERVAL -9223372036854775807 SECOND)
"""


@pytest.mark.parametrize(
    "expressions", [ARITHMETIC, LOGIC, TEXTS, DATES], ids=["arithmetic", "logic", "texts", "dates"]
)
def test_expressions_are_worth_the_same_on_every_engine(engines: Engines, expressions: str) -> None:
    different = {}
    for expression in expressions.strip().replace("\n", " ; ").split(" ; "):
        answers = [worth(*engine, expression) for engine in engines]
        if answers != [answers[0]] * len(engines):
            different[expression] = answers
    assert different == {}


def test_dates_are_formatted_the_same_on_every_engine(engines: Engines) -> None:
    layout = "%Y %y %m %c %M %b %d %e %D %j %H %k %h %I %l %i %S %s %p %r %T %f %W %a %w %U %u %V %v %X %x %% %Q %q"
    days = [
        f"{year}-{day}" for year in range(2000, 2029) for day in ("01-01", "01-03", "02-29", "12-28", "12-31 13:01:02")
    ]
    for day in days:
        first, *others = (worth(*engine, f'DATE_FORMAT("{day}", "{layout}")') for engine in engines)
        assert others == [first] * len(others)


QUERIES = [
    "SELECT Person",
    "SELECT Contact WHERE friendlyname LIKE '%e%' AND org_id_friendlyname > 'c'",
    "SELECT FunctionalCI WHERE obsolescence_flag = 0",
    "SELECT PhysicalDevice WHERE status > 2",
    "SELECT PhysicalDevice WHERE status = 'Próduction ' OR 'STOCK' = status",
    "SELECT PhysicalDevice WHERE status != 'PRODUCTION' AND status != 'unheard of'",
    "SELECT PhysicalDevice WHERE status IN ('Stock', 'unheard of') OR status NOT IN ('Production')",
    "SELECT PhysicalDevice WHERE IF(id > 20, status, status) = 'PRODUCTION'",
    "SELECT PhysicalDevice WHERE status > 'Implementation'",
    "SELECT Server WHERE ISNULL(location_name) OR brand_name < 'i'",
    "SELECT Server WHERE managementip > '10' AND purchase_date <= NOW()",
    "SELECT lnkPersonToTeam WHERE friendlyname > 'H'",
    "SELECT CMDBChangeOp WHERE finalclass = 'CMDBChangeOpCreate' AND date > '2020-01-01'",
    "SELECT User WHERE contactid_friendlyname LIKE '%name%'",
    "SELECT VirtualMachine WHERE virtualhost_id_finalclass_recall IN ('Farm', 'hypervisor')",
    "SELECT Person WHERE CONCAT(first_name, name) REGEXP 'a.*o' AND id NOT IN (3, 5)",
    "SELECT Typology WHERE name IN ('ibm', 'hp', 'Routeur')",
    "SELECT l FROM Server AS s JOIN Location AS l ON s.location_id = l.id",
    "SELECT t FROM Team AS t JOIN lnkPersonToTeam AS l ON l.team_id = t.id JOIN Person AS p ON l.person_id = p.id",
    "SELECT Person WHERE org_id IN (SELECT Organization AS o WHERE o.name > 'd') UNION SELECT Team WHERE name > 'h'",
    "SELECT o FROM Organization AS o JOIN Organization AS r ON o.parent_id NOT BELOW STRICT r.id WHERE r.id < 4",
    "SELECT ResourceAdminMenu",
    "SELECT UserExternal",
    "SELECT TagSetFieldData",
    "SELECT Event",
    "SELECT Document",
]


@pytest.mark.parametrize("query", QUERIES)
def test_queries_give_the_same_rows_in_the_same_order_on_every_engine(engines: Engines, query: str) -> None:
    answers = []
    for database, connection in engines:
        resolved = resolve(parse(query), database.model)
        columns = [ColumnPath(resolved.selected[0].alias, path) for path in ("id", "friendlyname", "finalclass")]
        compiled = compile_query(resolved, database, columns=columns, arguments={}, now=NOW)
        answers.append([tuple(row) for row in connection.execute(compiled.select)])
    assert answers == [answers[0]] * len(engines)


def test_every_attribute_of_every_class_can_be_compared_and_read_on_every_engine(engines: Engines) -> None:
    for database, connection in engines:
        for cls in database.model.values():
            usable = usable_names(cls)
            own = [a for a in cls.attributes.values() if a.origin == cls.name]
            readable = [a.code for a in own if a.is_stored or a.is_external_field]
            watches = [code for code, a in usable.items() if a is not None and a.code != code and a in own]
            for codes in batched(
                list(dict.fromkeys([a.code for a in own if a.code in usable] + watches + readable)), 25
            ):
                condition = " OR ".join(f"(ISNULL({code}) AND {code} = '1')" for code in codes if code in usable)
                resolved = resolve(parse(f"SELECT `{cls.name}` WHERE {condition or 0}"), database.model)
                paths = ["id", *(code for code in codes if code in readable)]
                columns = [ColumnPath(cls.name, path) for path in paths]
                compiled = compile_query(resolved, database, columns=columns, arguments={}, now=NOW, order=False)
                assert connection.execute(compiled.select).all() == []


def batched(codes: list[str], size: int) -> list[list[str]]:
    return [codes[start : start + size] for start in range(0, len(codes), size)]

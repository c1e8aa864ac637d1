"""Random expressions of literals through each operator and function of the language, where all engines must agree.

Left out is what only MariaDB has and the specification does not ask for: parts of seconds, times of texts that are
dates, comparisons with dates known to be invalid, ELT among dates and date-times, which shows them as it finds them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

_TEXTS = (
    "", " ", "a", "A ", "é", "E", "straße", "strasse", "Łukasz", "œ", "oe", "3abc", "007", "7", "1e2", " 12 ", "-5",
    "0", "2.5", "a%", "a\\\\_b", "100%", "日本", "a\tb", "x\ny", "2024-02-30", "10.1.2.3", "10.1", "ŝ", "𝒜", "½",
    "𝒜😀", "a\u200bb", "\xa0", "⼈人", "\ufffd",
)  # fmt: skip
_NUMBERS = ("0", "1", "2", "3", "7", "-1", "-5", "10", "366", "719528", "1000000", "0xff", "4294967296", "NULL")
_COUNTS = ("0", "1", "2", "-1", "-2", "-99", "99", "NULL", "(5/2)")
_DATES = (
    '"2024-01-31"', '"2023-12-31 23:59:59"', '"2024-02-29 10:11:12"', '"20240229"', '"2024-2-9"', '"bogus"', "NULL",
    "NOW()", "CURRENT_DATE()", 'DATE("2024-02-29")', "FROM_DAYS(738000)", "DATE_ADD(NOW(), INTERVAL 1 MONTH)",
)  # fmt: skip
_CONDITIONS = ("(1 = 1)", "(1 = 2)", "(NULL = 1)", "0", "1", '"1abc"', '"abc"', "NULL")
_LIKE = (
    "%", "a%", "%_%", "_", "é", "E", "A_", "%\\\\%", "str%e", "%SS%", "o_", "", "%ŝ%", "_2%", "日_", "a\\\\\\\\_%",
    "%😀", "𝒜%", "a\xadb", "%\u3000%", "人_", "_⼈", "\ufffd",
)  # fmt: skip
_REGEXP = ("^a", "E", "é", "[a-c]", "[^a]", "\\\\d+", "\\\\bstr", "ß", "(a|b)$", ".", "^$", "\\\\w", "[[:digit:]]")
_COMPARISONS = ("=", "!=", "<", ">", "<=", ">=")
_UNITS = ("MINUTE", "HOUR", "DAY", "MONTH", "YEAR")
_LAYOUT = "%Y-%m-%d %H:%i:%s %U %u %V %v %X %x %j %D %b %W %% %q"


def random_value(source: random.Random) -> str:
    """Return the text of an expression."""

    def one(values: Sequence[str]) -> str:
        return source.choice(values)

    def text() -> str:
        return f'"{one(_TEXTS)}"'

    def number() -> str:
        return one(_NUMBERS) if source.random() < 0.8 else f"({one(_NUMBERS)} {one('+-*')} {one(_NUMBERS)})"

    def anything() -> str:
        return one((text(), number(), one(_DATES)))

    shapes: tuple[Callable[[], str], ...] = (
        lambda: f"{text()} {one(_COMPARISONS)} {text()}",
        lambda: f"{text()} IN ({text()}, {text()}, {number()})",
        lambda: f'{text()} {one(("LIKE", "NOT LIKE"))} "{one(_LIKE)}"',
        lambda: f'{text()} LIKE CONCAT("{one(_LIKE)}", "")',
        lambda: f'{text()} REGEXP "{one(_REGEXP)}"',
        lambda: f"{number()} {one(_COMPARISONS)} {number()}",
        lambda: f"{number()} {one(_COMPARISONS)} {text()}",
        lambda: f"{number()} {one(('IN', 'NOT IN'))} ({number()}, {text()}, {number()})",
        lambda: f"{number()} {one('+-*')} {text()}",
        lambda: f"ROUND({number()} / {number()}, 2)",
        lambda: f"({one(_NUMBERS)} {one(('&', '|', '^'))} {one(_NUMBERS)}) > {number()}",
        lambda: f"({one(_NUMBERS)} {one(('<<', '>>'))} {one(_COUNTS)}) > {number()}",
        lambda: f"CONCAT(IF({one(_CONDITIONS)}, {anything()}, {anything()}), '')",
        lambda: f"CONCAT(ELT({one(_COUNTS)}, {anything()}, {text()}), '')",
        lambda: f"CONCAT(COALESCE({one(('NULL', anything()))}, {anything()}), '')",
        lambda: f"ISNULL({anything()})",
        lambda: f"CONCAT({anything()}, {anything()})",
        lambda: f"SUBSTR({anything()}, {one(_COUNTS)}, {one(_COUNTS)})",
        lambda: f"TRIM({anything()})",
        lambda: f"{one(('DATE', 'YEAR', 'MONTH', 'DAY', 'TO_DAYS'))}({one(_DATES)})",
        lambda: f"CONCAT(FROM_DAYS({number()}))",
        lambda: f"{one(('DATE_ADD', 'DATE_SUB'))}({one(_DATES)}, INTERVAL {one(_COUNTS)} {one(_UNITS)})",
        lambda: f'DATE_FORMAT({one(_DATES)}, "{_LAYOUT}")',
        lambda: f"NOW() {one(_COMPARISONS)} {one(_DATES)}",
        lambda: f"ROUND({number()}, {one(('0', '1', '2', '-1', '-2'))})",
        lambda: f"FLOOR({number()} / 2)",
        lambda: f"INET_ATON({text()})",
        lambda: f"INET_NTOA({number()})",
        lambda: f"(({one(_CONDITIONS)}) = 0) + ({one(_CONDITIONS)} {one(('AND', 'OR'))} {anything()})",
    )
    return source.choice(shapes)()

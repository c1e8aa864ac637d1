"""The persons that are imported and exported: a company's directory, the same at each run.

As in life some names are frequent and most are rare: among 10,000 persons there are about 3,600 last names.
"""

from __future__ import annotations

import csv
import random
import unicodedata
from collections.abc import Iterator
from pathlib import Path

HEADER = ("name", "first_name", "email", "phone", "employee_number", "function", "org_id->name")
"""Columns of the file: six texts, and an external key by name."""

ORGANIZATIONS = tuple(
    f"{group} {unit}"
    for group in ("Northwind Grid", "Halden Énergie", "Volta Netz")
    for unit in ("Operations", "Trading", "Research", "Finance", "Legal", "Sales", "Customer Care", "IT")
)

_FIRST_NAMES = (
    "Ada", "Agnès", "Björn", "Camille", "Chloé", "Dmitri", "Élise", "Emma", "Farid", "Giulia", "Grace", "Hanna", "Hiro",
    "Inès", "Jan", "João", "Karim", "Léa", "Liam", "Łukasz", "Maria", "Marie-Claire", "Mehmet", "Nora", "Olga", "Paul",
    "Pilar", "Quentin", "Rosa", "Samuel", "Şule", "Tomáš", "Ulla", "Víctor", "Wanda", "Yasmin", "Zoë",
)  # fmt: skip
_STEMS = (
    "Abar", "Alm", "Berg", "Bouch", "Brand", "Cast", "Chev", "Dahl", "Delm", "Duv", "Erik", "Fab", "Ferr", "Font",
    "Garc", "Gust", "Haug", "Horv", "Ion", "Jens", "Kow", "Kraus", "Lamb", "Lindq", "Mart", "Mor", "Nov", "Ols", "Per",
    "Quir", "Roch", "Sand", "Schm", "Sor", "Tav", "Thom", "Urb", "Vass", "Wald", "Zim",
)  # fmt: skip
_MIDDLES = ("", "", "ar", "el", "er", "in", "ol", "um")
_ENDINGS = (
    "a",
    "and",
    "ard",
    "eau",
    "er",
    "ez",
    "ić",
    "iere",
    "ini",
    "ino",
    "ión",
    "ot",
    "ov",
    "owski",
    "sen",
    "ström",
)
_FUNCTIONS = (
    "Accountant", "Analyst", "Buyer", "Controller", "Dispatcher", "Field engineer", "Grid operator", "Head of unit",
    "Network engineer", "Project manager", "Responsable d'exploitation", "Service desk agent", "System administrator",
)  # fmt: skip


def write_persons(path: Path, count: int) -> None:
    """Write ``count`` persons as CSV; no two have the same address or number, many the same name."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(_persons(count))


def _persons(count: int) -> Iterator[tuple[str, ...]]:
    chance = random.Random(count)
    for number in range(1, count + 1):
        first_name = chance.choice(_FIRST_NAMES)
        if chance.random() < 0.2:
            first_name += f" {chance.choice(_FIRST_NAMES)}"
        stem = _STEMS[int(len(_STEMS) * chance.random() ** 2)]  # the first ones more often
        name = stem + chance.choice(_MIDDLES) + chance.choice(_ENDINGS)
        yield (
            name,
            first_name,
            f"{_ascii(first_name)}.{_ascii(name)}{number}@grid.example",
            f"+33 4 76 {number // 10_000 % 100:02} {number // 100 % 100:02} {number % 100:02}",
            f"E{number:07}",
            chance.choice(_FUNCTIONS),
            chance.choice(ORGANIZATIONS),
        )


def _ascii(text: str) -> str:
    """Return a name as it stands in an address."""
    plain = unicodedata.normalize("NFKD", text.replace("Ł", "L").replace("ł", "l").replace(" ", "-"))
    return plain.encode("ascii", "ignore").decode("ascii").lower()

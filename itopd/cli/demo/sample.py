"""The sample CMDB of the demonstration: CSV files, generated the same at each run."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

FIRST_NAMES = ("Ada", "Björn", "Chloé", "Dmitri", "Élise", "Farid", "Grace", "Hiro", "Inès", "João")
LAST_NAMES = ("Abara", "Brandt", "Castro", "Duval", "Eriksen", "Fontaine", "García", "Horváth", "Ionescu", "Jensen")
CITIES = ("Grenoble", "Wien", "Porto", "Göteborg", "Kraków", "Gent", "Zürich", "Cork")


@dataclass(frozen=True, slots=True)
class Sheet:
    """One CSV file: the class of its rows and the column that finds an object again."""

    cls: str
    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    keys: str = "name"

    def write(self, folder: Path) -> Path:
        """Write the file and return its path."""
        path = folder / f"{self.cls}.csv"
        write_csv(path, self.header, self.rows)
        return path


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write one CSV file in UTF-8."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def cmdb() -> list[Sheet]:
    """Return the sheets in the order in which they can be imported."""
    organizations = ["Northwind Grid", "Grid Operations", "Grid Trading", "Grid Research"]
    places = [f"{city} {kind}" for city in CITIES for kind in ("office", "data centre")]
    racks = [f"{city[:3].upper()}-R{number:02}" for city in CITIES for number in range(1, 5)]
    servers = [f"srv-{number:03}" for number in range(1, 121)]
    switches = [f"sw-{number:02}" for number in range(1, 25)]
    return [
        Sheet("Organization", ["name", "code", "parent_id->name"], [
            (name, name.split()[-1].upper(), organizations[0] if name != organizations[0] else "")
            for name in organizations
        ]),
        Sheet("Location", ["name", "city", "country", "org_id->name"], [
            (place, place.rsplit(" ", 1)[0].split()[0], "EU", organizations[0]) for place in places
        ]),
        Sheet("Brand", ["name"], [("Boreal",), ("Ferrum",), ("Lumen",)]),
        Sheet("OSFamily", ["name"], [("Linux",), ("BSD",)]),
        Sheet("NetworkDeviceType", ["name"], [("Switch",), ("Router",)]),
        Sheet("Model", ["name", "brand_id->name", "type"], [
            ("Boreal 2U", "Boreal", "Server"), ("Ferrum F1", "Ferrum", "Server"),
            ("Lumen 48", "Lumen", "NetworkDevice"),
        ]),
        Sheet("Team", ["name", "email", "org_id->name"], [
            (f"{word} team", f"{word.lower()}@grid.example", "Grid Operations")
            for word in ("Network", "Systems", "Desk")
        ]),
        Sheet("Rack", ["name", "org_id->name", "location_id->name", "nb_u"], [
            (rack, "Grid Operations", f"{CITIES[index // 4]} data centre", 42) for index, rack in enumerate(racks)
        ]),
        Sheet("Server", ["name", "org_id->name", "rack_id->name", "brand_id->name", "osfamily_id->name",
                         "managementip", "cpu", "status", "move2production"], [
            (name, "Grid Operations", racks[index % len(racks)], ("Boreal", "Ferrum")[index % 2], "Linux",
             f"10.0.{index // 250}.{index % 250 + 1}", str(2 ** (index % 4 + 2)),
             "production" if index % 9 else "stock", f"2024-{index % 12 + 1:02}-{index % 28 + 1:02}")
            for index, name in enumerate(servers)
        ]),
        Sheet("NetworkDevice", ["name", "org_id->name", "networkdevicetype_id->name", "brand_id->name"], [
            (name, "Grid Operations", "Switch" if index % 6 else "Router", "Lumen")
            for index, name in enumerate(switches)
        ]),
        Sheet("Hypervisor", ["name", "org_id->name", "server_id->name"], [
            (f"hv-{number:02}", "Grid Operations", servers[number]) for number in range(1, 21)
        ]),
        Sheet("VirtualMachine", ["name", "org_id->name", "virtualhost_id->name", "ram"], [
            (f"vm-{number:03}", "Grid Research" if number % 3 else "Grid Trading", f"hv-{number % 20 + 1:02}",
             str(2 ** (number % 5 + 1)))
            for number in range(1, 201)
        ]),
        Sheet("PC", ["name", "org_id->name", "type", "serialnumber"], [
            (f"pc-{number:03}", "Grid Trading", "laptop" if number % 4 else "desktop", f"PC{number:05}")
            for number in range(1, 101)
        ]),
        Sheet("lnkConnectableCIToNetworkDevice",
              ["networkdevice_id->name", "connectableci_id->name", "network_port", "device_port", "connection_type"], [
            (switches[index % 20], name, f"port{index}", "eth0", "downlink") for index, name in enumerate(servers)
        ] + [
            (switches[20 + index % 4], switches[index], f"up{index}", "up0", "downlink") for index in range(20)
        ], keys="networkdevice_id,connectableci_id,network_port"),
    ]  # fmt: skip


PERSON_HEADER = ("name", "first_name", "email", "phone", "employee_number", "org_id->name", "location_id->name")


def persons(count: int) -> list[list[str]]:
    """Return ``count`` rows of persons, every one right."""
    organizations = ("Grid Operations", "Grid Trading", "Grid Research")
    return [
        [
            f"{LAST_NAMES[number % 10]} {number:04}",
            FIRST_NAMES[number // 10 % 10],
            f"person{number:04}@grid.example",
            f"+33 4 {number // 100:02} {number % 100:02} 00 00",
            f"E{number:05}",
            organizations[number % 3],
            f"{CITIES[number % len(CITIES)]} office",
        ]
        for number in range(count)
    ]


def with_errors(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the rows with three deliberate errors: an address, an organization and a missing cell."""
    wrong = [list(row) for row in rows]
    wrong[411][2] = "person0411 at grid.example"
    wrong[1203][5] = "Grid Operatoins"
    del wrong[1776][-1]
    return wrong

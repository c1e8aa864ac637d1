"""The reference model of ``../shared`` and a loaded model, both as plain facts that can be compared.

``expected()`` and ``found(model)`` give the same shape: kind of fact -> where -> value.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from itopd.attributes import Column, ColumnKind, bind
from itopd.datamodel import NOW, Attribute, Class, Model
from itopd.oql.names import usable_names

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "reference" / "itop-3.2"
DATAMODEL_XML = FOLDER / "datamodel.xml"

Facts = dict[str, dict[str, Any]]

BASES = {
    "AttributeBlob": "_data",
    "AttributeImage": "_data",
    "AttributeStopWatch": "_timespent",
    "AttributeOneWayPassword": "_hash",
}
"""End of the first column of types whose columns all have an ending."""

BORN_EMPTY = {
    "AttributeBlob", "AttributeImage", "AttributeStopWatch", "AttributeCaseLog", "AttributeTagSet",
    "AttributePropertySet", "AttributeTable",
}  # fmt: skip
"""Types whose default in the reference is a placeholder for *empty*."""

TEXT_ENCODING = " CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"

FORMATS = {
    "AttributeText": "text",
    "AttributeLongText": "text",
    "AttributeHTML": "html",
    "AttributeTemplateHTML": "html",
    "AttributeCaseLog": "html",
}
"""Formats of texts that declare none."""

ONLY_OR_NOT = ("only", "excluded")

PATTERN_BY_KIND = {
    "AttributeInteger", "AttributeDuration", "AttributeBoolean", "AttributeDate", "AttributeDateTime",
    "AttributeObsolescenceDate", "AttributeObsolescenceFlag",
}  # fmt: skip
"""Types that check values by themselves: the model keeps no pattern for them."""

DELETE_OPTIONS = {None: "auto", 1: "manual", 2: "auto", 3: "moveup", 4: "none"}


@cache
def load(name: str) -> Any:
    """Return a reference file; without ../shared the test is skipped, on CI it fails."""
    path = FOLDER / name
    if not path.exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{path} is missing")
        pytest.skip(f"needs {path}")
    return json.loads(path.read_text(encoding="utf-8"))


def packed(text: str | None) -> str:
    """Return an OQL text without what does not matter: blanks, backticks and parentheses."""
    return re.sub(r"[`()\s]", "", text or "")


def unquoted(text: str) -> str:
    """Return a definition of a column without quotes: the reference leaves some out."""
    return re.sub(r"[\\']", "", text)


def expected() -> Facts:
    """Return the facts of the reference files."""
    facts: Facts = defaultdict(dict)
    classes, extra, more = load("model.json"), load("model-extra.json"), load("model-more.json")
    parents = {data["parent"] for data in classes.values()}
    for name, data in classes.items():
        about = {
            "parent": data["parent"],
            "root": data["root"],
            "abstract": data["abstract"],
            "table": data["table"] or None,
            "key column": data["key"],
            "key type": data["key_type"],
            "category": packed(data["category"]),
            "final class column": (data["finalclass_field"] if name in parents and data["table"] else None),
            "attribute order": list(data["attributes"]),
            "reconciliation": [code for code in data["reconc_keys"] if code],
            "state attribute": data["state_attcode"] or None,
            "initial state": data.get("default_state"),
            "name attributes": extra[name]["name_attributes"],
            "name format": extra[name]["name_format"],
            "default order": list(dict(extra[name]["order_by_default"]).items()),
            "owner organization": extra[name]["owner_org_attribute"],
            "obsolescence": packed(data["obsolescence"]).removeprefix("COALESCE").removesuffix(",0") or None,
            "php behaviour": set(data["php_overrides"] or {}),
            "uniqueness rules": {
                rule_id: (
                    rule["attributes"],
                    rule["filter"] or None,
                    bool(rule["disabled"]),
                    rule["is_blocking"] is not False,
                )
                for rule_id, rule in (data["uniqueness_rules"] or {}).items()
            },
            "states": set(data.get("states") or {}),
            "names in conditions": (set(data["attributes"]) - set(extra[name]["not_filterable"]))
            | set(extra[name]["filter_codes_extra"]),
        }
        for kind, value in about.items():
            facts[kind][name] = value
        for state, parts in (data.get("states") or {}).items():
            facts["flags"][f"{name}.{state}"] = dict(parts["attributes"] or {})
            facts["transitions"][f"{name}.{state}"] = dict(parts["transitions"] or {})
        for code, attribute in data["attributes"].items():
            about_it = extra[name]["attributes"].get(code, {})
            for kind, value in _expected_attribute(attribute, about_it, more).items():
                facts[kind][f"{name}.{code}"] = value
    return facts


def _expected_attribute(data: dict[str, Any], about: dict[str, Any], more: dict[str, Any]) -> Facts:
    kind, columns, own = data["type"], dict(data["sql_columns"] or {}), f"{data['origin']}.{data['code']}"
    first = next(iter(columns), "")
    definition = columns.get(first, "")
    default = None if kind in BORN_EMPTY else data["default"]
    watch = more["stop_watches"].get(own)
    held = more["class_lists"].get(own, {})
    facts: dict[str, Any] = {
        "type": kind,
        "origin": data["origin"],
        "sort": [data["external_key"], data["external_field"], data["linkset"]],
        "columns": {name: unquoted(text.replace(TEXT_ENCODING, "")) for name, text in columns.items()},
        "text format": about.get("format"),
        "sub-item": [about.get("parent"), about.get("item")],
        "about class": [
            held.get("class_attribute"),
            *(sorted(filter(None, (held.get(f"attribute_types_{which}") or "").split(","))) for which in ONLY_OR_NOT),
        ],
        "redundancy": more["redundancy"].get(own),
        "writable": data["writable"],
        "nullable": data["nullable"],
        "sql": first.removesuffix(BASES.get(kind, "")),
        "default": NOW if kind == "AttributeDateTime" and default else default,
        "size": data.get("max_size"),
        "pattern": None if kind in PATTERN_BY_KIND else data.get("validation_pattern"),
        "target": data.get("target"),
        "on target delete": DELETE_OPTIONS[data.get("on_target_delete")] if data["external_key"] else None,
        "filter": packed(data["filter"]) if data["external_key"] else None,
        "dependencies": set() if kind == "AttributeObsolescenceFlag" else set(data.get("depends_on") or ()),
        "key": data.get("key"),
        "target attribute": data.get("target_attcode"),
        "link": [data.get(part) for part in ("linked_class", "ext_key_to_me", "ext_key_to_remote", "tracking_level")],
        "duplicates": own in more["link_sets_allowing_duplicates"],
        "values": None,
        "object key class": more["object_key_class"].get(own),
        "tracked": own not in more["untracked"],
        "set size": more["max_items"].get(own),
        "has format column": any(column.endswith("_format") for column in columns),
        "number": definition.split()[0] if kind == "AttributeDecimal" else None,
        "stop watch": None if watch is None else (watch["goal"], watch["running_states"], _thresholds(watch)),
    }
    if kind in {"AttributeEnum", "AttributeMetaEnum"}:
        facts["values"] = re.findall(r"'([^']*)'", definition.partition(" CHARACTER")[0])
    elif kind == "AttributeClass":
        facts["values"] = more["class_lists"][own]["allowed"]
    elif kind == "AttributeEnumSet":
        facts["values"] = data["allowed_values"]
    return facts


def _thresholds(watch: dict[str, Any]) -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    return {
        percent: [(action["verb"], tuple(p["value"] for p in action["params"])) for action in actions]
        for percent, actions in watch["thresholds"].items()
    }


def found(model: Model) -> Facts:
    """Return the same facts of a loaded model."""
    facts: Facts = defaultdict(dict)
    for name, cls in model.items():
        for kind, value in _found_class(cls).items():
            facts[kind][name] = value
        for state in cls.states.values():
            facts["flags"][f"{name}.{state.code}"] = {code: int(flag) for code, flag in state.flags.items()}
            facts["transitions"][f"{name}.{state.code}"] = dict(state.transitions)
        for code in cls.attributes:
            for kind, value in _found_attribute(cls, code).items():
                facts[kind][f"{name}.{code}"] = value
    return facts


def _found_class(cls: Class) -> Facts:
    flagged = "obsolescence_flag" in cls.attributes
    facts: dict[str, Any] = {
        "parent": cls.parent,
        "root": cls.root,
        "names in conditions": set(usable_names(cls)),
        "abstract": cls.abstract,
        "table": cls.table,
        "key column": cls.key_column,
        "key type": cls.key_type,
        "category": cls.category,
        "final class column": cls.final_class_column,
        "attribute order": list(cls.attributes),
        "reconciliation": list(cls.reconciliation),
        "state attribute": cls.state_attribute,
        "initial state": cls.initial_state,
        "name attributes": list(cls.name_attributes),
        "name format": cls.name_format,
        "default order": list(cls.order_by),
        "owner organization": cls.owner_org_attribute,
        "obsolescence": (packed(cls.obsolescence) or "0") if flagged else None,
        "php behaviour": set(cls.php_behaviour),
        "uniqueness rules": {
            rule.id: (list(rule.attributes), rule.filter, rule.disabled, rule.blocking)
            for rule in cls.uniqueness_rules
            if rule.root_class == cls.name
        },
        "states": set(cls.states),
    }
    return facts


def _found_attribute(cls: Class, code: str) -> Facts:
    attribute = cls.attributes[code]
    kind, watch = attribute.type, attribute.type == "AttributeStopWatch"
    is_key, is_set = attribute.is_external_key, attribute.is_link_set
    listed = kind in {"AttributeEnum", "AttributeMetaEnum", "AttributeClass", "AttributeEnumSet"}
    about = attribute.redundancy
    facts: dict[str, Any] = {
        "type": kind,
        "origin": attribute.origin,
        "sort": [is_key, attribute.is_external_field, is_set],
        "columns": {column.name: unquoted(_definition(column)) for column in _columns(attribute)},
        "text format": attribute.format or FORMATS.get(kind),
        "sub-item": [attribute.stop_watch, attribute.item],
        "about class": [
            attribute.class_attribute if kind != "AttributeObjectKey" else None,
            sorted(attribute.types_only),
            sorted(attribute.types_excluded),
        ],
        "redundancy": None if about is None else asdict(about),
        "writable": attribute.writable,
        "nullable": attribute.nullable,
        "sql": attribute.sql,
        "default": attribute.default,
        "size": attribute.max_size,
        "pattern": attribute.pattern,
        "target": attribute.target,
        "on target delete": attribute.on_target_delete.value if is_key else None,
        "filter": packed(attribute.filter or f"SELECT {attribute.target}") if is_key else None,
        "dependencies": set(attribute.depends_on),
        "key": attribute.key,
        "target attribute": attribute.target_attcode,
        "link": [
            attribute.linked_class,
            attribute.ext_key_to_me,
            attribute.ext_key_to_remote,
            attribute.tracking_level if is_set else None,
        ],
        "duplicates": attribute.duplicates,
        "values": list(attribute.values) if listed else None,
        "object key class": attribute.class_attribute if kind == "AttributeObjectKey" else None,
        "tracked": attribute.tracked,
        "set size": attribute.max_items,
        "has format column": attribute.format is not None,
        "number": f"DECIMAL({attribute.digits},{attribute.decimals})" if kind == "AttributeDecimal" else None,
        "stop watch": (
            attribute.goal or "DefaultMetricComputer",
            list(attribute.running_states),
            {str(threshold.percent): list(threshold.actions) for threshold in attribute.thresholds},
        )
        if watch
        else None,
    }
    return facts


def _columns(attribute: Attribute) -> tuple[Column, ...]:
    bound = bind(attribute)
    return (*bound.columns, *bound.kept_columns)


def _definition(column: Column) -> str:
    """Return a column as iTop's own model defines it."""
    match column.kind:
        case ColumnKind.VARCHAR:
            text = f"VARCHAR({column.length})"
        case ColumnKind.DECIMAL:
            text = f"DECIMAL({column.length},{column.scale})"
        case ColumnKind.ENUM:
            text = f"ENUM({','.join(column.values)})"
        case ColumnKind.INT | ColumnKind.UNSIGNED:
            text = column.kind.value.replace("INT", "INT(11)")
        case ColumnKind.TINYINT | ColumnKind.TINYINT_UNSIGNED:
            text = column.kind.value.replace("TINYINT", "TINYINT(1)")
        case _:
            text = column.kind.value
    return text if column.default is None else f"{text} DEFAULT {column.default}"

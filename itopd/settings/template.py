"""A parameters file with every setting at its default, commented: ``config/itopd.params``."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any, Final

from pydantic import SecretStr

from itopd.settings.declare import declarations
from itopd.settings.load import as_text
from itopd.settings.model import Settings

_WIDTH: Final = 120
_SECTIONS: Final = {
    "data_folder": "Where things are",
    "db_host": "Database",
    "compat": "Behaviour",
    "lane_mail_executor": "Lanes: where runs execute, how many side by side, how long",
    "log_format": "Logs and event rows",
    "cron_max_execution_time": "Heartbeat",
    "email_asynchronous": "E-mail",
    "allow_unported": "Writing",
    "csv_file_default_charset": "Import, export, synchronization",
    "allowed_login_types": "HTTP, accounts, rights",
}
"""The first setting of each part, and what the part is about."""
_HEAD: Final = """\
# Settings of itopd: every one there is, each with its default. Remove the "#" before a key to change it.
#
# Lines are "key = value"; a "#" starts a comment anywhere, so a value that holds one is written as a JSON string:
# key := "pa#ss". Any key may end in _file: the value is then read from that file (db_pwd_file = /etc/itopd/db_pwd).
# Strength: argument > environment (ITOPD_DB_PWD gives db_pwd) > systemd's credentials (itopd_db_pwd) > this file >
# config-itop.php > default. "itopd config show" tells the settings in force and where each comes from.
# SIGHUP ("systemctl reload itopd") reads this file again. Keep it readable for itopd's account alone (chmod 600) when
# it holds a password.
#
# Stand-alone, what is mostly given: database_url, timezone, email_transport and what belongs to it.
# Attached to an iTop, "itopd attach" writes what is needed (docs/attach.md): itop_config, itop_root, data_model.
#
# This list is what "itopd config template" prints.
"""


def template() -> str:
    """Return the text of the file."""
    return _HEAD + "".join(f"{line}\n" for line in _lines())


def _lines() -> Iterator[str]:
    for field, one in declarations(Settings).items():
        if field in _SECTIONS:
            yield from ("", f"# ---- {_SECTIONS[field]} ".ljust(_WIDTH, "-"), "")
        text = f"{one.help} ({one.unit})" if one.unit else one.help
        yield from (f"# {line}" for line in textwrap.wrap(text, _WIDTH - 2))
        yield f"#{_setting(one.spellings[-1], _text(one.default))}"


def _text(default: Any) -> str:  # noqa: ANN401 - any type of a setting
    if isinstance(default, SecretStr) or default == {}:
        return ""
    return as_text(default)


def _setting(key: str, value: str) -> str:
    if "#" in value or value != value.strip():
        return f"{key} := {json.dumps(value, ensure_ascii=False)}"
    return f"{key} = {value}".rstrip()

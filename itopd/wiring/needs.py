"""What itopd cannot do without: parts of core classes that the database of an older iTop might lack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from itopd.datamodel import Model
from itopd.errors import DatabaseError, SettingsError

Purpose = Literal["accounts", "processes", "mails", "history", "drafts", "export results", "news", "temporary objects"]

_OPERATION: Final = "CMDBChangeOpSetAttribute"
NEEDS: Final[Mapping[Purpose, Mapping[str, Sequence[str]]]] = {
    # purpose -> class -> attributes; the class's own table is needed in any case
    "accounts": {
        "User": ("login", "status", "language", "contactid"),
        "UserLocal": ("password",),
        "URP_Profiles": ("name",),
        "URP_UserProfile": ("userid", "profileid"),
        "URP_UserOrg": ("userid", "allowed_org_id"),
    },
    "processes": {
        "BackgroundTask": (
            "class_name", "first_run_date", "latest_run_date", "next_run_date", "total_exec_count",
            "latest_run_duration", "min_run_duration", "max_run_duration", "average_run_duration", "running", "status",
            "system_user",
        ),
    },
    "mails": {
        "AsyncTask": (
            "status", "created", "started", "planned", "event_id", "remaining_retries", "last_error_code",
            "last_error", "last_attempt",
        ),
        "AsyncSendEmail": ("version", "to", "subject", "message"),
        "Event": ("message",),
    },
    "drafts": {"InlineImage": ("expire", "item_id")},
    "export results": {"BulkExportResult": ("created", "temp_file_path")},
    "news": {"EventNotificationNewsroom": ("read", "read_date"), "EventNotification": (), "Event": ()},
    "temporary objects": {
        "TemporaryObjectDescriptor": ("expiration_date", "creation_date", "item_class", "item_id", "operation"),
    },
    "history": {
        "CMDBChange": ("date", "userinfo", "user_id", "origin"),
        "CMDBChangeOp": ("change", "objclass", "objkey"),
        "CMDBChangeOpCreate": (),
        _OPERATION: ("attcode",),
        f"{_OPERATION}Scalar": ("oldvalue", "newvalue"),
        f"{_OPERATION}Text": ("prevdata",),
        f"{_OPERATION}LongText": ("prevdata",),
        f"{_OPERATION}HTML": (),
        f"{_OPERATION}CaseLog": ("lastentry",),
        f"{_OPERATION}URL": ("oldvalue", "newvalue"),
        f"{_OPERATION}TagSet": ("oldvalue", "newvalue"),
        f"{_OPERATION}Blob": ("prevdata",),
        f"{_OPERATION}OneWayPassword": ("prev_pwd",),
        f"{_OPERATION}Encrypted": ("prevstring",),
        f"{_OPERATION}Links": ("item_class", "item_id"),
        f"{_OPERATION}LinksAddRemove": ("type",),
        f"{_OPERATION}LinksTune": ("link_id",),
    },
}  # fmt: skip


def lacking(model: Model, purpose: Purpose) -> str:
    """Return why there is no doing without what was left out of the model, and what to do; empty: all is there."""
    needs = NEEDS[purpose]
    found = [
        str(one)
        for one in model.left_out
        if one.class_name in needs and (not one.attribute or one.attribute in needs[one.class_name])
    ]
    if not found:
        return ""
    return (
        f"the database lacks what itopd needs for {purpose}: {'; '.join(found)}. Let this account see the whole "
        "database (GRANT SELECT), or bring iTop to 3.0 or newer with its set-up"
    )


def require_parts(model: Model, purpose: Purpose) -> None:
    """Raise :class:`DatabaseError` with :func:`lacking` when there is a reason."""
    reason = lacking(model, purpose)
    if reason:
        raise DatabaseError(reason)


def require_classes(model: Model, names: Sequence[str]) -> None:
    """Raise :class:`SettingsError` when ``allow_unported`` names a class that the model does not have."""
    for name in names:
        if name not in model:
            raise SettingsError(f"allow_unported names '{name}', which is no class of the data model: correct it")

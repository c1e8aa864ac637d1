"""Settings become a database with its data model; who only needs that, needs no more than that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import structlog

from itopd.database import Database, Repeats, open_database, open_fitted_database
from itopd.datamodel import Lacks, LinkTracking, Model, bundled_model, load_model
from itopd.dictionary import ENGLISH, AttachedTexts
from itopd.settings import Settings
from itopd.wiring import needs
from itopd.wiring.maintenance import is_attached
from itopd.wiring.tables import require_tables


@contextmanager
def open_usable_database(settings: Settings) -> Iterator[Database]:
    """Open the database that the settings name; it is closed at the end.

    Raises :class:`DatabaseError` when it is away or holds no tables of an iTop, :class:`ModelError` for an unusable
    data model, :class:`SettingsError` when the settings name classes that it does not have.
    """
    database = open_configured_database(settings)
    try:
        require_tables(database, attached=is_attached(settings))
        needs.require_parts(database.model, "accounts")
        needs.require_classes(database.model, settings.allow_unported)
        yield database
    finally:
        database.close()


def open_configured_database(settings: Settings) -> Database:
    """Return the database that the settings name, whatever it holds; the caller closes it."""
    url, zone, prefix = settings.database_url, settings.zone, settings.db_subname
    repeats = Repeats(settings.db_core_transactions_retry_count, settings.db_core_transactions_retry_delay_ms)
    if not is_attached(settings):
        return open_database(url, model_of(settings), zone, prefix, repeats=repeats)
    return open_fitted_database(url, partial(model_of, settings), zone, prefix, repeats=repeats)


def model_of(settings: Settings, lacks: Lacks | None = None) -> Model:
    """Return the data model: the bundled one, or an iTop's own over the bundled core classes.

    Of these, what the database ``lacks`` is left out.
    """
    if not settings.data_model:
        return bundled_model()
    tracking = LinkTracking(
        settings.tracking_level_linked_set_default, settings.tracking_level_linked_set_indirect_default
    )
    return load_model(settings.data_model, tracking=tracking, name_formats=_name_formats(settings), lacks=lacks)


def attached_texts(settings: Settings) -> AttachedTexts | None:
    """Return the texts of the attached iTop, nothing read yet; ``None`` without one."""
    if settings.itop_root is None:
        return None
    folder = settings.itop_root / f"env-{settings.itop_environment}" / "dictionaries"
    return AttachedTexts(folder, structlog.get_logger().warning)


def _name_formats(settings: Settings) -> dict[str, str]:
    """Return class -> format of its friendly name, as the attached iTop's dictionary has it.

    A friendly name is one for everybody here: that of the default language, else the English one.
    """
    attached = attached_texts(settings)
    if attached is None:
        return {}
    texts = {**attached.get(ENGLISH, {}), **attached.get(settings.default_language, {})}
    names = ((key.removeprefix("Class:").partition("/"), text) for key, text in texts.items())
    return {cls: text for (cls, _, part), text in names if part == "Name"}

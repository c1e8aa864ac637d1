"""Settings become a database, a writer and an account: what a run is handed."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import BinaryIO

import structlog

from itopd.access import (
    Account,
    Rights,
    account_of,
    authenticate,
    reader_of,
    require_more_than_portal,
    rights_of,
)
from itopd.behaviours import BEHAVIOURS, Ported, UnportedGuard
from itopd.clock import Clock, SystemClock
from itopd.database import Database, Repeats, open_database, open_fitted_database
from itopd.datamodel import Lacks, LinkTracking, Model, bundled_model, load_model
from itopd.dictionary import ENGLISH, AttachedTexts, Dictionary, bundled_dictionary
from itopd.errors import AccessDenied
from itopd.oql import Reader
from itopd.rules import Rules
from itopd.service import Context, Progress
from itopd.settings import Settings
from itopd.wiring import needs
from itopd.wiring.maintenance import is_attached, reason_closed
from itopd.wiring.needs import HistoryGuard
from itopd.wiring.replica import open_replica
from itopd.wiring.tables import require_tables
from itopd.writing import Guard, RightsGuard, Writer

_USERS_WRITE = 1
_ADMINISTRATORS_WRITE = 2
"""Bits of ``access_mode`` (``spec/heartbeat.md`` §1)."""


@dataclass(frozen=True, slots=True)
class Application:
    """Everything that a run may need, opened."""

    settings: Settings
    rules: Rules
    clock: Clock
    database: Database
    """The main one: accounts are looked up here, and everything that is written goes here."""
    dictionary: Dictionary
    guards: tuple[Guard, ...] = ()
    replica: Database | None = None
    """That of ``read_url``, when nothing is to be written."""

    @property
    def source(self) -> Database:
        """Return what runs read."""
        return self.replica or self.database

    def account(self, login: str, password: str) -> Account:
        """Return who acts: the account of these credentials, else ``run_as``.

        Raises :class:`AccessDenied` for wrong credentials, and for an account that is for the portal only.
        """
        if password and not login:
            raise AccessDenied("auth_pwd was given without auth_user: give both, or neither to act as run_as")
        with self.database.read() as connection:
            account = (
                authenticate(self.database, connection, login, password)
                if login
                else account_of(self.database, connection, self.settings.run_as)
            )
        require_more_than_portal(account)
        return account

    def rights(self, account: Account) -> Rights:
        """Return what an account may do with which class, as the settings have it."""
        bit = _ADMINISTRATORS_WRITE if account.is_administrator else _USERS_WRITE
        return rights_of(
            self.database.model,
            frozenset(account.profiles),
            may_write=bool(self.settings.access_mode & bit),
            legacy=self.settings.user_rights_legacy,
        )

    def reader(self, account: Account) -> Reader:
        """Return what an account sees."""
        return reader_of(
            account,
            self.rights(account),
            hide_administrators=self.settings.security_hide_administrators,
            strict=self.rules.strict_rights,
        )

    def writer(self, account: Account, performed: Ported = MappingProxyType({})) -> Writer:
        """Return a writer for an account, with everybody who takes part in writes.

        ``performed`` are the hooks of iTop's PHP whose work is done by whoever writes.
        """
        guard = RightsGuard(account, self.rights(account), self.reader(account))
        others = [one.performing(performed) if isinstance(one, UnportedGuard) else one for one in self.guards]
        return writer_of(self.database, self.rules, self.clock, guards=[guard, *others])

    def context(
        self,
        account: Account,
        *,
        output: BinaryIO,
        output_name: str = "the caller",
        progress: Progress,
        run_id: str = "",
        should_stop: Callable[[], bool] = lambda: False,
        performed: Ported = MappingProxyType({}),
    ) -> Context:
        """Return what a service's run is handed; a run without an id gets one. ``performed``: see :meth:`writer`."""
        run_id = run_id or secrets.token_hex(8)
        return Context(
            settings=self.settings,
            rules=self.rules,
            clock=self.clock,
            database=self.source,
            marks=None if reason_closed(self.settings, writes=True) else self.database,
            dictionary=self.dictionary.in_language(account.language, self.settings.default_language),
            writer=self.writer(account, performed),
            account=account,
            rights=self.rights(account),
            reader=self.reader(account),
            log=structlog.get_logger().bind(run=run_id),
            run_id=run_id,
            output=output,
            output_name=output_name,
            progress=progress,
            should_stop=should_stop,
        )


@contextmanager
def open_application(
    settings: Settings, rules: Rules | None = None, clock: Clock | None = None, *, reads: bool = False
) -> Iterator[Application]:
    """Open the database that the settings name; it is closed at the end.

    Who only ``reads`` reads from ``read_url`` when that is set (:mod:`itopd.wiring.replica`). Raises
    :class:`DatabaseError` when it is away or holds no tables of an iTop, :class:`ModelError` for an unusable data
    model.
    """
    database = open_configured_database(settings)
    try:
        require_tables(database, attached=is_attached(settings))
        needs.require(database.model, "accounts")
        dictionary = dictionary_of(settings, database.model)
        guards = guards_of(settings, database.model)
        with open_replica(settings, database) if reads else nullcontext() as replica:
            yield Application(
                settings, rules or settings.rules, clock or SystemClock(), database, dictionary, guards, replica
            )
    finally:
        database.close()


def open_configured_database(settings: Settings) -> Database:
    """Return the database that the settings name, whatever it holds; the caller closes it."""
    url, zone, prefix = settings.database_url, settings.zone, settings.db_subname
    repeats = Repeats(settings.db_core_transactions_retry_count, settings.db_core_transactions_retry_delay_ms)
    if not is_attached(settings):
        return open_database(url, model_of(settings), zone, prefix, repeats=repeats)
    return open_fitted_database(url, partial(model_of, settings), zone, prefix, repeats=repeats)


def writer_of(database: Database, rules: Rules, clock: Clock, *, guards: Sequence[Guard] = ()) -> Writer:
    """Return the writer with everybody who takes part in writes; without guards nobody's rights are looked at."""
    return Writer(database, clock, rules, guards=guards, behaviours=BEHAVIOURS)


def guards_of(settings: Settings, model: Model) -> tuple[Guard, ...]:
    """Return who may veto writes; :class:`SettingsError` when what the settings allow makes no sense."""
    if not is_attached(settings):
        return ()
    no_history = needs.lacking(model, "history")
    guards = (HistoryGuard(no_history),) if no_history else ()
    return (*guards, UnportedGuard(model, settings.allow_unported))


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


def dictionary_of(settings: Settings, model: Model) -> Dictionary:
    """Return the labels: the bundled ones, below those of the attached iTop when ``itop_root`` names one."""
    attached, bundled = attached_texts(settings), bundled_dictionary(model)
    if attached is None:
        return bundled
    if not attached.folder.is_dir():
        structlog.get_logger().warning(
            f"labels are the bundled ones: {attached.folder} is no folder; correct itop_root or itop_environment"
        )
    return bundled.with_texts(attached)


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

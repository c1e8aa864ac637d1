"""Settings become a database, a writer and an account: what a run is handed."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
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
from itopd.behaviours import BEHAVIOURS, DELETIONS, Ported, UnportedGuard, behaviours_of
from itopd.clock import Clock, SystemClock
from itopd.database import Database
from itopd.datamodel import Model
from itopd.dictionary import Dictionary, bundled_dictionary
from itopd.errors import AccessDenied
from itopd.oql import Reader
from itopd.rules import Rules
from itopd.service import Context, Progress
from itopd.settings import Settings
from itopd.wiring import needs
from itopd.wiring.databases import attached_texts, open_usable_database
from itopd.wiring.history_guard import HistoryGuard
from itopd.wiring.maintenance import is_attached, reason_closed
from itopd.wiring.replica import open_replica
from itopd.writing import Behaviour, Guard, RightsGuard, Writer

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
        behaviours = behaviours_of(self.settings)
        return writer_of(self.database, self.rules, self.clock, guards=[guard, *others], behaviours=behaviours)

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
    """Open the database that the settings name, and what runs need beside it; it is closed at the end.

    Who only ``reads`` reads from ``read_url`` when that is set (:mod:`itopd.wiring.replica`). Raises as
    :func:`itopd.wiring.databases.open_usable_database`.
    """
    with open_usable_database(settings) as database:
        dictionary = dictionary_of(settings, database.model)
        guards = guards_of(settings, database.model)
        with open_replica(settings, database) if reads else nullcontext() as replica:
            yield Application(
                settings, rules or settings.rules, clock or SystemClock(), database, dictionary, guards, replica
            )


def writer_of(
    database: Database,
    rules: Rules,
    clock: Clock,
    *,
    guards: Sequence[Guard] = (),
    behaviours: Sequence[Behaviour] = BEHAVIOURS,
) -> Writer:
    """Return the writer with everybody who takes part in writes; without guards nobody's rights are looked at."""
    return Writer(database, clock, rules, guards=guards, behaviours=behaviours, deletions=DELETIONS)


def guards_of(settings: Settings, model: Model) -> tuple[Guard, ...]:
    """Return who may veto writes."""
    if not is_attached(settings):
        return ()
    no_history = needs.lacking(model, "history")
    guards = (HistoryGuard(no_history),) if no_history else ()
    return (*guards, UnportedGuard(model, settings.allow_unported))


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

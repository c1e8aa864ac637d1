"""MariaDB connections read the system's certificates only where the URL asks for a check."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from itopd.database.engines import open_engine
from itopd.state import open_state
from tests.support.servers import empty_mariadb, mariadb_url

pytestmark = pytest.mark.mariadb


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Give the contexts made with the system's authorities: their arguments."""
    made: list[dict[str, Any]] = []
    whole = ssl.create_default_context

    def noticed(*arguments: Any, **named: Any) -> ssl.SSLContext:
        made.append(named)
        return whole(*arguments, **named)

    monkeypatch.setattr(ssl, "create_default_context", noticed)
    return made


def test_no_authority_is_read_for_connections_that_check_nobody(asked: list[dict[str, Any]]) -> None:
    with empty_mariadb() as name:
        open_state(mariadb_url(name)).close()
        engine = open_engine(mariadb_url(name))
        try:
            with engine.connect() as connection:
                assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
        finally:
            engine.dispose()
    assert asked == []


def test_a_check_that_is_asked_for_is_made(asked: list[dict[str, Any]]) -> None:
    engine = open_engine(mariadb_url("none") + "?ssl_verify_cert=true")
    _, named = engine.dialect.create_connect_args(engine.url)
    (connect,) = engine.dialect.dispatch.do_connect
    connection = connect(engine.dialect, None, (), {**named, "defer_connect": True})
    assert connection.ctx.verify_mode is ssl.CERT_REQUIRED
    assert asked == [{"cafile": None, "capath": None}]

"""Database URLs: made from iTop's settings, placed in the data folder, shown without passwords."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import make_url

from itopd.settings import Settings
from itopd.settings.urls import database_url_of, masked, place_sqlite


@pytest.mark.parametrize(
    ("url", "placed"),
    [
        ("sqlite:///itopd.db", "sqlite:///data/itopd.db"),
        ("sqlite:////srv/itopd.db", "sqlite:////srv/itopd.db"),
        ("sqlite+pysqlite:///x.db?timeout=5", "sqlite+pysqlite:///data/x.db?timeout=5"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite://", "sqlite://"),
        ("postgresql+psycopg://h/d", "postgresql+psycopg://h/d"),
        ("", ""),
    ],
)
def test_only_relative_sqlite_paths_go_into_the_data_folder(url: str, placed: str) -> None:
    assert place_sqlite(url, Path("data")) == placed


@given(user=st.text(min_size=1), password=st.text(min_size=1), name=st.text(min_size=1))
def test_any_credentials_survive_the_url(user: str, password: str, name: str) -> None:
    url = make_url(database_url_of(host="db:3307", user=user, password=password, name=name, tls_ca=None))
    assert (url.username, url.password, url.host, url.port) == (user, password, "db", 3307)
    assert masked(str(url.set(password="s3:cr@t/"))).count("***") == 1


def test_db_settings_make_the_url_when_a_database_is_named() -> None:
    settings = Settings(db_name="itop", db_host="p:db.example", db_user="u", db_tls_enabled=True, db_tls_ca="/ca.pem")
    assert settings.database_url == "mysql+pymysql://u@db.example/itop?charset=utf8mb4&ssl_ca=%2Fca.pem"
    assert Settings(db_host="db.example").database_url == "sqlite:///data/itopd.db"
    assert Settings(db_name="itop", database_url="sqlite:///x").database_url == "sqlite:///data/x"


def test_the_state_store_lies_beside_the_data() -> None:
    assert Settings(data_folder=Path("/srv")).effective_state_url == "sqlite:////srv/itopd-state.db"
    assert Settings(db_name="itop", db_user="u").effective_state_url == (
        "mysql+pymysql://u@localhost/itopd?charset=utf8mb4"
    )
    assert Settings(database_url="mysql+pymysql://h/itopd").effective_state_url.endswith("/itopd_state")
    assert Settings(database_url="postgresql://u@h/itop").effective_state_url == "postgresql://u@h/itop"
    assert Settings(database_url="postgresql://u@h/i", state_url="postgresql://u@h:5432/i").effective_state_url
    assert Settings(state_url="sqlite:///s.db").effective_state_url == "sqlite:///data/s.db"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mysql://joe:pa@ss/w:rd@host/db", "mysql://joe:***@host/db"),
        ("mysql://joe@host/db", "mysql://joe@host/db"),
        (
            "postgresql://host/db?user=joe&password=pw&sslmode=require",
            "postgresql://host/db?user=joe&password=***&sslmode=require",
        ),
        ("mysql://joe@h/db?Passwd=pw&charset=utf8mb4", "mysql://joe@h/db?Passwd=***&charset=utf8mb4"),
        ("mysql://h/db?ssl_key_password=pw", "mysql://h/db?ssl_key_password=***"),
        ("postgresql://h/db?sslpassword=pw&passfile=/x", "postgresql://h/db?sslpassword=***&passfile=***"),
        ("sqlite:///x.db", "sqlite:///x.db"),
    ],
)
def test_passwords_in_urls_become_stars(url: str, shown: str) -> None:
    assert masked(url) == shown


@pytest.mark.parametrize(
    ("database", "state"),
    [
        ("sqlite:///itopd.db", "sqlite:///itopd.db"),
        ("sqlite:///itopd.db", "sqlite:////srv/itopd.db?timeout=3"),
        ("mysql://itop:pw@db/itop", "mariadb+pymysql://other@DB:3306/itop?charset=utf8mb4"),
    ],
)
def test_the_state_store_is_never_the_database_itself(database: str, state: str) -> None:
    with pytest.raises(ValidationError, match="of its own"):
        Settings(data_folder=Path("/srv"), database_url=database, state_url=state)
    Settings(data_folder=Path("/srv"), database_url=database, state_url=state.replace("itop", "state"))

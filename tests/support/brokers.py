"""The brokers that tests run against, with queues of their own on them."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.servers import HOST, is_up, require

AMQP_PORT = 5672
REDIS_PORT = 6379
EACH_BROKER = ["rabbitmq", "redis"]


@dataclass(frozen=True)
class Broker:
    """A broker and the prefix of the names that a test may use on it."""

    name: str
    prefix: str

    @property
    def port(self) -> int:
        return {"rabbitmq": AMQP_PORT, "redis": REDIS_PORT}[self.name]

    def url(self, port: int | None = None) -> str:
        """Return its URL, or that of a proxy to it."""
        at = f"{HOST}:{port or self.port}"
        return f"amqp://guest:guest@{at}//" if self.name == "rabbitmq" else f"redis://{at}/0"


@contextlib.contextmanager
def broker_for_test(name: str) -> Iterator[Broker]:
    """Give a broker with a prefix of its own; what was made under it is gone afterwards."""
    pytest.importorskip("celery", reason="needs the extra celery")
    broker = Broker(name, f"itopd_test_{secrets.token_hex(6)}")
    require(is_up(broker.port), f"{name} on {HOST}:{broker.port}")
    try:
        yield broker
    finally:
        _clean(broker)


def _clean(broker: Broker) -> None:
    if broker.name == "redis":
        import redis  # noqa: PLC0415 - comes with the extra

        with contextlib.closing(redis.Redis(HOST, REDIS_PORT)) as client:
            keys = list(client.scan_iter(f"{broker.prefix}*", count=1000))
            if keys:
                client.delete(*keys)
        return
    from kombu import Connection  # noqa: PLC0415 - comes with the extra

    with Connection(broker.url()) as connection, connection.channel() as channel:
        channel.queue_delete(f"{broker.prefix}.tasks")

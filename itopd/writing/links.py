"""What writing a link object leaves in the history of the objects it links (``spec/objects.md`` §8.3)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from itopd.datamodel import Class, Model

_LIST = 1
_DETAILS = 2


@dataclass(frozen=True, slots=True)
class Host:
    """One end of a link class that keeps account of its links: the target of a "key to me" of a link set."""

    key: str
    """The key of the link that points to the host."""
    root: str
    """Root class of the key's target."""
    link_set: str
    """The host's link set."""
    level: int
    """Tracking bits: 1 = additions and removals, 2 = changes of a link."""
    remote_key: str | None
    """The key to the other end of an n:n link."""
    remote_class: str
    """Class that this other key declares; empty when there is none."""


@dataclass(frozen=True, slots=True)
class LinkOperation:
    """One operation to record on a host."""

    host: Host
    host_id: int
    event: Literal["added", "removed", "tune"]


def removals(hosts: Collection[Host], value: Callable[[str], int]) -> Iterator[LinkOperation]:
    """Yield what the deletion of a link leaves on its hosts; ``value`` gives the value of a key."""
    for host in hosts:
        if value(host.key) and host.level & _LIST:
            yield LinkOperation(host, value(host.key), "removed")


def hosts_of(model: Model, cls: Class) -> tuple[Host, ...]:
    """Return the ends of a class that track its objects as links, in the order of its keys."""
    hosts: list[Host] = []
    for code, key in cls.attributes.items():
        if not (key.is_external_key and key.target and key.is_stored):
            continue
        target = model[key.target]
        for link_set in target.attributes.values():
            if link_set.is_link_set and link_set.ext_key_to_me == code and link_set.linked_class in cls.lineage:
                if link_set.tracking_level:
                    remote = link_set.ext_key_to_remote or None
                    hosts.append(
                        Host(
                            code,
                            target.root,
                            link_set.code,
                            link_set.tracking_level,
                            remote,
                            (cls.attributes[remote].target or "") if remote else "",
                        )
                    )
                break
    return tuple(hosts)


def operations(
    hosts: Collection[Host], before: Callable[[str], int] | None, after: Callable[[str], int], changed: Collection[str]
) -> Iterator[LinkOperation]:
    """Yield what one write of a link leaves on its hosts.

    ``before`` and ``after`` give the value of a key; ``before`` is ``None`` for a creation; ``changed`` are the codes
    that an update changed.
    """
    for host in hosts:
        new = after(host.key)
        if before is None:
            if new and host.level & _LIST:
                yield LinkOperation(host, new, "added")
        elif host.key in changed:
            if host.level & _LIST:
                if new:
                    yield LinkOperation(host, new, "added")
                if old := before(host.key):
                    yield LinkOperation(host, old, "removed")
        elif changed and new and host.level & _DETAILS:
            yield LinkOperation(host, new, "tune")

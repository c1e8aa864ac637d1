"""Hierarchical keys as nested sets (``spec/objects.md`` §4), kept in memory while a chunk is written.

The numbers of a tree are the left and right ends of its nodes. Here they are *tokens* in one ring, each knowing how
far it is from the one before it (1 = directly after, more = a hole). iTop's steps then cost the same whatever the
size of the tree: inserting puts two tokens before the parent's right one, moving cuts a stretch of tokens out and
puts it elsewhere. Numbers are counted out once, at the end, by :meth:`Tree.changed`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from itopd.errors import DatabaseError


class Node(NamedTuple):
    """One row of a tree as stored."""

    id: int
    parent: int
    left: int
    right: int


class _Token:
    """One end of a node."""

    __slots__ = ("following", "node", "previous", "step")

    def __init__(self, node: int, step: int) -> None:
        self.node = node
        self.step = step
        """Distance to the token before; 1 unless there is a hole."""
        self.previous: _Token = self
        self.following: _Token = self


class Tree:
    """The nested set of one class. ``name`` is only for messages."""

    def __init__(self, name: str, nodes: Iterable[Node]) -> None:
        self._name = name
        self._stored = {node.id: node for node in nodes}
        self._parents = {node.id: node.parent for node in self._stored.values()}
        self._end = _Token(0, 0)
        """Closes the ring: its following token is the first one, its previous token the last one."""
        self._lefts: dict[int, _Token] = {}
        self._rights: dict[int, _Token] = {}
        ends = sorted(
            [(node.left, 0, node.id) for node in self._stored.values()]
            + [(node.right, 1, node.id) for node in self._stored.values()]
        )
        number = 0
        for position, side, node_id in ends:
            token = _Token(node_id, position - number)
            number = position
            _link(token, self._end)
            (self._rights if side else self._lefts)[node_id] = token
        self._last = number

    def __contains__(self, node_id: object) -> bool:
        return node_id in self._parents

    def encloses(self, ancestor: int, node_id: int) -> bool:
        """Return whether a node is ``ancestor`` or lies below it."""
        seen: set[int] = set()
        while node_id and node_id not in seen:
            if node_id == ancestor:
                return True
            seen.add(node_id)
            node_id = self._parents.get(node_id, 0)
        return False

    def insert(self, node_id: int, parent: int) -> None:
        """Add a node: as the last root when ``parent`` is 0, else as the last child of ``parent``."""
        left, right = _Token(node_id, 1), _Token(node_id, 1)
        if parent:
            before = self._rights[parent]
            left.step, before.step = before.step, 1
        else:
            before = self._end
        _link(left, before)
        _link(right, before)
        self._lefts[node_id], self._rights[node_id] = left, right
        self._parents[node_id] = parent
        self._last += 2

    def move(self, node_id: int, parent: int) -> None:
        """Put a node with everything below it elsewhere; ``parent`` 0 makes it a root."""
        left, right = self._lefts[node_id], self._rights[node_id]
        own_right = self._number(right) if not parent else 0
        size = 1 + sum(token.step for token in self._between(left, right)) + right.step
        _cut(left, right)
        if right.following is not self._end:
            right.following.step += left.step - 1
            self._last -= size
        else:
            self._last = self._last - size - left.step + 1
        if parent:
            before = self._rights[parent]
            left.step, before.step = before.step, 1
            self._last += size
        else:
            before = self._end
            target = max(self._last, own_right) + 1
            left.step = target - self._last
            self._last = target + size - 1
        _splice(left, right, before)
        self._parents[node_id] = parent

    def remove(self, node_id: int) -> None:
        """Take a node out; what lies below it keeps its numbers until it is moved.

        As iTop does it, the branch becomes the last root first, so holes remain.
        """
        self.move(node_id, 0)
        for token in (self._rights.pop(node_id), self._lefts.pop(node_id)):
            if token.following is self._end:
                self._last -= token.step
            else:
                token.following.step += token.step
            _cut(token, token)
        del self._parents[node_id]

    def changed(self) -> Iterator[Node]:
        """Yield the nodes whose numbers or parent differ from what is stored, new ones included."""
        lefts: dict[int, int] = {}
        rights: dict[int, int] = {}
        number = 0
        token = self._end.following
        while token is not self._end:
            number += token.step
            (lefts if self._lefts[token.node] is token else rights)[token.node] = number
            token = token.following
        for node_id, left in lefts.items():
            node = Node(node_id, self._parents[node_id], left, rights[node_id])
            if self._stored.get(node_id) != node:
                yield node

    def _between(self, left: _Token, right: _Token) -> Iterator[_Token]:
        """Yield the tokens after ``left`` and before ``right``."""
        token = left.following
        while token is not right:
            if token is self._end:
                raise DatabaseError(
                    f"the tree of {self._name} is damaged at id {left.node}: its right number lies before its left "
                    "one; rebuild the tree"
                )
            yield token
            token = token.following

    def _number(self, token: _Token) -> int:
        """Return the number of a token, counted back from the last one."""
        number = self._last
        other = self._end.previous
        while other is not token:
            number -= other.step
            other = other.previous
        return number


def _link(token: _Token, before: _Token) -> None:
    """Put a token in front of another one."""
    token.previous, token.following = before.previous, before
    before.previous.following = token
    before.previous = token


def _cut(left: _Token, right: _Token) -> None:
    """Take a stretch of tokens out of its ring."""
    left.previous.following = right.following
    right.following.previous = left.previous


def _splice(left: _Token, right: _Token, before: _Token) -> None:
    """Put a stretch of tokens in front of another one."""
    left.previous, right.following = before.previous, before
    before.previous.following = left
    before.previous = right

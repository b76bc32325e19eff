"""A second, naive implementation of the tree: the recursive definitions of RFC 6962 §2.1, word for word.

Shares no line with `chopmark.ledger.tree`; slow on purpose.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def mth(entries: Sequence[bytes]) -> bytes:
    """MTH(D[n])."""
    if not entries:
        return sha256(b"")
    if len(entries) == 1:
        return sha256(b"\x00" + entries[0])
    k = split(len(entries))
    return sha256(b"\x01" + mth(entries[:k]) + mth(entries[k:]))


def path(index: int, entries: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n])."""
    if len(entries) == 1:
        return []
    k = split(len(entries))
    if index < k:
        return [*path(index, entries[:k]), mth(entries[k:])]
    return [*path(index - k, entries[k:]), mth(entries[:k])]


def proof(old: int, entries: Sequence[bytes]) -> list[bytes]:
    """PROOF(m, D[n]), of the empty tree nothing."""
    return subproof(0, old, entries, known=True) if old else []


def subproof(start: int, end: int, entries: Sequence[bytes], *, known: bool) -> list[bytes]:
    """SUBTREE_SUBPROOF(start, end, D[n], b) of draft-ietf-plants-merkle-tree-certs; SUBPROOF when start is 0."""
    if (start, end) == (0, len(entries)):
        return [] if known else [mth(entries)]
    k = split(len(entries))
    if end <= k:
        return [*subproof(start, end, entries[:k], known=known), mth(entries[k:])]
    if k <= start:
        return [*subproof(start - k, end - k, entries[k:], known=known), mth(entries[:k])]
    return [*subproof(0, end - k, entries[k:], known=False), mth(entries[:k])]


def accepts_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the path leads to the root: unfolds PATH from the root down, then hashes from the leaf up."""
    lefts = []
    start, end = 0, size
    while end - start > 1:
        k = split(end - start)
        if index < start + k:
            end = start + k
            lefts.append(False)
        else:
            start += k
            lefts.append(True)
    if len(lefts) != len(proof):
        return False
    found = leaf
    for is_left, sibling in zip(reversed(lefts), proof, strict=True):
        found = sha256(b"\x01" + (sibling + found if is_left else found + sibling))
    return found == root

"""The Merkle tree of RFC 6962 §2 over SHA-256: roots and proofs, made and checked.

Knows hashes only. Where hashes are kept is the caller's matter: makers of proofs take a `Nodes` function that
answers for complete subtrees; checkers take nothing but the proof. A subtree `[start, end)` is the one of
draft-ietf-plants-merkle-tree-certs: `start` is a multiple of the smallest power of two not less than its size.

    leaf_hash(entry) = SHA-256(0x00 || entry)        node_hash(l, r) = SHA-256(0x01 || l || r)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence

from chopmark.base.errors import Invalid
from chopmark.ledger.text import MAX_INT63

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256().digest()

Nodes = Callable[[int, int], bytes]
"""`(level, index)` to the hash of the complete subtree of leaves `[index * 2**level, (index + 1) * 2**level)`."""

# Copying a context that has the prefix in it is quicker than looking the algorithm up again.
_leaf_start = hashlib.sha256(b"\x00").copy
_node_start = hashlib.sha256(b"\x01").copy


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one leaf, 32 bytes."""
    digest = _leaf_start()
    digest.update(entry)
    return digest.digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node, 32 bytes."""
    digest = _node_start()
    digest.update(left + right)
    return digest.digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """`leaf_hash` of each entry; one call for many is quicker."""
    start = _leaf_start
    hashes: list[bytes] = []
    add = hashes.append
    for entry in entries:
        digest = start()
        digest.update(entry)
        add(digest.digest())
    return hashes


def next_level(hashes: Sequence[bytes]) -> list[bytes]:
    """The parents of neighbouring pairs; an odd last hash has no parent yet."""
    start = _node_start
    parents: list[bytes] = []
    add, halves = parents.append, iter(hashes)
    for left, right in zip(halves, halves, strict=False):
        digest = start()
        digest.update(left + right)
        add(digest.digest())
    return parents


def fold(peaks: Sequence[bytes]) -> bytes:
    """The root over the complete subtrees of a range, largest and leftmost first."""
    if not peaks:
        return EMPTY_ROOT
    *others, found = peaks
    for peak in reversed(others):
        found = node_hash(peak, found)
    return found


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes, all of them given."""
    peaks: list[bytes] = []
    hashes = leaves
    while hashes:
        if len(hashes) & 1:
            peaks.append(hashes[-1])
        hashes = next_level(hashes)
    return fold(peaks[::-1])


# ---- making -------------------------------------------------------------------------------------------------------


def root(size: int, nodes: Nodes) -> bytes:
    """The root hash of the tree of the first `size` leaves."""
    return subtree_root(0, size, nodes)


def subtree_root(start: int, end: int, nodes: Nodes) -> bytes:
    """The root hash of the subtree of leaves `[start, end)`.

    Raises:
        Invalid: `ledger.subtree_wrong` when no such subtree exists.
    """
    _must_be_subtree(start, end)
    return fold([nodes(level, index) for level, index in _peaks(start, end)])


def inclusion_proof(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """The hashes from the leaf's sibling up to the root's child (RFC 6962 §2.1.1).

    Raises:
        Invalid: `ledger.index_outside` when the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise Invalid("ledger.index_outside", index=index, size=size)
    proof, level, last = [], 0, size - 1
    while last:
        if index < last or index & 1:
            sibling = index ^ 1
            proof.append(_aligned_root(sibling << level, min((sibling + 1) << level, size), nodes))
        index, last, level = index >> 1, last >> 1, level + 1
    return proof


def consistency_proof(old: int, size: int, nodes: Nodes) -> list[bytes]:
    """The hashes that show the tree of `old` leaves to be a prefix of the tree of `size` (RFC 6962 §2.1.2).

    Raises:
        Invalid: `ledger.size_outside` when `old` is greater than `size`.
    """
    if not 0 <= old <= size:
        raise Invalid("ledger.size_outside", old=old, size=size)
    return subtree_proof(0, old, size, nodes) if old else []


def subtree_proof(start: int, end: int, size: int, nodes: Nodes) -> list[bytes]:
    """The hashes that show the subtree `[start, end)` to be part of the tree of `size` leaves.

    Raises:
        Invalid: `ledger.subtree_wrong`.
    """
    _must_be_subtree(start, end)
    if end > size:
        raise Invalid("ledger.subtree_wrong", start=start, end=end)
    if start == end:
        return []
    proof: list[bytes] = []
    low, high, known = 0, size, True
    while (start, end) != (low, high):
        middle = low + _split(high - low)
        if end <= middle:
            proof.append(_aligned_root(middle, high, nodes))
            high = middle
        else:
            proof.append(_aligned_root(low, middle, nodes))
            known = known and start >= middle
            low, start = middle, max(start, middle)
    if not known:
        proof.append(_aligned_root(low, high, nodes))
    return proof[::-1]


def _aligned_root(start: int, end: int, nodes: Nodes) -> bytes:
    return fold([nodes(level, index) for level, index in _peaks(start, end)])


def _peaks(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The complete subtrees that make up `[start, end)`, largest first."""
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def _split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << ((size - 1).bit_length() - 1)


# ---- checking -----------------------------------------------------------------------------------------------------


def inclusion_root(*, leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that a proof leads to from the leaf hash at `index` of `size` leaves (RFC 9162 §2.1.3.2).

    Raises:
        Invalid: `ledger.index_outside`; `ledger.proof_wrong` when the proof has not the length that both demand.
    """
    if not 0 <= index < size <= MAX_INT63:
        raise Invalid("ledger.index_outside", index=index, size=size)
    _must_be_hashes(leaf, *proof)
    found, last, rest = leaf, size - 1, index
    for sibling in proof:
        if last == 0:
            raise Invalid("ledger.proof_wrong")
        if rest & 1 or rest == last:
            found = node_hash(sibling, found)
            while not rest & 1:
                rest, last = rest >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        rest, last = rest >> 1, last >> 1
    if last:
        raise Invalid("ledger.proof_wrong")
    return found


def verify_inclusion(*, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf hash stands at `index` in the tree of `size` leaves with this root (RFC 9162 §2.1.3.2).

    Raises:
        Invalid: `ledger.index_outside`; `ledger.proof_wrong`.
    """
    if inclusion_root(leaf=leaf, index=index, size=size, proof=proof) != root:
        raise Invalid("ledger.proof_wrong")


def verify_subtree_inclusion(
    *, leaf: bytes, index: int, start: int, end: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that the leaf hash stands at `index` of the log, inside the subtree `[start, end)` with this root.

    Raises:
        Invalid: `ledger.subtree_wrong`; `ledger.index_outside`; `ledger.proof_wrong`.
    """
    _must_be_subtree(start, end)
    if not start <= index < end:
        raise Invalid("ledger.index_outside", index=index, size=end)
    verify_inclusion(leaf=leaf, index=index - start, size=end - start, proof=proof, root=root)


def verify_consistency(*, old: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree of `old` leaves is a prefix of the tree of `size` leaves (RFC 9162 §2.1.4.2).

    A proof from or to size 0 says nothing about the other tree and is refused: who starts from the empty tree
    has nothing to compare.

    Raises:
        Invalid: `ledger.size_outside`; `ledger.proof_wrong`.
    """
    if not 0 < old <= size <= MAX_INT63:
        raise Invalid("ledger.size_outside", old=old, size=size)
    verify_subtree(start=0, end=old, subtree_root=old_root, size=size, root=root, proof=proof)


def verify_subtree(  # noqa: C901, PLR0912 (one procedure, read beside the draft's numbered steps)
    *, start: int, end: int, subtree_root: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the subtree `[start, end)` with its root is part of the tree of `size` leaves with its root.

    The procedure of draft-ietf-plants-merkle-tree-certs, of which RFC 9162 §2.1.4.2 is the case `start == 0`.
    The empty subtree is part of every tree that reaches so far, whatever its root.

    Raises:
        Invalid: `ledger.subtree_wrong`; `ledger.proof_wrong`.
    """
    _must_be_subtree(start, end)
    if not end <= size <= MAX_INT63:
        raise Invalid("ledger.subtree_wrong", start=start, end=end)
    if start == end or (start, end) == (0, size):
        if proof or subtree_root != (EMPTY_ROOT if start == end else root):
            raise Invalid("ledger.proof_wrong")
        return
    _must_be_hashes(subtree_root, root, *proof)

    # 1 Go up to the largest complete subtree at the right edge of [start, end); its hash is the first one known.
    here, edge, last = start, end - 1, size - 1
    if edge == last:
        while here != edge:
            here, edge, last = here >> 1, edge >> 1, last >> 1
    else:
        while here != edge and edge & 1:
            here, edge, last = here >> 1, edge >> 1, last >> 1
    rest = list(proof)
    if here == edge:
        seed = subtree_root
    elif rest:
        seed = rest.pop(0)
    else:
        raise Invalid("ledger.proof_wrong")

    # 2 Grow both roots with the same hashes: left siblings count for both, right siblings for the whole tree only.
    part = whole = seed
    for sibling in rest:
        if last == 0:
            raise Invalid("ledger.proof_wrong")
        if edge & 1 or edge == last:
            if here < edge:
                part = node_hash(sibling, part)
            whole = node_hash(sibling, whole)
            while not edge & 1:
                here, edge, last = here >> 1, edge >> 1, last >> 1
        else:
            whole = node_hash(whole, sibling)
        here, edge, last = here >> 1, edge >> 1, last >> 1

    # 3 Nothing is left over and both roots are met.
    if last or part != subtree_root or whole != root:
        raise Invalid("ledger.proof_wrong")


def is_subtree(start: int, end: int) -> bool:
    """Whether `[start, end)` is a subtree: empty, or starting at a multiple of its size rounded up to 2**k."""
    return 0 <= start <= end and (start == end or start % (1 << (end - start - 1).bit_length()) == 0)


def _must_be_subtree(start: int, end: int) -> None:
    if not is_subtree(start, end):
        raise Invalid("ledger.subtree_wrong", start=start, end=end)


def _must_be_hashes(*hashes: bytes) -> None:
    if any(len(each) != HASH_SIZE for each in hashes):
        raise Invalid("ledger.proof_wrong")

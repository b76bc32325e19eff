from __future__ import annotations

import base64
import hashlib
import json
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import naive
from world.data import shared_data

from chopmark.base.errors import Invalid
from chopmark.ledger import tree

MANY = 68
ENTRIES = [index.to_bytes(4, "big") * (index % 5) for index in range(300)]


@cache
def nodes(level: int, index: int) -> bytes:
    return naive.mth(ENTRIES[index << level : (index + 1) << level])


def root_of(size: int) -> bytes:
    return naive.mth(ENTRIES[:size])


def refused(check, **values) -> bool:
    try:
        check(**values)
    except Invalid:
        return True
    return False


def test_the_empty_tree_has_the_hash_of_nothing():
    assert tree.root(0, nodes) == tree.EMPTY_ROOT == hashlib.sha256(b"").digest()


def test_leaves_and_nodes_are_hashed_with_their_prefixes():
    assert tree.leaf_hash(b"entry") == hashlib.sha256(b"\x00entry").digest()
    assert tree.node_hash(b"l" * 32, b"r" * 32) == hashlib.sha256(b"\x01" + b"l" * 32 + b"r" * 32).digest()
    assert tree.leaf_hashes([b"", b"a"]) == [tree.leaf_hash(b""), tree.leaf_hash(b"a")]


def test_roots_equal_the_recursive_definition():
    assert [tree.root(size, nodes) for size in range(len(ENTRIES))] == [root_of(size) for size in range(len(ENTRIES))]


def test_inclusion_proofs_equal_the_recursive_definition():
    for size in range(1, MANY):
        for index in range(size):
            assert tree.inclusion_proof(index, size, nodes) == naive.path(index, ENTRIES[:size])


def test_every_leaf_is_provable_at_its_index_and_at_no_other():
    for size in (1, 2, 3, 7, 8, 13, 33, MANY):
        root = root_of(size)
        for index in range(size):
            proof = tree.inclusion_proof(index, size, nodes)
            for claimed in range(size):
                leaf = tree.leaf_hash(ENTRIES[index])
                found = not refused(tree.verify_inclusion, leaf=leaf, index=claimed, size=size, proof=proof, root=root)
                assert found == (claimed == index), (size, index, claimed)
                assert found == naive.accepts_inclusion(leaf, claimed, size, proof, root)


def test_consistency_between_every_pair_of_sizes():
    for size in range(1, MANY):
        for old in range(size + 1):
            proof = tree.consistency_proof(old, size, nodes)
            assert proof == naive.proof(old, ENTRIES[:size])
            values = {"old": old, "old_root": root_of(old), "size": size, "root": root_of(size), "proof": proof}
            assert refused(tree.verify_consistency, **values) == (old == 0)


def test_subtree_proofs_equal_the_draft_and_verify():
    for size in range(1, 34):
        for end in range(1, size + 1):
            for start in range(end):
                if not tree.is_subtree(start, end):
                    continue
                proof = tree.subtree_proof(start, end, size, nodes)
                assert proof == naive.subproof(start, end, ENTRIES[:size], known=True)
                part = tree.subtree_root(start, end, nodes)
                assert part == naive.mth(ENTRIES[start:end])
                tree.verify_subtree(start=start, end=end, subtree_root=part, size=size, root=root_of(size), proof=proof)


@given(data=st.data())
def test_a_changed_consistency_proof_is_refused(data):
    size = data.draw(st.integers(2, len(ENTRIES)))
    old = data.draw(st.integers(1, size - 1))
    proof = tree.consistency_proof(old, size, nodes)
    place = data.draw(st.integers(0, len(proof)))
    changed = data.draw(
        st.sampled_from(
            [
                [*proof[:place], b"\x07" * 32, *proof[place:]],
                proof[:place] + proof[place + 1 :] if place < len(proof) else [*proof, b"\x07" * 32],
                [*proof[:place], *[bytes(32)] * bool(proof[place:]), *proof[place + 1 :]]
                if proof[place:]
                else proof[1:],
            ]
        )
    )
    values = {"old": old, "old_root": root_of(old), "size": size, "root": root_of(size)}
    assert refused(tree.verify_consistency, proof=changed, **values)


@given(size=st.integers(1, 300), data=st.data())
def test_a_changed_inclusion_proof_is_refused(size, data):
    index = data.draw(st.integers(0, size - 1))
    proof = tree.inclusion_proof(index, size, nodes)
    values = {"leaf": tree.leaf_hash(ENTRIES[index]), "index": index, "size": size, "root": root_of(size)}
    tree.verify_inclusion(proof=proof, **values)
    assert refused(tree.verify_inclusion, proof=[*proof, bytes(32)], **values)
    assert refused(tree.verify_inclusion, proof=proof, **(values | {"leaf": bytes(32)}))
    if proof:
        assert refused(tree.verify_inclusion, proof=proof[1:], **values)
        assert refused(tree.verify_inclusion, proof=proof[:-1], **values)
        bit = data.draw(st.integers(0, 255))
        place = data.draw(st.integers(0, len(proof) - 1))
        flipped = (int.from_bytes(proof[place], "big") ^ (1 << bit)).to_bytes(32, "big")
        assert refused(tree.verify_inclusion, proof=[*proof[:place], flipped, *proof[place + 1 :]], **values)


H = bytes(32)
REFUSED = {
    "an index beyond the tree": (tree.verify_inclusion, {"leaf": H, "index": 1, "size": 1, "proof": [], "root": H}),
    "an index below zero": (tree.verify_inclusion, {"leaf": H, "index": -1, "size": 1, "proof": [], "root": H}),
    "an inclusion in nothing": (tree.verify_inclusion, {"leaf": H, "index": 0, "size": 0, "proof": [], "root": H}),
    "a size above 2**63 - 1": (tree.verify_inclusion, {"leaf": H, "index": 0, "size": 2**63, "proof": [], "root": H}),
    "a leaf of 31 bytes": (
        tree.verify_inclusion,
        {"leaf": H[1:], "index": 0, "size": 1, "proof": [], "root": H[1:]},
    ),
    "a proof hash of 33 bytes": (
        tree.verify_inclusion,
        {"leaf": H[1:], "index": 0, "size": 2, "proof": [H + b"0"], "root": H},
    ),
    "consistency from the empty tree": (
        tree.verify_consistency,
        {"old": 0, "old_root": tree.EMPTY_ROOT, "size": 1, "root": H, "proof": []},
    ),
    "consistency of two empty trees": (
        tree.verify_consistency,
        {"old": 0, "old_root": tree.EMPTY_ROOT, "size": 0, "root": tree.EMPTY_ROOT, "proof": []},
    ),
    "consistency backwards": (
        tree.verify_consistency,
        {"old": 2, "old_root": H, "size": 1, "root": H, "proof": []},
    ),
    "the same size with another root": (
        tree.verify_consistency,
        {"old": 2, "old_root": H, "size": 2, "root": b"1" * 32, "proof": []},
    ),
    "the same size with a proof": (
        tree.verify_consistency,
        {"old": 2, "old_root": H, "size": 2, "root": H, "proof": [H]},
    ),
    "a range that is no subtree": (
        tree.verify_subtree,
        {"start": 1, "end": 3, "subtree_root": H, "size": 4, "root": H, "proof": [H]},
    ),
}


@pytest.mark.parametrize("title", REFUSED)
def test_what_cannot_be_proven_is_refused(title):
    check, values = REFUSED[title]
    assert refused(check, **values)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_no_proof_is_made_for_a_leaf_outside(index, size):
    with pytest.raises(Invalid, match=r"ledger\.index_outside"):
        tree.inclusion_proof(index, size, nodes)


def test_no_proof_is_made_towards_a_smaller_tree():
    with pytest.raises(Invalid, match=r"ledger\.size_outside"):
        tree.consistency_proof(4, 3, nodes)
    with pytest.raises(Invalid, match=r"ledger\.subtree_wrong"):
        tree.subtree_proof(2, 4, 3, nodes)
    with pytest.raises(Invalid, match=r"ledger\.subtree_wrong"):
        tree.subtree_proof(1, 3, 8, nodes)


def test_the_518_published_vectors_get_their_wanted_answer():
    folder = shared_data("merkle-vectors") / "testdata"
    count, wrong = 0, []
    for file in sorted(folder.rglob("*.json")):
        vector = json.loads(file.read_text())
        count += 1
        if _is_refused(file.relative_to(folder).parts[0], vector) != vector["wantErr"]:
            wrong.append(str(file))
    assert (count, wrong) == (518, [])


def _is_refused(kind: str, vector: dict) -> bool:
    read = base64.b64decode
    proof = [read(each) for each in vector["proof"] or []]
    match kind:
        case "inclusion":
            return refused(
                tree.verify_inclusion,
                leaf=read(vector["leafHash"]),
                index=vector["leafIdx"],
                size=vector["treeSize"],
                proof=proof,
                root=read(vector["root"]),
            )
        case "consistency":
            return refused(
                tree.verify_consistency,
                old=vector["size1"],
                old_root=read(vector["root1"]),
                size=vector["size2"],
                root=read(vector["root2"]),
                proof=proof,
            )
        case "subtreeinclusion":
            return refused(
                tree.verify_subtree_inclusion,
                leaf=read(vector["leafHash"]),
                index=vector["leafIdx"],
                start=vector["start"],
                end=vector["end"],
                proof=proof,
                root=read(vector["root"]),
            )
        case "subtreeconsistency":
            return refused(
                tree.verify_subtree,
                start=vector["start"],
                end=vector["end"],
                subtree_root=read(vector["root1"]),
                size=vector["size"],
                root=read(vector["root2"]),
                proof=proof,
            )
        case _:
            raise AssertionError(kind)


@cache
def byte_nodes(level: int, index: int) -> bytes:
    """The tree whose entries are the bytes 0, 1, 2 …"""
    if level == 0:
        return tree.leaf_hash(bytes([index]))
    return tree.node_hash(byte_nodes(level - 1, 2 * index), byte_nodes(level - 1, 2 * index + 1))


def line(head: str, proof: list[bytes]) -> bytes:
    return " ".join([head, *(each.hex() for each in proof)]).encode() + b"\n"


# Appendix "Subtree Test Vectors" of draft-ietf-plants-merkle-tree-certs: one SHA-256 over the answers to every
# valid question up to size 130. The first two came in two editions: without and with the empty subtrees.
ACCUMULATED = 131


@pytest.mark.parametrize(("empty", "want"), [(0, "94a95384a8c69ace"), (1, "b82806ad")])
def test_subtree_roots_equal_the_accumulated_vectors(empty, want):
    total = hashlib.sha256()
    for end in range(1 - empty, ACCUMULATED):
        for start in filter(lambda start: tree.is_subtree(start, end), range(end + empty)):
            total.update(line(f"[{start}, {end})", [tree.subtree_root(start, end, byte_nodes)]))
    assert total.hexdigest().startswith(want)


def test_subtree_inclusion_proofs_equal_the_accumulated_vector():
    total = hashlib.sha256()
    for end in range(1, ACCUMULATED):
        for start in filter(lambda start: tree.is_subtree(start, end), range(end)):
            for index in range(start, end):

                def inside(level: int, at: int, start: int = start) -> bytes:
                    return byte_nodes(level, at + (start >> level))

                proof = tree.inclusion_proof(index - start, end - start, inside)
                total.update(line(f"{index} [{start}, {end})", proof))
    assert total.hexdigest() == "ac2a8f989e44d99e399db448050ff5f19757df53cfb716aa81015d3955d8163f"


@pytest.mark.parametrize(("empty", "want"), [(0, "c586ebbb73a5621b"), (1, "10fa99b3")])
def test_subtree_consistency_proofs_equal_the_accumulated_vectors(empty, want):
    total = hashlib.sha256()
    for size in range(ACCUMULATED):
        for end in range(1 - empty, size + 1):
            for start in filter(lambda start: tree.is_subtree(start, end), range(end + empty)):
                total.update(line(f"[{start}, {end}) {size}", tree.subtree_proof(start, end, size, byte_nodes)))
    assert total.hexdigest().startswith(want)

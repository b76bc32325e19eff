"""The audit believes nothing, finds every single altered byte, and passes what is sound."""

from datetime import timedelta
from pathlib import Path

import pytest
from world.ledger import AT, KEYS, ORIGIN, VERIFIERS, LedgerWorld, statements

from chopmark.base.wording import catalogue, say
from chopmark.ledger.audit import audit
from chopmark.ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from chopmark.ledger.cose import IssuerKey
from chopmark.ledger.keys import ED25519, MLDSA44_COSIGNATURE, SigningKey
from chopmark.ledger.policy import Policy, PolicyLog, PolicyWitness
from chopmark.ledger.statement import policy_statement
from chopmark.ledger.stores import CHECKPOINT
from chopmark.ledger.stores.files import FileObjects
from chopmark.ledger.tiles import bundle_path, tile_path


def grown(*sizes: int) -> LedgerWorld:
    world, start = LedgerWorld(), 0
    for size in sizes:
        world.publish(*statements(size - start, start))
        start = size
    return world


def codes(world: LedgerWorld, **options) -> list[str]:
    result = audit(world.objects.get, VERIFIERS, statements=False, **options)
    for finding in result.findings:
        assert finding.code in catalogue()
        assert say(finding.code, finding.facts, "en")
        assert say(finding.code, finding.facts, "zh")
    return [finding.code for finding in result.findings]


@pytest.mark.parametrize("sizes", [(1,), (256,), (1, 257), (100, 700, 1025)])
def test_a_sound_log_passes_with_every_checkpoint_it_ever_showed(sizes):
    world = grown(*sizes)
    done = []
    result = audit(
        world.objects.get,
        VERIFIERS,
        statements=False,
        older=world.shown,
        progress=lambda *numbers: done.append(numbers),
    )
    assert result.passed
    assert result.entries == sizes[-1]
    assert len(result.signers) == 2
    assert done[-1] == (sizes[-1], sizes[-1])


def test_an_empty_log_passes_when_it_is_signed():
    world = LedgerWorld()
    point = Checkpoint(origin=ORIGIN, size=0, root=world.book.head().root)
    world.objects.put({CHECKPOINT: sign_checkpoint(point, KEYS, AT)})
    assert codes(world) == []


def test_every_file_counts():
    world = grown(100, 700)
    for path, data in list(world.objects.kept.items()):
        for spoilt in (data[:-1], data[:50] + bytes([data[50] ^ 1]) + data[51:], None):
            if spoilt is None:
                del world.objects.kept[path]
            else:
                world.objects.kept[path] = spoilt
            assert codes(world) != [], f"{path} was altered"
        world.objects.kept[path] = data
    assert codes(world) == []


def test_what_is_wrong_is_named():
    world = grown(700)
    world.objects.kept[tile_path(0, 1)] = bytes(8192)
    del world.objects.kept[tile_path(1, 0, 2)]
    result = audit(world.objects.get, VERIFIERS, statements=False)
    assert [(finding.code, finding.facts["path"]) for finding in result.findings] == [
        ("ledger.audit_tile_differs", "tile/0/001"),
        ("ledger.object_missing", "tile/1/000.p/2"),
    ]


def test_a_missing_bundle_ends_the_walk():
    world = grown(700)
    del world.objects.kept[bundle_path(1)]
    result = audit(world.objects.get, VERIFIERS, statements=False)
    assert [finding.code for finding in result.findings] == ["ledger.object_missing"]
    assert result.entries == 256


def test_a_log_without_a_readable_checkpoint_is_not_walked():
    world = LedgerWorld()
    assert codes(world) == ["ledger.object_missing"]
    world.objects.put({CHECKPOINT: b"nothing"})
    assert codes(world) == ["ledger.note_malformed"]


def test_a_key_of_each_type_must_have_signed():
    world = grown(3)
    retired = [SigningKey.generate(ORIGIN, kind).verifier for kind in (ED25519, MLDSA44_COSIGNATURE)]
    assert audit(world.objects.get, [*retired, *VERIFIERS], statements=False).passed
    result = audit(world.objects.get, [VERIFIERS[0], retired[1]], statements=False)
    assert [finding.code for finding in result.findings] == ["ledger.audit_signature_missing"]
    stranger = SigningKey.generate("other.test/log", ED25519).verifier
    assert audit(world.objects.get, [stranger]).findings[0].code == "ledger.signature_missing"


def test_a_rewritten_history_is_found_by_any_older_checkpoint():
    world, other = grown(300, 500), LedgerWorld()
    other.publish(*[b"rewritten" if each == b"statement 7" else each for each in statements(600)])
    assert codes(other) == [], "by itself it is sound"
    assert codes(other, older=world.shown) == ["ledger.audit_not_a_prefix"] * 2
    assert codes(grown(100), older=world.shown) == ["ledger.audit_not_a_prefix"] * 2, "a log never shrinks"
    assert codes(world, older=[b"nothing"]) == ["ledger.note_malformed"]


def test_two_roots_signed_for_one_size_are_found():
    world = grown(5)
    forked = sign_checkpoint(Checkpoint(origin=ORIGIN, size=3, root=b"f" * 32), KEYS, AT)
    same = sign_checkpoint(open_checkpoint(world.shown[0], VERIFIERS)[0], KEYS, AT + timedelta(days=1))
    assert codes(world, older=[same]) == []
    assert codes(world, older=[forked]) == ["ledger.audit_not_a_prefix"]


def test_an_entry_that_stands_twice_is_found():
    world = LedgerWorld()
    world.publish(b"once")
    world.book._positions.clear()
    world.publish(b"once")
    assert codes(world) == ["ledger.audit_entry_twice"]


def test_entries_must_be_statements_unless_said_otherwise():
    world = LedgerWorld()
    key = IssuerKey.from_seed(bytes(32))
    good = policy_statement(b"rules", issuer="https://log.test/issuers/1", subject="urn:example:policy", key=key, at=AT)
    world.publish(good, b"no statement")
    result = audit(world.objects.get, VERIFIERS)
    assert [(finding.code, finding.facts["position"]) for finding in result.findings] == [
        ("ledger.audit_not_a_statement", 1)
    ]
    assert codes(world) == []


def test_the_audit_reads_what_a_static_file_server_has(tmp_path: Path):
    world = LedgerWorld(objects=FileObjects(tmp_path))
    world.publish(*statements(300))

    def fetch(path: str) -> bytes:
        return (tmp_path / path).read_bytes()

    assert audit(fetch, VERIFIERS, statements=False).passed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint", "tile"]


def test_a_checkpoint_without_the_quorum_is_found_the_older_ones_too():
    witness = SigningKey(name="court.test/mirror", type=MLDSA44_COSIGNATURE, seed=bytes(32))
    policy = Policy(
        logs=(PolicyLog(key=VERIFIERS[0]),),
        witnesses=(PolicyWitness(name="court", key=witness.verifier),),
        quorum="court",
    )
    world = grown(5, 9)
    assert codes(world, policy=policy, older=world.shown[:1]) == ["ledger.audit_no_quorum"] * 2
    point, _ = open_checkpoint(world.objects.get(CHECKPOINT), VERIFIERS)
    world.objects.put({CHECKPOINT: sign_checkpoint(point, [*KEYS, witness], AT)})
    assert codes(world, policy=policy) == []
    assert codes(world, policy=policy, older=world.shown[:1]) == ["ledger.audit_no_quorum"]

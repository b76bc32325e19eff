from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chopmark.base.errors import Invalid
from chopmark.ledger.checkpoint import Checkpoint, VerifiedSignature, sign_checkpoint
from chopmark.ledger.keys import ED25519, ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, SigningKey
from chopmark.ledger.policy import Policy, PolicyGroup, PolicyLog, PolicyWitness, policy_text

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
POINT = Checkpoint(origin="log.example/one", size=6, root=bytes(32))
LOG = SigningKey(name="log.example/one", type=ED25519, seed=bytes(32))
LOG_PQ = SigningKey(name="log.example/one", type=MLDSA44_COSIGNATURE, seed=bytes(32))
WITNESSES = {
    name: SigningKey(name=f"{name}.example", type=ED25519_COSIGNATURE, seed=bytes([number]) * 32)
    for number, name in enumerate(["X1", "X2", "X3", "Y1", "Y2", "Y3"], start=1)
}
EXAMPLE = f"""
# Two of the X, and one of the Y.
log {LOG.verifier} https://log.example/one
log {LOG_PQ.verifier}

witness X1 {WITNESSES["X1"].verifier}
witness X2 {WITNESSES["X2"].verifier} https://x2.example/
witness\tX3  {WITNESSES["X3"].verifier}\x20
group X-witnesses 2 X1 X2 X3
witness Y1 {WITNESSES["Y1"].verifier}
witness Y2 {WITNESSES["Y2"].verifier}
witness Y3 {WITNESSES["Y3"].verifier}
group Y-witnesses any Y1 Y2 Y3

group 甲和乙 all X-witnesses Y-witnesses
\t# 法定数
quorum 甲和乙
"""


def judge(names: str, logs=(LOG,), policy: str = EXAMPLE):
    note = sign_checkpoint(POINT, [*logs, *(WITNESSES[name] for name in names.split())], AT)
    return Policy.parse(policy.encode()).open(note)[1]


@pytest.mark.parametrize(
    ("names", "reached"),
    [
        ("", False),
        ("X1 X2", False),
        ("X1 X2 X3", False),
        ("X1 Y1 Y2 Y3", False),
        ("X1 X2 Y1", True),
        ("X3 X2 Y3", True),
        ("X1 X2 X3 Y1 Y2 Y3", True),
    ],
)
def test_the_example_of_the_specification_is_judged(names, reached):
    judgement = judge(names)
    assert (judgement.quorum_reached, judgement.accepted) == (reached, reached)
    assert set(judgement.witnesses) == set(names.split())
    assert [each.key for each in judgement.logs] == [LOG.verifier]


def test_either_key_of_the_log_suffices_and_both_are_told():
    assert judge("X1 X2 Y1", logs=(LOG_PQ,)).accepted
    assert len(judge("X1 X2 Y1", logs=(LOG, LOG_PQ)).logs) == 2


def test_a_quorum_without_the_log_is_not_accepted():
    judgement = judge("X1 X2 Y1", logs=())
    assert judgement.quorum_reached
    assert not judgement.accepted


def test_a_log_signs_under_its_own_origin_only():
    policy = Policy.parse(EXAMPLE.encode())
    other = Checkpoint(origin="log.example/two", size=6, root=bytes(32))
    _, judgement = policy.open(sign_checkpoint(other, [LOG, WITNESSES["X1"]], AT))
    assert judgement.logs == ()
    assert set(judgement.witnesses) == {"X1"}


def test_quorum_none_asks_for_the_log_only():
    assert judge("", policy=f"log {LOG.verifier}\nquorum none\n").accepted


def test_a_witness_counts_once_and_with_its_earliest_time():
    policy = Policy.parse(f"witness a {WITNESSES['X1'].verifier}\nquorum a\n".encode())
    key = WITNESSES["X1"].verifier
    times = [AT + timedelta(days=1), AT, None]
    judgement = policy.judge([VerifiedSignature(key=key, origin="o", at=at) for at in times])
    assert judgement.witnesses["a"].at == AT


def test_a_policy_prints_and_comes_back():
    policy = Policy.parse(EXAMPLE.encode())
    again = Policy.parse(policy_text(policy).encode())
    assert again.keys == policy.keys
    assert [group.name for group in again.groups] == ["X-witnesses", "Y-witnesses", "甲和乙"]
    assert again == policy


def test_thirty_two_of_everything_are_accepted():
    keys = [SigningKey(name=f"k{number}", type=ED25519_COSIGNATURE, seed=bytes([number]) * 32) for number in range(64)]
    logs = [SigningKey(name=f"l{number}", type=ED25519, seed=bytes([number, 7]) * 16) for number in range(32)]
    policy = Policy(
        logs=tuple(PolicyLog(key=key.verifier) for key in logs),
        witnesses=tuple(PolicyWitness(name=key.name, key=key.verifier) for key in keys),
        groups=tuple(PolicyGroup(name=f"g{number}", threshold=1, members=(f"k{number}",)) for number in range(32)),
        quorum="g31",
    )
    assert Policy.parse(policy_text(policy).encode()) == policy


A, B = WITNESSES["X1"].verifier, WITNESSES["X2"].verifier
REFUSED = {
    "an unknown word": f"logs {LOG.verifier}\nquorum none\n",
    "a word in capitals": f"LOG {LOG.verifier}\nquorum none\n",
    "a log without key": "log\nquorum none\n",
    "a log with three words": f"log {LOG.verifier} https://a b\nquorum none\n",
    "a log with a damaged key": f"log {str(LOG.verifier)[:-1]}\nquorum none\n",
    "a log twice": f"log {LOG.verifier}\nlog {LOG.verifier}\nquorum none\n",
    "a witness key as a log": f"log {A}\nquorum none\n",
    "a log key as a witness": f"witness a {LOG.verifier}\nquorum a\n",
    "a witness key twice": f"witness a {A}\nwitness b {A}\nquorum none\n",
    "a witness name twice": f"witness a {A}\nwitness a {B}\nquorum none\n",
    "a witness called none": f"witness none {A}\nquorum none\n",
    "a group with the name of a witness": f"witness a {A}\ngroup a any a\nquorum none\n",
    "a group without members": "group g all\nquorum none\n",
    "a group of the predefined none": "group g any none\nquorum g\n",
    "a group before its member": f"group g any a\nwitness a {A}\nquorum g\n",
    "a group of itself": "group g any g\nquorum g\n",
    "a member twice": f"witness a {A}\ngroup g 2 a a\nquorum g\n",
    "a member of two groups": f"witness a {A}\ngroup g any a\ngroup h any a\nquorum g\n",
    "a threshold of zero": f"witness a {A}\ngroup g 0 a\nquorum g\n",
    "a threshold above the members": f"witness a {A}\ngroup g 2 a\nquorum g\n",
    "a threshold with a zero in front": f"witness a {A}\ngroup g 01 a\nquorum g\n",
    "a threshold with a sign": f"witness a {A}\ngroup g +1 a\nquorum g\n",
    "an unknown quorum": f"witness a {A}\nquorum b\n",
    "a quorum before its witness": f"quorum a\nwitness a {A}\n",
    "two quorums": "quorum none\nquorum none\n",
    "a quorum of two": f"witness a {A}\nwitness b {B}\nquorum a b\n",
    "a carriage return": "quorum none\r\n",
    "a form feed in a comment": "# \f\nquorum none\n",
    "a delete character": "# \x7f\nquorum none\n",
    "a null": "quorum none\n\0",
    "a wide space between words": "quorum\u3000none\n",
}


@pytest.mark.parametrize("title", REFUSED)
def test_wrong_policies_are_refused_with_their_line(title):
    with pytest.raises(Invalid, match=r"ledger\.policy_malformed line="):
        Policy.parse(REFUSED[title].encode())


@pytest.mark.parametrize("data", [b"", b"\n", b"# quorum none\n", f"log {LOG.verifier}\n".encode()])
def test_a_policy_without_quorum_is_refused(data):
    with pytest.raises(Invalid, match=r"ledger\.policy_without_quorum"):
        Policy.parse(data)


@pytest.mark.parametrize("data", [b"#" * (1024 * 1024 + 1), b"\n" * 1001])
def test_a_policy_above_the_limits_is_refused(data):
    with pytest.raises(Invalid, match=r"ledger\.policy_too_large"):
        Policy.parse(data)


def test_a_contradicting_policy_cannot_be_made():
    with pytest.raises(Invalid, match=r"ledger\.policy_inconsistent"):
        Policy(quorum="nobody")
    with pytest.raises(Invalid, match=r"ledger\.policy_inconsistent"):
        Policy(logs=(PolicyLog(key=LOG.verifier, url="two words"),))


def test_names_are_opaque_bytes():
    policy = Policy.parse(b"witness \xff\xe4 " + str(A).encode() + b"\nquorum \xff\xe4\n")
    assert policy.witnesses[0].name.encode("utf-8", "surrogateescape") == b"\xff\xe4"


@given(st.binary(max_size=100))
def test_any_bytes_are_a_policy_or_refused(data):
    try:
        policy = Policy.parse(data + b"\nquorum none\n")
    except Invalid:
        return
    assert policy.quorum == "none"


def test_two_keys_that_a_signature_line_cannot_tell_apart_are_refused():
    """Their owners found them by trying 70,000 seeds; a member could take a log's place so, with 2^32."""
    twins = [
        SigningKey(
            name="twin.example", type=ED25519_COSIGNATURE, seed=sha256(b"collision %d" % number).digest()
        ).verifier
        for number in (53_095, 69_338)
    ]
    assert twins[0].key_id == twins[1].key_id
    assert twins[0] != twins[1]
    lines = [f"witness w{number} {key}\n" for number, key in enumerate(twins)]
    assert len(Policy.parse(f"{lines[0]}quorum w0\n".encode()).witnesses) == 1
    with pytest.raises(Invalid, match=r"ledger\.policy_malformed") as caught:
        Policy.parse("".join([*lines, "quorum w0\n"]).encode())
    assert caught.value.facts["line"] == 2


def test_a_log_s_key_may_stand_in_both_roles():
    key = SigningKey(name="log.example", type=MLDSA44_COSIGNATURE, seed=bytes(32)).verifier
    assert Policy.parse(f"log {key}\nwitness itself {key}\nquorum itself\n".encode()).quorum == "itself"

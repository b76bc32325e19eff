"""The corpus: receipts, good and spoiled, each with the verdict and the finding codes that it must get.

What is wanted is written here by hand, never taken from a verifier. `scripts/make_corpus.py` writes the files.
"""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from corpus import maker

from chopmark.base import cbor, clock
from chopmark.base.digests import Digests, digests_of
from chopmark.evidence.deposit import Disclosure
from chopmark.evidence.receipt import Receipt
from chopmark.ledger.checkpoint import Checkpoint, sign_checkpoint
from chopmark.ledger.cose import Envelope
from chopmark.ledger.cose_receipt import SealedRoot, transparent_statement
from chopmark.ledger.keys import SigningKey
from chopmark.ledger.note import Note, NoteSignature
from chopmark.ledger.proof import TlogProof

TLOG, COSE = "tlog-proof", "receipt.cose"
SIX = ["verify.disclosure_matches"] * 6
OTHER_FILE = digests_of([maker.FILE[:-1] + b"!\n"], sm3=True)


def codes(**steps: str | list[str] | None) -> list[str]:
    """The codes of a receipt with nothing wrong, some steps' replaced; None leaves the step's code out."""
    good: dict[str, str | list[str] | None] = {
        "form": "receipt_well_formed",
        "file": "digest_matches",
        "sm3": "sm3_matches",
        "size": None,
        "shown": SIX,
        "signed": "statement_signed_by_agent",
        "included": "included",
        "log": "log_signed",
        "quorum": "quorum_not_required",
        "time": "existed_by",
        "anchors": None,
    }
    wanted: list[str] = []
    for found in (good | steps).values():
        each = found if isinstance(found, list) else [] if found is None else [f"verify.{found}"]
        wanted.extend(each)
    return wanted


MALFORMED = ["verify.receipt_malformed"]


@dataclass(frozen=True)
class Case:
    """One receipt and what every verifier must say of it."""

    says: str
    receipt: bytes
    form: str
    verdict: str
    codes: list[str]
    policy: str | None = "platform"
    digests: Digests | None = maker.DIGESTS
    at: datetime = maker.AT + timedelta(days=1)
    existed_by: datetime | None = maker.AT
    whom: str | None = maker.ORIGIN


def passed(says: str, receipt: bytes, form: str, wanted: list[str], **rest: Any) -> Case:
    return Case(says, receipt, form, "PASSED", wanted, **rest)


def undecided(says: str, receipt: bytes, form: str, wanted: list[str], **rest: Any) -> Case:
    return Case(says, receipt, form, "INDETERMINATE", wanted, **rest)


def failed(says: str, receipt: bytes, form: str, wanted: list[str], **rest: Any) -> Case:
    return Case(says, receipt, form, "FAILED", wanted, existed_by=None, whom=None, **rest)


def untimed(case: Case) -> Case:
    return replace(case, existed_by=None, whom=None)


# ---- spoiling -----------------------------------------------------------------------------------------------------


def in_extra(receipt: Receipt, change: Callable[[dict[str, Any]], None]) -> bytes:
    """The tlog-proof with its extra data changed."""
    proof = TlogProof.parse(receipt.tlog_proof())
    extra = cbor.decode(proof.extra or b"")
    change(extra)
    return replace(proof, extra=cbor.encode(extra)).encode()


def in_unprotected(receipt: Receipt, change: Callable[[dict[Any, Any]], None]) -> bytes:
    """The Transparent Statement with its unprotected header changed."""
    envelope = Envelope.parse(receipt.transparent_statement())
    header = dict(envelope.unprotected)
    change(header)
    return replace(envelope, unprotected=header).encode()


def flipped(data: bytes, at: int = -1) -> bytes:
    """The bytes with the lowest bit of one of them turned."""
    spoiled = bytearray(data)
    spoiled[at] ^= 1
    return bytes(spoiled)


def with_lines(receipt: Receipt, change: Callable[[list[NoteSignature]], list[NoteSignature]]) -> Receipt:
    """The checkpoint with other signature lines."""
    note = Note.parse(receipt.checkpoint)
    return replace(receipt, checkpoint=replace(note, signatures=tuple(change(list(note.signatures)))).encode())


def lines_of(receipt: Receipt, count: int | None = None) -> bytes:
    """The signature lines of the checkpoint as they stand there, or as many as are asked for."""
    lines = [each.line() for each in Note.parse(receipt.checkpoint).signatures]
    return "".join(lines if count is None else (lines * count)[:count]).encode()


def with_wrong_signature(receipt: Receipt, signer: SigningKey) -> Receipt:
    """The checkpoint with the last byte of one signer's signature changed."""
    lines = receipt.checkpoint.decode().splitlines(keepends=True)
    note = sign_checkpoint(Checkpoint(origin=maker.ORIGIN, size=99, root=b"\x01" * 32), [signer], maker.AT).decode()
    other = note.splitlines(keepends=True)[-1]
    prefix = other.rpartition(" ")[0] + " "
    key_id = other.removeprefix(prefix)[:5]  # the most of its 4 bytes that base64 shows without what follows
    where = next(n for n, line in enumerate(lines) if line.startswith(prefix + key_id))
    lines[where] = other
    return replace(receipt, checkpoint="".join(lines).encode())


def text_in(data: bytes, old: bytes, new: bytes) -> bytes:
    if data.count(old) != 1:
        raise ValueError(f"{old!r} stands {data.count(old)} times")
    return data.replace(old, new)


def header(**changes: Any) -> dict[Any, Any]:
    """A protected header as ours, by label name, with changes; ABSENT leaves one out."""
    labels = {
        "alg": 1,
        "crit": 2,
        "content_type": 3,
        "kid": 4,
        "claims": 15,
        "x5chain": 33,
        "hash": 258,
        "type": 259,
        "location": 260,
    }
    said: dict[str, Any] = {
        "alg": -8,
        "kid": maker.OWN.public.thumbprint,
        "claims": {1: maker.DEPOSITOR, 2: maker.SUBJECT, 6: clock.to_seconds(maker.AT)},
        "hash": -16,
        "type": "application/octet-stream",
        "chopmark": {"kind": "work", "policy": maker.REGISTRATION_POLICY},
    }
    merged = {name: value for name, value in {**said, **changes}.items() if value is not ABSENT}
    return {labels.get(name, name): value for name, value in merged.items()}


ABSENT = object()
OWN_KEY = maker.OWN.public.to_cose()
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493


def odd_statement(**changes: Any) -> bytes:
    return maker.sign_raw(header(**changes), maker.DIGESTS.sha256)


def mirrored(statement: bytes) -> bytes:
    """The same ES256 statement with n - s in the place of s, which is as right as s."""
    envelope = Envelope.parse(statement)
    s = P256_ORDER - int.from_bytes(envelope.signature[32:], "big")
    return replace(envelope, signature=envelope.signature[:32] + s.to_bytes(32, "big")).encode()


def zero_r(statement: bytes) -> bytes:
    envelope = Envelope.parse(statement)
    return replace(envelope, signature=b"\x00" * 32 + envelope.signature[32:]).encode()


def overlong_s(statement: bytes) -> bytes:
    """The same Ed25519 statement with S + L in the place of S, which RFC 8032 refuses."""
    envelope = Envelope.parse(statement)
    s = ED25519_ORDER + int.from_bytes(envelope.signature[32:], "little")
    return replace(envelope, signature=envelope.signature[:32] + s.to_bytes(32, "little")).encode()


def odd(
    payload: bytes | None = maker.DIGESTS.sha256, *, unprotected: Any = None, tag: int = 18, **changes: Any
) -> bytes:
    """A tlog-proof, right in all but the statement itself."""
    statement = maker.sign_raw(header(**changes), payload, unprotected=unprotected, tag=tag)
    return maker.register((statement, (), maker.OWN.public.to_cose())).tlog_proof()


# ---- the cases ----------------------------------------------------------------------------------------------------


def good() -> list[Case]:
    agent = maker.register(maker.by_agent())
    private = maker.register(maker.by_agent(private=True))
    own = maker.register(maker.by_depositor())
    p256 = maker.register(maker.by_depositor(p256=True))
    third = maker.register(maker.by_third_party())
    courts = maker.register(
        maker.by_agent(), signers=(maker.LOG, maker.LOG_PQ, maker.HANGZHOU, maker.BEIJING, maker.STRANGER)
    )
    alone = maker.register(maker.by_agent(), index=0, size=1)
    astral = maker.register(maker.by_agent(title="🏮" * 1000))
    before_1970 = maker.register((odd_statement(claims={1: maker.DEPOSITOR, 2: maker.SUBJECT, 6: -1}), (), OWN_KEY))
    other_s = maker.register((mirrored(maker.by_depositor(p256=True)[0]), *maker.by_depositor(p256=True)[1:]))
    long = maker.register(maker.by_agent(), index=200, size=300)
    own_signed = {"signed": "statement_signed"}
    third_party = codes(sm3=None, shown=None, **own_signed)
    seven = [*SIX, "verify.disclosure_matches"]
    found: list[Case] = []
    for form, write in ((TLOG, Receipt.tlog_proof), (COSE, Receipt.transparent_statement)):
        found += [
            passed("signed by the intake key for a depositor", write(agent), form, codes()),
            passed("private, the digest disclosed", write(private), form, codes(shown=seven)),
            passed("signed by the depositor with Ed25519", write(own), form, codes(**own_signed)),
            passed("signed by the depositor with ES256", write(p256), form, codes(**own_signed)),
            passed("a third party's statement without our header", write(third), form, third_party),
            passed("entry 200 of 300", write(long), form, codes()),
            passed("two of three courts cosigned, one unknown signature", write(courts), form,
                   codes(quorum="quorum_reached"), policy="two-courts-of-three", whom="beijing, hangzhou"),
            passed("the policy does not know the witnesses", write(courts), form, codes()),
            passed("the policy has the ML-DSA key only", write(agent), form, codes(), policy="post-quantum-only"),
            passed("nothing is disclosed", write(agent.showing([])), form, codes(shown="not_disclosed")),
            passed("only the title is disclosed", write(agent.showing(["title"])), form,
                   codes(shown=["verify.disclosure_matches", "verify.not_disclosed"])),
            passed("SM3 was not computed", write(agent), form, codes(sm3=None), digests=maker.WITHOUT_SM3),
        ]  # fmt: skip
    return [
        *found,
        passed("the only entry of the log", alone.tlog_proof(), TLOG, codes()),
        passed("COSE alone, without the checkpoint", compact(agent), COSE, codes()),
        passed("a title of 1000 characters beyond the basic plane", astral.tlog_proof(), TLOG, codes()),
        passed("signed before 1970", before_1970.tlog_proof(), TLOG, codes(sm3=None, shown=None, **own_signed)),
        passed("ES256 with the other s", other_s.tlog_proof(), TLOG, codes(**own_signed)),
        passed("COSE and the log's Ed25519 key alone", agent.transparent_statement(), COSE, codes(),
               policy="ed25519-only"),
    ]  # fmt: skip


def compact(receipt: Receipt) -> bytes:
    return in_unprotected(receipt, lambda unprotected: unprotected["chopmark"].pop("checkpoint"))


def doubtful() -> list[Case]:
    agent = maker.register(maker.by_agent())
    private = maker.register(maker.by_agent(private=True))
    later = maker.AT + timedelta(minutes=2)
    one_court = maker.register(maker.by_agent(), signers=(maker.LOG, maker.LOG_PQ, maker.HANGZHOU))
    early = maker.register(maker.by_agent(), at=maker.AT - timedelta(hours=1))
    slow = maker.register(maker.by_agent(), at=later)
    hidden = private.showing(["title", "author", "depositor", "file_name", "media_type", "size"])
    no_log = {"quorum": None, "time": None}
    found: list[Case] = []
    for form, write in ((TLOG, Receipt.tlog_proof), (COSE, Receipt.transparent_statement)):
        found += [
            untimed(undecided("no policy", write(agent), form, codes(log="policy_missing", **no_log), policy=None)),
            untimed(undecided("the log is not in the policy", write(agent), form, codes(log="log_unknown", **no_log),
                              policy="another-log")),
            untimed(undecided("one court short of the quorum", write(one_court), form,
                              codes(quorum="quorum_missing", time="time_without_quorum"),
                              policy="two-courts-of-three")),
            undecided("no file at hand", write(agent), form, codes(file="file_missing", sm3=None), digests=None),
            undecided("private, the digest not disclosed", write(hidden), form,
                      codes(file="digest_not_disclosed", sm3=None)),
            untimed(undecided("time in the future", write(agent), form, codes(time="time_in_future"),
                              at=maker.AT - timedelta(minutes=11))),
            untimed(undecided("time before the statement was signed", write(early), form,
                              codes(time="time_before_statement"))),
            passed("time two minutes after the statement", write(slow), form, codes(), existed_by=later),
        ]  # fmt: skip
    return [
        *found,
        untimed(undecided("no signature with a time", agent.tlog_proof(), TLOG, codes(time="time_missing"),
                          policy="ed25519-only")),
        untimed(undecided("COSE without checkpoint under a policy that asks for witnesses", compact(agent), COSE,
                          codes(quorum=["verify.quorum_missing", "verify.receipt_to_renew"],
                                time="time_without_quorum"), policy="two-courts-of-three")),
        undecided("the signer's key is not in the tlog-proof", in_extra(agent, lambda extra: extra.pop("key")), TLOG,
                  codes(signed="statement_key_missing")),
        undecided("a bare transparent statement", in_unprotected(agent, lambda header: header.pop("chopmark")), COSE,
                  codes(signed="statement_key_missing", shown="not_disclosed")),
    ]  # fmt: skip


def bad() -> list[Case]:
    made = maker.by_agent()
    agent = maker.register(made)
    other = maker.register(maker.by_agent(title="Another lantern"), index=4, filler="other")
    title = next(each for each in agent.disclosures if each.name == "title")
    forged = replace(agent, disclosures=(Disclosure(salt=title.salt, name="title", value="Ming vase"),))
    surplus = replace(maker.register(maker.by_third_party()), disclosures=(title,))
    unsigned = maker.register((flipped(made[0]), made[1], made[2]))
    wrong_key = replace(agent, issuer_key=maker.OWN.public.to_cose())
    confused = maker.register((maker.sign_raw(header(alg=-7), maker.DIGESTS.sha256), (), maker.OWN.public.to_cose()))
    moved = replace(agent, index=2)
    replayed = replace(other, statement=agent.statement, disclosures=agent.disclosures)
    courts = maker.register(made, signers=(maker.LOG, maker.LOG_PQ, maker.HANGZHOU, maker.BEIJING))
    wrong_size = maker.register(made, size=7)
    sized = Disclosure(salt=title.salt, name="size", value=maker.DIGESTS.size + 1)
    lied = maker.draft()
    claim = maker.claim_of(lied, [sized], issuer=maker.DEPOSITOR, subject=maker.SUBJECT, agent=False,
                           policy=maker.REGISTRATION_POLICY, at=maker.AT)  # fmt: skip
    lying = maker.register((maker.sign_statement(claim, maker.OWN), (sized,), maker.OWN.public.to_cose()))
    stop = {"log": None, "quorum": None, "time": None}
    no_log = {"log": "log_signature_wrong", "quorum": None, "time": None}
    own = {"signed": "statement_signed"}
    found: list[Case] = []
    for form, write in ((TLOG, Receipt.tlog_proof), (COSE, Receipt.transparent_statement)):
        found += [
            failed("another file", write(agent), form, codes(file="digest_differs", sm3=None), digests=OTHER_FILE),
            failed("the SM3 digest is another's", write(agent), form, codes(sm3="sm3_differs"),
                   digests=replace(maker.DIGESTS, sm3=OTHER_FILE.sm3)),
            failed("the size committed to is wrong", write(lying), form,
                   codes(size="size_differs", shown=["verify.disclosure_matches"], **own)),
            failed("a title that was not committed to", write(forged), form,
                   codes(shown=["verify.disclosure_differs", "verify.not_disclosed"])),
            failed("a disclosure without a commitment", write(surplus), form,
                   codes(sm3=None, shown="disclosure_differs", **own)),
            failed("the statement's signature is wrong", write(unsigned), form,
                   codes(signed="statement_signature_wrong")),
            failed("the key is not the one named", write(wrong_key), form, codes(signed="statement_key_differs")),
            failed("ES256 named with an Ed25519 key", write(confused), form,
                   codes(sm3=None, shown=None, signed="statement_key_differs")),
            failed("the proof of another position", write(moved), form, codes(included="inclusion_wrong", **stop)),
            failed("the log's Ed25519 signature on the checkpoint is wrong",
                   write(with_wrong_signature(agent, maker.LOG)), form, codes(**no_log)),
            failed("the log's ML-DSA-44 signature is wrong", write(with_wrong_signature(agent, maker.LOG_PQ)), form,
                   codes(**no_log)),
            failed("a witness's signature is wrong", write(with_wrong_signature(courts, maker.HANGZHOU)), form,
                   codes(**no_log), policy="two-courts-of-three"),
        ]  # fmt: skip
    own_made, p256_made = maker.by_depositor(), maker.by_depositor(p256=True)
    overlong = maker.register((overlong_s(own_made[0]), *own_made[1:]))
    zero = maker.register((zero_r(p256_made[0]), *p256_made[1:]))
    stranger = maker.register(made, log=maker.STRANGER, signers=(maker.STRANGER,))
    sealed = SealedRoot.parse(agent.seals[0])
    broken_seal = replace(agent, seals=(replace(sealed, signature=flipped(sealed.signature)).encode(),))
    return [
        *found,
        failed("the proof of another entry", replayed.tlog_proof(), TLOG, codes(included="inclusion_wrong", **stop)),
        failed("the COSE receipt of another entry", replayed.transparent_statement(), COSE,
               codes(included="inclusion_wrong", **stop)),
        failed("an Ed25519 signature with S not reduced", overlong.tlog_proof(), TLOG,
               codes(signed="statement_signature_wrong")),
        failed("an ES256 signature with r = 0", zero.tlog_proof(), TLOG, codes(signed="statement_signature_wrong")),
        failed("the COSE signature is wrong", broken_seal.transparent_statement(), COSE, codes(**no_log)),
        failed("the COSE signature is wrong, without checkpoint", compact(broken_seal), COSE, codes(**no_log)),
        failed("checkpoint of another log beside the COSE receipt",
               replace(wrong_size, checkpoint=stranger.checkpoint).transparent_statement(), COSE,
               codes(included="checkpoint_differs", **stop)),
        failed("COSE index moved within the tree",
               replace(agent, index=agent.index - 1).transparent_statement(), COSE,
               codes(included="inclusion_wrong", **stop)),
    ]  # fmt: skip


def floating(statement: bytes) -> bytes:
    """The statement with its time written as a CBOR double."""
    envelope = Envelope.parse(statement)
    seconds = cbor.encode(clock.to_seconds(maker.AT))
    protected = text_in(envelope.protected, seconds, b"\xfb" + struct.pack(">d", maker.AT.timestamp()))
    return replace(envelope, protected=protected).encode()


def malformed() -> list[Case]:
    agent = maker.register(maker.by_agent())
    text, binary = agent.tlog_proof(), agent.transparent_statement()
    size_line, index_line = b"\n7\n", b"\nindex 3\n"
    disclosures = [each.encode() for each in agent.disclosures]
    short_salt = cbor.encode([b"\x00" * 15, "title", "x"])
    unknown_name = cbor.encode([b"\x00" * 16, "phone", "x"])
    control = cbor.encode([b"\x00" * 16, "title", "a\x00b"])
    receipt = Envelope.parse(binary).unprotected[394][0]
    one = maker.register(maker.by_agent(), index=0, size=1)
    empty_path = Envelope.parse(receipt)
    sealed = SealedRoot.parse(one.seals[0])
    single = replace(
        empty_path,
        protected=sealed.protected,
        signature=sealed.signature,
        unprotected={396: {-1: [cbor.encode([1, 0, []])]}},
    ).encode()
    grown = replace(empty_path, unprotected={396: {-1: [cbor.encode([8, 3, list(agent.path)])]}}).encode()
    attached = replace(empty_path, payload=b"\x00" * 32).encode()

    def second(extra: dict[str, Any]) -> None:
        extra["disclosures"] = [disclosures[0], disclosures[0]]

    def shows(encoded: bytes) -> Callable[[dict[str, Any]], None]:
        return lambda extra: extra.update(disclosures=[encoded])

    def with_receipts(*receipts: bytes) -> bytes:
        return transparent_statement(agent.statement, receipts, {"key": agent.issuer_key, "disclosures": []})

    def statement(change: bytes) -> Callable[[dict[str, Any]], None]:
        return lambda extra: extra.update(statement=change)

    raw = agent.statement
    texts = {
        "empty": b"",
        "not a receipt": b"Dear court,\n",
        "cut in the middle": text[: len(text) // 2],
        "cut by one byte": text[:-1],
        "one byte too many": text + b"\n",
        "lines end in CR LF": text.replace(b"\n", b"\r\n"),
        "another version of the format": text_in(text, b"tlog-proof@v1", b"tlog-proof@v2"),
        "size 7_0": text_in(text, size_line, b"\n7_0\n"),
        "size with a space": text_in(text, size_line, b"\n 7\n"),
        "size 07": text_in(text, size_line, b"\n07\n"),
        "size in full-width digits": text_in(text, size_line, "\n７\n".encode()),
        "size with a plus": text_in(text, size_line, b"\n+7\n"),
        "size with a minus": text_in(text, size_line, b"\n-7\n"),
        "index 03": text_in(text, index_line, b"\nindex 03\n"),
        "index -1": text_in(text, index_line, b"\nindex -1\n"),
        "index 2**63": text_in(text, index_line, b"\nindex 9223372036854775808\n"),
        "no index": text_in(text, index_line, b"\n"),
        "no extra data": re.sub(rb"extra [^\n]*\n", b"", text),
        "extra data that is not CBOR": re.sub(rb"extra [^\n]*\n", b"extra AAAA////\n", text),
        "extension line in the checkpoint": text_in(text, size_line, b"\n7\nextension\n"),
        "64 hashes in the path": text_in(text, index_line, index_line + (b"A" * 43 + b"=\n") * 64),
        "a hash of 31 bytes": text_in(text, index_line, index_line + b"A" * 40 + b"AA==\n"),
        "unknown part in the extra data": in_extra(agent, lambda extra: extra.update(note="x")),
        "no statement in the extra data": in_extra(agent, lambda extra: extra.pop("statement")),
        "a disclosure twice": in_extra(agent, second),
        "a salt of 15 bytes": in_extra(agent, shows(short_salt)),
        "a disclosure with an unknown name": in_extra(agent, shows(unknown_name)),
        "a control character in a disclosure": in_extra(agent, shows(control)),
        "a title of 1,001 characters": in_extra(agent, shows(cbor.encode([b"\x00" * 16, "title", "x" * 1001]))),
        "a title that is not UTF-8": in_extra(agent, shows(b"\x83\x50" + b"\x00" * 16 + b"\x65title\x61\xff")),
        "a size of 2**63": in_extra(agent, shows(cbor.encode([b"\x00" * 16, "size", 1 << 63]))),
        "a disclosure that is not CBOR": in_extra(agent, shows(b"\xff")),
        "a key with more parameters": in_extra(agent, lambda extra: extra.update(
            key=cbor.encode({1: 1, 2: b"name", -1: 6, -2: maker.OWN.public.x}))),
        "a key of small order": in_extra(agent, lambda extra: extra.update(
            key=cbor.encode({1: 1, -1: 6, -2: b"\x00" * 32}))),
        "a key off the curve": in_extra(agent, lambda extra: extra.update(
            key=cbor.encode({1: 2, -1: 1, -2: b"\x01" * 32, -3: b"\x01" * 32}))),
        "statement cut short": in_extra(agent, statement(raw[:-1])),
        "statement with a byte behind": in_extra(agent, statement(raw + b"\x00")),
        "statement with an indefinite array": in_extra(agent, statement(raw[:1] + b"\x9f" + raw[2:] + b"\xff")),
        "statement with a long length": in_extra(agent, statement(raw[:1] + b"\x98\x04" + raw[2:])),
        "statement without tag": in_extra(agent, statement(raw[1:])),
        "statement over 65,535 bytes": odd(claims={1: "x" * 66_000, 2: maker.SUBJECT, 6: 1}),
        "statement with tag 17": odd(tag=17),
        "statement with a filled unprotected header": odd(unprotected={"x": 1}),
        "statement with receipts inside": odd(unprotected={394: [receipt]}),
        "statement with a critical header": odd(crit=["future"], future=1),
        "statement with a known header marked critical": odd(crit=[4]),
        "statement without algorithm": odd(alg=ABSENT),
        "statement with algorithm none (0)": odd(alg=0),
        "statement with HMAC (5)": odd(alg=5),
        "statement with ES384 (-35)": odd(alg=-35),
        "statement with a kid of 31 bytes": odd(kid=b"\x01" * 31),
        "statement without kid": odd(kid=ABSENT),
        "statement without claims": odd(claims=ABSENT),
        "statement without subject": odd(claims={1: maker.DEPOSITOR, 6: 1}),
        "statement with another claim": odd(claims={1: maker.DEPOSITOR, 2: maker.SUBJECT, 4: 1, 6: 1}),
        "statement with a name as subject": odd(claims={1: maker.DEPOSITOR, 2: "Li Ming", 6: 1}),
        "statement of the year 10000": odd(claims={1: maker.DEPOSITOR, 2: maker.SUBJECT, 6: 253_402_300_800}),
        "statement of the year 0": odd(claims={1: maker.DEPOSITOR, 2: maker.SUBJECT, 6: -62_135_596_801}),
        "statement with a time of 2**64": odd(claims={1: maker.DEPOSITOR, 2: maker.SUBJECT, 6: 1 << 64}),
        "statement with a fraction of a second": in_extra(agent, statement(floating(raw))),
        "statement with a type in capitals": odd(type="Image/JPEG"),
        "statement located somewhere": odd(location="https://example.com/li-ming.jpg"),
        "ours without a time": odd(claims={1: maker.DEPOSITOR, 2: maker.SUBJECT}),
        "statement with a certificate": odd(x5chain=b"x"),
        "statement with content type (3)": odd(content_type="image/jpeg"),
        "statement without hash algorithm": odd(hash=ABSENT),
        "statement hashed with SHA-512": odd(hash=-44),
        "statement without preimage type": odd(type=ABSENT),
        "statement with a sentence as type": odd(type="a photograph of Li Ming"),
        "payload of 31 bytes": odd(maker.DIGESTS.sha256[:31]),
        "payload detached": odd(None),
        "unknown field in our header": odd(chopmark={"kind": "work", "policy": b"\x01" * 32, "title": "Lantern"}),
        "agent false instead of absent": odd(chopmark={"kind": "work", "policy": b"\x01" * 32, "agent": False}),
        "our header without policy": odd(chopmark={"kind": "work"}),
        "private with a file's content type": odd(chopmark={"kind": "work", "policy": b"\x01" * 32, "private": True}),
        "commitment of 31 bytes": odd(
            chopmark={"kind": "work", "policy": b"\x01" * 32, "commitments": {"title": b"\x01" * 31}}),
    }  # fmt: skip
    binaries = {
        "cut in the middle": binary[: len(binary) // 2],
        "one byte too many": binary + b"\x00",
        "tag 17": b"\xd1" + binary[1:],
        "no receipts": in_unprotected(agent, lambda header: header.pop(394)),
        "an empty list of receipts": in_unprotected(agent, lambda header: header.update({394: []})),
        "two receipts": with_receipts(receipt, receipt),
        "a receipt that is no bytes": in_unprotected(agent, lambda header: header.update({394: [1]})),
        "another unprotected header": in_unprotected(agent, lambda header: header.update({4: b"kid"})),
        "unknown part in our header": in_unprotected(agent, lambda header: header["chopmark"].update(note="x")),
        "receipt of a tree of one entry": with_receipts(single),
        "proof of another size than signed": with_receipts(grown),
        "root attached": with_receipts(attached),
        "checkpoint that is no note": in_unprotected(agent, lambda header: header["chopmark"].update(checkpoint=b"x")),
        "doubled key": text_in(binary, b"\xa3ckeyX", b"\xa4ckey\xf6ckeyX"),
    }  # fmt: skip
    return [failed(says, data, TLOG, MALFORMED) for says, data in texts.items()] + [
        failed(says, data, COSE, MALFORMED) for says, data in binaries.items()
    ]


# ---- the consortium -----------------------------------------------------------------------------------------------

FIVE = {"policy": "five-members", "existed_by": maker.AT + 4 * maker.SECOND,
        "whom": "beijing, guangzhou, hangzhou, notary"}  # fmt: skip
FAR = datetime(2099, 1, 1, tzinfo=maker.AT.tzinfo)
LONG_AGO = datetime(1999, 1, 1, tzinfo=maker.AT.tzinfo)
REACHED = {"quorum": "quorum_reached"}


def of_members(*cosigned: Any, sealed: Any = (), **rest: Any) -> Receipt:
    return maker.register(maker.by_agent(), cosigned=cosigned, sealed=sealed, **rest)


def stating(*times: tuple[str, datetime | float]) -> list[tuple[SigningKey, datetime]]:
    """Members' Ed25519 keys with times, each a moment or seconds after AT."""
    return [
        (maker.BY_NAME[name].ed, time if isinstance(time, datetime) else maker.AT + time * maker.SECOND)
        for name, time in times
    ]


def quorums() -> list[Case]:
    every = of_members(*maker.by_members(), sealed=maker.by_members(start=6, pq=False))
    seals = of_members(sealed=maker.by_members(pq=False))
    mixed = of_members(*maker.by_members("beijing"), sealed=stating(("guangzhou", 2), ("notary", 3)))
    courts = of_members(*maker.by_members("hangzhou", "beijing", "guangzhou"))
    one_court = of_members(*maker.by_members("guangzhou", "notary", "customs"))
    retired = of_members(*maker.by_members("hangzhou", "beijing", "notary", pq=False))
    far = of_members(*stating(("hangzhou", FAR), ("beijing", 1), ("guangzhou", 2), ("customs", 3)))
    ago = of_members(*stating(("hangzhou", LONG_AGO), ("beijing", 1), ("guangzhou", 2), ("customs", 3)))
    slow = of_members(*stating(("hangzhou", -300), ("beijing", 1), ("guangzhou", 2), ("customs", 3)))
    needed_far = of_members(*stating(("hangzhou", 1), ("beijing", 2), ("notary", FAR)))
    needed_ago = of_members(*stating(("hangzhou", 1), ("beijing", 2), ("notary", LONG_AGO)))
    timeless = of_members(*stating(*((name, datetime.fromtimestamp(0, maker.AT.tzinfo)) for name in maker.BY_NAME)))
    log_far = maker.register(maker.by_agent(), at=FAR, cosigned=maker.by_members())
    mended = of_members(*stating(("hangzhou", FAR), ("beijing", 2), ("notary", 3)), sealed=stating(("hangzhou", 9)))
    twice = of_members(*maker.by_members("hangzhou", "notary"), sealed=stating(("hangzhou", 5), ("notary", 6)))
    beijing = maker.BY_NAME["beijing"].ed
    false = SigningKey(name=beijing.name, type=beijing.type, seed=maker.seed("false"))
    impostor = of_members(*maker.by_members("hangzhou", "notary"), (false, maker.AT), sealed=[(false, maker.AT)])
    selfmade = SigningKey(name=beijing.name, type=beijing.type, seed=maker.seed("log"))
    by_the_log = of_members(*maker.by_members("hangzhou", "notary"), (selfmade, maker.AT))
    forged_id = with_lines(impostor, lambda lines: [*lines[:-1], replace(lines[-1], key_id=beijing.verifier.key_id)])
    repeated = with_lines(twice.only("compact"), lambda lines: (lines * 20)[:100])
    early_only = of_members(*stating(("hangzhou", LONG_AGO), ("notary", 1)))
    missing = codes(quorum="quorum_missing", time="time_without_quorum")
    aside = ["verify.time_set_aside", "verify.existed_by"]
    later = maker.AT + 3 * maker.SECOND
    wrong = codes(log="log_signature_wrong", quorum=None, time=None)
    both = {**FIVE, "existed_by": later, "whom": "beijing, customs, guangzhou"}
    found: list[Case] = []
    for form, write in ((TLOG, Receipt.tlog_proof), (COSE, Receipt.transparent_statement)):
        found += [
            passed("five members cosigned", write(every), form, codes(**REACHED), **FIVE),
            passed("five members, Ed25519 alone", write(every.only("compact")), form, codes(**REACHED), **FIVE),
            passed("five members, ML-DSA-44 alone", write(every.only("post-quantum")), form, codes(**REACHED), **FIVE),
            passed("five members, no policy on witnesses", write(every), form, codes()),
            untimed(undecided("three courts and neither notary nor customs", write(courts), form, missing,
                              policy="five-members")),
            untimed(undecided("older than the consortium", write(maker.register(maker.by_agent())), form,
                              codes(quorum=["verify.quorum_missing", "verify.receipt_to_renew"],
                                    time="time_without_quorum"), policy="five-members")),
            untimed(undecided("one court, notary and customs", write(one_court), form, missing,
                              policy="five-members")),
            untimed(undecided("one court with all its keys, and a notary", write(twice), form, missing,
                              policy="five-members")),
            untimed(undecided("one court and a notary, a hundred lines", write(repeated), form, missing,
                              policy="five-members")),
            untimed(undecided("another key under a court's name", write(impostor), form, missing,
                              policy="five-members")),
            untimed(undecided("the log's key under a court's name", write(by_the_log), form, missing,
                              policy="five-members")),
            failed("another key under a court's name and key id", write(forged_id), form, wrong,
                   policy="five-members"),
            failed("101 signature lines",
                   text_in(write(repeated), lines_of(repeated), lines_of(repeated, 101)) if form == TLOG else
                   in_unprotected(repeated, lambda header: header["chopmark"].update(
                       checkpoint=text_in(repeated.checkpoint, lines_of(repeated), lines_of(repeated, 101)))),
                   form, MALFORMED, policy="five-members"),
            passed("a court that is not needed states the year 2099", write(far), form,
                   codes(time=aside, **REACHED), **both),
            passed("a court that is not needed states the year 1999", write(ago), form,
                   codes(time=aside, **REACHED), **both),
            passed("a court's clock is five minutes slow", write(slow), form, codes(**REACHED),
                   policy="five-members", existed_by=later, whom="beijing, customs, guangzhou, hangzhou"),
            untimed(undecided("the only notary states the year 2099", write(needed_far), form,
                              codes(time="time_in_future", **REACHED), policy="five-members")),
            untimed(undecided("the only notary states the year 1999", write(needed_ago), form,
                              codes(time="time_before_statement", **REACHED), policy="five-members")),
            untimed(undecided("five members state no time", write(timeless), form,
                              codes(time="time_missing", **REACHED), policy="five-members")),
            untimed(undecided("no quorum, and one of those who cosigned states 1999", write(early_only), form, missing,
                              policy="five-members")),
            passed("the log states the year 2099 and five members do not", write(log_far), form,
                   codes(time=(["verify.time_set_aside"] * (1 if form == TLOG else 2)) + ["verify.existed_by"],
                         **REACHED), **FIVE),
            passed("a key since retired, under the policy of its time", write(retired), form, codes(**REACHED),
                   policy="five-members", existed_by=later, whom="beijing, hangzhou, notary"),
            untimed(undecided("a key since retired, under a later policy", write(retired), form, missing,
                              policy="five-members-later")),
            failed("a member's Ed25519 cosignature is wrong",
                   write(with_wrong_signature(every, maker.BY_NAME["customs"].ed)), form, wrong,
                   policy="five-members"),
            failed("a member's ML-DSA-44 cosignature is wrong",
                   write(with_wrong_signature(every, maker.BY_NAME["customs"].pq)), form, wrong,
                   policy="five-members"),
        ]  # fmt: skip
    stranger = SigningKey(name="stranger.example/mirror", type=maker.ED25519_COSIGNATURE, seed=maker.seed("stranger"))
    unknown = of_members(*maker.by_members(), sealed=[(stranger, maker.AT)])
    sealed = [SealedRoot.parse(each) for each in every.seals]
    broken = replace(sealed[-1], signature=flipped(sealed[-1].signature)).encode()
    alone = replace(of_members(*maker.by_members("beijing"), sealed=stating(("beijing", 2))), seals=seals.seals[2:3])
    return [
        *found,
        passed("members' COSE receipts alone are the quorum", seals.transparent_statement(), COSE, codes(**REACHED),
               **FIVE),
        passed("COSE receipts of the log and five members, no checkpoint", compact(every), COSE, codes(**REACHED),
               **{**FIVE, "existed_by": maker.AT + 9 * maker.SECOND}),
        passed("a quorum of cosignatures and COSE receipts together", mixed.transparent_statement(), COSE,
               codes(**REACHED), policy="five-members", existed_by=later, whom="beijing, guangzhou, notary"),
        passed("a court's cosignature states 2099 and its COSE receipt does not", mended.transparent_statement(), COSE,
               codes(time=aside, **REACHED), policy="five-members", existed_by=maker.AT + 9 * maker.SECOND,
               whom="beijing, hangzhou, notary"),
        untimed(undecided("the same without COSE receipts", mended.tlog_proof(), TLOG,
                          codes(time="time_in_future", **REACHED), policy="five-members")),
        passed("a COSE receipt by an unknown key", unknown.transparent_statement(), COSE, codes(**REACHED), **FIVE),
        passed("a member's own receipt, no policy on witnesses", alone.transparent_statement(), COSE, codes()),
        untimed(undecided("a member's own receipt under the quorum", alone.transparent_statement(), COSE, missing,
                          policy="five-members")),
        untimed(undecided("a member's COSE receipt alone, without the log's signature", compact(alone), COSE,
                          codes(log="log_unknown", quorum=None, time=None), policy="five-members")),
        failed("a member's COSE receipt is wrong",
               replace(every, seals=(*every.seals[:-1], broken)).transparent_statement(), COSE, wrong,
               policy="five-members"),
    ]  # fmt: skip


def anchors() -> list[Case]:
    made = maker.by_agent()
    told = [("rfc3161", "tsa.example", 7), ("ots", "calendar.example", 9), ("evm", "eip155:1", 9)]
    anchored = maker.register(made, anchored=told)
    (stamp,) = maker.register(made, anchored=told[:1]).anchors
    (later,) = maker.register(made, anchored=[("rfc3161", "tsa.example", 12)]).anchors
    (other_log,) = maker.register(made, log=maker.STRANGER, signers=(maker.STRANGER,), anchored=told[:1]).anchors
    (other_entry,) = maker.register(made, index=2, anchored=[("rfc3161", "tsa.example", 9)]).anchors
    (other_root,) = maker.register(made, filler="other", anchored=told[:1]).anchors
    head = Checkpoint(origin=maker.ORIGIN, size=3, root=b"\x01" * 32)
    below = replace(later, text=head.text().encode())
    spoiled = {
        "an anchor in another log": other_log,
        "an anchor of another entry": other_entry,
        "an anchor of the same size with another root": other_root,
        "an anchor before the entry": below,
        "an anchor with a path one hash short": replace(later, path=later.path[:-1]),
        "an anchor with a hash changed": replace(later, path=(flipped(later.path[0]), *later.path[1:])),
    }
    told_codes = ["verify.timestamp_unchecked", "verify.anchor_unchecked", "verify.anchor_unchecked"]
    found: list[Case] = []
    for form, write in ((TLOG, Receipt.tlog_proof), (COSE, Receipt.transparent_statement)):
        found += [
            passed("anchored three times", write(anchored), form, codes(anchors=told_codes)),
            untimed(undecided("anchored, and no policy", write(anchored), form,
                              codes(log="policy_missing", quorum=None, time=None, anchors=told_codes), policy=None)),
            *(failed(says, write(replace(anchored, anchors=(stamp, each))), form,
                     codes(anchors=["verify.timestamp_unchecked", "verify.anchor_wrong"]))
              for says, each in spoiled.items()),
        ]  # fmt: skip
    return found


def malformed_consortium() -> list[Case]:
    agent = maker.register(maker.by_agent(), anchored=[("rfc3161", "tsa.example", 9)])
    (good_anchor,) = agent.anchors
    plain = good_anchor.plain()

    def anchor(at: int, value: Any) -> Callable[[dict[str, Any]], None]:
        return lambda extra: extra.update(anchors=[[*plain[:at], value, *plain[at + 1 :]]])

    def put(value: Any) -> Callable[[dict[str, Any]], None]:
        return lambda extra: extra.update(anchors=value)

    texts = {
        "no anchors in the list of anchors": put([]),
        "anchors that are no list": put({}),
        "33 anchors": put([plain] * 33),
        "an anchor that is no list": put([b"x"]),
        "an anchor of four parts": put([plain[:4]]),
        "an anchor of an unknown kind": anchor(0, "rumour"),
        "an anchor by nobody": anchor(1, ""),
        "an anchor by a name of 256 bytes": anchor(1, "x" * 256),
        "an anchor by a name with a line feed": anchor(1, "a\nb"),
        "an anchor with a text that is no checkpoint": anchor(2, b"x"),
        "an anchor with a text that is not UTF-8": anchor(2, b"\xff\n1\n\n"),
        "an anchor with an extension line": anchor(2, good_anchor.text + b"more\n"),
        "an anchor with a hash of 31 bytes": anchor(3, [b"\x01" * 31]),
        "an anchor with 64 hashes": anchor(3, [b"\x01" * 32] * 64),
        "an anchor with an empty token": anchor(4, b""),
        "an anchor with a token over 65,535 bytes": anchor(4, b"x" * 65_536),
    }
    two = of_members(sealed=stating(("hangzhou", 1), ("beijing", 2)))
    log, hangzhou, beijing = Envelope.parse(two.transparent_statement()).unprotected[394]
    elsewhere = Envelope.parse(
        maker.register(maker.by_agent(), index=2, sealed=stating(("hangzhou", 1))).transparent_statement()
    ).unprotected[394][1]
    other_size = Envelope.parse(
        maker.register(maker.by_agent(), size=8, sealed=stating(("hangzhou", 1))).transparent_statement()
    ).unprotected[394][1]

    other_log = Envelope.parse(
        maker.register(
            maker.by_agent(), log=maker.STRANGER, signers=(maker.STRANGER,), sealed=stating(("hangzhou", 1))
        ).transparent_statement()
    ).unprotected[394][1]

    def carrying(*receipts: bytes) -> bytes:
        return in_unprotected(two, lambda unprotected: unprotected.update({394: list(receipts)}))

    binaries = {
        "the log's COSE receipt behind a member's": carrying(hangzhou, log),
        "a member's COSE receipt twice": carrying(log, hangzhou, beijing, hangzhou),
        "COSE receipts of two positions": carrying(log, elsewhere),
        "COSE receipts of two sizes": carrying(log, other_size),
        "COSE receipts of two logs": carrying(log, other_log),
        "17 COSE receipts": carrying(*[log] * 17),
    }
    return [failed(says, in_extra(agent, change), TLOG, MALFORMED) for says, change in texts.items()] + [
        failed(says, data, COSE, MALFORMED) for says, data in binaries.items()
    ]


def every_case() -> list[Case]:
    return [*good(), *doubtful(), *bad(), *malformed(), *quorums(), *anchors(), *malformed_consortium()]

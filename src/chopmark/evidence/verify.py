"""Offline verification of a receipt.

Takes bytes, digests and a trust policy, and returns a Report. Opens no file, no socket and no database, and
reads no clock: fetching, hashing and showing are done elsewhere. Everything in the receipt is untrusted until
one of these steps has checked it; the policy and the time `at` are the caller's.

 1 the receipt is well formed
 2 the file's digest is the statement's: directly, or through the disclosure of a private digest
 3 each disclosure matches its commitment in the statement
 4 the statement is signed by the key that it names
 5 the statement is in the log: the inclusion path leads to the root that was signed
 6 a log of the policy signed that root: every signature of the policy's keys on the checkpoint (Ed25519, ML-DSA-44)
   is right, and so is every COSE Receipt's where there are some
 7 the witnesses that the policy asks for cosigned the checkpoint, or sealed its root in a COSE Receipt
 8 the time at which they first sufficed, by the times that they state; where the policy asks for no witness, the
   earliest time that a signer states (of two equal ones the first in `signers`: the log before witnesses, the
   checkpoint before the COSE Receipts)
 9 each anchor's path leads from the entry to the root in its text; the token is checked when the caller says whose
   time stamps count

One step that fails makes the whole FAILED; one that cannot be decided makes it INDETERMINATE. What no step
proves is listed in `Report.not_proven`. The browser verifier follows the same steps with the same codes;
`tests/corpus` holds both to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from chopmark.base import clock
from chopmark.base.digests import Digests
from chopmark.base.errors import Fact, Invalid
from chopmark.evidence import quorum
from chopmark.evidence.deposit import Disclosure
from chopmark.evidence.receipt import OWN_AUTHORITY, RFC3161, Anchor, ReadReceipt, read_receipt
from chopmark.ledger.checkpoint import Checkpoint
from chopmark.ledger.cose import EDDSA
from chopmark.ledger.cose_receipt import SealedRoot
from chopmark.ledger.keys import ED25519, ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, VerifierKey
from chopmark.ledger.note import Note
from chopmark.ledger.policy import NO_QUORUM, Policy
from chopmark.ledger.statement import PublicKey, Statement
from chopmark.ledger.tree import leaf_hash, verify_inclusion

if TYPE_CHECKING:
    from chopmark.ledger.timestamp import Authority

CLOCK_SKEW = timedelta(minutes=10)

ALWAYS_UNPROVEN = (
    "verify.unproven_authorship",
    "verify.unproven_first_creation",
    "verify.unproven_infringement",
    "verify.unproven_depositor",
    "verify.unproven_nothing_older",
)

_ALGORITHMS = {MLDSA44_COSIGNATURE: "ML-DSA-44"}

# Stamps that nobody whom the caller trusts vouches for, or of a kind that cannot be checked here: told, never counted.
_UNCHECKED = (
    "ledger.timestamp_authority_unknown",
    "ledger.timestamp_certificate_missing",
    "ledger.timestamp_algorithm",
)


class Verdict(StrEnum):
    """The three verdicts of EN 319 102-1."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    INDETERMINATE = "INDETERMINATE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one step found.

    Attributes:
        step: 1 to 9, as in the module's list.
        code: `verify.*`, a key of the wording catalogue.
        verdict: what it means for the whole.
        facts: plain JSON values for the sentence.
    """

    step: int
    code: str
    verdict: Verdict
    facts: Mapping[str, Fact]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A signature that was checked with a key of the policy.

    Attributes:
        name: the log's origin, or the witness's name in the policy.
        role: `log` or `witness`.
        algorithm: `Ed25519` or `ML-DSA-44`.
        form: `checkpoint` or `cose`.
        at: the time it states, or None.
        institution: whose key it is, as the policy groups its witnesses' keys; None for the log.
    """

    name: str
    role: str
    algorithm: str
    form: str
    at: datetime | None
    institution: str | None = None

    @property
    def whom(self) -> str:
        """Who stands behind the signature."""
        return self.institution or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeStamp:
    """A time stamp on the log that was checked with the certificate of a trusted authority.

    Attributes:
        authority: its name, as the caller calls it.
        time: when the authority saw the log's root.
        accuracy: seconds by which that may be off, or None when the authority does not say.
        own: whether the platform runs the authority, so that its word is no independent one.
    """

    authority: str
    time: datetime
    accuracy: float | None
    own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The answer.

    Attributes:
        verdict: the worst of the findings'.
        findings: in the order of the steps.
        existed_by: the time at which the quorum was first satisfied, or, where the policy asks for none, the earliest
            that a signer states; None when there is none, when step 8 does not believe it, and when the verdict is
            FAILED.
        existed_by_whom: who states it; of a quorum all institutions that had cosigned by then.
        signers: every signature found right.
        stamps: every time stamp found right; none of them changes `existed_by`.
        not_proven: codes of what a reader might think proven and is not.
        statement: what the statement says, or None when it could not be read.
        index: position in the log as claimed; proven when step 5 passed.
        size: number of entries under the checkpoint.
    """

    verdict: Verdict
    findings: tuple[Finding, ...]
    existed_by: datetime | None
    existed_by_whom: str | None
    signers: tuple[Signer, ...]
    stamps: tuple[TimeStamp, ...]
    not_proven: tuple[str, ...]
    statement: Statement | None
    index: int | None
    size: int | None

    def as_json(self) -> dict[str, Any]:
        """The report in JSON values; the form is described in docs/receipts.md and only ever added to."""
        return {
            "verdict": self.verdict.value,
            "findings": [
                {"step": each.step, "code": each.code, "verdict": each.verdict.value, "facts": dict(each.facts)}
                for each in self.findings
            ],
            "existed_by": _text(self.existed_by),
            "existed_by_whom": self.existed_by_whom,
            "signers": [
                {
                    "name": each.name,
                    "role": each.role,
                    "algorithm": each.algorithm,
                    "form": each.form,
                    "at": _text(each.at),
                    "institution": each.institution,
                }
                for each in self.signers
            ],
            "stamps": [
                {"authority": each.authority, "time": _text(each.time), "accuracy": each.accuracy, "own": each.own}
                for each in self.stamps
            ],
            "statement": None if self.statement is None else _statement_json(self.statement),
            "index": self.index,
            "size": self.size,
            "not_proven": list(self.not_proven),
        }


def verify(
    receipt: bytes,
    *,
    digests: Digests | None,
    policy: Policy | None,
    at: datetime,
    authorities: Sequence[Authority] = (),
) -> Report:
    """Check one receipt, in either form.

    Args:
        receipt: the file's bytes.
        digests: of the file that the receipt shall be about; None when there is no file at hand.
        policy: whom the caller trusts; None leaves steps 6 to 8 undecided.
        at: the moment of verification; times stated for later are not believed.
        authorities: whose time stamps count; without any, stamps are told and not checked.
    """
    examination = _Examination(policy, at, authorities)
    examination.run(receipt, digests)
    return examination.report()


class _Examination:
    """One run through the steps, collecting findings."""

    def __init__(self, policy: Policy | None, at: datetime, authorities: Sequence[Authority]) -> None:
        self._policy = policy
        self._at = at
        self._authorities = authorities
        named = {} if policy is None else quorum.institutions(policy)
        self._institutions = {witness: _readable(institution) for witness, institution in named.items()}
        self._findings: list[Finding] = []
        self._signers: list[Signer] = []
        self._stamps: list[TimeStamp] = []
        self._not_proven = list(ALWAYS_UNPROVEN)
        self._read: ReadReceipt | None = None
        self._size: int | None = None
        self._existed_by: tuple[datetime | None, str | None] = (None, None)

    def run(self, data: bytes, digests: Digests | None) -> None:
        # 1 The receipt is well formed.
        try:
            read = read_receipt(data)
            checkpoint = None if read.checkpoint is None else Checkpoint.parse(Note.parse(read.checkpoint).text)
        except Invalid as error:
            self._find(1, "verify.receipt_malformed", Verdict.FAILED, cause=error.code)
            return
        self._read = read
        self._find(1, "verify.receipt_well_formed", Verdict.PASSED, form=read.form)
        self._file(read, digests)
        self._disclosures(read)
        self._signature(read)
        root = self._inclusion(read, checkpoint)
        if self._log(read, root) and self._policy is not None:
            self._quorum(self._policy)
            self._times(read.statement, self._policy)
        if root is not None:
            self._anchors(read, root)

    def report(self) -> Report:
        verdicts = {each.verdict for each in self._findings}
        worst = [each for each in (Verdict.FAILED, Verdict.INDETERMINATE) if each in verdicts]
        verdict = worst[0] if worst else Verdict.PASSED
        existed_by, whom = (None, None) if verdict == Verdict.FAILED else self._existed_by
        return Report(
            verdict=verdict,
            findings=tuple(self._findings),
            existed_by=existed_by,
            existed_by_whom=whom,
            signers=tuple(replace(each, name=_readable(each.name)) for each in self._signers),
            stamps=tuple(self._stamps),
            not_proven=tuple(self._not_proven),
            statement=self._read.statement if self._read else None,
            index=self._read.index if self._read else None,
            size=self._size,
        )

    def _find(self, step: int, code: str, verdict: Verdict, **facts: Fact) -> None:
        self._findings.append(Finding(step=step, code=code, verdict=verdict, facts=MappingProxyType(facts)))

    def _file(self, read: ReadReceipt, digests: Digests | None) -> None:
        # 2 The file's digest is the statement's.
        claim = read.statement.claim
        shown = {each.name: each for each in read.disclosures}
        wanted = {"sha-256": claim.payload} if claim.sm3 is None else {"sha-256": claim.payload, "sm3": claim.sm3}
        if claim.private:
            digest = shown.get("digest")
            if digest is None or not isinstance(digest.value, Mapping) or digest.commitment != claim.payload:
                self._find(2, "verify.digest_not_disclosed", Verdict.INDETERMINATE)
                return
            wanted = dict(digest.value)
        if digests is None:
            self._find(2, "verify.file_missing", Verdict.INDETERMINATE, digest=wanted["sha-256"].hex())
            return
        if digests.sha256 != wanted["sha-256"]:
            self._find(
                2,
                "verify.digest_differs",
                Verdict.FAILED,
                wanted=wanted["sha-256"].hex(),
                found=digests.sha256.hex(),
            )
            return
        self._find(2, "verify.digest_matches", Verdict.PASSED, digest=digests.sha256.hex())
        self._second_digest(wanted.get("sm3"), digests)
        size = shown.get("size")
        if size is not None and size.value != digests.size:
            self._find(2, "verify.size_differs", Verdict.FAILED, wanted=_shown(size), found=digests.size)

    def _second_digest(self, wanted: bytes | None, digests: Digests) -> None:
        if wanted is None:
            return
        if digests.sm3 is None:
            self._not_proven.append("verify.unproven_sm3")
        elif digests.sm3 == wanted:
            self._find(2, "verify.sm3_matches", Verdict.PASSED, digest=wanted.hex())
        else:
            self._find(2, "verify.sm3_differs", Verdict.FAILED, wanted=wanted.hex(), found=digests.sm3.hex())

    def _disclosures(self, read: ReadReceipt) -> None:
        # 3 Each disclosure matches its commitment.
        claim = read.statement.claim
        commitments = dict(claim.commitments)
        if claim.private:
            commitments["digest"] = claim.payload
        for each in read.disclosures:
            if commitments.get(each.name) == each.commitment:
                self._find(3, "verify.disclosure_matches", Verdict.PASSED, name=each.name, value=_shown(each))
            else:
                self._find(3, "verify.disclosure_differs", Verdict.FAILED, name=each.name)
        hidden = sorted(set(claim.commitments) - {each.name for each in read.disclosures})
        if hidden:
            self._find(3, "verify.not_disclosed", Verdict.PASSED, names=hidden)

    def _signature(self, read: ReadReceipt) -> None:
        # 4 The statement is signed by the key that it names.
        statement = read.statement
        facts: dict[str, Fact] = {"issuer": statement.claim.issuer, "kid": statement.kid.hex()}
        if read.issuer_key is None:
            self._find(4, "verify.statement_key_missing", Verdict.INDETERMINATE, **facts)
            return
        try:
            statement.verify(read.issuer_key)
        except Invalid as error:
            differs = error.code == "ledger.statement_key_differs"
            code = "verify.statement_key_differs" if differs else "verify.statement_signature_wrong"
            self._find(4, code, Verdict.FAILED, **facts)
            return
        code = "verify.statement_signed_by_agent" if statement.claim.agent else "verify.statement_signed"
        self._find(4, code, Verdict.PASSED, **facts)

    def _inclusion(self, read: ReadReceipt, checkpoint: Checkpoint | None) -> bytes | None:
        # 5 The statement is in the log. Returns the root, or None when there is none to look for signatures on.
        entry = read.statement.raw
        try:
            root = read.cose[0].root(entry) if read.cose else None
            if checkpoint is not None:
                self._size = checkpoint.size
                verify_inclusion(
                    leaf=leaf_hash(entry),
                    index=read.index,
                    size=checkpoint.size,
                    proof=read.path,
                    root=checkpoint.root,
                )
                root = root or checkpoint.root
        except Invalid:
            self._find(5, "verify.inclusion_wrong", Verdict.FAILED, index=read.index)
            return None
        if read.cose:
            self._size = read.cose[0].sealed.size
            same = (read.cose[0].sealed.origin, read.cose[0].sealed.size, root)
            if checkpoint is not None and same != (checkpoint.origin, checkpoint.size, checkpoint.root):
                self._find(5, "verify.checkpoint_differs", Verdict.FAILED)
                return None
        self._find(5, "verify.included", Verdict.PASSED, index=read.index, size=self._size)
        return root

    def _log(self, read: ReadReceipt, root: bytes | None) -> bool:
        # 6 A log of the policy signed that root.
        if self._policy is None:
            self._find(6, "verify.policy_missing", Verdict.INDETERMINATE)
            return False
        if root is None:
            return False
        try:
            self._on_checkpoint(read, self._policy)
            for each in read.cose:
                self._on_seal(each.sealed, root, self._policy)
        except Invalid as error:
            name = str(error.facts.get("name") or error.facts.get("origin") or "")
            self._find(6, "verify.log_signature_wrong", Verdict.FAILED, name=name)
            return False
        logs = sorted({each.name for each in self._signers if each.role == "log"})
        if not logs:
            self._find(6, "verify.log_unknown", Verdict.INDETERMINATE, origin=_origin(read))
            return False
        algorithms = sorted({each.algorithm for each in self._signers if each.role == "log"})
        self._find(6, "verify.log_signed", Verdict.PASSED, origin=logs[0], algorithms=algorithms)
        return True

    def _on_checkpoint(self, read: ReadReceipt, policy: Policy) -> None:
        """The signatures on the checkpoint, where there is one."""
        if read.checkpoint is None:
            return
        try:
            _, judgement = policy.open(read.checkpoint)
        except Invalid as error:
            if error.code == "ledger.signature_missing":
                return
            raise
        for each in judgement.logs:
            self._sign(each.origin, "log", each.key, "checkpoint", each.at)
        for name, each in judgement.witnesses.items():
            self._sign(name, "witness", each.key, "checkpoint", each.at)

    def _on_seal(self, sealed: SealedRoot, root: bytes, policy: Policy) -> None:
        """One COSE Receipt's signature, when the policy lists an Ed25519 key with its issuer's name and its kid."""
        if sealed.by_log:
            role, keys = "log", [(log.key.name, log.key) for log in policy.logs if log.key.type == ED25519]
        else:
            witnesses = [each for each in policy.witnesses if each.key.type == ED25519_COSIGNATURE]
            role, keys = "witness", [(each.name, each.key) for each in witnesses]
        for name, key in keys:
            public = PublicKey(algorithm=EDDSA, x=key.public)
            if key.name == sealed.issuer and public.thumbprint == sealed.kid:
                sealed.verify(root, public)
                self._sign(name, role, key, "cose", sealed.issued_at)

    def _sign(self, name: str, role: str, key: VerifierKey, form: str, at: datetime | None) -> None:
        algorithm = _ALGORITHMS.get(key.type, "Ed25519")
        institution = self._institutions[name] if role == "witness" else None
        self._signers.append(
            Signer(name=name, role=role, algorithm=algorithm, form=form, at=at, institution=institution)
        )

    def _quorum(self, policy: Policy) -> None:
        # 7 The witnesses that the policy asks for cosigned the checkpoint.
        there = {each.name for each in self._signers if each.role == "witness"}
        signed = sorted({self._institutions[name] for name in there})
        if policy.quorum == NO_QUORUM:
            self._find(7, "verify.quorum_not_required", Verdict.PASSED, witnesses=signed)
        elif quorum.suffices(policy, there):
            self._find(7, "verify.quorum_reached", Verdict.PASSED, quorum=_readable(policy.quorum), witnesses=signed)
        else:
            missing = sorted({self._institutions[name] for name in quorum.counted(policy)} - set(signed))
            self._find(
                7,
                "verify.quorum_missing",
                Verdict.INDETERMINATE,
                quorum=_readable(policy.quorum),
                witnesses=signed,
                missing=missing,
            )
            if not signed:
                self._find(7, "verify.receipt_to_renew", Verdict.INDETERMINATE)

    def _times(self, statement: Statement, policy: Policy) -> None:
        # 8 The time at which the witnesses sufficed, or the earliest where none is asked for.
        stated = [(each.at, each) for each in self._signers if each.at is not None]
        if policy.quorum == NO_QUORUM:
            self._earliest(stated, statement)
            return
        sound = [(at, each) for at, each in stated if self._is_sound(at, statement)]
        counted = quorum.counted(policy)
        times: dict[str, datetime] = {}
        for at, each in sorted(sound, key=itemgetter(0)):
            if each.name in counted and each.role == "witness":
                times.setdefault(each.name, at)
        reached = quorum.reached_at(policy, times)
        if reached is None:
            self._without_time(stated, sound, statement, policy)
            return
        for at, each in stated:
            if not self._is_sound(at, statement):
                self._find(8, "verify.time_set_aside", Verdict.PASSED, time=clock.to_text(at), whom=each.whom)
        whom = ", ".join(sorted({self._institutions[name] for name, at in times.items() if at <= reached}))
        self._existed_by = reached, whom
        self._find(8, "verify.existed_by", Verdict.PASSED, time=clock.to_text(reached), whom=whom)

    def _without_time(self, stated: _Times, sound: _Times, statement: Statement, policy: Policy) -> None:
        """Why no time is established under a quorum: it is not there, or it is only with times that cannot be."""
        there = {each.name for each in self._signers if each.role == "witness"}
        if quorum.suffices(policy, there):
            counted = quorum.counted(policy)
            lies = [(at, each) for at, each in stated if (at, each) not in sound]
            self._contradiction([(at, each) for at, each in lies if each.name in counted], statement)
        elif sound:
            at, first = min(sound, key=itemgetter(0))
            self._find(8, "verify.time_without_quorum", Verdict.INDETERMINATE, time=clock.to_text(at), whom=first.whom)
        else:
            self._contradiction(stated, statement)

    def _earliest(self, stated: _Times, statement: Statement) -> None:
        """The earliest time, if no signer contradicts the reader's clock or the statement."""
        if not stated or not all(self._is_sound(at, statement) for at, _ in stated):
            self._contradiction(stated, statement)
            return
        at, first = min(stated, key=itemgetter(0))
        self._existed_by = at, first.whom
        self._find(8, "verify.existed_by", Verdict.PASSED, time=clock.to_text(at), whom=first.whom)

    def _is_sound(self, at: datetime, statement: Statement) -> bool:
        """Neither later than the verification nor before the statement was signed, but for clocks a little off."""
        signed = statement.claim.issued_at
        return at <= self._at + CLOCK_SKEW and (signed is None or signed - at <= CLOCK_SKEW)

    def _contradiction(self, stated: _Times, statement: Statement) -> None:
        """The time that cannot be: the latest one, or else the earliest."""
        if not stated:
            self._find(8, "verify.time_missing", Verdict.INDETERMINATE)
            return
        latest, _ = max(stated, key=itemgetter(0))
        earliest, first = min(stated, key=itemgetter(0))
        if latest > self._at + CLOCK_SKEW:
            self._find(8, "verify.time_in_future", Verdict.INDETERMINATE, time=clock.to_text(latest))
            return
        self._find(
            8,
            "verify.time_before_statement",
            Verdict.INDETERMINATE,
            time=clock.to_text(earliest),
            whom=first.whom,
            signed=_text(statement.claim.issued_at),
        )

    def _anchors(self, read: ReadReceipt, root: bytes) -> None:
        # 9 The anchors: each path leads to the root in its text, and the token is over that text.
        leaf = leaf_hash(read.statement.raw)
        for each in read.anchors:
            facts: dict[str, Fact] = {"kind": each.kind, "authority": each.authority}
            point = each.checkpoint()
            fits = point.origin == _origin(read) and (point.size != self._size or point.root == root)
            try:
                verify_inclusion(leaf=leaf, index=read.index, size=point.size, proof=each.path, root=point.root)
            except Invalid:
                fits = False
            if not fits:
                self._find(9, "verify.anchor_wrong", Verdict.FAILED, **facts)
            elif each.kind != RFC3161:
                self._find(9, "verify.anchor_unchecked", Verdict.PASSED, **facts)
            elif not self._authorities:
                self._find(9, "verify.timestamp_unchecked", Verdict.PASSED, **facts)
            else:
                self._timestamp(each, read.statement)

    def _timestamp(self, anchor: Anchor, statement: Statement) -> None:
        from chopmark.ledger.timestamp import parse_token, verify_token  # noqa: PLC0415 (certificates bring in sockets)

        facts: dict[str, Fact] = {"kind": anchor.kind, "authority": anchor.authority}
        try:
            stamp = verify_token(anchor.token, anchor.text, self._authorities, self._at)
        except Invalid as error:
            if error.code in _UNCHECKED:
                self._find(9, "verify.timestamp_unchecked", Verdict.PASSED, **facts)
            elif error.code == "ledger.timestamp_ahead":
                time = clock.to_text(parse_token(anchor.token).info.time)
                self._find(9, "verify.time_set_aside", Verdict.PASSED, time=time, whom=anchor.authority)
            else:
                self._find(9, "verify.timestamp_wrong", Verdict.FAILED, cause=error.code, **facts)
            return
        if not self._is_sound(stamp.time, statement):
            whom, time = stamp.authority, clock.to_text(stamp.time)
            self._find(9, "verify.time_set_aside", Verdict.PASSED, time=time, whom=whom)
            return
        accuracy = None if stamp.accuracy is None else stamp.accuracy.total_seconds()
        own = stamp.own or anchor.authority == OWN_AUTHORITY
        self._stamps.append(TimeStamp(authority=stamp.authority, time=stamp.time, accuracy=accuracy, own=own))
        self._find(
            9,
            "verify.timestamp_own" if own else "verify.timestamp_right",
            Verdict.PASSED,
            authority=stamp.authority,
            time=clock.to_text(stamp.time),
            accuracy="–" if accuracy is None else f"{accuracy:g} s",
        )


_Times = list[tuple[datetime, Signer]]


def _readable(name: str) -> str:
    """What a person reads for a name of the policy, which is opaque bytes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _origin(read: ReadReceipt) -> str:
    """The log that the receipt is of, as it claims itself."""
    return read.cose[0].sealed.origin if read.cose else Note.parse(read.checkpoint or b"").text.split("\n")[0]


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else clock.to_text(moment)


def _shown(disclosure: Disclosure) -> str | int:
    """A disclosed value as a fact; of a digest map the digests in text."""
    if isinstance(disclosure.value, Mapping):
        return " ".join(f"{name}:{digest.hex()}" for name, digest in sorted(disclosure.value.items()))
    return disclosure.value


def _statement_json(statement: Statement) -> dict[str, Any]:
    claim = statement.claim
    return {
        "issuer": claim.issuer,
        "subject": claim.subject,
        "issued_at": _text(claim.issued_at),
        "kind": claim.kind,
        "policy": None if claim.policy is None else claim.policy.hex(),
        "private": claim.private,
        "agent": claim.agent,
        "payload": claim.payload.hex(),
        "kid": statement.kid.hex(),
        "leaf": leaf_hash(statement.raw).hex(),
    }

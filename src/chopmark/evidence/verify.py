"""Offline verification of a receipt.

Takes bytes, digests and a trust policy, and returns a Report. Opens no file, no socket and no database, and
reads no clock: fetching, hashing and showing are done elsewhere. Everything in the receipt is untrusted until
one of these steps has checked it; the policy and the time `at` are the caller's.

 1 the receipt is well formed
 2 the file's digest is the statement's: directly, or through the disclosure of a private digest
 3 each disclosure matches its commitment in the statement
 4 the statement is signed by the key that it names
 5 the statement is in the log: the inclusion path leads to the root that was signed
 6 a log of the policy signed that root: every signature of its keys on the checkpoint (Ed25519, ML-DSA-44) is
   right, and so is the COSE Receipt's where there is one
 7 the witnesses that the policy asks for cosigned the checkpoint
 8 the times that the signers state, and the earliest of them (of two equal ones the first in `signers`: the log
   before witnesses, the checkpoint before the COSE Receipt)

One step that fails makes the whole FAILED; one that cannot be decided makes it INDETERMINATE. What no step
proves is listed in `Report.not_proven`. The browser verifier follows the same steps with the same codes;
`tests/corpus` holds both to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from operator import itemgetter
from types import MappingProxyType
from typing import Any

from chopmark.base import clock
from chopmark.base.digests import Digests
from chopmark.base.errors import Fact, Invalid
from chopmark.evidence.deposit import Disclosure
from chopmark.evidence.receipt import ReadReceipt, read_receipt
from chopmark.ledger.checkpoint import Checkpoint
from chopmark.ledger.keys import ED25519, MLDSA44_COSIGNATURE
from chopmark.ledger.note import Note
from chopmark.ledger.policy import Judgement, Policy
from chopmark.ledger.statement import PublicKey, Statement
from chopmark.ledger.tree import leaf_hash, verify_inclusion

CLOCK_SKEW = timedelta(minutes=10)

ALWAYS_UNPROVEN = (
    "verify.unproven_authorship",
    "verify.unproven_first_creation",
    "verify.unproven_infringement",
    "verify.unproven_depositor",
    "verify.unproven_nothing_older",
)

_ALGORITHMS = {MLDSA44_COSIGNATURE: "ML-DSA-44"}


class Verdict(StrEnum):
    """The three verdicts of EN 319 102-1."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    INDETERMINATE = "INDETERMINATE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one step found.

    Attributes:
        step: 1 to 8, as in the module's list.
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
    """

    name: str
    role: str
    algorithm: str
    form: str
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The answer.

    Attributes:
        verdict: the worst of the findings'.
        findings: in the order of the steps.
        existed_by: the earliest time that a signer of the policy states; None when none does, when step 8 does not
            believe it, and when the verdict is FAILED.
        existed_by_whom: who states it.
        signers: every signature found right.
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
                }
                for each in self.signers
            ],
            "statement": None if self.statement is None else _statement_json(self.statement),
            "index": self.index,
            "size": self.size,
            "not_proven": list(self.not_proven),
        }


def verify(receipt: bytes, *, digests: Digests | None, policy: Policy | None, at: datetime) -> Report:
    """Check one receipt, in either form.

    Args:
        receipt: the file's bytes.
        digests: of the file that the receipt shall be about; None when there is no file at hand.
        policy: whom the caller trusts; None leaves steps 6 to 8 undecided.
        at: the moment of verification; times stated for later are not believed.
    """
    examination = _Examination(policy, at)
    examination.run(receipt, digests)
    return examination.report()


class _Examination:
    """One run through the steps, collecting findings."""

    def __init__(self, policy: Policy | None, at: datetime) -> None:
        self._policy = policy
        self._at = at
        self._findings: list[Finding] = []
        self._signers: list[Signer] = []
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
        judgement = self._log(read, root)
        if judgement is not None and self._policy is not None:
            self._quorum(judgement, self._policy)
            self._times(read.statement)

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
            signers=tuple(self._signers),
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

    def _log(self, read: ReadReceipt, root: bytes | None) -> Judgement | None:
        # 6 A log of the policy signed that root. Returns what the policy says of the checkpoint's signatures.
        if self._policy is None:
            self._find(6, "verify.policy_missing", Verdict.INDETERMINATE)
            return None
        if root is None:
            return None
        try:
            judgement = self._judge(read, self._policy)
            self._cose_signature(read, root, self._policy)
        except Invalid as error:
            name = str(error.facts.get("name") or error.facts.get("origin") or "")
            self._find(6, "verify.log_signature_wrong", Verdict.FAILED, name=name)
            return None
        logs = sorted({each.name for each in self._signers if each.role == "log"})
        if not logs:
            origin = read.cose[0].sealed.origin if read.cose else Note.parse(read.checkpoint or b"").text.split("\n")[0]
            self._find(6, "verify.log_unknown", Verdict.INDETERMINATE, origin=origin)
            return None
        algorithms = sorted({each.algorithm for each in self._signers if each.role == "log"})
        self._find(6, "verify.log_signed", Verdict.PASSED, origin=logs[0], algorithms=algorithms)
        return judgement

    def _judge(self, read: ReadReceipt, policy: Policy) -> Judgement:
        """The signatures on the checkpoint; the policy's judgement of none where there is no checkpoint."""
        if read.checkpoint is None:
            return policy.judge([])
        try:
            _, judgement = policy.open(read.checkpoint)
        except Invalid as error:
            if error.code == "ledger.signature_missing":
                return policy.judge([])
            raise
        for each in judgement.logs:
            algorithm = _ALGORITHMS.get(each.key.type, "Ed25519")
            self._signers.append(
                Signer(name=each.origin, role="log", algorithm=algorithm, form="checkpoint", at=each.at)
            )
        for name, each in judgement.witnesses.items():
            algorithm = _ALGORITHMS.get(each.key.type, "Ed25519")
            self._signers.append(Signer(name=name, role="witness", algorithm=algorithm, form="checkpoint", at=each.at))
        return judgement

    def _cose_signature(self, read: ReadReceipt, root: bytes, policy: Policy) -> None:
        """The COSE Receipt's signature, when the policy lists an Ed25519 key of its origin with its kid."""
        if not read.cose:
            return
        sealed = read.cose[0].sealed
        for log in policy.logs:
            if log.key.type != ED25519 or log.key.name != sealed.origin:
                continue
            key = PublicKey.ed25519(log.key.public)
            if key.thumbprint == sealed.kid:
                sealed.verify(root, key)
                self._signers.append(
                    Signer(name=sealed.origin, role="log", algorithm="Ed25519", form="cose", at=sealed.issued_at)
                )

    def _quorum(self, judgement: Judgement, policy: Policy) -> None:
        # 7 The witnesses that the policy asks for cosigned the checkpoint.
        witnesses = sorted(judgement.witnesses)
        if policy.quorum == "none":
            self._find(7, "verify.quorum_not_required", Verdict.PASSED, witnesses=witnesses)
        elif judgement.quorum_reached:
            self._find(7, "verify.quorum_reached", Verdict.PASSED, quorum=policy.quorum, witnesses=witnesses)
        else:
            self._find(7, "verify.quorum_missing", Verdict.INDETERMINATE, quorum=policy.quorum, witnesses=witnesses)

    def _times(self, statement: Statement) -> None:
        # 8 The times that the signers state, and the earliest of them.
        stated = [(each.at, each.name) for each in self._signers if each.at is not None]
        if not stated:
            self._find(8, "verify.time_missing", Verdict.INDETERMINATE)
            return
        earliest, whom = min(stated, key=itemgetter(0))
        latest, _ = max(stated, key=itemgetter(0))
        signed = statement.claim.issued_at
        if latest > self._at + CLOCK_SKEW:
            self._find(8, "verify.time_in_future", Verdict.INDETERMINATE, time=clock.to_text(latest))
        elif signed is not None and signed - earliest > CLOCK_SKEW:
            self._find(
                8,
                "verify.time_before_statement",
                Verdict.INDETERMINATE,
                time=clock.to_text(earliest),
                whom=whom,
                signed=clock.to_text(signed),
            )
        else:
            self._existed_by = earliest, whom
            self._find(8, "verify.existed_by", Verdict.PASSED, time=clock.to_text(earliest), whom=whom)


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

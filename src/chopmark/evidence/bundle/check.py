"""Offline check of a bundle: takes a file and the reader's trust, gives a report. One truth for every verifier.

    report = check(file, trust, at)
    report.verdict            the worst of its claims'

The claims, in this order; each has its findings, and its verdict is the worst of theirs:

 1 container          the frame of the ZIP file is as prescribed, byte for byte
 2 manifest           manifest.json is there and well formed
 3 files              every file has the digest that the manifest states; none is missing, none planted
 4 content            the manifest's `content_sha256` is that of what it says
 5 signature:<n>      each signature: what it covers, by whom, when, whether the certificate was good then
 6 time:<n>           each time-stamp: what it covers, by whose clock
 7 record:<n>         each evidence record: what it covers, and that its chain of time-stamps holds
 8 token:<path>       each token over one file, made at its capture for instance
 9 receipt:<path>     each receipt of a deposit, and that it is about a file of its item
10 custody            the custody log is unbroken and ends in the head that the manifest states

Without a readable container nothing else can be said; without a manifest 3, 4 and 8 to 10 cannot.

Opens no other file and no socket, reads no clock. Nothing in the bundle is trusted: its own `trust/` holds lists of
revoked certificates that count only when a trusted key signed them. The browser's verifier follows the same steps with
the same codes; `tests/corpus/bundles` holds both to it. The reasons for the decisions are in docs/bundles.md.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO

from chopmark.base.clock import to_text
from chopmark.base.digests import Digests
from chopmark.base.errors import Invalid
from chopmark.evidence import custody
from chopmark.evidence.bundle.asic import AsicManifest
from chopmark.evidence.bundle.container import META_INF, MIMETYPE_NAME, Container
from chopmark.evidence.bundle.manifest import MANIFEST_NAME, MAX_MANIFEST, DepositRef, Item, Manifest
from chopmark.evidence.cades import (
    Finding,
    Material,
    Signatory,
    StampOutcome,
    Trusted,
    check_signature,
    check_token,
    failed,
    passed,
    undecided,
)
from chopmark.evidence.evidence_record import EvidenceRecord
from chopmark.evidence.evidence_record import verify as verify_record
from chopmark.evidence.receipt import size_of
from chopmark.evidence.trust import Root, Trust, Use
from chopmark.evidence.verify import Verdict
from chopmark.evidence.verify import verify as verify_receipt
from chopmark.ledger.cms import DIGESTS, CmsError, read_certificate
from chopmark.ledger.policy import Policy
from chopmark.ledger.timestamp import Authority

CHUNK = 1 << 20  # bytes
MAX_PROOF = 16 << 20  # bytes; of a file in META-INF
MAX_TOKEN = 64 * 1024
MAX_RECEIPT = 1 << 20
MAX_TRUST_FILES, MAX_TRUST_FILE = 64, 1 << 20
MAX_PROOFS = 200  # signatures, time-stamps and evidence records together
MAX_KEPT = 512 << 20  # bytes of such files together
MOST_PATHS = 100  # findings of one kind in a claim; who changed more is told so often

ALWAYS_UNPROVEN = (
    "bundle.not_proven_truth",
    "bundle.not_proven_before",
    "bundle.not_proven_author",
    "bundle.not_proven_infringement",
    "bundle.not_proven_identity",
    "bundle.not_proven_verifier",
)

_PROOF = re.compile(
    r"META-INF/(?:signature(?=.{3}\.p7s)|timestamp(?=.{3}\.tst)|evidencerecord(?=.{3}\.ers))([0-9]{3})\.(...)"
)
_ASIC = re.compile(r"META-INF/ASiC(?:EvidenceRecord)?Manifest[0-9]{3}\.xml")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
_KINDS = {"p7s": "signature", "tst": "time", "ers": "record"}

Progress = Callable[[int, int], None]
"""Told how many bytes were read, and of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One thing that the bundle says of itself, and what became of it.

    Attributes:
        name: as in the module's list.
        findings: in the order in which they were made, at least one.
    """

    name: str
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of the findings'."""
        return _worst(each.verdict for each in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleReport:
    """The answer.

    Attributes:
        claims: in the module's order.
        not_proven: codes of what a reader might think proven and is not.
        manifest: what the bundle says, or None when it could not be read.
    """

    claims: tuple[Claim, ...]
    not_proven: tuple[str, ...]
    manifest: Manifest | None

    @property
    def verdict(self) -> Verdict:
        """The worst of the claims'."""
        return _worst(each.verdict for each in self.claims)

    def as_json(self) -> dict[str, Any]:
        """The report in JSON values; the form is described in docs/bundles.md and only ever added to."""
        return {
            "verdict": self.verdict.value,
            "bundle": None if self.manifest is None else self.manifest.bundle,
            "content_sha256": None if self.manifest is None else self.manifest.content_sha256.hex(),
            "claims": [
                {
                    "claim": claim.name,
                    "verdict": claim.verdict.value,
                    "findings": [
                        {"code": each.code, "verdict": each.verdict.value, "facts": dict(each.facts)}
                        for each in claim.findings
                    ],
                }
                for claim in self.claims
            ],
            "not_proven": list(self.not_proven),
        }


def _worst(verdicts: Iterable[Verdict]) -> Verdict:
    there = set(verdicts)
    worst = [each for each in (Verdict.FAILED, Verdict.INDETERMINATE) if each in there]
    return worst[0] if worst else Verdict.PASSED


def check(file: BinaryIO, trust: Trust | None, at: datetime, progress: Progress | None = None) -> BundleReport:
    """Check a bundle.

    Args:
        file: seekable; read twice at most, never held in memory.
        trust: whom the reader trusts; without it nothing about signers can pass.
        at: the moment of the check; times stated for later are not believed.
        progress: told now and then how far reading is.
    """
    examination = _Examination(trust, at)
    examination.run(file, progress)
    return examination.report()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proof:
    """A file in META-INF and the ASiCManifest that it is over.

    Attributes:
        kind: signature, time or record.
        number: as in its name.
        name: of the file.
        content: of the file.
        over: the ASiCManifest's bytes; None when there is not exactly one.
        covers: what that manifest lists; None when it is malformed or not there.
    """

    kind: str
    number: int
    name: str
    content: bytes
    over: bytes | None
    covers: AsicManifest | None


@dataclass(slots=True)
class _Files:
    """What was read in one pass over the container.

    Attributes:
        names: all, in the container's order.
        sizes: by name, bytes.
        digests: by name, SHA-256 of what is there.
        kept: by name, the content of what later steps need, unless it is too large.
    """

    names: tuple[str, ...] = ()
    sizes: dict[str, int] = field(default_factory=dict)
    digests: dict[str, bytes] = field(default_factory=dict)
    kept: dict[str, bytes] = field(default_factory=dict)

    @property
    def outside(self) -> list[str]:
        """What signatures must cover: all but `mimetype` and META-INF."""
        return [name for name in self.names if name != MIMETYPE_NAME and not name.startswith(META_INF)]


class _Examination:
    """One run through the steps, collecting claims."""

    def __init__(self, trust: Trust | None, at: datetime) -> None:
        self._trust = trust
        self._at = at
        self._trusted = None if trust is None else _trusted(trust, Use.SEAL, Use.NOTARY)
        self._sealers = None if trust is None else _trusted(trust, Use.SEAL)  # the first signature is the platform's
        self._claims: list[Claim] = []
        self._files = _Files()
        self._manifest: Manifest | None = None
        self._material = Material()
        self._independent = self._stamped = False

    def run(self, file: BinaryIO, progress: Progress | None) -> None:
        # 1 The container's frame; its contents are read once, for all later steps.
        try:
            container = Container(file)
            sound = self._read(container, progress)
        except Invalid as error:
            self._claim("container", [failed(error.code, **error.facts)])
            return
        self._claim("container", [sound])
        # 2 The manifest.
        manifest = self._read_manifest()
        self._manifest = manifest
        self._material = _material(self._files)
        proofs = self._proofs()
        # 3 and 4 What the manifest states of files and of itself.
        if manifest is not None:
            self._claim("files", self._compare(manifest, proofs))
            self._claim("content", [_content(manifest)])
        # 5 to 7 What stands in META-INF.
        self._signatures([each for each in proofs if each.kind == "signature"])
        self._times([each for each in proofs if each.kind == "time"])
        self._records([each for each in proofs if each.kind == "record"])
        # 8 to 10 What stands beside the evidence.
        if manifest is not None:
            self._tokens(manifest)
            self._receipts(manifest)
            self._custody(manifest)

    def report(self) -> BundleReport:
        return BundleReport(claims=tuple(self._claims), not_proven=tuple(self._unproven()), manifest=self._manifest)

    def _claim(self, name: str, findings: Iterable[Finding]) -> None:
        self._claims.append(Claim(name=name, findings=tuple(findings)))

    # ---- 1 container -------------------------------------------------------------------------------------------------

    def _read(self, container: Container, progress: Progress | None) -> Finding:
        """Digest every file, keep the small ones that are needed; whether every CRC-32 is right.

        Raises:
            Invalid: `bundle.zip_malformed` when the file ends in the middle.
        """
        files = self._files
        files.names = container.names
        if sum(_PROOF.fullmatch(name) is not None for name in container.names) > MAX_PROOFS:
            raise Invalid("bundle.too_large", what="META-INF", limit=MAX_PROOFS)
        wanted = _wanted(container)
        if sum(container.size(name) for name in wanted) > MAX_KEPT:
            raise Invalid("bundle.too_large", what="META-INF", limit=MAX_KEPT)
        files.sizes = {name: container.size(name) for name in container.names}
        whole = sum(files.sizes.values())
        done, right = 0, True
        for name in container.names:
            digester, pieces = hashlib.sha256(), list[bytes]()
            keep = name in wanted
            stream = container.open(name)
            left = files.sizes[name]
            while left:
                chunk = stream.read(min(CHUNK, left))
                left -= len(chunk)
                digester.update(chunk)
                if keep:
                    pieces.append(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, whole)
            right = _ends_well(stream) and right
            files.digests[name] = digester.digest()
            if keep:
                files.kept[name] = b"".join(pieces)
        return passed("bundle.zip_right", files=len(files.names)) if right else _WRONG_CRC

    # ---- 2 manifest --------------------------------------------------------------------------------------------------

    def _read_manifest(self) -> Manifest | None:
        if MANIFEST_NAME not in self._files.digests:
            self._claim("manifest", [failed("bundle.manifest_missing")])
            return None
        try:
            manifest = Manifest.parse(self._files.kept.get(MANIFEST_NAME, b""))
        except Invalid as error:
            self._claim("manifest", [failed(error.code, **error.facts)])
            return None
        self._claim("manifest", [passed("bundle.manifest_right", bundle=manifest.bundle, items=len(manifest.items))])
        return manifest

    # ---- 3 files, 4 content ------------------------------------------------------------------------------------------

    def _compare(self, manifest: Manifest, proofs: list[_Proof]) -> list[Finding]:
        files = self._files
        listed = {each.path: each for each in manifest.listed}
        missing = [path for path in listed if path not in files.digests]
        changed = [
            path
            for path, each in listed.items()
            if path in files.digests and (files.digests[path], files.sizes[path]) != (each.sha256, each.size)
        ]
        known = {MIMETYPE_NAME, MANIFEST_NAME, *listed, *(each.name for each in proofs)}
        proven = {each.name for each in proofs}
        read = {name: _asic(data) for name, data in self._asic_files().items()}
        known |= {name for name, each in read.items() if each is not None}
        planted = [name for name in files.names if name not in known]
        orphaned = [
            each.sig_reference for each in read.values() if each is not None and each.sig_reference not in proven
        ]
        found = [
            *(failed("bundle.file_missing", path=path) for path in sorted([*missing, *orphaned])[:MOST_PATHS]),
            *(failed("bundle.file_unlisted", path=path) for path in sorted(planted)[:MOST_PATHS]),
            *(failed("bundle.file_changed", path=path) for path in sorted(changed)[:MOST_PATHS]),
        ]
        return found or [passed("bundle.files_match", files=len(listed))]

    # ---- 5 to 7 META-INF ---------------------------------------------------------------------------------------------

    def _asic_files(self) -> dict[str, bytes]:
        return {name: data for name, data in self._files.kept.items() if _ASIC.fullmatch(name)}

    def _proofs(self) -> list[_Proof]:
        """Signatures, time-stamps and records with what they are over, by kind and number."""
        over: dict[str, list[tuple[bytes, AsicManifest]]] = {}
        for data in self._asic_files().values():
            if (read := _asic(data)) is not None:
                over.setdefault(read.sig_reference, []).append((data, read))
        found = []
        for name in self._files.names:
            if (match := _PROOF.fullmatch(name)) is None:
                continue
            there = over.get(name, [])
            only = there[0] if len(there) == 1 else None
            found.append(
                _Proof(
                    kind=_KINDS[match[2]],
                    number=int(match[1]),
                    name=name,
                    content=self._files.kept.get(name, b""),
                    over=None if only is None else only[0],
                    covers=None if only is None else only[1],
                )
            )
        return found

    def _signatures(self, proofs: list[_Proof]) -> None:
        if not proofs:
            self._claim("signature", [failed("bundle.signature_missing")])
        for proof in proofs:
            found = self._coverage(proof)
            if proof.over is not None:
                trusted = self._sealers if proof.number == 1 else self._trusted
                outcome = check_signature(proof.content, proof.over, trusted, self._material, self._at)
                found += outcome.findings
            self._claim(f"signature:{proof.number}", found)

    def _times(self, proofs: list[_Proof]) -> None:
        if not proofs:
            self._claim("time", [undecided("bundle.tokens_missing")])
        for proof in proofs:
            found = self._coverage(proof)
            if proof.over is not None:
                found += self._stamp(proof.content, proof.over, counts=not found).findings
            self._claim(f"time:{proof.number}", found)

    def _records(self, proofs: list[_Proof]) -> None:
        for proof in proofs:
            found = self._coverage(proof)
            if proof.covers is not None and not found:
                found.append(self._record(proof.content, proof.covers))
            self._claim(f"record:{proof.number}", found)

    def _record(self, content: bytes, covers: AsicManifest) -> Finding:
        """Whether an evidence record holds; its group are the files that its ASiCManifest lists."""
        if self._trusted is None:
            return undecided("bundle.trust_not_given")
        try:
            record = EvidenceRecord.parse(content)
            contents = [self._files.kept.get(each.uri) for each in covers.references]
            whole = [each for each in contents if each is not None]
            complete = len(whole) == len(contents)
            group = {
                name: [each.sha256 for each in covers.references] if name == _SHA256 else [digest(x) for x in whole]
                for name, digest in DIGESTS.items()
                if name == _SHA256 or complete
            }
            proven = verify_record(record, group, self._trusted.stampers, self._at)
        except Invalid as error:
            return (undecided if error.code in _OPEN else failed)("bundle.record_wrong", cause=error.code)
        return passed(
            "bundle.record_good",
            time=to_text(proven.existed_by),
            until=to_text(proven.until),
            stamps=len(proven.stamps),
        )

    def _coverage(self, proof: _Proof) -> list[Finding]:
        """What speaks against what a proof covers: every file, each with the digest that it has."""
        if proof.covers is None:
            return [failed("bundle.asic_manifest_malformed")]
        covered = {each.uri for each in proof.covers.references}
        uncovered = [name for name in self._files.outside if name not in covered]
        differing = [each.uri for each in proof.covers.references if self._files.digests.get(each.uri) != each.sha256]
        return [
            *(failed("bundle.asic_uncovered", path=path) for path in sorted(uncovered)[:MOST_PATHS]),
            *(failed("bundle.asic_differs", path=path) for path in sorted(differing)[:MOST_PATHS]),
        ]

    def _stamp(self, token: bytes, data: bytes, *, counts: bool) -> StampOutcome:
        stampers = None if self._trusted is None else self._trusted.stampers
        outcome = check_token(token, data, stampers, self._material, self._at)
        self._stamped = self._stamped or outcome.time is not None
        self._independent = self._independent or (counts and outcome.independent)
        return outcome

    # ---- 8 tokens, 9 receipts, 10 custody ----------------------------------------------------------------------------

    def _tokens(self, manifest: Manifest) -> None:
        """A token is over the file's SHA-256, of which the file itself need not be at hand again."""
        for each in [token for item in manifest.items for token in item.tokens]:
            token, digest = self._files.kept.get(each.path), self._files.digests.get(each.over)
            if token is None or digest is None:
                self._claim(f"token:{each.path}", [failed("bundle.file_missing", path=each.path)])
                continue
            self._claim(f"token:{each.path}", self._stamp_over(token, digest))

    def _stamp_over(self, token: bytes, digest: bytes) -> tuple[Finding, ...]:
        stampers = None if self._trusted is None else self._trusted.stampers
        outcome = check_token(token, digest, stampers, self._material, self._at, hashed=True)
        self._stamped = self._stamped or outcome.time is not None
        return outcome.findings

    def _receipts(self, manifest: Manifest) -> None:
        for item in manifest.items:
            for deposit in item.deposits:
                self._claim(f"receipt:{deposit.receipt}", self._receipt(manifest, item, deposit))

    def _receipt(self, manifest: Manifest, item: Item, deposit: DepositRef) -> list[Finding]:
        """What the receipt's own verifier finds, for a digest that must be that of a file of the item."""
        receipt = self._files.kept.get(deposit.receipt)
        if receipt is None:
            return [failed("bundle.receipt_missing", path=deposit.receipt)]
        sizes = {each.sha256: each.size for each in item.files}
        own = {each.path for each in item.files}
        originals = {each.original_sha256 for each in manifest.redactions if each.path in own}
        digests = None
        if deposit.sha256 in sizes:
            digests = Digests(sha256=deposit.sha256, size=sizes[deposit.sha256])
        elif deposit.sha256 not in originals:
            return [failed("bundle.receipt_other", number=deposit.number)]
        report = verify_receipt(
            receipt,
            digests=digests,
            policy=self._policy(receipt),
            at=self._at,
            authorities=() if self._trusted is None else self._trusted.stampers,
        )
        self._stamped = self._stamped or bool(report.stamps)
        self._independent = self._independent or any(not each.own for each in report.stamps)
        found = [Finding(code=each.code, verdict=each.verdict, facts=each.facts) for each in report.findings]
        return found if digests is not None else [_of_original(each, deposit) for each in found]

    def _policy(self, receipt: bytes) -> Policy | None:
        return None if self._trust is None else self._trust.policy_for(size_of(receipt))

    def _custody(self, manifest: Manifest) -> None:
        said = manifest.custody
        log = self._files.kept.get(said.log)
        if log is None:
            self._claim("custody", [failed("bundle.file_missing", path=said.log)])
            return
        try:
            entries = custody.read(log)
        except Invalid as error:
            line = error.facts.get("line", 0)
            self._claim("custody", [failed("bundle.custody_broken", line=line)])
            return
        if (custody.head(log), len(entries)) != (said.head, said.entries):
            self._claim("custody", [failed("bundle.custody_head_differs")])
            return
        self._claim("custody", [passed("bundle.custody_matches", entries=said.entries)])

    # ---- what is not proven ------------------------------------------------------------------------------------------

    def _unproven(self) -> list[str]:
        found = list(ALWAYS_UNPROVEN)
        manifest = self._manifest
        if not self._independent:
            found.append("bundle.not_proven_independent_time")
        if self._stamped:
            found.append("bundle.not_proven_stamper")
        if manifest is None:
            return found
        if any(not item.deposits for item in manifest.items):
            found.append("bundle.not_proven_deposited")
        if any(item.capture is not None and not item.capture.complete for item in manifest.items):
            found.append("bundle.not_proven_whole_capture")
        if manifest.redactions:
            found.append("bundle.not_proven_redacted")
        return found


# Of a record: nothing is refuted, but nothing shown to this reader at this time either.
_OPEN = {
    "evidence.record_algorithm",
    "evidence.record_over",
    "ledger.timestamp_ahead",
    "ledger.timestamp_algorithm",
    "ledger.timestamp_authority_unknown",
}
_SHA256 = "2.16.840.1.101.3.4.2.1"
_WRONG_CRC = failed("bundle.zip_malformed", reason="crc")


def _wanted(container: Container) -> set[str]:
    """The files whose content later steps need, unless it is too large to be what it should be; no evidence is."""
    wanted = {name: MAX_PROOF for name in container.names if name.startswith(META_INF)}
    wanted |= {name: MAX_TRUST_FILE for name in container.names if name.startswith("trust/")}
    if MANIFEST_NAME in container.names and container.size(MANIFEST_NAME) <= MAX_MANIFEST:
        wanted[MANIFEST_NAME] = MAX_MANIFEST
        try:
            manifest = Manifest.parse(container.open(MANIFEST_NAME).read(container.size(MANIFEST_NAME)))
        except Invalid:
            manifest = None
        if manifest is not None:
            wanted |= {each.receipt: MAX_RECEIPT for item in manifest.items for each in item.deposits}
            wanted |= {each.path: MAX_TOKEN for item in manifest.items for each in item.tokens}
            wanted[manifest.custody.log] = custody.MAX_LOG
    there = set(container.names)
    return {name for name, limit in wanted.items() if name in there and container.size(name) <= limit}


def _ends_well(stream: BinaryIO) -> bool:
    """Whether the CRC-32 of a stream that was read to its end is right."""
    try:
        stream.read(1)
    except Invalid:
        return False
    return True


def _content(manifest: Manifest) -> Finding:
    digest = manifest.content_sha256
    if manifest.stated_content != digest:
        return failed("bundle.content_differs", found=digest.hex())
    return passed("bundle.content_matches", sha256=digest.hex())


def _of_original(finding: Finding, deposit: DepositRef) -> Finding:
    """Where a file was redacted, its original is not at hand; the receipt must be about its digest."""
    if finding.code != "verify.file_missing":
        return finding
    if finding.facts["digest"] != deposit.sha256.hex():
        return failed("bundle.receipt_other", number=deposit.number)
    return passed("bundle.receipt_of_original", number=deposit.number)


def _asic(data: bytes) -> AsicManifest | None:
    try:
        return AsicManifest.parse(data)
    except Invalid:
        return None


def _material(files: _Files) -> Material:
    """Certificates and lists of revoked ones in the bundle's own `trust/`; what cannot be read is left out."""
    roots = [name for name in files.names if name.startswith("trust/roots/") and name.endswith(".pem")]
    lists = [name for name in files.names if name.startswith("trust/crl/") and name.endswith(".crl")]
    certificates = [each for name in roots[:MAX_TRUST_FILES] for each in _certificates(files.kept.get(name, b""))]
    revocations = [files.kept[name] for name in lists[:MAX_TRUST_FILES] if name in files.kept]
    return Material(certificates=tuple(certificates[:MAX_TRUST_FILES]), revocations=tuple(revocations))


def _certificates(pem: bytes) -> list[bytes]:
    found = []
    for match in _PEM.finditer(pem.decode("latin-1")):
        try:
            found.append(base64.b64decode("".join(match[1].split()), validate=True))
        except ValueError:
            continue
    return found


def _is_readable(root: Root) -> bool:
    """Whether a root is a certificate at all; another one leads to nobody."""
    try:
        read_certificate(root.certificate)
    except CmsError:
        return False
    return True


def _trusted(trust: Trust, *uses: Use) -> Trusted:
    """Whose signatures count for these uses, and whose tokens: what any entry calls own is own."""
    signatories = [
        Signatory(name=each.name, certificate=each.certificate)
        for each in trust.certificates(*uses)
        if _is_readable(each)
    ]
    grouped: dict[tuple[str, bool], list[bytes]] = {}
    stamping = [each for each in trust.certificates(Use.TSA) if _is_readable(each)]
    for each in sorted(stamping, key=lambda each: not each.own):
        grouped.setdefault((each.name, each.own), []).append(each.certificate)
    return Trusted(
        signatories=tuple(signatories),
        stampers=tuple(
            Authority(name=name, certificates=tuple(certificates), own=own)
            for (name, own), certificates in grouped.items()
        ),
    )

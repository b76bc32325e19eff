"""A platform, a notary and two time-stamp authorities of the corpus' own, and the bundles that they make.

All keys are made anew for each run of `scripts/make_bundles.py`, and thrown away; the log's are the corpus'.
"""

from __future__ import annotations

import io
import struct
import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path

from corpus import maker
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from chopmark.base.digests import digests_of
from chopmark.evidence import custody, evidence_record
from chopmark.evidence.bundle.asic import AsicManifest
from chopmark.evidence.bundle.build import Part, Proofs, Sealer, Stamper, add_proofs, add_signature, build
from chopmark.evidence.bundle.container import Container, ContainerWriter, Entry, directory, place
from chopmark.evidence.bundle.manifest import (
    Capture,
    Custody,
    Depositor,
    DepositRef,
    Document,
    File,
    Item,
    Manifest,
    Matter,
    Platform,
    Redaction,
    Text,
    Token,
)
from chopmark.evidence.sealing import Seal, make_seal
from chopmark.evidence.trust import Root, Trust, Use
from chopmark.ledger import tsa
from chopmark.ledger.keys import ED25519_COSIGNATURE, SigningKey
from chopmark.ledger.policy import Policy, PolicyGroup, PolicyLog, PolicyWitness, policy_text
from chopmark.ledger.timestamp import accept, request

AT = maker.AT
SIGNED = AT + timedelta(hours=1)
CHECKED = AT + timedelta(days=1)
LONG_AGO = AT - timedelta(days=30)
HOUR = timedelta(hours=1)

PAGE = "evidence/001-listing/page.html"
SHOT = "evidence/001-listing/picture.png"
TOKEN = "evidence/001-listing/page.tst"
INVOICE = "evidence/002-invoice/invoice.pdf"
LOG = "custody/process.jsonl"
RECEIPTS = ("ledger/receipts/E-001-1.cose", "ledger/receipts/E-002-1.cose")

TYPES = {
    "html": "text/html",
    "png": "image/png",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "jsonl": "application/x-ndjson",
    "tst": "application/vnd.etsi.timestamp-token",
}


# ---- who signs and stamps ------------------------------------------------------------------------------------------


@dataclass
class Clock:
    """A time-stamp authority whose clock stands where it is put."""

    name: str
    own: bool
    organisation: str
    at: datetime = SIGNED
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.TIME_STAMPING
    root: x509.Certificate = field(init=False)
    certificate: x509.Certificate = field(init=False)

    def __post_init__(self) -> None:
        root_key, self.root = tsa.make_root(self.organisation, LONG_AGO)
        key, self.certificate = tsa.make_signer(self.organisation, LONG_AGO, root_key=root_key, root=self.root)
        if self.purpose != ExtendedKeyUsageOID.TIME_STAMPING:
            self.certificate = with_usage(self.certificate, root_key, self.purpose)
        self._signer = tsa.Signer(
            key=key,
            certificates=[self.certificate, self.root],
            mark=tsa.Mark(serial=0, time=LONG_AGO),
            keep=lambda _: None,
            clock=lambda: self.at,
        )

    def token(self, imprint: bytes) -> bytes:
        asked = request(imprint, nonce=7)
        return accept(tsa.answer(asked.encode(), self._signer), asked)

    @property
    def roots(self) -> list[Root]:
        return [Root(name=self.name, use=Use.TSA, own=self.own, certificate=self.root.public_bytes(Encoding.DER))]


def with_usage(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, *purposes: x509.ObjectIdentifier):
    """The same certificate for other purposes."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(certificate.subject)
        .issuer_name(certificate.issuer)
        .public_key(certificate.public_key())
        .serial_number(certificate.serial_number + 1)
        .not_valid_before(certificate.not_valid_before_utc)
        .not_valid_after(certificate.not_valid_after_utc)
    )
    for each in certificate.extensions:
        value = x509.ExtendedKeyUsage(purposes) if each.oid == x509.ExtendedKeyUsage.oid else each.value
        builder = builder.add_extension(value, critical=each.critical)
    return builder.sign(key, hashes.SHA256())


@dataclass
class SealFolder:
    """A seal in a folder of its own, and ways to spoil it."""

    organisation: str
    made: datetime = LONG_AGO
    folder: Path = field(init=False)

    def __post_init__(self) -> None:
        self.folder = make_seal(Path(tempfile.mkdtemp(dir=scratch())), self.organisation, self.made)

    def seal(self, stampers: Sequence[Stamper], at: datetime = SIGNED) -> Seal:
        return Seal.load(self.folder, stampers, lambda: at)

    @property
    def root(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate((self.folder / "root.pem").read_bytes())

    @property
    def revoked(self) -> bytes:
        return (self.folder / "root.crl").read_bytes()

    @property
    def root_key(self) -> ec.EllipticCurvePrivateKey:
        key = load_pem_private_key((self.folder / "root.key").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key

    def trusted(self, name: str, use: Use = Use.SEAL, *, own: bool = True) -> Root:
        return Root(name=name, use=use, own=own, certificate=self.root.public_bytes(Encoding.DER))

    def for_other_purposes(self, *purposes: x509.ObjectIdentifier) -> SealFolder:
        path = self.folder / "signer.pem"
        certificate = with_usage(x509.load_pem_x509_certificate(path.read_bytes()), self.root_key, *purposes)
        path.write_bytes(certificate.public_bytes(Encoding.PEM))
        return self

    def copied(self) -> SealFolder:
        other = SealFolder(self.organisation, self.made)
        for each in self.folder.iterdir():
            (other.folder / each.name).write_bytes(each.read_bytes())
        return other


_SCRATCH: list[tempfile.TemporaryDirectory[str]] = []


def scratch() -> str:
    """A folder that ends with the process."""
    if not _SCRATCH:
        _SCRATCH.append(tempfile.TemporaryDirectory())
    return _SCRATCH[0].name


@cache
def own() -> Clock:
    return Clock("own", own=True, organisation="chopmark.example")


@cache
def centre() -> Clock:
    return Clock("time-centre", own=False, organisation="Time Centre")


@cache
def platform() -> SealFolder:
    return SealFolder("Chopmark Corpus")


@cache
def notary() -> SealFolder:
    return SealFolder("Hangzhou Notary 公证处")


def platform_seal() -> Seal:
    return platform().seal([own(), centre()])


def stampers() -> list[Stamper]:
    return [own(), centre()]


COURTS = {
    "hangzhou": maker.HANGZHOU,
    "guangzhou": maker.GUANGZHOU,
    "beijing": SigningKey(name="beijing.example", type=ED25519_COSIGNATURE, seed=maker.seed("beijing ed")),
}
POLICY = Policy(
    logs=(PolicyLog(key=maker.LOG.verifier),),
    witnesses=tuple(PolicyWitness(name=name, key=key.verifier) for name, key in COURTS.items()),
    groups=(PolicyGroup(name="courts", threshold=2, members=tuple(COURTS)),),
    quorum="courts",
)


def trust(*roots: Root, policy: bytes | None = policy_text(POLICY).encode()) -> Trust:
    return Trust.of({} if policy is None else {0: policy}, roots)


@cache
def trusts() -> dict[str, Trust]:
    """By name: what readers trust."""
    seal, seconded = platform().trusted("platform"), notary().trusted("notary", Use.NOTARY, own=False)
    both = [*own().roots, *centre().roots]
    return {
        "all": trust(seal, seconded, *both),
        "without-notary": trust(seal, *both),
        "own-clock-only": trust(seal, seconded, *own().roots),
        "no-clock": trust(seal, seconded),
        "no-policy": trust(seal, seconded, *both, policy=None),
        "another-log": trust(seal, seconded, *both, policy=policy_text(maker.POLICIES["another-log"]).encode()),
        "nobody": trust(policy=None),
    }


# ---- what is in a bundle -------------------------------------------------------------------------------------------


def receipt(content: bytes, *, courts: Sequence = (maker.HANGZHOU, maker.GUANGZHOU), **rest) -> bytes:
    """A receipt for a file, which two courts of three cosigned."""
    made = maker.by_agent(digests=digests_of([content]))
    cosigned = [(key, AT + number * maker.SECOND) for number, key in enumerate(courts, start=1)]
    return maker.register(
        made, signers=(maker.LOG,), cosigned=cosigned, sealed=cosigned, **rest
    ).transparent_statement()


def custody_log() -> bytes:
    entry, lines = None, []
    for number, action in enumerate(("matter.opened", "item.added", "item.added", "bundle.requested")):
        item = f"E-{number:03}" if action == "item.added" else ""
        entry = custody.follow(
            entry,
            at=AT - HOUR + timedelta(minutes=number),
            who=custody.Who(kind="person", id="7"),
            action=action,
            item=item,
            facts={"files": number},
        )
        lines.append(entry.line())
    return custody.write(lines)


@cache
def some() -> Mapping[str, bytes]:
    """The files of the bundle that has nothing wrong."""
    page, invoice = b"<!doctype html><title>Lantern</title><p>199.00\n", b"%PDF-1.7\n% an invoice, as it might be\n" * 3
    return {
        LOG: custody_log(),
        PAGE: page,
        SHOT: bytes(range(64)),
        TOKEN: own().token(sha256(page).digest()),
        INVOICE: invoice,
        RECEIPTS[0]: receipt(page),
        RECEIPTS[1]: receipt(invoice, filler="other"),
        "trust/roots/platform.pem": platform().root.public_bytes(Encoding.PEM),
    }


CAPTURE = Capture(
    mode="automatic",
    requested_url="https://shop.example/lantern",
    final_url="https://shop.example/lantern?id=1",
    started=AT - HOUR,
    ended=AT - HOUR + timedelta(seconds=30),
    engine="chromium 140",
    engine_sha256=sha256(b"chromium").digest(),
    vantages=("cn-hangzhou", "de-frankfurt"),
    cleanliness="clean",
    complete=True,
)


def manifest_of(files: Mapping[str, bytes], **changes) -> Manifest:
    """What the platform writes about these files."""

    def listed(kind, path, **more):
        data = files[path]
        media_type = TYPES.get(path.rpartition(".")[2], "application/octet-stream")
        return kind(path=path, media_type=media_type, size=len(data), sha256=sha256(data).digest(), **more)

    def item(number, kind, folder, **more):
        paths = [path for path in files if path.startswith(f"{folder}/")]
        return Item(
            id=f"E-{number:03}",
            kind=kind,
            title=Text(zh="商品页面", en="A listing"),
            purpose=Text(zh="证明在售", en="Shows an offer for sale"),
            source={"url": "https://shop.example/lantern"},
            phase="infringement",
            folder=folder,
            files=tuple(listed(File, path, role="primary") for path in paths),
            **more,
        )

    log = files.get(LOG, b"")
    items = (
        item(
            1,
            "capture",
            "evidence/001-listing",
            capture=CAPTURE,
            deposits=(DepositRef(number="D-2026-000001", sha256=sha256(files[PAGE]).digest(), receipt=RECEIPTS[0]),),
            tokens=(Token(path=TOKEN, over=PAGE),) if TOKEN in files else (),
        ),
        item(
            2,
            "upload",
            "evidence/002-invoice",
            deposits=(DepositRef(number="D-2026-000002", sha256=sha256(files[INVOICE]).digest(), receipt=RECEIPTS[1]),),
        ),
    )
    values = {
        "bundle": "B-2026-000123",
        "created": SIGNED,
        "matter": Matter(id="M-7", template="trademark", title=Text(zh="灯笼", en="Lantern"), jurisdiction="CN"),
        "depositor": Depositor(name="灯笼有限公司 Lantern Works Ltd", type="company"),
        "platform": Platform(
            operator="Chopmark Corpus",
            software="chopmark/0.1.0",
            origin=maker.ORIGIN,
            independence=Text(zh="无利害关系", en="No interest in the matter"),
        ),
        "items": items,
        "documents": tuple(
            listed(Document, path, role="document") for path in files if not path.startswith("evidence/")
        ),
        "custody": Custody(log=LOG, head=custody.head(log), entries=log.count(b"\n")),
        "claims": {"CN": ("OLR-16",)},
    }
    return Manifest(**(values | changes))


def bundle(
    files: Mapping[str, bytes] | None = None,
    *,
    seal: Sealer | None = None,
    clocks: Sequence[Stamper] | None = None,
    manifest: Callable[[Manifest], Manifest] = lambda manifest: manifest,
) -> bytes:
    """A bundle as the platform makes it, of files and a manifest that agree."""
    held = some() if files is None else files
    written = manifest(manifest_of(held))
    listed = {each.path: each for each in written.listed}
    parts = [Part.of(path, listed[path].media_type, data) for path, data in held.items()]
    out = io.BytesIO()
    build(out, written, parts, seal=seal or platform_seal(), stampers=stampers() if clocks is None else clocks)
    return out.getvalue()


def seconded(data: bytes) -> bytes:
    """The bundle with the notary's signature."""
    out = io.BytesIO()
    add_signature(io.BytesIO(data), out, notary().seal([centre()], SIGNED + HOUR), [centre()])
    return out.getvalue()


def renewed(data: bytes, *, without: int = 0) -> bytes:
    """The bundle with an evidence record, which leaves out the first files."""
    name = "META-INF/evidencerecord001.ers"

    def more(proofs: Proofs) -> dict[str, bytes]:
        over = AsicManifest(sig_reference=name, references=proofs.covering())
        (record,) = evidence_record.start([[each.sha256 for each in over.references][without:]], centre().token)
        return {"META-INF/ASiCEvidenceRecordManifest001.xml": over.encode(), name: record.encode()}

    out = io.BytesIO()
    add_proofs(io.BytesIO(data), out, more)
    return out.getvalue()


def redacted() -> bytes:
    """A bundle in which the invoice was blackened after it was deposited."""
    original = some()[INVOICE]
    shown = {**some(), INVOICE: b"%PDF-1.7\n% blackened\n"}
    reference = DepositRef(number="D-2026-000002", sha256=sha256(original).digest(), receipt=RECEIPTS[1])

    def change(manifest: Manifest) -> Manifest:
        items = (manifest.items[0], replace(manifest.items[1], deposits=(reference,)))
        redaction = Redaction(path=INVOICE, reason="personal data", original_sha256=reference.sha256)
        return replace(manifest, items=items, redactions=(redaction,))

    return bundle(shown, manifest=change)


# ---- packing what no honest program packs --------------------------------------------------------------------------


def contents(data: bytes) -> dict[str, bytes]:
    """Names and contents of a bundle, in its order, whatever they say."""
    container = Container(io.BytesIO(data))
    return {name: container.open(name).read(container.size(name)) for name in container.names}


def packed(files: Mapping[str, bytes]) -> bytes:
    """These files in a container in the prescribed form."""
    out = io.BytesIO()
    writer = ContainerWriter(out)
    for name in sorted(files, key=place):
        writer.add(name, files[name], len(files[name]), sha256(files[name]).digest())
    writer.finish()
    return out.getvalue()


def loose(files: Sequence[tuple[str, bytes]]) -> bytes:
    """The same without asking whether names are safe, distinct or in order."""
    entries, body, offset = [], b"", 0
    for name, data in files:
        entry = Entry(name=name, size=len(data), crc=zlib.crc32(data), offset=offset)
        body += entry.local() + data
        entries.append(entry)
        offset = entry.end
    return body + directory(entries)


def end_record(comment: bytes = b"", *, count: int = 0) -> bytes:
    """An end record of a ZIP file."""
    return struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, 0, 0, len(comment)) + comment

"""Small evidence bundles with real signatures and tokens, and their files in memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from chopmark.evidence.bundle.build import Built, Part, Stamper, build
from chopmark.evidence.bundle.manifest import (
    Custody,
    Depositor,
    Document,
    File,
    Item,
    Manifest,
    Matter,
    Platform,
    Text,
)
from chopmark.evidence.bundle.readme import README_NAME, readme
from world.tsa import TsaWorld

CREATED = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
BUNDLE = "B-2026-000123"

SOME: Mapping[str, bytes] = {
    "evidence/001-listing/page.html": b"<p>fake</p>\n",
    "evidence/001-listing/picture.png": bytes(range(256)) * 300,
    "evidence/001-listing/empty.txt": b"",
    "evidence/002-invoice/invoice.pdf": b"%PDF-1.7\n" + b"x" * 70_000,
    "custody/process.jsonl": b'{"seq":1}\n',
    README_NAME: readme(BUNDLE),
    "trust/roots/own.pem": TsaWorld().root.public_bytes(Encoding.PEM),
}
TYPES = {"html": "text/html", "png": "image/png", "txt": "text/plain", "pdf": "application/pdf"}


@dataclass(frozen=True)
class Tokens:
    """Tokens of the authority in memory."""

    name: str = "own"
    own: bool = True
    tsa: TsaWorld = field(default_factory=TsaWorld)

    def token(self, sha256: bytes) -> bytes:
        return self.tsa.signer.stamp(replace(self.tsa.order(b""), imprint=sha256))


class Scribble:
    """Signs with nothing: for tests to which the signature does not matter."""

    def sign(self, data: bytes) -> bytes:
        return b"signature of " + sha256(data).digest()


def parts_of(files: Mapping[str, bytes] = SOME) -> list[Part]:
    """The files as parts."""
    ending = {path: path.rpartition(".")[2] for path in files}
    return [Part.of(path, TYPES.get(ending[path], "application/octet-stream"), data) for path, data in files.items()]


def manifest_of(parts: Sequence[Part], **changes: object) -> Manifest:
    """A manifest that lists these parts: one item for each folder in evidence/, everything else as documents."""
    folders = sorted({part.path.rpartition("/")[0] for part in parts if part.path.startswith("evidence/")})
    items = tuple(
        Item(
            id=f"E-{number:03}",
            kind="upload",
            title=Text(zh="证据", en="Evidence"),
            purpose=Text(zh="证明在售", en="Shows an offer for sale"),
            source={"kept_by": "the depositor"},
            phase="infringement",
            folder=folder,
            files=tuple(
                File(
                    path=part.path,
                    media_type=part.media_type,
                    size=part.size,
                    sha256=part.sha256,
                    role="primary",
                )
                for part in parts
                if part.path.startswith(folder + "/")
            ),
        )
        for number, folder in enumerate(folders, start=1)
    )
    documents = tuple(
        Document(path=part.path, media_type=part.media_type, size=part.size, sha256=part.sha256, role="document")
        for part in parts
        if not part.path.startswith("evidence/")
    )
    values: dict[str, object] = {
        "bundle": BUNDLE,
        "created": CREATED,
        "matter": Matter(id="M-7", template="trademark", title=Text(zh="商标", en="A mark"), jurisdiction="CN"),
        "depositor": Depositor(name="某某公司", type="company"),
        "platform": Platform(
            operator="Example", software="chopmark/0.1.0", origin="log.example", independence=Text(zh="无", en="None")
        ),
        "items": items,
        "documents": documents,
        "custody": Custody(log="custody/process.jsonl", head=sha256(b"head").digest(), entries=1),
        "claims": {"CN": ("OLR-16",)},
    }
    return Manifest(**(values | changes))  # type: ignore[arg-type]


def built(files: Mapping[str, bytes] = SOME, *, seal=None, stampers: Sequence[Stamper] = ()) -> tuple[Built, bytes]:
    """A bundle of these files, and its bytes."""
    parts, out = parts_of(files), io.BytesIO()
    made = build(out, manifest_of(parts), parts, seal=seal or Scribble(), stampers=stampers)
    return made, out.getvalue()


def unpacked(bundle: bytes, folder: Path) -> Path:
    """The bundle's files as another program unpacks them."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        archive.extractall(folder)
    return folder

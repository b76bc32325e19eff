"""Making a bundle, and adding to one.

    with open("B-2026-000123.asice", "w+b") as out:
        built = build(out, manifest, parts, seal=seal, stampers=[own, external])

Contents are copied one behind the other and compared with their digests on the way: what changed since it was listed
ends the making, and nothing is signed before everything was compared. Nothing is held in memory but the manifest and
what stands in META-INF. The same parts, signatures and tokens give the same bytes.

Keys are not known here: who signs and who stamps are handed in.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, Protocol

from chopmark.base.digests import chunks_of, digests_of
from chopmark.base.errors import Invalid
from chopmark.evidence.bundle.asic import (
    AsicManifest,
    Reference,
    manifest_name,
    signature_name,
    token_name,
    type_of_proof,
)
from chopmark.evidence.bundle.container import (
    META_INF,
    MIMETYPE,
    MIMETYPE_NAME,
    Container,
    ContainerWriter,
    place,
)
from chopmark.evidence.bundle.manifest import MANIFEST_NAME, MAX_MANIFEST, Document, File, Manifest

MANIFEST_TYPE = "application/json"
MAX_PROOF = 16 << 20  # bytes; of any file in META-INF
MAX_PROOFS = 999  # of a kind, since names have three digits


class Sealer(Protocol):
    """Who signs."""

    def sign(self, data: bytes) -> bytes:
        """A detached CAdES signature over these bytes, DER.

        Raises:
            Unavailable: when a time-stamp authority or a key does not answer.
        """


class Stamper(Protocol):
    """Who states the time.

    Attributes:
        name: how people call the authority.
        own: whether the platform runs it, so that its word is no independent one.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 (described above)

    @property
    def own(self) -> bool: ...  # noqa: D102 (described above)

    def token(self, sha256: bytes) -> bytes:
        """An RFC 3161 token over this imprint, DER, with the authority's certificates inside.

        Raises:
            Unavailable: when the authority does not answer.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file that goes into a bundle.

    Attributes:
        path: in the container.
        media_type: `type/subtype`.
        size: bytes.
        sha256: 32 bytes.
        open: gives the content from its start; the stream is closed after use.
    """

    path: str
    media_type: str
    size: int
    sha256: bytes
    open: Callable[[], BinaryIO]

    @classmethod
    def of(cls, path: str, media_type: str, content: bytes) -> Part:
        """One whose content is at hand."""
        digest = hashlib.sha256(content).digest()
        return cls(path=path, media_type=media_type, size=len(content), sha256=digest, open=lambda: io.BytesIO(content))


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A bundle that was written.

    Attributes:
        sha256: of all its bytes, 32 bytes.
        size: bytes.
    """

    sha256: bytes
    size: int


def build(
    out: BinaryIO, manifest: Manifest, parts: Sequence[Part], *, seal: Sealer, stampers: Sequence[Stamper]
) -> Built:
    """Write a bundle: the files, one signature over them, and a time-stamp of each authority over both.

    Args:
        out: empty, open for reading and writing; when this raises, what is in it is worth nothing.
        manifest: lists exactly the parts.
        parts: every file but `mimetype`, `manifest.json` and META-INF, in any order.
        seal: the platform's signature.
        stampers: time-stamp authorities; two of them at least, one of them not the platform's, if the bundle shall
            prove its time to others.

    Raises:
        Invalid: `bundle.source_changed`, `bundle.name_twice`, `bundle.name_unsafe`, `bundle.too_large`,
            `bundle.manifest_malformed`.
        Unavailable: what `seal` and `stampers` raise.
        ValueError: when manifest and parts do not list the same.
    """
    listed = {(each.path, each.media_type, each.size, each.sha256) for each in manifest.listed}
    if listed != {(each.path, each.media_type, each.size, each.sha256) for each in parts}:
        raise ValueError("the manifest does not list these parts")
    everything = [*parts, Part.of(MANIFEST_NAME, MANIFEST_TYPE, manifest.encode())]
    proofs = Proofs(references=_references(everything), there={})
    return _write(out, everything, lambda: proofs.signed(seal, stampers))


def add_signature(bundle: BinaryIO, out: BinaryIO, signer: Sealer, stampers: Sequence[Stamper]) -> Built:
    """Copy a bundle and add one signature, a notary's for instance, and a fresh time-stamp of each authority.

    The files and everything in META-INF stay as they are. Every file is compared with the manifest before anything is
    signed; whether the signatures that are there hold is for `check`, beforehand.

    Args:
        bundle: the one there is; stays unchanged.
        out: as in `build`.
        signer: whose signature joins.
        stampers: as in `build`.

    Raises:
        Invalid: what opening the container and the manifest raises; `bundle.file_missing`, `bundle.file_unlisted`,
            `bundle.file_changed`; `bundle.too_large`.
        Unavailable: what `signer` and `stampers` raise.
    """
    return _extend(bundle, out, lambda proofs: proofs.signed(signer, stampers))


def add_proofs(bundle: BinaryIO, out: BinaryIO, more: Callable[[Proofs], Mapping[str, bytes]]) -> Built:
    """Copy a bundle and add files to its META-INF, an evidence record for instance.

    Args:
        bundle: the one there is; stays unchanged.
        out: as in `build`.
        more: given what is there, names and contents of what joins it; called when every file was compared.

    Raises:
        Invalid: as `add_signature`.
    """
    return _extend(bundle, out, more)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofs:
    """What META-INF is about and what is in it.

    Attributes:
        references: every file outside META-INF but `mimetype`, in the container's order.
        there: names and contents of the files in META-INF.
    """

    references: tuple[Reference, ...]
    there: Mapping[str, bytes]

    def covering(self) -> tuple[Reference, ...]:
        """References to all files, those in META-INF included: what a later proof covers."""
        inside = sorted(self.there.items())
        return self.references + tuple(
            Reference(name, type_of_proof(name), hashlib.sha256(data).digest()) for name, data in inside
        )

    def signed(self, signer: Sealer, stampers: Sequence[Stamper]) -> dict[str, bytes]:
        """What joins META-INF: a signature, then a time-stamp of each authority over all that is there by then."""
        signature = AsicManifest(sig_reference=signature_name(self._next(signature_name)), references=self.references)
        over = signature.encode()
        made = {manifest_name(self._next(manifest_name)): over, signature.sig_reference: signer.sign(over)}
        stamped = Proofs(references=self.references, there={**self.there, **made})
        covered, start, number = stamped.covering(), stamped._next(token_name), stamped._next(manifest_name)
        for offset, stamper in enumerate(stampers):
            token = AsicManifest(sig_reference=token_name(start + offset), references=covered)
            over = token.encode()
            made[manifest_name(number + offset)] = over
            made[token.sig_reference] = stamper.token(hashlib.sha256(over).digest())
        return made

    def _next(self, name: Callable[[int], str]) -> int:
        """The number behind the highest that a file of this kind has.

        Raises:
            Invalid: `bundle.too_large` beyond 999.
        """
        highest = max((number for number in range(1, MAX_PROOFS + 1) if name(number) in self.there), default=0)
        if highest == MAX_PROOFS:
            raise Invalid("bundle.too_large", what=META_INF, limit=MAX_PROOFS)
        return highest + 1


def _references(parts: Iterable[Part]) -> tuple[Reference, ...]:
    return tuple(
        Reference(each.path, each.media_type, each.sha256) for each in sorted(parts, key=lambda each: place(each.path))
    )


def _extend(bundle: BinaryIO, out: BinaryIO, more: Callable[[Proofs], Mapping[str, bytes]]) -> Built:
    container = Container(bundle)
    parts = _parts_of(container)
    there = {name: container.read(name, MAX_PROOF) for name in container.names if name.startswith(META_INF)}
    proofs = Proofs(references=_references(parts), there=there)
    try:
        return _write(out, parts, lambda: {**there, **more(proofs)})
    except Invalid as error:
        if error.code == "bundle.source_changed":
            raise Invalid("bundle.file_changed", path=error.facts["name"]) from error
        raise


def _parts_of(container: Container) -> list[Part]:
    return [
        Part(
            path=each.path,
            media_type=each.media_type,
            size=each.size,
            sha256=each.sha256,
            open=partial(container.open, each.path),
        )
        for each in listed_in(container)[1]
    ]


def listed_in(container: Container) -> tuple[Manifest, list[File | Document]]:
    """The manifest, and every file outside META-INF but `mimetype` as it lists them, itself at the end.

    Names and sizes are those in the container; digests are not compared here.

    Raises:
        Invalid: `bundle.manifest_missing`, `bundle.manifest_malformed`, `bundle.file_missing`, `bundle.file_unlisted`,
            `bundle.file_changed`.
    """
    if MANIFEST_NAME not in container.names:
        raise Invalid("bundle.manifest_missing")
    encoded = container.read(MANIFEST_NAME, MAX_MANIFEST)
    manifest = Manifest.parse(encoded)
    there = {name for name in container.names if not name.startswith(META_INF)} - {MIMETYPE_NAME, MANIFEST_NAME}
    for each in manifest.listed:
        if each.path not in there:
            raise Invalid("bundle.file_missing", path=each.path)
        if container.size(each.path) != each.size:
            raise Invalid("bundle.file_changed", path=each.path)
    for name in sorted(there - {each.path for each in manifest.listed}):
        raise Invalid("bundle.file_unlisted", path=name)
    itself = Document(
        path=MANIFEST_NAME,
        media_type=MANIFEST_TYPE,
        size=len(encoded),
        sha256=hashlib.sha256(encoded).digest(),
        role="manifest",
    )
    return manifest, [*manifest.listed, itself]


def _write(out: BinaryIO, parts: Sequence[Part], proofs: Callable[[], Mapping[str, bytes]]) -> Built:
    """`mimetype`, the parts, and, made only then, the files of META-INF."""
    writer = ContainerWriter(out)
    writer.add(MIMETYPE_NAME, MIMETYPE, len(MIMETYPE), hashlib.sha256(MIMETYPE).digest())
    for part in sorted(parts, key=lambda each: place(each.path)):
        with part.open() as source:
            writer.add(part.path, source, part.size, part.sha256)
    for name, data in sorted(proofs().items()):
        writer.add(name, data, len(data), hashlib.sha256(data).digest())
    size = writer.finish()
    out.flush()
    out.seek(0)
    # An entry's CRC-32 is written in front of its content when that has passed, so all bytes are known only now.
    digests = digests_of(chunks_of(out))
    if digests.size != size:
        raise ValueError("what was written to was not empty")
    return Built(sha256=digests.sha256, size=size)

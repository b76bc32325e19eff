"""A bundle as a bag (BagIt, RFC 8493), for archives that keep bags.

    with open("B-2026-000123.zip", "wb") as out:
        bagit(bundle, out)

A bag has no signature of its own; those of the bundle lie in it, under data/META-INF/. Every file of the bundle comes
along as it is, so that the bundle can be made again from data/. Nothing is held in memory; a file that is not what the
manifest says ends the export.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO

from chopmark.base import clock
from chopmark.base.digests import chunks_of
from chopmark.base.errors import Invalid
from chopmark.evidence.bundle.build import listed_in
from chopmark.evidence.bundle.container import Container

_DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_DATE = (1980, 1, 1, 0, 0, 0)


def bagit(bundle: BinaryIO, out: BinaryIO) -> None:
    """Write a bundle's files as a ZIP file that holds one bag, named like the bundle.

    Args:
        bundle: read strictly.
        out: where to; the same bundle gives the same bytes.

    Raises:
        Invalid: what opening the container and the manifest raises; `bundle.file_missing`, `bundle.file_unlisted`,
            `bundle.file_changed`.
    """
    container = Container(bundle)
    manifest, files = listed_in(container)
    expected = {each.path: each.sha256 for each in files}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        digests: dict[str, str] = {}
        for name in container.names:
            digest = hashlib.sha256()
            with _writing(archive, f"{manifest.bundle}/data/{name}", container.size(name)) as target:
                for chunk in chunks_of(container.open(name)):
                    digest.update(chunk)
                    target.write(chunk)
            if digest.digest() != expected.get(name, digest.digest()):
                raise Invalid("bundle.file_changed", path=name)
            digests[f"data/{name}"] = digest.hexdigest()
        total = sum(container.size(name) for name in container.names)
        tags = {
            "bagit.txt": _DECLARATION,
            "bag-info.txt": (
                f"Bag-Software-Agent: chopmark\nBagging-Date: {clock.to_text(manifest.created)[:10]}\n"
                f"External-Identifier: {manifest.bundle}\nPayload-Oxum: {total}.{len(digests)}\n"
            ).encode(),
            "manifest-sha256.txt": _sums(digests),
        }
        tags["tagmanifest-sha256.txt"] = _sums({name: hashlib.sha256(tag).hexdigest() for name, tag in tags.items()})
        for name, tag in tags.items():
            with _writing(archive, f"{manifest.bundle}/{name}", len(tag)) as target:
                target.write(tag)


def _sums(digests: dict[str, str]) -> bytes:
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode()


@contextmanager
def _writing(archive: zipfile.ZipFile, name: str, size: int) -> Iterator[IO[bytes]]:
    info = zipfile.ZipInfo(name, _DATE)
    info.external_attr = 0o644 << 16
    info.file_size = size
    with archive.open(info, "w", force_zip64=size >= 1 << 31) as target:
        yield target

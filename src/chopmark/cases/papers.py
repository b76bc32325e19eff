"""What a filing takes from a matter: the finished bundle that it hands in, with the manifest of its evidence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from chopmark.base.errors import Refused
from chopmark.evidence import matters
from chopmark.evidence.bundle.container import Container
from chopmark.evidence.bundle.manifest import MANIFEST_NAME, MAX_MANIFEST, Manifest
from chopmark.people.actor import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A finished bundle of a matter.

    Attributes:
        template: name of the matter's template; empty for none.
        signatures: 1 by the platform, 2 with a notary's.
    """

    id: UUID
    number: str
    matter_id: UUID
    template: str
    size: int
    sha256: bytes
    signatures: int
    manifest: Manifest


def offered(actor: Actor, bundle_id: UUID, matter_id: UUID) -> Offered:
    """The bundle, when it is finished and of this matter.

    Raises:
        Refused: `cases.bundle_unfinished`, `cases.bundle_of_another_matter`; what evidence's `bundle_of` raises.
        Invalid: the file is no bundle any more.
        Unavailable: `matter.bundle_missing`.
    """
    summary = matters.bundle_of(actor, bundle_id)
    if summary.matter_id != matter_id:
        raise Refused("cases.bundle_of_another_matter", number=summary.number)
    if summary.state != "done" or summary.sha256 is None or summary.size is None:
        raise Refused("cases.bundle_unfinished", number=summary.number)
    path, _ = matters.bundle_file(actor, bundle_id)
    return Offered(
        id=summary.id,
        number=summary.number,
        matter_id=matter_id,
        template=matters.matter_of(actor, matter_id).template,
        size=summary.size,
        sha256=summary.sha256,
        signatures=summary.signatures,
        manifest=_manifest(path, summary.sha256),
    )


@contextmanager
def opened(actor: Actor, bundle_id: UUID) -> Iterator[BinaryIO]:
    """The bundle's bytes.

    Raises:
        Refused: what evidence's `bundle_file` raises.
        Unavailable: `matter.bundle_missing`.
    """
    path, _ = matters.bundle_file(actor, bundle_id)
    with path.open("rb") as file:
        yield file


@lru_cache(maxsize=16)
def _manifest(path: Path, _sha256: bytes) -> Manifest:
    """A finished bundle never changes."""
    with path.open("rb") as file:
        return Manifest.parse(Container(file).read(MANIFEST_NAME, MAX_MANIFEST))

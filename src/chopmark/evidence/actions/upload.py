"""Upload: bring in a file that the platform shall keep, in pieces, over broken lines and restarts.

The row's `offset` counts bytes that are durable on disk; what a crash left behind them is cut off before the next
piece is written. The digests are computed over the file as it was stored. A file whose digest is not the one
announced is thrown away: nothing of it is deposited.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO
from uuid import UUID, uuid4

from django.conf import settings
from django.db.models import Sum

from chopmark.base.digests import DIGEST_SIZE
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.evidence import wiring
from chopmark.evidence.actions.deposit import EMPTY, MAX_FILE_NAME, media_type, text
from chopmark.evidence.blobs import digests_of_file, make_directories, sync_directory
from chopmark.evidence.models import Deposit, Upload
from chopmark.evidence.queries import UploadState, upload_state
from chopmark.people.actor import Actor

QUOTA = 100_000_000_000  # bytes that one organisation may keep here, uploads under way included
LIFE = timedelta(hours=24)  # after the last piece
DURABLE_EVERY = 64 << 20  # bytes between two durable offsets inside one long piece
SPARE_DISK = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Checksum:
    """What the sender says the next piece hashes to."""

    algorithm: str
    digest: bytes


def start_upload(
    *,
    length: int,
    file_name: str = "",
    file_type: str = "",
    declared: bytes | None = None,
    sm3: bool = False,
    by: Actor,
    at: datetime,
) -> UploadState:
    """Make room for a file of `length` bytes.

    Args:
        declared: the SHA-256 that the whole file will have; None when the sender does not know it yet.
        sm3: compute SM3 beside SHA-256 when the file is complete.

    Raises:
        Refused: `evidence.file_too_large`, `evidence.quota_exceeded`; what people's `must` raises.
        Invalid: `evidence.empty_file`, `evidence.text_too_long`, `evidence.text_control`,
            `evidence.media_type_malformed`, `base.digest_malformed`.
        Unavailable: `evidence.disk_full`.
    """
    by.must("deposit")
    if length <= 0 or declared == EMPTY:
        raise Invalid("evidence.empty_file")
    if length > settings.CHOPMARK_UPLOAD_LIMIT:
        raise Refused("evidence.file_too_large", limit=settings.CHOPMARK_UPLOAD_LIMIT)
    if declared is not None and len(declared) != DIGEST_SIZE:
        raise Invalid("base.digest_malformed")
    _must_fit(length, by)
    make_directories(wiring.uploads())
    row = Upload(
        id=uuid4(),
        organisation=by.organisation_id,
        made_by=by.user_id,
        length=length,
        file_name=text("file_name", file_name, MAX_FILE_NAME),
        media_type=media_type(file_type),
        declared=declared,
        wants_sm3=sm3,
        made_at=at,
        expires_at=at + LIFE,
    )
    path_of(row.id).touch(mode=0o600)
    sync_directory(wiring.uploads())
    row.save(force_insert=True)
    return upload_state(row)


def append_upload(
    upload_id: UUID,
    *,
    offset: int,
    chunks: Iterable[bytes],
    checksum: Checksum | None = None,
    by: Actor,
    at: datetime,
) -> UploadState:
    """Write the next bytes; the last of them also check and store the file.

    When the line breaks, what has arrived stays and the sender's own error goes on.

    Raises:
        Refused: `evidence.upload_not_found`, `evidence.upload_offset_differs`, `evidence.upload_conflict`;
            what people's `must` raises.
        Invalid: `evidence.upload_too_long`, `evidence.upload_checksum`; `evidence.file_changed` when the whole file
            has not the announced digest.
        Unavailable: `evidence.upload_lost` when the disk did not confirm a write; the upload is gone.
    """
    by.must("deposit")
    with _held(_mine(upload_id, by)) as (row, stream):
        if row.sha256 is not None or row.offset != offset:
            raise Refused("evidence.upload_offset_differs", offset=row.offset)
        stream.truncate(row.offset)
        stream.seek(row.offset)
        _receive(row, stream, chunks, checksum, at)
        if row.offset == row.length:
            _complete(row)
    return upload_state(row)


def finish_upload(upload_id: UUID, *, by: Actor) -> UploadState:
    """Check and store a file whose bytes are all there; `append_upload` has normally done so.

    Raises:
        Refused: `evidence.upload_not_found`, `evidence.upload_conflict`; what people's `must` raises.
        Invalid: `evidence.upload_unfinished`, `evidence.file_changed`.
    """
    by.must("deposit")
    row = _mine(upload_id, by)
    if row.sha256 is None:
        with _held(row) as (row, _):
            if row.offset != row.length:
                raise Invalid("evidence.upload_unfinished", offset=row.offset, length=row.length)
            if row.sha256 is None:
                _complete(row)
    return upload_state(row)


def discard_upload(upload_id: UUID, *, by: Actor) -> None:
    """Forget an upload and its bytes.

    Raises:
        Refused: `evidence.upload_not_found`; what people's `must` raises.
    """
    by.must("deposit")
    remove(_mine(upload_id, by))


def remove(row: Upload, *, expired: datetime | None = None) -> bool:
    """Take away a row and the bytes that only it needs, those of a piece that completes it at this moment too.

    Args:
        expired: leave the upload alone if, by now, it has longer to live than until then.
    """
    rows = Upload.objects.filter(pk=row.pk)
    if expired is not None:
        rows = rows.filter(expires_at__lte=expired)
    with wiring.blobs().locked():
        stored = Upload.objects.filter(pk=row.pk).values_list("sha256", flat=True).first()
        if not rows.delete()[0]:
            return False
        path_of(row.pk).unlink(missing_ok=True)
        if stored is not None:
            drop_unused(bytes(stored))
    return True


def drop_unused(sha256: bytes) -> None:
    """Forget a stored file that no deposit keeps and no upload needs. Call with the store locked.

    Uploads are looked for first: one that becomes a deposit between the two questions is found by the second.
    """
    needed = Upload.objects.filter(sha256=sha256).exists() or Deposit.objects.filter(sha256=sha256, kept=True).exists()
    if not needed:
        wiring.blobs().discard(sha256)


def path_of(upload_id: UUID) -> Path:
    """Where the bytes of an upload lie until it is complete."""
    return wiring.uploads() / str(upload_id)


def _mine(upload_id: UUID, by: Actor) -> Upload:
    row = Upload.objects.filter(pk=upload_id, organisation=by.organisation_id).first()
    if row is None:
        raise Refused("evidence.upload_not_found")
    return row


def _must_fit(length: int, by: Actor) -> None:
    mine = {"organisation": by.organisation_id}
    kept = Deposit.objects.filter(kept=True, **mine).aggregate(total=Sum("size"))["total"] or 0
    coming = Upload.objects.filter(**mine).aggregate(total=Sum("length"))["total"] or 0
    if kept + coming + length > QUOTA:
        raise Refused("evidence.quota_exceeded", used=kept + coming, quota=QUOTA)
    if shutil.disk_usage(wiring.home()).free < length + SPARE_DISK:
        raise Unavailable("evidence.disk_full")


@contextmanager
def _held(row: Upload) -> Iterator[tuple[Upload, BinaryIO]]:
    """The upload's file, open and held by this request alone, with the row read again."""
    try:
        stream = path_of(row.pk).open("r+b")
    except FileNotFoundError:  # complete: the file has moved to the store
        if row.sha256 is not None:
            raise Refused("evidence.upload_offset_differs", offset=row.offset) from None
        raise Refused("evidence.upload_not_found") from None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused("evidence.upload_conflict") from error
        try:
            row.refresh_from_db()
        except Upload.DoesNotExist as error:
            raise Refused("evidence.upload_not_found") from error
        yield row, stream


def _receive(row: Upload, stream: BinaryIO, chunks: Iterable[bytes], checksum: Checksum | None, at: datetime) -> None:
    """Write the pieces; whatever ends them, the bytes that arrived are made durable and counted."""
    start = row.offset
    try:
        _write(row, stream, chunks, checksum, at)
    except Invalid:
        _keep(row, stream, start, at)
        raise
    except OSError:
        # The line broke (Django's UnreadablePostError is an OSError): a piece under a checksum counts whole or not.
        _keep(row, stream, start if checksum else stream.tell(), at)
        raise
    _keep(row, stream, stream.tell(), at)


def _write(row: Upload, stream: BinaryIO, chunks: Iterable[bytes], checksum: Checksum | None, at: datetime) -> None:
    hasher = hashlib.new(checksum.algorithm, usedforsecurity=False) if checksum else None
    for chunk in chunks:
        if stream.tell() + len(chunk) > row.length:
            raise Invalid("evidence.upload_too_long", length=row.length)
        stream.write(chunk)
        if hasher is not None:
            hasher.update(chunk)
        elif stream.tell() - row.offset >= DURABLE_EVERY:
            _keep(row, stream, stream.tell(), at)
    if hasher is not None and checksum is not None and hasher.digest() != checksum.digest:
        raise Invalid("evidence.upload_checksum")


def _keep(row: Upload, stream: BinaryIO, offset: int, at: datetime) -> None:
    stream.flush()
    try:
        os.fsync(stream.fileno())
    except OSError as error:  # asking again proves nothing, so the bytes cannot be counted, now or later
        remove(row)
        raise Unavailable("evidence.upload_lost") from error
    row.offset = offset
    row.expires_at = at + LIFE
    _note(row, offset=row.offset, expires_at=row.expires_at)


def _note(row: Upload, **values: object) -> None:
    """Write down how far the upload is.

    Raises:
        Refused: `evidence.upload_not_found` when it was discarded while a piece was coming in.
    """
    if not Upload.objects.filter(pk=row.pk).update(**values):
        raise Refused("evidence.upload_not_found")


def _complete(row: Upload) -> None:
    """Compute the digests of the stored bytes, compare, and move the file into the store."""
    path = path_of(row.pk)
    try:
        digests = digests_of_file(path, sm3=row.wants_sm3)
    except FileNotFoundError as error:
        raise Refused("evidence.upload_not_found") from error
    if digests.size != row.length or (row.declared is not None and digests.sha256 != bytes(row.declared)):
        Upload.objects.filter(pk=row.pk).delete()
        path.unlink(missing_ok=True)
        raise Invalid("evidence.file_changed")
    blobs = wiring.blobs()
    with blobs.locked():
        if not path.exists():  # discarded while its digests were computed
            raise Refused("evidence.upload_not_found")
        row.sha256, row.sm3 = digests.sha256, digests.sm3
        blobs.adopt(path, digests.sha256)
        _note(row, sha256=row.sha256, sm3=row.sm3)
    path.unlink(missing_ok=True)  # after the row: a crash before it finds the bytes here again and repeats the step

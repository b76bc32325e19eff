"""Sweep: clear away what nobody came back for. Safe to run at any time, by several processes."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from chopmark.evidence import wiring
from chopmark.evidence.actions.upload import path_of, remove
from chopmark.evidence.models import IdempotencyKey, Upload

REMEMBER = timedelta(hours=24)
PORTION = 500


def sweep(at: datetime) -> int:
    """Remove expired uploads, stray upload files and answers kept longer than a day; how many uploads went."""
    expired = list(Upload.objects.filter(expires_at__lte=at).order_by("expires_at")[:PORTION])
    for row in expired:
        remove(row)
    _remove_strays(at)
    IdempotencyKey.objects.filter(made_at__lte=at - REMEMBER).delete()
    return len(expired)


def _remove_strays(at: datetime) -> None:
    """Files without an unfinished upload, a day old: left by a crash between a file and its row."""
    if not wiring.uploads().is_dir():
        return
    oldest = (at - REMEMBER).timestamp()
    for path in wiring.uploads().iterdir():
        if path.stat().st_mtime < oldest and not Upload.objects.filter(pk=_id(path.name), sha256=None).exists():
            path.unlink(missing_ok=True)


def _id(name: str) -> UUID | None:
    try:
        upload_id = UUID(name)
    except ValueError:
        return None
    return upload_id if path_of(upload_id).name == name else None

"""Sweep: clear away what nobody came back for. Safe to run at any time, by several processes."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from chopmark.evidence import wiring
from chopmark.evidence.actions.upload import remove
from chopmark.evidence.models import IdempotencyKey, Upload

REMEMBER = timedelta(hours=24)
PORTION = 500


def sweep(at: datetime) -> int:
    """Remove expired uploads, stray upload files and answers kept longer than a day; how many uploads went."""
    expired = list(Upload.objects.filter(expires_at__lte=at).order_by("expires_at")[:PORTION])
    removed = sum(remove(row, expired=at) for row in expired)
    _remove_strays(at)
    IdempotencyKey.objects.filter(made_at__lte=at - REMEMBER).delete()
    return removed


def _remove_strays(at: datetime) -> None:
    """Files without an unfinished upload, a day old: left by a crash between a file and its row."""
    if not wiring.uploads().is_dir():
        return
    oldest = (at - REMEMBER).timestamp()
    for path in wiring.uploads().iterdir():
        with suppress(FileNotFoundError):  # another sweep was quicker
            if path.stat().st_mtime < oldest and not _is_wanted(path.name):
                path.unlink()


def _is_wanted(name: str) -> bool:
    try:
        upload_id = UUID(name)
    except ValueError:
        return False
    return Upload.objects.filter(pk=upload_id, sha256=None).exists()

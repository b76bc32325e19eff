"""Sweep: clear away what nobody came back for. Safe to run at any time, by several processes."""

from __future__ import annotations

import shutil
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from chopmark.evidence import wiring
from chopmark.evidence.actions.upload import remove
from chopmark.evidence.models import Capture, IdempotencyKey, Upload, WrongCode

REMEMBER = timedelta(hours=24)
PORTION = 500
HALVES = ("building-*", "incoming-*")  # how bundles are called while they are written


def sweep(at: datetime) -> int:
    """Remove expired uploads; how many went. Also what is a day old and nobody's.

    That is: stray upload files, remembered answers, wrong codes, what captures and bundles left that died halfway.
    """
    expired = list(Upload.objects.filter(expires_at__lte=at).order_by("expires_at")[:PORTION])
    removed = sum(remove(row, expired=at) for row in expired)
    _remove_strays(at)
    _remove_halves(at)
    IdempotencyKey.objects.filter(made_at__lte=at - REMEMBER).delete()
    WrongCode.objects.filter(at__lte=at - REMEMBER).delete()
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


def _remove_halves(at: datetime) -> None:
    """What lies in `captures/` for no capture that waits or runs, and bundles that were never finished, a day old."""
    oldest = (at - REMEMBER).timestamp()
    for path in (*_within(wiring.captures(), "*"), *_within(wiring.home() / "bundles", *HALVES)):
        with suppress(FileNotFoundError):  # another sweep was quicker
            if path.stat().st_mtime >= oldest:
                continue
            if path.is_file():
                path.unlink()
            elif not Capture.objects.filter(
                number=path.name.rpartition("-")[0], state__in=("queued", "running")
            ).exists():
                shutil.rmtree(path)


def _within(folder: Path, *patterns: str) -> list[Path]:
    return [path for pattern in patterns for path in folder.glob(pattern)]


def _is_wanted(name: str) -> bool:
    try:
        upload_id = UUID(name)
    except ValueError:
        return False
    return Upload.objects.filter(pk=upload_id, sha256=None).exists()

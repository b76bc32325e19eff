"""Results of scans are not kept for ever: by the sweep, files of scans that ended long ago (setting `watch_scan_days`).

The scan's row, its hits, its statement on the ledger and, in its folder, the statement's bytes, the plan and the
manifest stay: what was found and what the root is can be said for ever, only single rows cannot be proven any more.
The row says so before the first file goes, so that who is killed between two files leaves nothing that looks spoiled;
the next sweep removes the rest.
"""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from chopmark.evidence import wiring as evidence_wiring
from chopmark.watch.actions.scan import OVER, folder_of
from chopmark.watch.models import Scan

LET_GO: Final = ("results", "stock", "census", "sellers.jsonl", "signals.jsonl", "pictures.cbor", "card.json")
"""What goes, in a scan's folder: what was said of listings and of sellers, and what was judged by."""


@evidence_wiring.answering()
def let_go_of_scans(at: datetime, *, days: int) -> int:
    """Remove the files of scans that ended more than so many days ago; of how many scans there were any.

    Args:
        days: nought keeps them for ever.
    """
    if days == 0:
        return 0
    gone = 0
    for scan in Scan.objects.filter(state__in=OVER, ended_at__lt=at - timedelta(days=days)).iterator():
        left = [each for name in LET_GO if (each := folder_of(scan.number) / name).exists()]
        if not left:
            continue
        Scan.objects.filter(pk=scan.pk, let_go_at=None).update(let_go_at=at)
        for each in left:
            _remove(each)
        gone += 1
    return gone


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()

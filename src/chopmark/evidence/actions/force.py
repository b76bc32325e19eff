"""Taking force: what the ledger has published of governance becomes what this home goes by.

The files of `consortium/` follow from the published papers alone, so this may be done again at any time, after any
crash and in the home of another machine: papers travel in the database. A policy is in force for every checkpoint
larger than the one that published it: that one was still under the policy before. One that waited while an emergency
put a later one in force never takes force.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.db.models import Count, Max, Sum

from chopmark.evidence import wiring
from chopmark.evidence.governance import MEMBERS, POLICIES, card_in
from chopmark.evidence.models import Governance
from chopmark.ledger.stores.files import FileObjects


@wiring.answering()
def published_decisions() -> object:
    """Equal as long as no further decision has been published: one short query, for whoever asks often.

    Raises:
        Unavailable: `ledger.database_unavailable`.
    """
    rows = Governance.objects.filter(published_in__isnull=False)
    return rows.aggregate(Count("id"), Max("id"), Sum("published_in"))


@wiring.answering()
def take_force() -> None:
    """Bring cards, policy and history of the home in line with the published papers; writes only what differs.

    Raises:
        Unavailable: `evidence.paper_missing` when a paper is gone; `ledger.database_unavailable`.
        Invalid: `evidence.paper_wrong` when its file was altered.
    """
    if Governance.objects.exists():
        with _alone():
            _take_force()


@contextmanager
def _alone() -> Iterator[None]:
    """The writer, once it has published a decision, and whoever waits for that on the command line write one file."""
    folder = wiring.consortium()
    folder.mkdir(mode=0o755, exist_ok=True)
    descriptor = os.open(folder / ".writing", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _take_force() -> None:
    _share_papers()
    rows = Governance.objects.filter(published_in__isnull=False).order_by("published_in", "id")
    policies: dict[int, bytes] = {}
    members: dict[str, list[tuple[str, bytes]]] = {}
    forced = 0
    for row, kind, name, sha256, size in rows.filter(kind__in=(*POLICIES, *MEMBERS)).values_list(
        "id", "kind", "name", "sha256", "published_in"
    ):
        forced = max(forced, row) if kind == "trust_policy_forced" else forced
        if kind in POLICIES and size is not None and row >= forced:
            policies[size + 1] = bytes(sha256)
        elif kind in MEMBERS:
            members.setdefault(name, []).append((kind, bytes(sha256)))
    _put({f"history/{size}.policy": wiring.paper(sha256) for size, sha256 in policies.items()})
    for name, papers in members.items():
        _member(name, papers)
    if policies:
        _put({"policy": wiring.paper(policies[max(policies)])})


def _share_papers() -> None:
    """Every paper in this home and in the database, if either has it."""
    for row, digest in Governance.objects.filter(paper=None).values_list("id", "sha256"):
        if _is_here(bytes(digest)):
            Governance.objects.filter(id=row).update(paper=wiring.paper(bytes(digest)))
    for row, digest in Governance.objects.exclude(paper=None).values_list("id", "sha256"):
        if not _is_here(bytes(digest)):
            _keep(bytes(Governance.objects.get(id=row).paper or b""))


def _is_here(sha256: bytes) -> bool:
    return (wiring.papers() / sha256.hex()).is_file()


def _member(name: str, papers: list[tuple[str, bytes]]) -> None:
    cards = [card_in(kind, wiring.paper(sha256)) for kind, sha256 in papers]
    now = cards[-1]
    former = {each.encode() for each in cards[:-1] if each is not None and each != now}
    _put({f"retired/{name}-{hashlib.sha256(card).hexdigest()[:8]}.json": card for card in former})
    if now is not None:
        _put({f"members/{name}.json": now.encode()})
    else:
        _objects([]).delete([f"members/{name}.json"])


def _put(files: Mapping[str, bytes]) -> None:
    """Durable and whole, each file; those that are so already are not touched."""
    objects = _objects(files)
    fresh = {path: data for path, data in files.items() if not objects.exists(path) or objects.get(path) != data}
    if fresh:
        objects.put(fresh)


def _objects(paths: Mapping[str, bytes] | list[str]) -> FileObjects:
    return FileObjects(wiring.consortium(), replaceable=paths)


def keep_paper(paper: bytes) -> bytes:
    """Keep a paper for ever under its digest, which is returned; again is no error."""
    with _alone():
        return _keep(paper)


def _keep(paper: bytes) -> bytes:
    digest = hashlib.sha256(paper).digest()
    FileObjects(wiring.papers()).put({digest.hex(): paper})
    return digest

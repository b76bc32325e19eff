"""Taking force: what the ledger has published of governance becomes what this home goes by.

The files of `consortium/` follow from the published papers alone, so this may be done again at any time and after
any crash. A policy is in force for every checkpoint larger than the one that published it: that one was still under
the policy before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from chopmark.evidence import wiring
from chopmark.evidence.governance import MEMBERS, POLICIES, card_in
from chopmark.evidence.models import Governance
from chopmark.ledger.stores.files import FileObjects


def take_force() -> None:
    """Bring cards, policy and history of the home in line with the published papers; writes only what differs.

    Raises:
        Unavailable: `evidence.paper_missing` when a paper's file is gone.
        Invalid: `evidence.paper_wrong` when it was altered.
    """
    rows = Governance.objects.filter(published_in__isnull=False).order_by("published_in", "id")
    policies: dict[int, bytes] = {}
    members: dict[str, list[tuple[str, bytes]]] = {}
    for kind, name, sha256, size in rows.filter(kind__in=(*POLICIES, *MEMBERS)).values_list(
        "kind", "name", "sha256", "published_in"
    ):
        if kind in POLICIES and size is not None:
            policies[size + 1] = bytes(sha256)
        elif kind in MEMBERS:
            members.setdefault(name, []).append((kind, bytes(sha256)))
    _put({f"history/{size}.policy": wiring.paper(sha256) for size, sha256 in policies.items()})
    for name, papers in members.items():
        _member(name, papers)
    if policies:
        _put({"policy": wiring.paper(policies[max(policies)])})


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
    digest = hashlib.sha256(paper).digest()
    FileObjects(wiring.papers()).put({digest.hex(): paper})
    return digest

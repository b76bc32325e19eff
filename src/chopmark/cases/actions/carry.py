"""Carry: send what waits to the desks, fetch what notaries signed. Called by the courier's process, again and again.

A message is sent, then its bundle piece by piece from where the desk has it; the same again changes nothing there, so
a courier that dies in the middle goes on where it was. A desk that does not answer is asked again, later each time.
What a desk refuses for good is shown to the filer, whose draft opens again.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import BinaryIO

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.cases import papers, states, wiring
from chopmark.cases.actions.common import servant_of
from chopmark.cases.gateway import HttpGateway
from chopmark.cases.models import Dispatch, Event, Filing, Order
from chopmark.cases.queries import card_of
from chopmark.desk import codec, wire
from chopmark.desk.wire import PIECE, BundleRef, DeskCard
from chopmark.evidence import actions as evidence
from chopmark.evidence import wiring as evidence_wiring
from chopmark.evidence.bundle.check import check
from chopmark.evidence.bundle.container import META_INF, Container
from chopmark.evidence.bundle.manifest import MANIFEST_NAME, MAX_MANIFEST
from chopmark.evidence.trust import Root, Trust, Use

FIRST, LONGEST = 1.0, 600.0  # seconds between two tries
MOST_AT_ONCE = 20
HOLD = timedelta(minutes=30)
"""How long a try may take before another courier would begin it anew."""
COPY = 1 << 20
MOST_ADDED = 16 << 20
"""Bytes by which a notary's signature and time-stamps may lengthen a bundle."""

Connect = Callable[[DeskCard], HttpGateway]


def carry(connect: Connect | None = None, *, at: datetime, clock: Callable[[], datetime]) -> int:
    """Try everything that is due; how many messages are done with.

    Args:
        connect: gives the gateway to a desk; by default over HTTP with the platform's node key.
        at: now.
        clock: for what is noted after a long transfer.

    Raises:
        Unavailable: `cases.node_key_missing`, `ledger.database_unavailable`.
    """
    # What belongs to one case goes in its order: a withdrawal never overtakes the filing that it is about.
    earlier = Dispatch.objects.filter(about=OuterRef("about"), pk__lt=OuterRef("pk"), done_at=None)
    due = Q(~Exists(earlier), done_at=None, next_try__lte=at)
    done = 0
    for pk in list(Dispatch.objects.filter(due).order_by("next_try").values_list("pk", flat=True)[:MOST_AT_ONCE]):
        held = Dispatch.objects.filter(due, pk=pk).update(next_try=at + HOLD)
        if held:
            done += _try(Dispatch.objects.select_related("desk").get(pk=pk), connect or _connect, clock)
    return done


def _connect(card: DeskCard) -> HttpGateway:
    return HttpGateway(card, wiring.node_key(), evidence_wiring.origin())


def _try(row: Dispatch, connect: Connect, clock: Callable[[], datetime]) -> bool:
    try:
        with connect(card_of(row.desk)) as gateway:
            if row.kind == "withdrawal":
                gateway.withdraw(bytes(row.body))
            elif row.kind == "fetch":
                _fetch(row, gateway, clock())
            else:
                _send(row, gateway)
    except Unavailable as error:
        _later(row, error, clock())
        return False
    except (Refused, Invalid) as error:
        _give_up(row, error, clock())
        return True
    Dispatch.objects.filter(pk=row.pk).update(done_at=clock(), trouble="", facts={}, sent=row.size)
    return True


def _send(row: Dispatch, gateway: HttpGateway) -> None:
    """The message, then what the desk lacks of the bundle."""
    taken = gateway.submit(bytes(row.body))
    message = codec.parse(wire.Filing, bytes(row.body)) if row.kind == "filing" else _order(row)
    if taken.revision != message.revision or taken.state != "awaited":
        return
    case = Filing.objects.get(pk=row.about) if row.kind == "filing" else Order.objects.get(pk=row.about)
    if case.bundle is None:
        raise Refused("cases.bundle_unfinished", number=message.bundle.number)
    with papers.opened(servant_of(row.organisation, row.made_by), case.bundle) as file:
        while taken.has < message.bundle.size and taken.state == "awaited":
            file.seek(taken.has)
            piece = file.read(PIECE)
            if not piece:
                raise Invalid("cases.bundle_changed", number=message.bundle.number)
            before, taken = taken.has, gateway.send(message.token, taken.has, piece)
            if taken.has <= before:
                raise Unavailable("cases.desk_silent", desk=row.desk_id)
            Dispatch.objects.filter(pk=row.pk).update(sent=taken.has)


def _order(row: Dispatch) -> wire.Filing | wire.Order:
    return codec.parse(wire.Order, bytes(row.body))


def _fetch(row: Dispatch, gateway: HttpGateway, at: datetime) -> None:
    """The signed bundle: brought here, compared with ours, its signature checked, and joined to the matter."""
    wanted = codec.parse(BundleRef, bytes(row.body))
    order = Order.objects.get(pk=row.about)
    with papers.opened(servant_of(row.organisation, row.made_by), order.bundle) as own:
        if wanted.size > own.seek(0, 2) + MOST_ADDED:
            raise Invalid("cases.signed_bundle_wrong", desk=row.desk_id)
    with tempfile.TemporaryFile(dir=evidence_wiring.home()) as file:
        digest = hashlib.sha256()
        while file.tell() < wanted.size:
            piece = gateway.fetch(row.about, file.tell())
            if not piece or file.tell() + len(piece) > wanted.size:
                raise Invalid("cases.signed_bundle_wrong", desk=row.desk_id)
            file.write(piece)
            digest.update(piece)
            Dispatch.objects.filter(pk=row.pk).update(sent=file.tell())
        if digest.digest() != wanted.sha256:
            raise Invalid("cases.signed_bundle_wrong", desk=row.desk_id)
        with papers.opened(servant_of(row.organisation, row.made_by), order.bundle) as own:
            must_only_add(own, file, row.desk_id)
        must_be_signed_by(file, card_of(row.desk), at)
        file.seek(0)
        joined = evidence.adopt_signed_bundle(order.bundle, file, signer=card_of(row.desk).en, at=at)
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order.pk)
        order.signed_bundle, order.state, order.changed_at = joined.id, "joined", at
        order.save(update_fields=["signed_bundle", "state", "changed_at"])


def must_only_add(own: BinaryIO, signed: BinaryIO, desk: str) -> None:
    """Check that a signed bundle is ours with something more in META-INF and nothing else.

    Raises:
        Invalid: `cases.signed_bundle_wrong`; what `Container` raises.
    """
    before, after = Container(own), Container(signed)
    manifests = [each.read(MANIFEST_NAME, MAX_MANIFEST) for each in (before, after)]
    outside = [{name for name in each.names if not name.startswith(META_INF)} for each in (before, after)]
    kept, there = ({name for name in each.names if name.startswith(META_INF)} for each in (before, after))
    same = manifests[0] == manifests[1] and outside[0] == outside[1] and kept < there
    if not same or any(not _same(before.open(name), after.open(name)) for name in kept):
        raise Invalid("cases.signed_bundle_wrong", desk=desk)


def must_be_signed_by(file: BinaryIO, card: DeskCard, at: datetime) -> None:
    """Check that all files are as the manifest says and that the newest signature leads to the notary's root.

    Raises:
        Invalid: `cases.signed_bundle_wrong`.
    """
    root = Root(name=card.name, use=Use.NOTARY, own=False, certificate=card.root or b"")
    file.seek(0)
    report = check(file, Trust(policies=(), roots=(root,)), at)
    claims = {claim.name: {each.code for each in claim.findings} for claim in report.claims}
    added = sorted(name for name in claims if name.startswith("signature:"))[1:]
    # Whose time-stamps count is not this platform's to say: every reader judges them by his own trust.
    fine = {"bundle.signed", "bundle.token_unknown", "bundle.signature_time_missing"}
    if "bundle.files_match" not in claims.get("files", ()) or not any(claims[name] <= fine for name in added):
        raise Invalid("cases.signed_bundle_wrong", desk=card.name)


def _same(one: BinaryIO, other: BinaryIO) -> bool:
    while True:
        piece, twin = one.read(COPY), other.read(COPY)
        if piece != twin:
            return False
        if not piece:
            return True


def _later(row: Dispatch, error: PlatformError, at: datetime) -> None:
    wait = min(LONGEST, FIRST * 2 ** min(row.tries, 10))
    Dispatch.objects.filter(pk=row.pk).update(
        tries=row.tries + 1, next_try=at + timedelta(seconds=wait), trouble=error.code, facts=dict(error.facts)
    )


def _give_up(row: Dispatch, error: PlatformError, at: datetime) -> None:
    """The message will never be taken: the filer sees why, and the draft opens again where nothing was taken."""
    with transaction.atomic():
        Dispatch.objects.filter(pk=row.pk).update(done_at=at, trouble=error.code, facts=dict(error.facts))
        if row.kind in ("filing", "order"):
            kind = Filing if row.kind == "filing" else Order
            for case in kind.objects.select_for_update().filter(pk=row.about, state="sending"):
                case.state = "draft" if case.revision == 1 else "supplement_wanted"
                case.revision, case.changed_at = case.revision - 1, at
                case.version += 1
                case.save(update_fields=["state", "revision", "changed_at", "version"])
        elif row.kind == "withdrawal":
            for kind in (Filing, Order):
                kind.objects.filter(pk=row.about, state="withdrawing").update(state=_stands(row, error), changed_at=at)


def _stands(row: Dispatch, error: PlatformError) -> str:
    """How a case stands whose withdrawal was refused: as the desk said last; what it never had is withdrawn."""
    if error.facts.get("reason") == "desk.case_unknown":
        return "withdrawn"
    kinds = Event.objects.filter(about=row.about).order_by("-seq").values_list("kind", flat=True)
    return next((state for kind in kinds if (state := states.AFTER_EVENT[kind])), "received")

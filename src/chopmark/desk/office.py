"""What a desk does with a case: takes it in, checks it, lets a clerk decide, writes each step as a signed event.

A case comes in as a message and the pieces of its bundle, each call signed by the platform. When all bytes are there,
a thread of the desk's own checks them (`work`) and writes the first event. A clerk's decision is the next event; a
notary's signature is made by the same thread, because a bundle may be large. Every event is stored in one transaction
with the state that follows from it, and carried to the platform by `delivery`.

Nothing here knows HTTP. Times are passed in.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from chopmark import law
from chopmark.base.clock import to_text
from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.desk import codec, flow
from chopmark.desk.checking import examine
from chopmark.desk.home import DeskHome, Settings, sync_folder
from chopmark.desk.store import Row, Store
from chopmark.desk.wire import (
    PIECE,
    BundleRef,
    CheckLine,
    Event,
    EventKind,
    Filing,
    Order,
    SignedEvent,
    Taken,
    Withdrawal,
)
from chopmark.evidence.bundle.build import Sealer, Stamper, add_signature
from chopmark.ledger.keys import Signer
from chopmark.ledger.wire import origin_hash

MOST_OPEN = 10_000
"""Cases of one platform that wait for their bundle."""
MOST_REASONS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a clerk decides.

    Attributes:
        step: what shall happen.
        reasons: at least one for `refused` and `supplement_wanted`.
        number: of the case, with `accepted`; empty for the next one of the register.
        when, place: of a hearing.
        fee_fen: what is charged, with `accepted`.
    """

    step: EventKind
    reasons: tuple[str, ...] = ()
    number: str = ""
    when: datetime | None = None
    place: str = ""
    fee_fen: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A case as a clerk sees it.

    Attributes:
        message: the newest revision.
        lines: of the automatic check; empty before.
        report: of the bundle, as `BundleReport.as_json`; None before the check.
        signing: a notary's signature was decided and is not made yet.
        steps: what a clerk may do now.
    """

    token: UUID
    message: Filing | Order
    state: str
    case_number: str
    received_at: str
    changed_at: str
    size: int
    has: int
    lines: tuple[CheckLine, ...]
    report: Mapping[str, Any] | None
    events: tuple[tuple[Event, bool], ...]
    signing: bool
    trouble: str
    steps: tuple[EventKind, ...]


class Office:
    """The desk's work.

    Args:
        home: the desk's; held by this process.
        settings: what it is.
        key: its node key.
        store: its database.
        seal: a notary's; None at a court.
        stampers: asked for a token over each bundle that is signed.
    """

    def __init__(
        self,
        home: DeskHome,
        settings: Settings,
        key: Signer,
        store: Store,
        *,
        seal: Sealer | None = None,
        stampers: Sequence[Stamper] = (),
    ) -> None:
        self.home = home
        self.settings = settings
        self.store = store
        self._key = key
        self._seal = seal
        self._stampers = tuple(stampers)
        self._profile = law.court(settings.profile) if settings.profile is not None else None
        self._pieces = threading.Lock()
        self._tried: dict[str, int] = {}
        self.something = threading.Event()

    # ---- what platforms send ----------------------------------------------------------------------------------------

    def take(self, message: Filing | Order, origin: str, at: datetime) -> Taken:
        """Take a filing or an order in, or the next revision of one.

        Raises:
            Refused: `desk.not_for_this_desk`; `desk.token_taken` when the token is another case's, or this revision
                said something else before and its bundle is here; `desk.step_not_allowed` for a revision that nobody
                asked for;
                `desk.too_many_open`.
        """
        self._must_be_ours(message, origin)
        data = codec.canonical(message)
        token = str(message.token)
        with self.store.change():
            row = self.store.one("SELECT * FROM paper WHERE token = ?", token)
            if row is not None and row["origin"] != origin:
                raise Refused("desk.token_taken")
            known = self.store.one(
                "SELECT message FROM revision WHERE token = ? AND revision = ?", token, message.revision
            )
            if known is not None and bytes(known["message"]) == data:
                return self._taken(token)
            if known is not None and (row is None or not self._replaceable(row, message)):
                raise Refused("desk.token_taken")
            facts = {
                "revision": message.revision,
                "state": "awaited",
                "sha256": message.bundle.sha256,
                "size": message.bundle.size,
                "has": self._has(origin, message.bundle.sha256, message.bundle.size),
                "changed_at": to_text(at),
            }
            if row is None:
                self._must_have_room(origin, message.revision)
                told = {"token": token, "origin": origin, "number": message.number}
                told |= {"organisation": message.organisation, "received_at": to_text(at)}
                self.store.insert("paper", {**told, **facts})
            else:
                wanted = row["state"] == "supplement_wanted" and message.revision == row["revision"] + 1
                if known is None and not wanted:
                    raise Refused("desk.step_not_allowed", state=row["state"], step="supplemented")
                self.store.run(
                    "UPDATE paper SET revision = ?, state = ?, sha256 = ?, size = ?, has = ?, changed_at = ?, "
                    "report = NULL, trouble = '' WHERE token = ?",
                    *facts.values(),
                    token,
                )
            self.store.run(
                "DELETE FROM revision WHERE token = ? AND revision = ?", token, message.revision
            )  # only one whose bundle never came, see `_replaceable`
            self.store.insert("revision", {"token": token, "revision": message.revision, "message": data})
        self.something.set()
        return self._taken(token)

    def _replaceable(self, row: Row, message: Filing | Order) -> bool:
        """Whether its sender may say a revision anew: its bundle never came whole, so nobody here has acted on it."""
        waits = row["state"] == "awaited" and row["has"] < row["size"]
        return waits and row["revision"] == message.revision and message.at >= self._message(row).at

    def piece(self, token: UUID, origin: str, offset: int, data: bytes, at: datetime) -> Taken:
        """The next bytes of a case's bundle; those that are there already are not written again.

        Raises:
            Refused: `desk.case_unknown`.
            Invalid: `desk.piece_wrong` when it does not continue what is there, or goes beyond the end;
                `desk.bundle_differs` when all bytes are there and are not the bundle; it then begins anew.
        """
        with self._pieces:
            row = self._row(token, origin)
            has, size, sha256 = row["has"], row["size"], bytes(row["sha256"])
            if row["state"] != "awaited" or has == size:
                return self._taken(str(token))
            if offset != has or not data or len(data) > PIECE or offset + len(data) > size:
                raise Invalid("desk.piece_wrong", has=has)
            path = self.home.incoming / f"{origin_hash(origin)}-{sha256.hex()}-{size}"
            with path.open("r+b" if path.exists() else "w+b") as file:
                file.truncate(has)
                file.seek(has)
                file.write(data)
                file.flush()
                if has + len(data) == size and _sha256(path) != sha256:
                    file.truncate(0)
                    self._note_has(0, origin, sha256, size)
                    raise Invalid("desk.bundle_differs")
                os.fsync(file.fileno())
            if has + len(data) == size:
                path.replace(self.home.bundles / sha256.hex())
                sync_folder(self.home.bundles)
            self._note_has(has + len(data), origin, sha256, size)
            self.store.run("UPDATE paper SET changed_at = ? WHERE token = ?", to_text(at), str(token))
        self.something.set()
        return self._taken(str(token))

    def _note_has(self, has: int, origin: str, sha256: bytes, size: int) -> None:
        """Another case of the same platform may bring the same bundle: what is there is there for all of them."""
        self.store.run(
            "UPDATE paper SET has = ? WHERE origin = ? AND sha256 = ? AND size = ? AND state = 'awaited'",
            has,
            origin,
            sha256,
            size,
        )

    def withdraw(self, message: Withdrawal, origin: str, at: datetime) -> Taken:
        """The sender takes a case back; the same again changes nothing.

        Raises:
            Refused: `desk.case_unknown`, `desk.step_not_allowed`.
        """
        with self.store.change():
            row = self._row(message.token, origin)
            if row["state"] != "withdrawn":
                reasons = (message.reason,) if message.reason else ()
                self._append(row, Decision(step="withdrawn", reasons=reasons), at, clerk="")
        self.something.set()
        return self._taken(str(message.token))

    def status(self, token: UUID, origin: str) -> Taken:
        """How a case stands.

        Raises:
            Refused: `desk.case_unknown`.
        """
        self._row(token, origin)
        return self._taken(str(token))

    def signed_piece(self, token: UUID, origin: str, offset: int) -> bytes:
        """A piece of the bundle that was signed here.

        Raises:
            Refused: `desk.case_unknown`, also while nothing was signed.
        """
        row = self._row(token, origin)
        issued = [event for event, _ in self._events(str(token)) if event.kind == "issued"]
        if row["state"] != "issued" or not issued or issued[0].bundle is None:
            raise Refused("desk.case_unknown")
        with (self.home.bundles / issued[0].bundle.sha256.hex()).open("rb") as file:
            file.seek(max(0, offset))
            return file.read(PIECE)

    # ---- what clerks do ---------------------------------------------------------------------------------------------

    def cases(self, state: str = "", limit: int = 200) -> tuple[Case, ...]:
        """Cases, those that changed last first."""
        where = "WHERE state = ?" if state else ""
        rows = self.store.all(
            f"SELECT * FROM paper {where} ORDER BY changed_at DESC, token LIMIT ?",  # noqa: S608 (our own words)
            *([state] if state else []),
            limit,
        )
        return tuple(self._case(row, whole=False) for row in rows)

    def counts(self) -> dict[str, int]:
        """How many cases stand how."""
        rows = self.store.all("SELECT state, count(*) AS n FROM paper GROUP BY state")
        return {str(row["state"]): int(row["n"]) for row in rows}

    def case(self, token: UUID) -> Case:
        """One case.

        Raises:
            Refused: `desk.case_unknown`.
        """
        return self._case(self._row(token, None), whole=True)

    def bundle_path(self, token: UUID) -> Path:
        """Where a case's bundle lies: the one signed here when there is one.

        Raises:
            Refused: `desk.case_unknown`, also while it is not there whole.
        """
        row = self._row(token, None)
        signed = [event.bundle for event, _ in self._events(str(token)) if event.bundle is not None]
        digest = signed[-1].sha256 if signed else bytes(row["sha256"])
        path = self.home.bundles / digest.hex()
        if not path.is_file():
            raise Refused("desk.case_unknown")
        return path

    def decide(self, token: UUID, decision: Decision, clerk: str, at: datetime) -> None:
        """Carry out what a clerk decided.

        Raises:
            Refused: `desk.case_unknown`, `desk.step_not_allowed`; `desk.reasons_missing`; `desk.hearing_incomplete`;
                `desk.signing_begun`.
            Invalid: `desk.message_malformed` for text that cannot be sent.
        """
        with self.store.change():
            row = self._row(token, None)
            if decision.step in flow.OF_THE_SENDER:
                raise Refused("desk.step_not_allowed", state=row["state"], step=decision.step)
            flow.after(self.settings.kind, row["state"], decision.step)
            if row["wish"] is not None:
                raise Refused("desk.signing_begun")
            _must_say_enough(decision)
            if decision.step == "issued":
                wish = json.dumps({"clerk": clerk, "reasons": list(decision.reasons), "number": decision.number})
                self.store.run("UPDATE paper SET wish = ?, trouble = '' WHERE token = ?", wish.encode(), str(token))
            else:
                self._append(row, decision, at, clerk=clerk)
        self.something.set()

    # ---- what the desk does by itself -------------------------------------------------------------------------------

    def work(self, at: datetime) -> bool:
        """Check one bundle that is there whole, or sign one that shall be signed; whether there was anything to do."""
        rows = self.store.all("SELECT * FROM paper WHERE state = 'awaited' AND has = size ORDER BY changed_at")
        if rows:
            # A case whose check fails holds up no other one: it comes again after those that were tried less often.
            next_one = min(rows, key=lambda each: self._tried.get(each["token"], 0))
            self._tried[next_one["token"]] = self._tried.get(next_one["token"], 0) + 1
            self._check(next_one, at)
            del self._tried[next_one["token"]]
            return True
        row = self.store.one(
            "SELECT * FROM paper WHERE wish IS NOT NULL AND state = 'received' ORDER BY trouble, changed_at LIMIT 1"
        )
        if row is not None:
            return self._issue(row, at)
        return False

    def _check(self, row: Row, at: datetime) -> None:
        message = self._message(row)
        with (self.home.bundles / bytes(row["sha256"]).hex()).open("rb") as file:
            found = examine(file, message, trust=self.home.trust(row["origin"]), profile=self._profile, at=at)
        step: EventKind = "received" if row["revision"] == 1 else "supplemented"
        with self.store.change():
            row = self._row(UUID(row["token"]), None)
            if row["state"] != "awaited":  # withdrawn in between
                return
            report = json.dumps({"report": found.report, "lines": codec.plain(found.lines)}, ensure_ascii=False)
            self.store.run("UPDATE paper SET report = ? WHERE token = ?", report.encode(), row["token"])
            self._append(row, Decision(step=step), at, clerk="", checks=found.lines)

    def _issue(self, row: Row, at: datetime) -> bool:
        """Sign the bundle; when an authority does not answer it stays wished for. Whether it was signed."""
        if self._seal is None:
            raise Refused("desk.step_not_allowed", state=row["state"], step="issued")
        wish = json.loads(row["wish"])
        draft = self.home.incoming / f"{row['token']}.signed"
        try:
            with (self.home.bundles / bytes(row["sha256"]).hex()).open("rb") as source, draft.open("w+b") as out:
                built = add_signature(source, out, self._seal, self._stampers)
                out.flush()
                os.fsync(out.fileno())
        except PlatformError as error:
            draft.unlink(missing_ok=True)
            self.store.run("UPDATE paper SET trouble = ? WHERE token = ?", error.code, row["token"])
            if not isinstance(error, Unavailable):
                self.store.run("UPDATE paper SET wish = NULL WHERE token = ?", row["token"])
            return False
        draft.replace(self.home.bundles / built.sha256.hex())
        sync_folder(self.home.bundles)
        reference = BundleRef(number=self._message(row).bundle.number, size=built.size, sha256=built.sha256)
        decision = Decision(step="issued", reasons=tuple(wish["reasons"]), number=wish["number"])
        with self.store.change():
            row = self._row(UUID(row["token"]), None)
            if row["state"] == "received":
                self.store.run("UPDATE paper SET wish = NULL, trouble = '' WHERE token = ?", row["token"])
                self._append(row, decision, at, clerk=wish["clerk"], bundle=reference)
        return True

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _append(
        self,
        row: Row,
        decision: Decision,
        at: datetime,
        *,
        clerk: str,
        checks: tuple[CheckLine, ...] = (),
        bundle: BundleRef | None = None,
    ) -> None:
        """Write the next event and the state after it; inside `change`."""
        state = flow.after(self.settings.kind, row["state"], decision.step)
        number = row["case_number"]
        if decision.step in ("accepted", "issued"):
            number = decision.number.strip() or self._next_number(at)
        last = self.store.one("SELECT coalesce(max(seq), 0) AS seq FROM event WHERE about = ?", row["token"])
        event = Event(
            form="chopmark-event-1",
            desk=self.settings.name,
            token=uuid4(),
            about=UUID(row["token"]),
            seq=int(last["seq"]) + 1 if last is not None else 1,
            at=at.replace(microsecond=0),
            kind=decision.step,
            revision=row["revision"],
            reasons=decision.reasons,
            number=number or None,
            when=decision.when,
            place=decision.place or None,
            fee_fen=decision.fee_fen,
            checks=checks,
            bundle=bundle,
        )
        document = codec.canonical(SignedEvent.sign(event, self._key))
        codec.parse(SignedEvent, document)  # what a platform would refuse is never written
        told = {"about": row["token"], "seq": event.seq, "token": str(event.token), "kind": event.kind}
        self.store.insert("event", {**told, "at": to_text(at), "document": document, "clerk": clerk})
        self.store.run(
            "UPDATE paper SET state = ?, case_number = ?, changed_at = ? WHERE token = ?",
            state,
            number,
            to_text(at),
            row["token"],
        )

    def _next_number(self, at: datetime) -> str:
        """As case numbers of the court look, marked where they are only simulated."""
        serial = self.store.next_serial(f"{self.settings.kind}-{at.year}")
        mark = "模拟" if self.settings.simulated else ""
        if self._profile is not None:
            return f"({at.year}){mark}{self._profile.place}民初{serial}号"
        return f"({at.year}){mark}证字第{serial:06d}号"

    def _must_be_ours(self, message: Filing | Order, origin: str) -> None:
        right = message.origin == origin
        if isinstance(message, Filing):
            right = right and self.settings.kind == "court" and message.court == self.settings.profile
        else:
            right = right and self.settings.kind == "notary" and message.notary == self.settings.name
        if not right:
            raise Refused("desk.not_for_this_desk", name=self.settings.name)

    def _must_have_room(self, origin: str, revision: int) -> None:
        if revision != 1:
            raise Refused("desk.case_unknown")
        row = self.store.one("SELECT count(*) AS n FROM paper WHERE origin = ? AND state = 'awaited'", origin)
        if row is not None and row["n"] >= MOST_OPEN:
            raise Refused("desk.too_many_open", limit=MOST_OPEN)

    def _has(self, origin: str, sha256: bytes, size: int) -> int:
        """Bytes of a bundle that this platform brought. Whoever only knows another's digest does not get its bytes."""
        row = self.store.one(
            "SELECT max(has) AS has FROM paper WHERE origin = ? AND sha256 = ? AND size = ? "
            "AND (has = size OR state = 'awaited')",
            origin,
            sha256,
            size,
        )
        has = int(row["has"] or 0) if row is not None else 0
        return has if has < size or (self.home.bundles / sha256.hex()).is_file() else 0

    def _row(self, token: UUID, origin: str | None) -> Row:
        row = self.store.one("SELECT * FROM paper WHERE token = ?", str(token))
        if row is None or (origin is not None and row["origin"] != origin):
            raise Refused("desk.case_unknown")
        return row

    def _taken(self, token: str) -> Taken:
        row = self._row(UUID(token), None)
        events = self.store.one("SELECT count(*) AS n FROM event WHERE about = ?", token)
        return Taken(
            form="chopmark-taken-1",
            token=UUID(token),
            state=row["state"],
            revision=row["revision"],
            has=row["has"],
            events=int(events["n"]) if events is not None else 0,
        )

    def _message(self, row: Row) -> Filing | Order:
        found = self.store.one(
            "SELECT message FROM revision WHERE token = ? AND revision = ?", row["token"], row["revision"]
        )
        data = bytes(found["message"]) if found is not None else b""
        return codec.parse(Filing, data) if self.settings.kind == "court" else codec.parse(Order, data)

    def _events(self, token: str) -> list[tuple[Event, bool]]:
        rows = self.store.all("SELECT document, delivered_at FROM event WHERE about = ? ORDER BY seq", token)
        return [
            (codec.parse(SignedEvent, bytes(row["document"])).event, row["delivered_at"] is not None) for row in rows
        ]

    def _case(self, row: Row, *, whole: bool) -> Case:
        kept = json.loads(row["report"]) if row["report"] is not None else None
        lines = tuple(codec.read(CheckLine, each) for each in kept["lines"]) if kept is not None else ()
        signing = row["wish"] is not None and row["state"] == "received"
        return Case(
            token=UUID(row["token"]),
            message=self._message(row),
            state=row["state"],
            case_number=row["case_number"],
            received_at=row["received_at"],
            changed_at=row["changed_at"],
            size=row["size"],
            has=row["has"],
            lines=lines,
            report=kept["report"] if kept is not None and whole else None,
            events=tuple(self._events(row["token"])) if whole else (),
            signing=signing,
            trouble=row["trouble"],
            steps=() if signing else flow.steps(self.settings.kind, row["state"]),
        )


def _must_say_enough(decision: Decision) -> None:
    if len(decision.reasons) > MOST_REASONS:
        raise Invalid("desk.message_malformed", form="Decision", reason="too many reasons")
    if decision.step in ("refused", "supplement_wanted", "judgment") and not decision.reasons:
        raise Refused("desk.reasons_missing")
    if decision.step == "hearing" and decision.when is None:
        raise Refused("desk.hearing_incomplete")


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()

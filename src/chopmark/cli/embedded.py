"""The door to this machine's home: the platform's own actions in this process.

If no writer runs for the home, this process writes the log itself, one batch at a time, until its deposits
are published; the log's private keys are then opened here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

from chopmark.base import clock
from chopmark.base.errors import PlatformError, Refused, Unavailable
from chopmark.cli import files, own_keys
from chopmark.cli.doors import Made, Papers, Waiting, Wish
from chopmark.cli.own_keys import OwnKey
from chopmark.cli.signing import sign_wish
from chopmark.cli.writer import open_log
from chopmark.evidence import queries, wiring
from chopmark.evidence.actions import NewDeposit, append_upload, deposit, register_key, start_upload
from chopmark.evidence.queries import DepositSummary
from chopmark.evidence.receipt import ALL
from chopmark.people import operator
from chopmark.people.actor import Actor

POLL = 0.1  # seconds


class Embedded:
    """This machine's home, acting for one of its organisations."""

    name = "home"

    def __init__(self, organisation: str | None) -> None:
        self._actor = choose(organisation)

    @property
    def organisation(self) -> str:
        """Public id of the organisation."""
        return str(self._actor.organisation_id)

    def deposit(self, wishes: Sequence[Wish], sent: Callable[[int], None]) -> list[Made | PlatformError]:
        """Make the deposits; what goes wrong with one file does not stop the others."""
        own = own_keys.registered_at(f"{self.name} {self.organisation}")
        drafts: list[NewDeposit | PlatformError] = []
        for wish in wishes:
            try:
                drafts.append(self._draft(wish, own, sent))
            except PlatformError as error:
                drafts.append(error)
        good = [each for each in drafts if isinstance(each, NewDeposit)]
        answers = iter(deposit(good, by=self._actor, at=clock.now()))
        return [_answer(each if isinstance(each, PlatformError) else next(answers)) for each in drafts]

    def wait(self, made: Sequence[Made], seconds: float) -> list[Made]:
        """Wait for the home's writer, or be it."""
        until = time.monotonic() + seconds
        while True:
            now = [self._again(each) for each in made]
            if all(each.position is not None for each in now) or time.monotonic() > until:
                return now
            if not write_batch():
                time.sleep(POLL)

    def waiting(self) -> Waiting | None:
        """What the home's writer noted down when it last asked the members."""
        state = wiring.book().consortium()
        if wiring.consortium_policy() is None or state.waiting_size is None or state.waiting_since is None:
            return None
        return Waiting(since=clock.to_text(state.waiting_since), missing=tuple(state.missing.split()))

    def papers(self, deposit: str, signatures: str = ALL) -> Papers:
        """The receipt of a deposit, by id or short number, with these signatures."""
        receipt = queries.receipt_for(self._actor, self._id(deposit)).only(signatures)
        return Papers(tlog_proof=receipt.tlog_proof(), cose=receipt.transparent_statement())

    def certificate(self, deposit: str) -> bytes:
        """The certificate of a deposit, by id or short number, with the home's seal."""
        from chopmark.evidence.actions.certify import certificate  # noqa: PLC0415 (loads what prints, which takes a second)

        return certificate(self._id(deposit), by=self._actor, at=clock.now())

    def register(self, key: bytes, name: str) -> None:
        """Make a public key the organisation's own."""
        register_key(key, name, by=self._actor, at=clock.now())

    def _id(self, deposit: str) -> UUID:
        try:
            return UUID(deposit)
        except ValueError:
            return queries.deposit_by_number(self._actor, deposit.upper()).id

    def _again(self, made: Made) -> Made:
        row = queries.deposit_of(self._actor, UUID(made.id))
        return Made(id=made.id, number=made.number, position=row.position, created=made.created)

    def _draft(self, wish: Wish, own: OwnKey | None, sent: Callable[[int], None]) -> NewDeposit:
        statement, disclosures = self._signed(wish, own) if own else (None, ())
        return NewDeposit(
            kind=wish.kind,
            digests=wish.digests,
            upload=self._kept(wish, sent) if wish.keep else None,
            title=wish.title,
            author=wish.author,
            file_name=wish.path.name,
            media_type=wish.media_type,
            private=wish.private,
            statement=statement,
            disclosures=disclosures,
            source="cli",
        )

    def _kept(self, wish: Wish, sent: Callable[[int], None]) -> UUID:
        upload = start_upload(
            length=wish.digests.size,
            file_name=wish.path.name,
            file_type=wish.media_type,
            declared=wish.digests.sha256,
            sm3=wish.digests.sm3 is not None,
            by=self._actor,
            at=clock.now(),
        )

        def pieces() -> Iterator[bytes]:
            for piece in files.pieces(wish.path):
                yield piece
                sent(len(piece))

        append_upload(upload.id, offset=0, chunks=pieces(), by=self._actor, at=clock.now())
        return upload.id

    def _signed(self, wish: Wish, own: OwnKey) -> tuple[bytes, tuple[bytes, ...]]:
        return sign_wish(wish, own, issuer=wiring.issuer_of(self._actor.organisation_id), policy=wiring.policy_id())


_OTHERS_TURN = ("ledger.writer_running", "ledger.writer_elsewhere", "ledger.log_moved", "ledger.quorum_missing")
"""Why nothing is written now, though nothing is wrong with what waits."""


def write_batch() -> bool:
    """Write one batch if no other process is the writer; whether this one was."""
    log = open_log()
    try:
        log.step()
    except Unavailable as error:
        if error.code not in _OTHERS_TURN:
            raise
        return False
    finally:
        log.close()
    return True


def choose(organisation: str | None) -> Actor:
    """The organisation named, by id or name, or the only one; those that play somebody else in a demo do not count.

    Raises:
        Refused: `cli.organisation_unknown`; `cli.organisation_unclear` when there are several, or none.
    """
    actors = operator.actors()
    if organisation is None:
        others = _others()
        ours = [actor for actor in actors if str(actor.organisation_id) not in others]
        if len(ours) != 1:
            raise Refused("cli.organisation_unclear", names=[actor.organisation_name for actor in actors])
        return ours[0]
    for actor in actors:
        if organisation in (str(actor.organisation_id), actor.organisation_name):
            return actor
    raise Refused("cli.organisation_unknown", name=organisation)


def _others() -> frozenset[str]:
    """Organisations that a demo made beside its own, by id; none where there is no demo."""
    try:
        return frozenset((wiring.home() / "demo" / "others.txt").read_text("ascii").split())
    except FileNotFoundError:
        return frozenset()


def _answer(answer: DepositSummary | PlatformError) -> Made | PlatformError:
    if isinstance(answer, PlatformError):
        return answer
    return Made(id=str(answer.id), number=answer.number, position=answer.position, created=answer.created)

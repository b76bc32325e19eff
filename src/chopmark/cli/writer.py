"""The one writer of a home's log, put together: its files, its journal, its database, its private keys, its members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from chopmark.base import clock
from chopmark.base.errors import Refused, Unavailable
from chopmark.evidence import wiring
from chopmark.evidence.actions import published_decisions, settle, take_force
from chopmark.ledger.card import Card
from chopmark.ledger.checkpoint import Checkpoint
from chopmark.ledger.consortium import Consortium, Gathered, MemberState
from chopmark.ledger.keys import SigningKey
from chopmark.ledger.log import Log, Report
from chopmark.ledger.stores.files import FileJournal
from chopmark.ledger.wire import Link
from chopmark.member.client import HttpLink
from chopmark.member.heard import Listener

if TYPE_CHECKING:
    from chopmark.member.relay import RelayServer

RELAY_AGAIN = 5.0
"""Seconds after which a relay's port that was taken is tried again."""
KEY_FILES = ("log.ed25519", "log.mldsa44")


def open_log(members: PresentConsortium | None = None) -> Log:
    """The log of the home that Django's settings name, under the quorum of its consortium if it has one.

    Args:
        members: how the consortium is reached; without it members that open no port are not.

    Raises:
        Unavailable: `cli.log_keys_missing` before `chopmark init`.
        Refused: `cli.log_keys_open` when others on this machine can read one.
        Invalid: a key file is damaged, or its key is not this log's.
    """
    folder = wiring.home()
    take_force()  # what a crash has kept from it
    return Log(
        wiring.origin(),
        wiring.objects(),
        FileJournal(folder / "journal"),
        wiring.book(on_settled=settle),
        [log_key(folder / "keys" / name) for name in KEY_FILES],
        clock.now,
        members or PresentConsortium(),
    )


class PresentConsortium:
    """Cosigners as the published decisions say at each call, wherever they were made: none needs a new start.

    After `close` the next call begins anew.

    Args:
        relay: host and port to listen on for members that open no port; it is taken when the log is written first,
            and given back by `close`, so that of two writers only the one at work has it.
        report: hears of trouble with the relay, as `Log.run` reports.
        listen: whether members are asked for their alarms, too.
    """

    def __init__(
        self, relay: tuple[str, int] | None = None, report: Report | None = None, *, listen: bool = False
    ) -> None:
        self._listen = relay
        self._report = report
        self._relay: RelayServer | None = None
        self._relay_at = 0.0
        self._decisions: object = None
        self._seen: object = None
        self._links: list[HttpLink] = []
        self._inner: Consortium | None = None
        self._asks = listen
        self._listener: Listener | None = None
        self._last: tuple[MemberState, ...] = ()

    def gather(self, signed: bytes, checkpoint: Checkpoint) -> Gathered:
        """See `Cosigners.gather`; without a consortium the log's own signatures are enough.

        What was gathered while another rule came into force counts for nothing.

        Raises:
            Unavailable, Invalid: what `take_force` raises too.
        """
        while True:
            inner = self._present()
            gathered = Gathered(note=signed) if inner is None else inner.gather(signed, checkpoint)
            if inner is self._present():
                return gathered

    def follow(self, signed: bytes, checkpoint: Checkpoint) -> None:
        """See `Cosigners.follow`."""
        inner = self._present()
        if inner is not None:
            inner.follow(signed, checkpoint)

    def states(self) -> tuple[MemberState, ...]:
        """See `Cosigners.states`."""
        return self._last if self._inner is None else tuple(map(self._with_alarms, self._inner.states()))

    def close(self) -> None:
        """See `Cosigners.close`."""
        self._last = self.states()  # what is said of them while another writer is at work
        self._leave()
        if self._relay is not None:
            self._relay.close()
            self._relay = None

    def _leave(self) -> None:
        if self._relay is not None:
            self._relay.relay.adopt(())  # lets couriers go that wait for an answer
        if self._inner is not None:
            self._inner.close()
        if self._listener is not None:
            self._listener.close()
        for link in self._links:
            link.close()
        self._seen, self._inner, self._listener, self._links = None, None, None, []

    def _with_alarms(self, state: MemberState) -> MemberState:
        heard = None if self._listener is None else self._listener.heard(state.name)
        if heard is None:
            return state
        return replace(state, alarms=heard.count, alarm=heard.code, alarm_at=heard.at, alarm_facts=heard.facts)

    def _present(self) -> Consortium | None:
        decisions = published_decisions()
        if decisions != self._decisions:  # one made on another machine, or one that a crash kept from taking force
            take_force()
            self._decisions = decisions
        policy = wiring.consortium_policy()
        seen: object = None
        if policy is not None:
            self._open_relay()
            seen = (policy, self._relay, *_versions(wiring.consortium() / "members"))
        if seen != self._seen:
            self._leave()
            self._last = ()
            if policy is not None:
                cards = wiring.cards()
                self._inner = Consortium(policy, cards, self._reached(cards), wiring.objects(), clock.now)
                self._listener = Listener(cards, wiring.origin()) if self._asks else None
            self._seen = seen
        return self._inner

    def _reached(self, cards: Sequence[Card]) -> list[Link]:
        self._links = [HttpLink(card.name, card.url) for card in cards if card.url is not None]
        if self._relay is None:
            return [*self._links]
        self._relay.relay.adopt(card for card in cards if card.url is None)
        return [*self._links, *self._relay.relay.links.values()]

    def _open_relay(self) -> None:
        """Take the port, if that is wanted and not done; the others are called meanwhile."""
        if self._listen is None or self._relay is not None or monotonic() < self._relay_at:
            return
        from chopmark.member.relay import RelayServer  # noqa: PLC0415 (only the writer of some homes has one)

        try:
            self._relay = RelayServer(wiring.origin(), *self._listen)
        except Unavailable as error:
            self._relay_at = monotonic() + RELAY_AGAIN
            if self._report is not None:
                self._report("relay", {"code": error.code, **error.facts})


def _versions(folder: Path) -> list[tuple[str, int, int]]:
    """What changes when a file is replaced, added or removed."""
    return sorted((path.name, path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.glob("*.json"))


def log_key(path: Path) -> SigningKey:
    """The private key in a file of this home.

    Raises:
        Unavailable: `cli.log_keys_missing`.
        Refused: `cli.log_keys_open`.
        Invalid: the file is damaged.
    """
    if not path.is_file():
        raise Unavailable("cli.log_keys_missing", path=str(path))
    if path.stat().st_mode & 0o077:
        raise Refused("cli.log_keys_open", path=str(path))
    return SigningKey.parse(path.read_text("ascii").strip())

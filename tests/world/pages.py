"""A whole site in one test: a home with keys, a log that is written by hand, people who are signed in.

    world = PageWorld.made(home)                 # settings.CHOPMARK_HOME must already be `home`
    mei = world.person("Mei Lan")
    one = world.deposit(mei, b"bytes", title="Lantern")
    world.publish()
    mei.client.get(f"/deposits/{one.id}")

The parts are the real ones: stores on disk, Django's database, the log's one writer; only the clock is the test's.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.test import Client

from chopmark.base.digests import digests_of
from chopmark.base.errors import PlatformError
from chopmark.evidence import wiring
from chopmark.evidence.actions import NewDeposit, deposit, genesis, settle
from chopmark.evidence.queries import DepositSummary
from chopmark.ledger.keys import ED25519, MLDSA44_COSIGNATURE, SigningKey
from chopmark.ledger.log import Log
from chopmark.ledger.stores.files import FileJournal
from chopmark.people import actions as people
from chopmark.people import queries
from chopmark.people.actor import Actor
from chopmark.people.models import User

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
SEEDS = {"log.ed25519": (ED25519, bytes(range(32))), "log.mldsa44": (MLDSA44_COSIGNATURE, bytes(range(32, 64)))}
INTAKE = bytes(range(64, 96))


@dataclass
class Person:
    """Somebody signed in, acting for their organisation."""

    user: User
    actor: Actor
    client: Client


@dataclass
class PageWorld:
    """A site; `log` is its one writer."""

    home: Path
    log: Log
    at: datetime = AT
    people: list[Person] = field(default_factory=list)

    @classmethod
    def made(cls, home: Path, at: datetime = AT) -> PageWorld:
        """Keys, the log's first statements, the first checkpoint."""
        keys = home / "keys"
        keys.mkdir(parents=True)
        signing = [SigningKey(name=wiring.origin(), type=kind, seed=seed) for kind, seed in SEEDS.values()]
        for name, key in zip(SEEDS, signing, strict=True):
            (keys / f"{name}.pub").write_text(f"{key.verifier}\n", "ascii")
        (keys / "intake").write_text(f"{INTAKE.hex()}\n", "ascii")
        journal = FileJournal(home / "journal")
        book = wiring.book(on_settled=settle)
        world = cls(home=home, at=at, log=Log(wiring.origin(), wiring.objects(), journal, book, signing, lambda: at))
        world.log = Log(wiring.origin(), wiring.objects(), journal, book, signing, world.now)
        weakref.finalize(world, journal.release)  # thousands of tests make a world, and none closes its log
        genesis(world.now())
        world.publish()
        return world

    def now(self) -> datetime:
        """A second later than before."""
        self.at += timedelta(seconds=1)
        return self.at

    def publish(self) -> int:
        """Everything that waits goes onto the log; how many."""
        return self.log.step()

    def person(self, name: str, *, role: str = "owner", of: Person | None = None) -> Person:
        """A person with an organisation of their own, or in another's under a role."""
        email = f"{name.lower().replace(' ', '.')}@example.com"
        user = User.objects.create_user(email, None, name=name)
        if of is None:
            organisation = people.create_organisation(user.pk, f"{name}'s studio", at=self.now())
        else:
            organisation = of.actor.organisation_id
            offered = people.invite(email, role, by=of.actor, at=self.now(), link=lambda token: token)
            people.accept_invitation(offered.token, user_id=user.pk, at=self.now())
        client = Client()
        client.force_login(user)
        made = Person(user=user, actor=queries.actor_for(user, organisation), client=client)
        self.people.append(made)
        return made

    def deposit(self, by: Person, data: bytes, **more: Any) -> DepositSummary:
        """Deposit bytes for a person; not yet published."""
        draft = {"kind": "work", "digests": digests_of([data]), "file_name": "lantern.png", "source": "page", **more}
        [made] = deposit([NewDeposit(**draft)], by=by.actor, at=self.now())
        assert not isinstance(made, PlatformError), made
        return made


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return sha256(data).hexdigest()

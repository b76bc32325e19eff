"""Exchanging a member's keys without a moment in which its cosignature is missing.

    1 `prepare`   new keys beside the old ones, and the rotation: the new card, signed by all old and all new keys
    2             the consortium adopts the rotation; meanwhile the node signs with the old keys and the new ones
    3 `finish`    once the log publishes checkpoints that carry the new keys: the new ones alone, the old ones aside

    keys/next/NAME            the new keys; with `card.json`, which is written last
    keys/retired/DIGEST/      former keys and their card, named by the first digits of its SHA-256; never deleted
    rotation.json             what is handed to the consortium

Each step may be cut off anywhere and made again: it goes on, and makes no second set of keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256

from chopmark.base.errors import Invalid, Refused
from chopmark.ledger.card import Card
from chopmark.ledger.checkpoint import open_checkpoint
from chopmark.ledger.governance import open_rotation, rotation_note
from chopmark.ledger.keys import Signer, SigningKey
from chopmark.ledger.note import Note
from chopmark.ledger.stores import CHECKPOINT
from chopmark.ledger.stores.files import FileObjects
from chopmark.member import keys as member_keys
from chopmark.member.keyfiles import ROLES, read_secret
from chopmark.member.keys import KeyReader
from chopmark.member.settings import CARD, LogSettings, MemberHome

Fetch = Callable[[str], bytes]


def next_card(home: MemberHome) -> Card | None:
    """The card that shall follow; None when no rotation is under way.

    Raises:
        Invalid: `ledger.card_malformed`.
    """
    path = home.next_keys / CARD
    return Card.parse(path.read_bytes()) if path.is_file() else None


def next_signers(home: MemberHome, reader: KeyReader) -> dict[str, Signer]:
    """The keys that sign beside the present ones, by file name; none when no rotation is under way.

    Raises:
        Refused: `member.card_differs`; as `KeyReader.read`.
        Invalid: as `KeyReader.read`.
    """
    card = next_card(home)
    if card is None:
        return {}
    signers = reader.all(home.next_keys)
    member_keys.must_fit(card, signers)
    return signers


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What `prepare` has made.

    Attributes:
        card: that shall follow.
        note: the rotation, to be handed to the consortium.
        fresh: whether the keys are new, and not those of an earlier call.
    """

    card: Card
    note: bytes
    fresh: bool


def prepare(
    home: MemberHome,
    reader: KeyReader,
    *,
    passphrase: bytes | None,
    tokens: Callable[[str], Mapping[str, tuple[Signer, bytes]]] = lambda _identity: {},
) -> Prepared:
    """Make the next keys and the rotation; made before, the same rotation again.

    Args:
        home: held by this process alone.
        reader: opens the present keys.
        passphrase: seals the new ones; None leaves them to the permissions of the disk.
        tokens: keys to be made in a token, as `founding.found_home` takes them; given the beginning of their names.

    Raises:
        Refused: `member.home_missing`, `member.card_differs`; as `KeyReader.read`.
        Invalid: something kept in the home is damaged.
    """
    settings, card = home.settings(), home.read_card()
    old = reader.all(home.keys)
    member_keys.must_fit(card, old)
    fresh = next_card(home) is None
    if fresh:
        _make_next(home, replace(card, url=settings.url), settings.id, passphrase, tokens)
    new = next_signers(home, reader)
    following = next_card(home) or card
    note = _kept_rotation(home, card, following)
    if note is None:
        note = rotation_note(card, following, (*old.values(), *new.values()))
        home.write(home.rotation, note)
    return Prepared(card=following, note=note, fresh=fresh)


def _make_next(
    home: MemberHome,
    card: Card,
    identity: str,
    passphrase: bytes | None,
    tokens: Callable[[str], Mapping[str, tuple[Signer, bytes]]],
) -> None:
    in_token = tokens(identity)
    made: dict[str, SigningKey] = {file: member_keys.new_key(identity, file) for file in ROLES if file not in in_token}
    signers: dict[str, Signer] = {**made, **{file: signer for file, (signer, _) in in_token.items()}}
    texts = {file: (key.text() + "\n").encode() for file, key in made.items()}
    contents = texts if passphrase is None else member_keys.seal(made, passphrase)
    contents |= {file: content for file, (_, content) in in_token.items()}
    for file in ROLES:
        home.write(home.next_keys / file, contents[file], mode=0o600)
    following = replace(card, keys=member_keys.card_keys(signers))
    home.write(home.next_keys / CARD, following.encode())  # last: next keys without it were never used


def _kept_rotation(home: MemberHome, card: Card, following: Card) -> bytes | None:
    """The rotation made before, when it is the one from this card to that one."""
    with suppress(FileNotFoundError, Invalid, Refused):
        note = home.rotation.read_bytes()
        if open_rotation(note, card) == following:
            return note
    return None


# ---- the end -------------------------------------------------------------------------------------------------------


def finish(home: MemberHome, fetch: Callable[[LogSettings], Fetch], *, force: bool = False) -> Card:
    """Let the new keys be the only ones; the card that is now in use.

    Args:
        home: held by this process alone.
        fetch: a log to a function that gets its public files.
        force: also when no log shows yet that the new keys count.

    Raises:
        Refused: `member.no_rotation`; `member.rotation_waits` unless a log publishes a checkpoint with the new keys,
            and none publishes one with the old keys alone.
        Unavailable: a log does not answer.
        Invalid: what it answers, or what is kept in the home, is damaged.
    """
    old, new = home.read_card(), next_card(home)
    if new is None:
        raise Refused("member.no_rotation", home=str(home.root))
    if old != new:
        if not force:
            _must_be_in_force(home, old, new, fetch)
        _set_aside(home, old)
        for file in ROLES:
            home.write(home.keys / file, read_secret(home.next_keys / file).encode(), mode=0o600)
        home.write(home.card, new.encode())
    for log in home.settings().logs:  # seals by the old keys; they are made again
        seals = FileObjects(home.seals(log.origin), replaceable=())
        seals.delete(seals.names())
    (home.next_keys / CARD).unlink()  # first: what is left without it is no rotation
    for file in ROLES:
        (home.next_keys / file).unlink()
    home.next_keys.rmdir()
    home.rotation.unlink(missing_ok=True)
    return new


def _must_be_in_force(home: MemberHome, old: Card, new: Card, fetch: Callable[[LogSettings], Fetch]) -> None:
    counted = []
    for log in home.settings().logs:
        note = fetch(log)(CHECKPOINT)
        open_checkpoint(note, log.keys)
        shown = {(each.name, each.key_id) for each in Note.parse(note).signatures}
        if shown & _names(new):
            open_checkpoint(note, new.cosigning_keys)
            counted.append(log)
        elif shown & _names(old):
            raise Refused("member.rotation_waits", origin=log.origin)
    if not counted:
        raise Refused("member.rotation_waits", origin=" ".join(log.origin for log in home.settings().logs) or "-")


def _names(card: Card) -> set[tuple[str, bytes]]:
    return {(key.name, key.key_id) for key in card.cosigning_keys}


def _set_aside(home: MemberHome, card: Card) -> None:
    """The old keys and their card, kept for ever; once only, because later the old places hold new keys."""
    folder = home.keys / "retired" / sha256(card.encode()).hexdigest()[:16]
    if (folder / CARD).is_file():
        return
    for file in ROLES:
        home.write(folder / file, read_secret(home.keys / file).encode(), mode=0o600)
    home.write(folder / CARD, card.encode())

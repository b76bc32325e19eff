"""Making a member's home: keys, card, settings, and for each log the state that says "nothing was signed yet".

Keys are made once and never overwritten. A log is founded once: a state is never made anew for keys that may have
signed before, because a witness that forgets is worse than none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from chopmark.base.errors import Invalid, Refused
from chopmark.ledger.card import Card
from chopmark.ledger.keys import Signer, SigningKey, VerifierKey
from chopmark.ledger.policy import NO_QUORUM, Policy
from chopmark.ledger.stores.files import FileObjects
from chopmark.ledger.witness import PENDING, WatchedLog, Witness
from chopmark.member import keys as member_keys
from chopmark.member.keyfiles import ROLES
from chopmark.member.settings import LogSettings, MemberHome, Settings

MAX_LOG_FILE = 1 << 20


def found_home(
    home: MemberHome,
    settings: Settings,
    *,
    passphrase: bytes | None,
    tokens: Mapping[str, tuple[Signer, bytes]] | None = None,
    policies: Mapping[str, bytes] | None = None,
) -> Card:
    """Make the home of a new member; its card.

    Args:
        home: must hold neither keys nor settings.
        settings: who it is and which logs it holds.
        passphrase: seals the key files; None leaves them to the permissions of the disk.
        tokens: file name to a key in a token and the content of its file; the other keys are made here.
        policies: origin to the tlog-policy that its checkpoints must meet.

    Raises:
        Refused: `member.home_taken`.
        Invalid: `ledger.card_malformed`, `ledger.key_name_wrong`.
    """
    if home.config.exists() or home.card.exists() or (home.keys.is_dir() and any(home.keys.iterdir())):
        raise Refused("member.home_taken", home=str(home.root))
    files = {file: content for file, (_, content) in (tokens or {}).items()}
    made = {file: member_keys.new_key(settings.id, file) for file in ROLES if file not in files}
    signers: dict[str, Signer] = {**made, **{file: signer for file, (signer, _) in (tokens or {}).items()}}
    card = Card(
        name=settings.name,
        kind=settings.kind,
        zh=settings.zh,
        en=settings.en,
        url=settings.url,
        keys=member_keys.card_keys(signers),
    )
    files |= _texts(made) if passphrase is None else member_keys.seal(made, passphrase)
    home.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chmod(home.root, 0o700)  # noqa: PTH101 (a folder that was there may be open to others)
    for file in ROLES:
        home.write(home.keys / file, files[file], mode=0o600)
    home.write(home.card, card.encode())
    for log in settings.logs:
        _found_log(home, log, (policies or {}).get(log.origin))
    home.write(home.config, settings.encode(), mode=0o600)  # last: a home without it was not finished
    return card


def add_log(home: MemberHome, log: LogSettings, policy: bytes | None = None) -> Settings:
    """Let a member hold one log more, or change a known one's address, policy and additional keys.

    Raises:
        Refused: `member.home_missing`; `ledger.member_state_lost` when the log is not in the settings but its copy
            is there.
    """
    settings = home.settings()
    if all(each.origin != log.origin for each in settings.logs):
        if home.state(log.origin).exists() or home.mirror(log.origin).exists():
            raise Refused("ledger.member_state_lost", origin=log.origin)
        _found_log(home, log, policy)
    elif policy is not None:
        home.write(home.policy_file(log.origin), policy)
    changed = settings.with_log(log)
    home.write(home.config, changed.encode(), mode=0o600)
    return changed


def set_address(home: MemberHome, host: str, port: int, url: str | None) -> Card:
    """Change where a node listens and how it is reached; its keys and name stay. The new card must be handed over.

    Raises:
        Refused: `member.home_missing`.
        Invalid: `ledger.card_malformed`, `member.config_malformed`.
    """
    settings = replace(home.settings(), host=host, port=port, url=url)
    card = replace(Card.parse(home.card.read_bytes()), url=url)
    home.write(home.config, settings.encode(), mode=0o600)
    home.write(home.card, card.encode())
    return card


def read_logs(data: bytes, *, url: str | None, platform: str | None = None) -> list[tuple[LogSettings, bytes | None]]:
    """The logs of a file: a tlog-policy, or verifier keys one a line; with the policy where it demands a quorum.

    Args:
        data: the file.
        url: address of the log, where the policy names none.
        platform: where signers' keys are asked for.

    Raises:
        Invalid: `member.log_file_malformed`; `member.log_url_missing`; `member.log_malformed`.
    """
    words = [line.split() for line in data.decode("utf-8", "replace").splitlines() if line.strip()[:1] not in ("", "#")]
    quorum: bytes | None = None
    if any(line[0] in ("log", "quorum") for line in words):
        policy = Policy.parse(data)
        named = [(log.key, log.url) for log in policy.logs]
        quorum = None if policy.quorum == NO_QUORUM else data
    elif words and all(len(line) == 1 for line in words):
        named = [(VerifierKey.parse(line[0]), None) for line in words]
    else:
        raise Invalid("member.log_file_malformed")
    if not named:
        raise Invalid("member.log_file_malformed")
    return [
        (LogSettings(origin=origin, keys=keys, url=_url(origin, url, named), platform=platform), quorum)
        for origin, keys in _by_origin(named).items()
    ]


def _by_origin(named: Sequence[tuple[VerifierKey, str | None]]) -> dict[str, tuple[VerifierKey, ...]]:
    origins = dict.fromkeys(key.name for key, _ in named)
    return {origin: tuple(key for key, _ in named if key.name == origin) for origin in origins}


def _url(origin: str, given: str | None, named: Sequence[tuple[VerifierKey, str | None]]) -> str:
    found_url = given or next((url for key, url in named if key.name == origin and url), None)
    if found_url is None:
        raise Invalid("member.log_url_missing", origin=origin)
    return found_url.rstrip("/")


def _texts(made: Mapping[str, SigningKey]) -> dict[str, bytes]:
    return {file: (key.text() + "\n").encode() for file, key in made.items()}


def watched_log(home: MemberHome, log: LogSettings) -> WatchedLog:
    """A log with what this home holds of it."""
    return WatchedLog(
        origin=log.origin,
        keys=log.keys,
        state=FileObjects(home.state(log.origin), replaceable=(PENDING,)),
        copy=FileObjects(home.mirror(log.origin)),
    )


def _found_log(home: MemberHome, log: LogSettings, policy: bytes | None) -> None:
    Witness.found(watched_log(home, log))
    if policy is not None:
        home.write(home.policy_file(log.origin), policy)

"""The private keys of a member: five files, each readable by its owner alone.

    witness-ed25519  witness-mldsa44  mirror-ed25519  mirror-mldsa44  node

A file is one of three texts:

    PRIVATE+KEY+court.example/witness+…           the key itself, as C2SP writes it
    {"form": "chopmark-sealed-key-1", …}          the same under a passphrase
    {"form": "chopmark-token-key-1", …}           the place of a key that never leaves its token (`pkcs11`)

Sealed: the passphrase through scrypt (RFC 7914; n, r, p and salt in the file) gives the key of ChaCha20-Poly1305
(RFC 8439), which seals the text of the first form; the verifier key beside it is the additional data, so that a
sealed key cannot be put under another name.

Where the passphrase comes from: a file (option or CHOPMARK_MEMBER_PASSPHRASE_FILE), systemd's credential
`member-passphrase`, a question at the terminal. It is never an argument or a variable itself.
"""

from __future__ import annotations

import getpass
import json
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from chopmark.base.errors import Invalid, Refused
from chopmark.ledger.card import Card, CardKey
from chopmark.ledger.keys import Signer, SigningKey, VerifierKey
from chopmark.ledger.text import parse_base64, to_base64
from chopmark.member.keyfiles import ROLES, TOKEN, key_name, read_secret

SEALED = "chopmark-sealed-key-1"
CREDENTIAL = "member-passphrase"
MAX_PASSPHRASE = 1024  # bytes
_COST = (1 << 15, 8, 1)  # scrypt n, r, p: 32 MiB and about 0.1 s
_MOST_COST = 1 << 20  # of n * r: 128 MiB
_MOST_WIDTH = 64  # of r
_FIELDS = {"form", "vkey", "kdf", "n", "r", "p", "salt", "cipher", "nonce", "sealed"}

Ask = Callable[[], bytes]
"""Gives the passphrase, or raises `Refused` when there is none."""


def new_key(identity: str, file: str) -> SigningKey:
    """A new key for one of the five files.

    Raises:
        Invalid: `ledger.key_name_wrong`.
    """
    role, kind = ROLES[file]
    return SigningKey.generate(key_name(identity, role), kind)


def card_keys(signers: Mapping[str, Signer]) -> tuple[CardKey, ...]:
    """The public halves, in the card's order."""
    return tuple(CardKey(role=ROLES[file][0], key=signers[file].verifier) for file in ROLES if file in signers)


def must_fit(card: Card, signers: Mapping[str, Signer]) -> None:
    """Check that the keys are the ones that the card shows to everybody.

    Raises:
        Refused: `member.card_differs`.
    """
    if set(card.keys) != set(card_keys(signers)):
        raise Refused("member.card_differs", name=card.name)


# ---- files --------------------------------------------------------------------------------------------------------


class KeyReader:
    """Reads the key files of one home; asks for the passphrase once, when the first sealed key is met.

    Args:
        ask: gives the passphrase.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._passphrase: bytes | None = None
        self._derived: dict[tuple[bytes, int, int, int], bytes] = {}

    def all(self, folder: Path) -> dict[str, Signer]:
        """Every key in the folder.

        Raises:
            Refused: `member.key_missing` for one that is not there, and as `read`.
            Invalid: as `read`.
        """
        return {file: self.read(folder / file) for file in ROLES}

    def read(self, path: Path) -> Signer:
        """One key.

        Raises:
            Refused: `member.key_missing`, `member.key_open` when others can read it, `member.passphrase_wrong`,
                `member.passphrase_missing`; what the token's driver refuses.
            Invalid: `member.key_malformed`.
        """
        text = read_secret(path)
        if text.startswith("PRIVATE+KEY+"):
            key: Signer = _signing_key(text.removesuffix("\n"), path)
        else:
            key = self._from_document(_document(text, path), path)
        role, kind = ROLES.get(path.name, (None, key.type))
        if key.type != kind or (role is not None and not key.name.endswith(f"/{role}")):
            raise Invalid("member.key_malformed", path=str(path))
        return key

    def _from_document(self, document: dict[str, Any], path: Path) -> Signer:
        if document.get("form") == TOKEN:
            from chopmark.member.pkcs11 import token_key  # noqa: PLC0415 (an optional package)

            return token_key(document, path)
        return _signing_key(self._unseal(document, path), path)

    def _unseal(self, document: dict[str, Any], path: Path) -> str:
        """The text of a sealed key."""
        try:
            salt, nonce, sealed = (parse_base64(document[name]) for name in ("salt", "nonce", "sealed"))
            n, r, p = (_whole(document[name]) for name in ("n", "r", "p"))
            vkey = VerifierKey.parse(_text(document["vkey"]))
        except (ValueError, KeyError, TypeError, Invalid) as error:
            raise Invalid("member.key_malformed", path=str(path)) from error
        named = (document["form"], document.get("kdf"), document.get("cipher"), set(document))
        right = named == (SEALED, "scrypt", "chacha20-poly1305", _FIELDS) and (len(salt), len(nonce)) == (32, 12)
        right = right and n >= 2 and not n & (n - 1) and 1 <= r <= _MOST_WIDTH and 1 <= p <= 4
        if not right or n * r > _MOST_COST or n >= 1 << 16 * r:  # RFC 7914: n < 2^(128 r / 8)
            raise Invalid("member.key_malformed", path=str(path))
        cipher = ChaCha20Poly1305(self._derive(salt, n, r, p))
        try:
            text = cipher.decrypt(nonce, sealed, str(vkey).encode()).decode()
        except InvalidTag as error:
            raise Refused("member.passphrase_wrong", path=str(path)) from error
        if _signing_key(text, path).verifier != vkey:
            raise Invalid("member.key_malformed", path=str(path))
        return text

    def _derive(self, salt: bytes, n: int, r: int, p: int) -> bytes:
        if self._passphrase is None:
            self._passphrase = self._ask()
        if (salt, n, r, p) not in self._derived:
            self._derived[salt, n, r, p] = Scrypt(salt=salt, length=32, n=n, r=r, p=p).derive(self._passphrase)
        return self._derived[salt, n, r, p]


def seal(keys: Mapping[str, SigningKey], passphrase: bytes) -> dict[str, bytes]:
    """File name to content, every key under the passphrase; one salt for all, so that a start derives once."""
    n, r, p = _COST
    salt = secrets.token_bytes(32)
    cipher = ChaCha20Poly1305(Scrypt(salt=salt, length=32, n=n, r=r, p=p).derive(passphrase))
    return {file: _sealed(key, cipher, salt) for file, key in keys.items()}


def _sealed(key: SigningKey, cipher: ChaCha20Poly1305, salt: bytes) -> bytes:
    nonce = secrets.token_bytes(12)
    vkey = str(key.verifier)
    n, r, p = _COST
    document = {
        "form": SEALED,
        "vkey": vkey,
        "kdf": "scrypt",
        "n": n,
        "r": r,
        "p": p,
        "salt": to_base64(salt),
        "cipher": "chacha20-poly1305",
        "nonce": to_base64(nonce),
        "sealed": to_base64(cipher.encrypt(nonce, key.text().encode(), vkey.encode())),
    }
    return (json.dumps(document, indent=2) + "\n").encode()


def is_sealed(path: Path) -> bool:
    """Whether a key file needs a passphrase."""
    return f'"{SEALED}"' in read_secret(path)


def token_of(path: Path) -> tuple[str, str] | None:
    """Library and label of the token that a key file points to; None for a key that lies in the file.

    Raises:
        Refused: as `read_secret`.
        Invalid: `member.key_malformed`.
    """
    text = read_secret(path)
    if f'"{TOKEN}"' not in text:
        return None
    document = _document(text, path)
    library, token = document.get("library"), document.get("token")
    if document.get("form") != TOKEN or not isinstance(library, str) or not isinstance(token, str):
        raise Invalid("member.key_malformed", path=str(path))
    return library, token


def _signing_key(text: str, path: Path) -> SigningKey:
    try:
        return SigningKey.parse(text)
    except Invalid as error:
        raise Invalid("member.key_malformed", path=str(path)) from error


def _whole(value: object) -> int:
    if type(value) is not int:  # a boolean is none
        raise TypeError
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _document(text: str, path: Path) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid("member.key_malformed", path=str(path)) from error
    if not isinstance(document, dict):
        raise Invalid("member.key_malformed", path=str(path))
    return document


# ---- the passphrase -----------------------------------------------------------------------------------------------


def find_passphrase(file: Path | None, question: str | None) -> bytes:
    """The passphrase from the file, the variable's file, systemd, or the person at the terminal.

    Args:
        file: named by the caller; wins.
        question: what to ask at the terminal; None when nobody shall be asked.

    Raises:
        Refused: `member.passphrase_missing`; as `read_secret`.
        Invalid: `member.passphrase_unfit` when it is empty or longer than 1024 bytes.
    """
    if file is None and (named := os.environ.get("CHOPMARK_MEMBER_PASSPHRASE_FILE")):
        file = Path(named)
    if file is None and (folder := os.environ.get("CREDENTIALS_DIRECTORY")):
        file = Path(folder) / CREDENTIAL if (Path(folder) / CREDENTIAL).is_file() else None
    if file is not None:
        found = read_secret(file).removesuffix("\n")
    elif question is not None and sys.stdin.isatty():
        found = getpass.getpass(question + " ")
    else:
        raise Refused("member.passphrase_missing")
    if not 0 < len(found.encode()) <= MAX_PASSPHRASE:
        raise Invalid("member.passphrase_unfit", limit=MAX_PASSPHRASE)
    return found.encode()

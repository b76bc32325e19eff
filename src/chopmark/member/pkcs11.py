"""Ed25519 keys in a token (PKCS#11 v3): the private half never leaves it. An optional extra: `chopmark[pkcs11]`.

    key file   {"form": "chopmark-token-key-1", "library", "token", "object", "vkey"}

The token signs the same messages as a key in a file, and each signature it gives is checked before it is used.
ML-DSA-44 keys stay in files: tokens do not offer ML-DSA yet (PKCS#11 v3.2 defines it, hardware is to come).

The PIN comes from the file named by CHOPMARK_MEMBER_PIN_FILE, from systemd's credential `member-pin`, or from the
person at the terminal. One session a token is shared by the threads of the process, one signature at a time.
"""

from __future__ import annotations

import getpass
import json
import os
import sys
import threading
from functools import cache
from pathlib import Path
from typing import Any

import pkcs11
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import PinIncorrect, PinInvalid, PinLenRange, PKCS11Error
from pkcs11.util.ec import encode_named_curve_parameters

from chopmark.base.errors import Invalid, Refused
from chopmark.ledger.keys import MLDSA44_COSIGNATURE, Signer, VerifierKey
from chopmark.member.keyfiles import ROLES, TOKEN, key_name, read_secret

CREDENTIAL = "member-pin"
_FIELDS = {"form", "library", "token", "object", "vkey"}
_ED25519 = encode_named_curve_parameters("1.3.101.112")
_MOST_SETS = 100
_POINT_PREFIX = b"\x04\x20"  # DER: an octet string of 32 bytes


class TokenKey:
    """A key in a token; a `ledger.keys.Signer`.

    Args:
        verifier: its public half, with the name that it signs under.
        library: path of the PKCS#11 library.
        token: the token's label.
        object_label: the key's label.

    Raises:
        Refused: `member.token_missing`, `member.token_key_missing`, `member.pin_wrong`, `member.pin_missing`.
    """

    def __init__(self, verifier: VerifierKey, library: str, token: str, object_label: str) -> None:
        self.verifier = verifier
        self.name = verifier.name
        self.type = verifier.type
        self._session, self._lock = _session(library, token)
        try:
            self._private = self._session.get_key(object_class=ObjectClass.PRIVATE_KEY, label=object_label)
            self.sign(b"chopmark member: is this the key?")
        except (PKCS11Error, Invalid) as error:
            raise Refused("member.token_key_missing", label=token, object=object_label) from error

    def sign(self, message: bytes) -> bytes:
        """The bare signature, 64 bytes.

        Raises:
            Invalid: `ledger.signature_wrong` when the token gave something else.
            OSError: the token did not answer.
        """
        with self._lock:
            try:
                signature = bytes(self._private.sign(message, mechanism=Mechanism.EDDSA))
            except PKCS11Error as error:
                raise OSError(f"token: {type(error).__name__}") from error
        self.verifier.verify(signature, message)
        return signature


def token_key(document: dict[str, Any], path: Path) -> Signer:
    """The key that a key file points to.

    Raises:
        Invalid: `member.key_malformed`.
        Refused: as `TokenKey`.
    """
    if set(document) != _FIELDS or not all(isinstance(value, str) for value in document.values()):
        raise Invalid("member.key_malformed", path=str(path))
    try:
        verifier = VerifierKey.parse(document["vkey"])
    except Invalid as error:
        raise Invalid("member.key_malformed", path=str(path)) from error
    return TokenKey(verifier, document["library"], document["token"], document["object"])


def make_keys(identity: str, library: Path, token: str, *, further: bool = False) -> dict[str, tuple[Signer, bytes]]:
    """Make the Ed25519 keys of a member in a token: file name to the key and the content of its file.

    Args:
        identity: with which the keys' names begin.
        library: path of the PKCS#11 library.
        token: the token's label.
        further: beside those that are there, under labels with a number; otherwise none may be there.

    Raises:
        Refused: `member.token_key_taken` when the token holds one of them; as `TokenKey`.
    """
    session, _ = _session(str(library), token)
    names = {file: role for file, role in ROLES.items() if role[1] != MLDSA44_COSIGNATURE}
    for number in range(1, _MOST_SETS):
        ending = f" {number}" if number > 1 else ""
        labels = {file: f"{key_name(identity, role)} ({file}){ending}" for file, (role, _) in names.items()}
        taken = [label for label in labels.values() if any(True for _ in session.get_objects({Attribute.LABEL: label}))]
        if not taken:
            break
        if not further or number == _MOST_SETS - 1:
            raise Refused("member.token_key_taken", label=token, object=taken[0])
    made: dict[str, tuple[Signer, bytes]] = {}
    for file, label in labels.items():
        role, kind = names[file]
        verifier = VerifierKey(name=key_name(identity, role), type=kind, public=_generate(session, label))
        document = {"form": TOKEN, "library": str(library), "token": token, "object": label, "vkey": str(verifier)}
        content = (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()
        made[file] = (TokenKey(verifier, str(library), token, label), content)
    return made


def _generate(session: Any, label: str) -> bytes:  # noqa: ANN401 (the package has no types)
    """A new key pair that cannot be taken out; its public half."""
    parameters = session.create_domain_parameters(KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: _ED25519}, local=True)
    private_template = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.TOKEN: True}
    public, _ = parameters.generate_keypair(
        mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN, store=True, label=label, private_template=private_template
    )
    point = bytes(public[Attribute.EC_POINT])
    raw = point.removeprefix(_POINT_PREFIX) if len(point) > 32 else point
    Ed25519PublicKey.from_public_bytes(raw)
    return raw


@cache
def _session(library: str, label: str) -> tuple[Any, threading.Lock]:
    """The one session of this process with a token, opened with its PIN."""
    try:
        token = pkcs11.lib(library).get_token(token_label=label)
    except (PKCS11Error, RuntimeError, OSError) as error:
        reason = str(error) or type(error).__name__
        raise Refused("member.token_missing", label=label, library=library, reason=reason) from error
    try:
        return token.open(user_pin=_pin(label), rw=True), threading.Lock()
    except (PinIncorrect, PinInvalid, PinLenRange) as error:
        raise Refused("member.pin_wrong", label=label) from error
    except PKCS11Error as error:
        raise Refused("member.token_missing", label=label, library=library, reason=type(error).__name__) from error


def _pin(label: str) -> str:
    named = os.environ.get("CHOPMARK_MEMBER_PIN_FILE")
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if named is None and folder is not None and (Path(folder) / CREDENTIAL).is_file():
        named = str(Path(folder) / CREDENTIAL)
    if named is not None:
        return read_secret(Path(named)).removesuffix("\n")
    if sys.stdin.isatty():
        return getpass.getpass(f"PIN ({label}): ")
    raise Refused("member.pin_missing", label=label)

"""The secrets that people are handed: invitation tokens and API keys. Only their SHA-256 is ever stored."""

from __future__ import annotations

import hashlib
import re
import secrets

from django.core.signing import BadSignature, Signer

from chopmark.base.errors import Refused

API_KEY_ID = re.compile(r"[0-9a-f]{12}")
API_KEY = re.compile(r"chopmark_([0-9a-f]{12})_([0-9a-f]{48})")
MAX_TOKEN = 200
_SALT = "chopmark.people.invitation"


def new_invitation() -> tuple[str, bytes]:
    """A signed random token for a link, and what is stored of it."""
    token = Signer(salt=_SALT).sign(secrets.token_urlsafe(24))
    return token, hashlib.sha256(token.encode()).digest()


def read_invitation(token: str) -> bytes:
    """What is stored of a token; one that was not made here is refused without a look into the database.

    Raises:
        Refused: `people.invitation_not_found`.
    """
    try:
        Signer(salt=_SALT).unsign(token[:MAX_TOKEN])
    except BadSignature as error:
        raise Refused("people.invitation_not_found") from error
    return hashlib.sha256(token.encode()).digest()


def new_api_key() -> tuple[str, str, bytes]:
    """The id and the whole text of a new key, and what is stored of its secret."""
    key_id, secret = secrets.token_hex(6), secrets.token_hex(24)
    return key_id, f"chopmark_{key_id}_{secret}", hashlib.sha256(secret.encode()).digest()


def read_api_key(text: str) -> tuple[str, str]:
    """The id and the secret of a key's text.

    Raises:
        Refused: `people.key_unknown`.
    """
    match = API_KEY.fullmatch(text)
    if match is None:
        raise Refused("people.key_unknown")
    return match[1], match[2]

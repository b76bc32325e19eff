"""The entries of the ledger: SCITT Signed Statements (RFC 9943) over a hash envelope (RFC 9995).

A statement is a COSE_Sign1 (tag 18), deterministic CBOR, at most 65,535 bytes, its unprotected header empty.
The whole protected header, every label that may stand in it:

    {1: -8 or -7,                     EdDSA with Ed25519, or ES256
     4: kid,                          RFC 9679 thumbprint of the signer's key
     15: {1: iss, 2: sub, 6: iat},    iat in whole seconds; may be absent in a third party's statement
     258: -16, 259: content type,     the payload is the SHA-256 of something of this type
     "chopmark": {...}}               absent in a third party's statement; see `Claim`

A third party's statement is one without our header; it is registered all the same.
Labels beyond these are refused rather than ignored, so that nothing readable (a certificate with a name in it,
a title, an address) gets onto a ledger that cannot forget. Whether a key is trusted is not decided here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from chopmark.base import cbor, clock
from chopmark.base.digests import DIGEST_SIZE
from chopmark.base.errors import Invalid
from chopmark.ledger.cose import (
    ALGORITHM,
    CLAIMS,
    CRITICAL,
    EDDSA,
    ES256,
    ISSUED_AT,
    ISSUER,
    KEY_ID,
    SIGNATURE_SIZE,
    SUBJECT,
    Envelope,
    IssuerKey,
    PublicKey,
    to_be_signed,
)

__all__ = [
    "DISCLOSURE_TYPE",
    "KEY_TYPE",
    "MAX_COMMITMENTS",
    "MAX_ENTRY",
    "OPAQUE_TYPE",
    "POLICY_TYPE",
    "Claim",
    "IssuerKey",
    "PublicKey",
    "Statement",
    "governance_statement",
    "key_statement",
    "policy_statement",
    "search_keys",
    "sign_statement",
]

MAX_ENTRY = 65_535
MAX_COMMITMENTS = 32

CONTENT_TYPE = 3
HASH_ALGORITHM = 258
PREIMAGE_TYPE = 259
CHOPMARK = "chopmark"
SHA256 = -16

OPAQUE_TYPE = "application/octet-stream"
DISCLOSURE_TYPE = "application/vnd.chopmark.disclosure+cbor"
POLICY_TYPE = "text/plain"
KEY_TYPE = "application/cose-key"

_LABELS = frozenset({ALGORITHM, KEY_ID, CLAIMS, HASH_ALGORITHM, PREIMAGE_TYPE, CHOPMARK})
_OURS = frozenset({"kind", "policy", "agent", "sm3", "private", "commitments"})
_NAME = re.compile(r"[a-z][a-z_]{0,31}")
_IDENTIFIER = re.compile(r"[!-~]{1,512}")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}")
_COAP_CONTENT_FORMATS = range(65_536)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a statement says.

    Attributes:
        issuer: `iss`, 1 to 512 visible ASCII characters, a URI in ours.
        subject: `sub`, the same form.
        issued_at: `iat`, whole seconds; the signer's own word. Always there in ours.
        kind: what is deposited, such as `work`; None in a third party's statement.
        policy: id of the registration policy, SHA-256 of its text; None in a third party's statement.
        payload: SHA-256 of the file, or of the `digest` disclosure when private.
        content_type: of what the payload is the digest of: a media type or a CoAP content-format number.
        sm3: SM3 of the same file, or None.
        private: the payload commits to the file's digest with a salt.
        agent: the platform's intake key signs for a depositor without a key of its own.
        commitments: name to SHA-256 of a disclosure.
    """

    issuer: str
    subject: str
    issued_at: datetime | None
    payload: bytes
    kind: str | None = None
    policy: bytes | None = None
    content_type: str | int = OPAQUE_TYPE
    sm3: bytes | None = None
    private: bool = False
    agent: bool = False
    commitments: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))

    def header(self, algorithm: int, kid: bytes) -> bytes:
        """The encoded protected header of a statement that says this."""
        return cbor.encode_in_order(self.labels(algorithm, kid))

    def labels(self, algorithm: int, kid: bytes) -> dict[int | str, Any]:
        """The same, not yet encoded, every map in the order of its encoding."""
        claims: dict[int, Any] = {ISSUER: self.issuer, SUBJECT: self.subject}
        if self.issued_at is not None:
            claims[ISSUED_AT] = clock.to_seconds(self.issued_at)
        header: dict[int | str, Any] = {
            ALGORITHM: algorithm,
            KEY_ID: kid,
            CLAIMS: claims,
            HASH_ALGORITHM: SHA256,
            PREIMAGE_TYPE: self.content_type,
        }
        if self.kind is not None:
            header[CHOPMARK] = self._ours()
        return header

    def _ours(self) -> dict[str, Any]:
        ours: dict[str, Any] = {} if self.sm3 is None else {"sm3": self.sm3}
        ours["kind"] = self.kind
        if self.agent:
            ours["agent"] = True
        ours["policy"] = self.policy
        if self.private:
            ours["private"] = True
        if self.commitments:
            ours["commitments"] = {
                name: self.commitments[name] for name in sorted(self.commitments, key=lambda name: (len(name), name))
            }
        return ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement whose form is right; its signature is checked by `verify`.

    Attributes:
        raw: the bytes, exactly the entry of the ledger.
        claim: what it says.
        kid: thumbprint of the key that shall have signed it.
        algorithm: EDDSA or ES256.
        signature: 64 bytes.
    """

    raw: bytes
    claim: Claim
    kid: bytes
    algorithm: int
    signature: bytes

    @staticmethod
    def parse(raw: bytes) -> Statement:
        """Read an entry strictly: what does not print back byte for byte is refused.

        Raises:
            Invalid: `ledger.statement_too_large`, `ledger.statement_malformed`, `ledger.statement_unprotected`,
                `ledger.statement_critical`, `ledger.statement_algorithm`, `ledger.statement_label`,
                `ledger.statement_not_hash_envelope`, `ledger.statement_incomplete`.
        """
        if len(raw) > MAX_ENTRY:
            raise Invalid("ledger.statement_too_large", size=len(raw), limit=MAX_ENTRY)
        try:
            envelope = Envelope.parse(raw)
            header = cbor.decode_loosely(envelope.protected)
        except Invalid as error:
            raise Invalid("ledger.statement_malformed") from error
        try:
            return _read(raw, envelope, header)
        except Invalid:
            _must_be_well_formed(envelope)  # which is the first thing to say about it
            raise

    @staticmethod
    def sign(claim: Claim, key: IssuerKey) -> Statement:
        """Make the statement; exactly what `parse` reads from its bytes, without reading them again.

        Raises:
            Invalid: as `parse`, when the claim says what no statement may.
        """
        kid = key.public.thumbprint
        labels = claim.labels(EDDSA, kid)
        _hash_envelope(labels, claim.payload)
        said = _claim(labels, claim.payload)
        if said.labels(EDDSA, kid) != labels:
            raise Invalid("ledger.statement_malformed")
        protected = cbor.encode_in_order(labels)
        signature = key.sign(to_be_signed(protected, said.payload))
        raw = Envelope(protected=protected, unprotected={}, payload=said.payload, signature=signature).encode()
        if len(raw) > MAX_ENTRY:
            raise Invalid("ledger.statement_too_large", size=len(raw), limit=MAX_ENTRY)
        return Statement(raw=raw, claim=said, kid=kid, algorithm=EDDSA, signature=signature)

    def verify(self, key: PublicKey) -> None:
        """Check the signature with the key that the caller trusts for this.

        Raises:
            Invalid: `ledger.statement_key_differs` when the key is not the one named by `kid` and algorithm;
                `ledger.statement_signature_wrong`.
        """
        if key.thumbprint != self.kid or key.algorithm != self.algorithm:
            raise Invalid("ledger.statement_key_differs", kid=self.kid.hex())
        protected = self.claim.header(self.algorithm, self.kid)
        if not key.accepts(self.signature, to_be_signed(protected, self.claim.payload)):
            raise Invalid("ledger.statement_signature_wrong", kid=self.kid.hex())


def sign_statement(claim: Claim, key: IssuerKey) -> bytes:
    """The bytes of `Statement.sign`, ready for the ledger.

    Raises:
        Invalid: as `Statement.parse`, when the claim says what no statement may.
    """
    return Statement.sign(claim, key).raw


def policy_statement(text: bytes, *, issuer: str, subject: str, key: IssuerKey, at: datetime) -> bytes:
    """The statement that registers a registration policy: its payload and its policy id are the text's SHA-256."""
    digest = hashlib.sha256(text).digest()
    claim = Claim(
        issuer=issuer,
        subject=subject,
        issued_at=at,
        kind="policy",
        policy=digest,
        payload=digest,
        content_type=POLICY_TYPE,
    )
    return sign_statement(claim, key)


def key_statement(
    public: PublicKey, *, issuer: str, subject: str, policy: bytes, key: IssuerKey, at: datetime, kind: str = "key"
) -> bytes:
    """The statement that registers a trusted key: its payload is the SHA-256 of the COSE_Key, the key's thumbprint.

    With the kind `key_retired` it says that nothing more is accepted from the key.
    """
    claim = Claim(
        issuer=issuer,
        subject=subject,
        issued_at=at,
        kind=kind,
        policy=policy,
        payload=public.thumbprint,
        content_type=KEY_TYPE,
    )
    return sign_statement(claim, key)


def governance_statement(
    paper: bytes,
    *,
    kind: str,
    content_type: str,
    issuer: str,
    subject: str,
    policy: bytes,
    key: IssuerKey,
    at: datetime,
) -> bytes:
    """The statement by which the platform registers a paper of governance: its payload is the paper's SHA-256.

    Raises:
        Invalid: as `Statement.parse`, when kind or names have no place on the ledger.
    """
    claim = Claim(
        issuer=issuer,
        subject=subject,
        issued_at=at,
        kind=kind,
        policy=policy,
        payload=hashlib.sha256(paper).digest(),
        content_type=content_type,
    )
    return sign_statement(claim, key)


def search_keys(statement: Statement) -> tuple[bytes, ...]:
    """The digests under which the public may find the statement; none for a private one."""
    if statement.claim.private:
        return ()
    return tuple(digest for digest in (statement.claim.payload, statement.claim.sm3) if digest is not None)


def _read(raw: bytes, envelope: Envelope, header: object) -> Statement:
    """The statement of a header that may yet be encoded in a way of its own; printed back, that would show."""
    if not isinstance(header, dict):
        raise Invalid("ledger.statement_malformed")
    if envelope.unprotected:
        raise Invalid("ledger.statement_unprotected")
    algorithm, kid = _signer(header)
    _hash_envelope(header, envelope.payload)
    if strange := [str(label) for label in header if label not in _LABELS]:
        raise Invalid("ledger.statement_label", labels=strange)
    claim = _claim(header, envelope.payload or b"")
    printed = cbor.encode_in_order(claim.labels(algorithm, kid))
    if len(envelope.signature) != SIGNATURE_SIZE or printed != envelope.protected:
        raise Invalid("ledger.statement_malformed")
    return Statement(raw=raw, claim=claim, kid=kid, algorithm=algorithm, signature=envelope.signature)


def _must_be_well_formed(envelope: Envelope) -> None:
    try:
        envelope.header()
    except Invalid as error:
        raise Invalid("ledger.statement_malformed") from error


def _signer(header: Mapping[int | str, Any]) -> tuple[int, bytes]:
    """Algorithm and `kid`; a header marked critical is refused, since none of ours is."""
    if CRITICAL in header:
        raise Invalid("ledger.statement_critical")
    match header.get(ALGORITHM), header.get(KEY_ID):
        case (int() as algorithm, _) if algorithm not in (EDDSA, ES256):
            raise Invalid("ledger.statement_algorithm", algorithm=algorithm)
        case (int() as algorithm, bytes() as kid) if len(kid) == DIGEST_SIZE:
            return algorithm, kid
        case _:
            raise Invalid("ledger.statement_incomplete", missing="alg, kid")


def _hash_envelope(header: Mapping[int | str, Any], payload: bytes | None) -> None:
    """RFC 9995: SHA-256 named in 258, its 32 bytes as payload, no content type (3)."""
    named = header.get(HASH_ALGORITHM)
    if named != SHA256 or type(named) is not int or CONTENT_TYPE in header:
        raise Invalid("ledger.statement_not_hash_envelope")
    if payload is None or len(payload) != DIGEST_SIZE:
        raise Invalid("ledger.statement_not_hash_envelope")


def _claim(header: Mapping[int | str, Any], payload: bytes) -> Claim:
    """The claim of a header with allowed labels; what it leaves out shows when the claim is printed back."""
    claims = header.get(CLAIMS)
    ours = header.get(CHOPMARK)
    if not isinstance(claims, dict) or not isinstance(ours, dict | None):
        raise Invalid("ledger.statement_incomplete", missing="iss, sub")
    issuer, subject, seconds = claims.get(ISSUER), claims.get(SUBJECT), claims.get(ISSUED_AT)
    if not _is(issuer, _IDENTIFIER) or not _is(subject, _IDENTIFIER):
        raise Invalid("ledger.statement_incomplete", missing="iss, sub")
    if type(seconds) is not int and not (seconds is None and ours is None):
        raise Invalid("ledger.statement_incomplete", missing="iat")
    content_type = header.get(PREIMAGE_TYPE)
    if not _is(content_type, _MEDIA_TYPE) and not (type(content_type) is int and content_type in _COAP_CONTENT_FORMATS):
        raise Invalid("ledger.statement_incomplete", missing="preimage content type")
    try:
        issued_at = None if seconds is None else clock.from_seconds(seconds)
    except Invalid as error:
        raise Invalid("ledger.statement_malformed") from error
    said: dict[str, Any] = {"issuer": issuer, "subject": subject, "issued_at": issued_at, "content_type": content_type}
    return Claim(payload=payload, **said, **({} if ours is None else _extension(ours, content_type)))


def _extension(ours: Mapping[Any, Any], content_type: object) -> dict[str, Any]:
    """The fields of our own header, each checked."""
    private, sm3, commitments = ours.get("private", False), ours.get("sm3"), ours.get("commitments", {})
    right = (
        _OURS.issuperset(ours)
        and _is_name(ours.get("kind"))
        and _is_digest(ours.get("policy"))
        and type(private) is bool
        and type(ours.get("agent", False)) is bool
        and (sm3 is None or (_is_digest(sm3) and not private))
        and private == (content_type == DISCLOSURE_TYPE)
        and isinstance(commitments, dict)
        and len(commitments) <= MAX_COMMITMENTS
        and all(map(_is_name, commitments))
        and all(map(_is_digest, commitments.values()))
    )
    if not right:
        raise Invalid("ledger.statement_malformed")
    return {**ours, "commitments": MappingProxyType(dict(commitments))}


def _is(value: object, form: re.Pattern[str]) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _is_digest(value: object) -> bool:
    return isinstance(value, bytes) and len(value) == DIGEST_SIZE

r"""What a verifier of bundles was given from outside: whose ledger counts, and whose certificates.

    {"$schema": "urn:chopmark:trust:1",
     "policies": [{"from": 0, "text": "log …\nquorum none\n"}],
     "roots": [{"certificate": "<DER, base64>", "name": "own", "own": true, "use": "tsa"}]}

One canonical form (RFC 8785; what does not print back is refused). Nothing of it may come from the bundle that is
judged: a forger brings roots of his own. The platform writes it for its visitors, a court keeps it for itself.

Certificates are carried, not read: that is `cades` and `ledger.timestamp`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from chopmark.base.errors import Invalid
from chopmark.evidence import quorum
from chopmark.ledger import der
from chopmark.ledger.policy import Policy

SCHEMA = "urn:chopmark:trust:1"
MAX_TRUST = 4 * 1024 * 1024  # bytes
MAX_ROOTS, MAX_POLICIES = 500, 1000
MAX_NAME = 64  # characters
LARGEST_SIZE = 2**53 - 1  # of a tree, as JSON can say it


class Use(StrEnum):
    """What a trusted certificate is trusted for."""

    SEAL = "seal"  # the platform's signature under a bundle
    TSA = "tsa"  # RFC 3161 tokens
    NOTARY = "notary"  # a second signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A certificate that is trusted, with all that it issued.

    Attributes:
        name: how people call whose it is; several certificates may have one name.
        use: what for.
        own: whether the platform that made the bundles holds its key, so that its word is no independent one.
        certificate: DER.
    """

    name: str
    use: Use
    own: bool
    certificate: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFrom:
    """A trust policy of the ledger and the size of a checkpoint from which on it was in force.

    Attributes:
        start: that size.
        text: the tlog-policy.
    """

    start: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whom somebody trusts.

    Attributes:
        policies: of the ledger, by `start`; none leaves receipts undecided.
        roots: in the order of their use, name and bytes.
    """

    policies: tuple[PolicyFrom, ...] = ()
    roots: tuple[Root, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "policies", tuple(sorted(self.policies, key=lambda each: each.start)))
        object.__setattr__(self, "roots", tuple(sorted(set(self.roots), key=_order)))
        starts = [each.start for each in self.policies]
        if len(set(starts)) != len(starts) or len(starts) > MAX_POLICIES or len(self.roots) > MAX_ROOTS:
            raise Invalid("bundle.trust_malformed")
        if not all(0 <= start <= LARGEST_SIZE for start in starts) or not all(map(_is_right, self.roots)):
            raise Invalid("bundle.trust_malformed")
        for each in self.policies:
            Policy.parse(_utf8(each.text))

    @classmethod
    def of(cls, policies: Mapping[int, bytes], roots: Iterable[Root]) -> Trust:
        """From policies as files hold them, by the size from which on each was in force.

        Raises:
            Invalid: `bundle.trust_malformed`; what `Policy.parse` raises.
        """
        try:
            said = tuple(PolicyFrom(start=start, text=text.decode()) for start, text in policies.items())
        except UnicodeDecodeError as error:
            raise Invalid("bundle.trust_malformed") from error
        return cls(policies=said, roots=tuple(roots))

    def policy_for(self, size: int | None) -> Policy | None:
        """The policy that judges what is under a checkpoint of a size (`evidence.quorum.in_force`), or None."""
        policies = {each.start: Policy.parse(each.text.encode()) for each in self.policies}
        start = quorum.in_force(policies, size)
        return None if start is None else policies[start]

    def certificates(self, *uses: Use) -> tuple[Root, ...]:
        """The roots trusted for any of these uses."""
        return tuple(each for each in self.roots if each.use in uses)

    def encode(self) -> bytes:
        """The canonical document (RFC 8785), UTF-8."""
        document = {
            "$schema": SCHEMA,
            "policies": [{"from": each.start, "text": each.text} for each in self.policies],
            "roots": [
                {
                    "certificate": base64.b64encode(each.certificate).decode(),
                    "name": each.name,
                    "own": each.own,
                    "use": each.use.value,
                }
                for each in self.roots
            ],
        }
        return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def parse(cls, data: bytes) -> Trust:
        """Read the canonical document.

        Raises:
            Invalid: `bundle.trust_malformed`; what `Policy.parse` raises.
        """
        if len(data) > MAX_TRUST:
            raise Invalid("bundle.trust_malformed")
        try:
            trust = _read(json.loads(data))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise Invalid("bundle.trust_malformed") from error
        if trust.encode() != data:
            raise Invalid("bundle.trust_malformed")
        return trust


def _read(document: dict[str, Any]) -> Trust:
    policies = tuple(PolicyFrom(start=_whole(each["from"]), text=str(each["text"])) for each in document["policies"])
    return Trust(policies=policies, roots=tuple(map(_root, document["roots"])))


def _root(entry: dict[str, Any]) -> Root:
    return Root(
        name=str(entry["name"]),
        use=Use(entry["use"]),
        own=entry["own"] is True,
        certificate=base64.b64decode(entry["certificate"], validate=True),
    )


def _whole(value: object) -> int:
    if type(value) is not int:
        raise TypeError("a whole number was expected")
    return value


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise Invalid("bundle.trust_malformed") from error


def _order(root: Root) -> tuple[str, str, bytes, bool]:
    return root.use.value, root.name, root.certificate, root.own


def _is_right(root: Root) -> bool:
    named = 0 < len(root.name) <= MAX_NAME and root.name.isprintable() and root.name == root.name.strip()
    try:
        _utf8(root.name)
        der.read(root.certificate)
    except ValueError:
        return False
    return named

"""What goes in and out of `/api/v1`, as it stands in openapi.json. No rules: those are in the actions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import BaseModel, ConfigDict, Field

from chopmark.evidence.actions import MAX_BATCH

Kind = Literal["work", "evidence", "document"]
State = Literal["pending", "published"]
HEX = r"^[0-9a-fA-F]{64}$"
BASE64 = r"^[A-Za-z0-9+/]*={0,2}$"
Digest = Annotated[str, Field(pattern=HEX, min_length=64, max_length=64)]


class Strict(BaseModel):
    """A field that is not known is refused rather than ignored: it may be a misspelt `private`.

    No `Schema` of ninja's: that one also reads objects and querysets, at several times the cost.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Digests(Strict):
    """Digests of one file, in hexadecimal."""

    sha256: Digest = Field(alias="sha-256", description="SHA-256 of the file.")
    sm3: Digest | None = Field(None, description="SM3 of the same file (GB/T 32905-2016).")


class DepositIn(Strict):
    """One thing to deposit: its digests and size, or a finished upload, and how to call it."""

    kind: Kind = Field(description="What is deposited.")
    digests: Digests | None = Field(None, description="May be left out when `upload` is given.")
    size: int | None = Field(None, ge=0, le=2**53 - 1, strict=True, description="Bytes in the file; with `digests`.")
    upload: UUID | None = Field(None, description="A finished upload of /uploads/; the file is then kept.")
    title: str = Field("", max_length=300)
    author: str = Field("", max_length=300)
    file_name: str = Field("", max_length=255)
    media_type: str = Field("", max_length=255, description="type/subtype; application/octet-stream when empty.")
    private: bool = Field(
        False,  # noqa: FBT003 (pydantic's first argument is the default)
        strict=True,
        description="Commit to the digest with a salt: nobody finds the deposit by the file.",
    )
    statement: str | None = Field(
        None,
        pattern=BASE64,
        max_length=87_384,
        description="A SCITT signed statement made with your own registered key, in base64.",
    )
    disclosures: list[Annotated[str, Field(pattern=BASE64, max_length=12_000)]] = Field(
        default_factory=list, max_length=16, description="What your statement commits to, each in base64."
    )


class BatchIn(Strict):
    """Up to 1000 deposits; each succeeds or fails alone."""

    items: list[Any] = Field(min_length=1, max_length=MAX_BATCH, description="Each a DepositIn.")


class DigestsOut(Schema):
    """Digests in hexadecimal; `sha-256` is absent only when a signed private statement does not tell."""

    sha256: str | None = Field(None, alias="sha-256")
    sm3: str | None = None


class DepositOut(Schema):
    """A deposit of your organisation."""

    id: UUID
    number: str = Field(description="The short number, for people.")
    state: State = Field(description="`pending` until the log has published the entry; then there is a receipt.")
    kind: str
    title: str
    author: str
    file_name: str
    media_type: str
    size: int | None
    private: bool
    digests: DigestsOut
    kept: bool = Field(description="The platform keeps the file itself.")
    agent: bool = Field(description="The platform signed for you; false when you signed with your own key.")
    source: str = Field(description="The door it came through: page, api, cli or scrapi.")
    leaf: str = Field(description="RFC 6962 leaf hash of the statement, in hexadecimal; the id at /entries/.")
    created_at: datetime
    position: int | None = Field(description="Zero-based position on the log.")
    published_at: datetime | None
    earlier: list[str] = Field(description="Short numbers of your earlier deposits of the same digest.")
    links: dict[str, str]


class ListOut(Schema):
    """A page of deposits, newest first."""

    items: list[DepositOut]
    counts: dict[str, int] = Field(description="Deposits that fit the search on all pages: pending, published, all.")
    next: str | None = Field(description="Address of the following page, also in the Link header.")


class FieldError(Schema):
    """One wrong field."""

    pointer: str = Field(description="JSON pointer into the body, or the name of the parameter.")
    detail: str


class Problem(Schema):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="Address of the page that explains the code.")
    title: str
    status: int
    detail: str = Field(description="A sentence in the reader's language (Accept-Language: zh or en).")
    code: str = Field(description="Stable name of the error.")
    facts: dict[str, Any]
    errors: list[FieldError] = Field(default_factory=list)


class BatchItem(Schema):
    """What became of one item: `deposit` (201 new, 200 made before) or `error`."""

    status: int
    deposit: DepositOut | None = None
    error: Problem | None = None


class BatchOut(Schema):
    """The answers, in the order of the items."""

    items: list[BatchItem]
    created: int
    existing: int
    refused: int


class ShareOut(Schema):
    """A link that shows the receipt to anybody who has it."""

    url: str


class FoundEntry(Schema):
    """One public entry."""

    position: int
    leaf: str
    links: dict[str, str]


class SearchOut(Schema):
    """Public entries under a digest."""

    digest: str
    entries: list[FoundEntry]


class VerifyIn(Strict):
    """A receipt and, if there is one at hand, the file's digests and size."""

    receipt: str = Field(pattern=BASE64, max_length=1_500_000, description="Either format, in base64.")
    digests: Digests | None = None
    size: int | None = Field(None, ge=0, le=2**53 - 1, strict=True, description="With `digests`.")


class KeyIn(Strict):
    """A signing key of your organisation."""

    key: str = Field(pattern=BASE64, max_length=1000, description="COSE_Key of an Ed25519 or P-256 public key, base64.")
    name: str = Field(min_length=1, max_length=80)


class KeyOut(Schema):
    """A registered signing key."""

    thumbprint: str = Field(description="RFC 9679, SHA-256, hexadecimal: the kid of its statements.")
    name: str
    algorithm: str
    state: Literal["active", "retired"]
    created_at: datetime
    retired_at: datetime | None


class KeysOut(Schema):
    """All signing keys of your organisation, retired ones too."""

    items: list[KeyOut]


class OrganisationOut(Schema):
    """An organisation."""

    id: UUID
    name: str


class WhoamiOut(Schema):
    """Who this key or session is."""

    organisation: OrganisationOut
    role: str
    scopes: list[str] | None = Field(description="Null for a person in a session.")
    issuer: str = Field(description="`iss` of statements that you sign yourselves.")
    policy: str = Field(description="Id of the registration policy in force, hexadecimal.")


class LogOut(Schema):
    """The log as it stands."""

    origin: str
    size: int
    root: str | None
    published_at: datetime | None
    keys: list[str] = Field(description="Verifier keys (C2SP vkey).")
    policy: str = Field(description="Id of the registration policy in force, hexadecimal.")
    links: dict[str, str]


class TitleOut(Schema):
    """An institution's name in two languages."""

    zh: str
    en: str


class MemberOut(Schema):
    """A member of the consortium as the writer last saw it."""

    name: str = Field(description="Short name, as in the policy.")
    kind: str = Field(description="court, notary, customs, government, association or company.")
    title: TitleOut
    url: str | None = Field(description="Its node; null for one that is reached by pull only.")
    counts: bool = Field(description="Whether the rule counts it.")
    mirrors: bool = Field(description="Whether it holds every entry.")
    size: int = Field(description="Entries under its last cosignature, as far as the writer has heard since its start.")
    cosigned_at: datetime | None
    behind: int | None = Field(
        description="Entries of the newest checkpoint beyond its last cosignature; null when not heard yet."
    )
    trouble: str | None = Field(description="A code of docs/reference/errors.md; null when nothing is wrong.")
    since: datetime | None = Field(description="When the trouble, or the good order, began.")
    alarms: int | None = Field(
        description="Alarms about this log that the member says it has raised; null when the writer has not heard."
    )
    alarm: str | None = Field(description="Code of the newest.")
    alarm_at: datetime | None = Field(description="Its time, by the member's clock.")


class WaitingOut(Schema):
    """A checkpoint that waits for members."""

    size: int
    since: datetime | None
    present: list[str] = Field(description="Names of institutions that have cosigned it.")
    missing: list[str]


class ConsortiumOut(Schema):
    """Who holds the log."""

    quorum: Literal["none", "met", "missing"] = Field(description="`none` when the platform holds the log alone.")
    rule: str | None = Field(description="For example `part-1: 2 of a b c and part-2: 1 of d e`.")
    size: int = Field(description="Entries published.")
    published_at: datetime | None
    waiting: WaitingOut | None
    members: list[MemberOut]
    links: dict[str, str]

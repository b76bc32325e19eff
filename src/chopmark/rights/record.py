"""What a right is, as frozen values: the office's record, and what is known about it here.

    Record   what an office (or its holder) says of one right: numbers, owner, mark, classes, territories, dates, status
    Right    a record with its standing on the platform: lifecycle, verification, interests, disputes, customs recordals
    Work     what its maker says of a picture, a sound, a film or a text that was deposited, and of its files

Codes are the field's own: offices, countries and organisations by WIPO ST.3 (EM the office, EU the territory), status
by the six words of WIPO's Global Brand Database, classes by Nice, Locarno or IPC. Where a value was normalised, the
office's own text stands in `raw` under the field's name. Dates are days in law, without time or zone; None is
"not said".
Nothing here reads a file, a table or a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

Kind = Literal[
    "trademark", "design", "patent", "utility_model", "copyright", "neighbouring", "gi", "trade_name", "domain"
]
Status = Literal["registered", "pending", "ended", "expired", "deleted", "unknown"]
State = Literal[
    "draft",
    "submitted",
    "checking",
    "incorrect",
    "verified",
    "suspended",
    "expiring",
    "grace",
    "expired",
    "assigned_away",
    "withdrawn",
    "cancelled",
    "refused",
]
Role = Literal[
    "owner",
    "co_owner",
    "assignee",
    "licensee_exclusive",
    "licensee",
    "authorised_seller",
    "pledgee",
    "collecting_society",
]
Power = Literal["file", "notice", "withdraw", "settle", "sue", "customs"]
Via = Literal["direct", "madrid", "hague", "regional"]
Scheme = Literal["nice", "locarno", "ipc", "cpc", "us", "cn_subclass", "jp_kr_similar_group"]
Verdict = Literal["equal", "tolerated", "needs_paper", "contradiction"]
Level = Literal[0, 1, 2, 3, 4]
"""0 claimed; 1 papers read and consistent; 2 equal to the office's record; 3 control shown; 4 signed by an office."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text with its language (BCP 47, empty when not said)."""

    text: str
    lang: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """`scheme` is USCC, LEI, EORI, VAT, ISNI, or `office:XX` for an office's own number of a party."""

    scheme: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A person, firm or body.

    Attributes:
        name: the legal one; `also` holds trading names and transliterations.
        country: ST.3; empty when not said.
    """

    name: str
    also: tuple[Text, ...] = ()
    country: str = ""
    identifiers: tuple[Identifier, ...] = ()
    person: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The sign itself, for a trade mark; the labels in brackets are INID codes (ST.60).

    Attributes:
        verbal: its words (541); empty for a purely figurative mark.
        feature: word, figurative, combined, three_dimensional, colour, sound, hologram, olfactory, motion, position,
            multimedia, pattern, other or unknown (ST.66/ST.96 features in lower case).
        image: SHA-256 of its picture where the platform has it.
    """

    verbal: str = ""
    feature: str = "unknown"
    transliteration: str = ""  # 561
    translation: str = ""  # 566
    disclaimer: str = ""  # 526
    standard_characters: bool | None = None
    colours: tuple[str, ...] = ()  # 591
    vienna: tuple[str, ...] = ()  # 531
    us_design_codes: tuple[str, ...] = ()
    description: tuple[Text, ...] = ()  # 571
    image: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """One class of goods and services (511 for Nice), with what the right covers of it.

    Attributes:
        goods: the specification, in each language given; empty means the class as a whole.
        since, until: the days between which it counts, where it came or went separately.
    """

    scheme: Scheme
    code: str
    edition: str = ""
    goods: tuple[Text, ...] = ()
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Designation:
    """A territory that the right covers, with its own state there.

    Attributes:
        territory: a country or the territory of a regional right (`EU`, `BX`, `OA`), ST.3.
        classes: codes, where narrower than the right's; empty for all.
        until: the first day on which it no longer counts.
    """

    territory: str
    status: Status = "unknown"
    number: str = ""
    via: Via = "direct"
    since: date | None = None
    until: date | None = None
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Priority:
    """A priority (300), seniority or exhibition priority."""

    kind: Literal["paris", "seniority", "exhibition"]
    country: str
    number: str = ""
    date: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a record is from.

    Attributes:
        format: `form`, `csv`, `st66`, `st96`, `rfc7848`, `euipo`, `tsdr`, `certificate`, `snapshot`.
        sha256: of the file or answer that was read.
        fetched_at: when the office gave it (an aware UTC time), not when it was read.
    """

    format: str
    sha256: bytes = b""
    fetched_at: datetime | None = None
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is said of one right, by its holder or by an office.

    Attributes:
        office: ST.3 code of the granting office; empty for rights that nobody registers.
        st13: the canonical key, 17 characters, empty where it cannot be made.
        raw: the office's own text beside what was normalised, by the field's name (`status`, `registration_date`, ...).
    """

    kind: Kind
    office: str = ""
    application_number: str = ""  # 210
    registration_number: str = ""  # 111
    st13: str = ""
    title: str = ""
    mark: Mark | None = None
    owners: tuple[Party, ...] = ()  # 730
    representatives: tuple[Party, ...] = ()  # 740
    classes: tuple[Class, ...] = ()
    designations: tuple[Designation, ...] = ()
    priorities: tuple[Priority, ...] = ()
    application_date: date | None = None  # 220
    publication_date: date | None = None
    registration_date: date | None = None  # 151
    expiry_date: date | None = None  # 180
    status: Status = "unknown"
    status_date: date | None = None
    collective: Literal["", "collective", "certification", "defensive"] = ""
    raw: Mapping[str, str] = field(default_factory=dict)
    source: Source = field(default_factory=lambda: Source(format="form"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """Ownership, assignment, licence or an authorised seller: who may do what, where, until when, by whose grant.

    Attributes:
        id: unique within the right.
        granted_by: id of the interest that it hangs on; empty when the owner granted it. A grant never reaches further
            than the one above it (territory, class, channel, days).
        organisation: the party's organisation here, where it has one.
        territories, classes, channels: empty means all that the granting interest has. A channel is a marketplace's
            name or `*.example` host, `offline`, ...
        quantity: of pieces, None for no limit.
        until: the first day on which it no longer counts.
    """

    id: str
    party: Party
    role: Role
    granted_by: str = ""
    organisation: str = ""
    territories: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    quantity: int | None = None
    share: str = ""
    since: date | None = None
    until: date | None = None
    ended_on: date | None = None
    recorded_at_office: bool = False
    document: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """A power of attorney: an agent organisation acts for a principal organisation.

    Attributes:
        rights: ids of the rights that it is limited to; empty for all of the principal's.
        accepted_on: the day on which the agent accepted it; before, and without one, it has no effect.
    """

    id: str
    principal: str
    agent: str
    powers: frozenset[Power]
    territories: tuple[str, ...] = ()
    rights: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    accepted_on: date | None = None
    revoked_on: date | None = None
    document: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomsRecordal:
    """A recordal with a customs authority (China: goods marks, patents and copyright; 10 years)."""

    id: str
    authority: str  # ST.3 of the country
    number: str
    since: date | None = None
    until: date | None = None
    authorised: tuple[Party, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """Something that puts the right in question.

    Attributes:
        kind: opposition, invalidity, revocation, ownership, bad_faith, counter_notice, court, udrp, same_territory.
        effect: what it does while it is open.
    """

    id: str
    kind: str
    effect: Literal["none", "suspend", "limit"] = "suspend"
    forum: str = ""
    number: str = ""
    opened_on: date | None = None
    closed_on: date | None = None
    outcome: str = ""
    territories: tuple[str, ...] = ()
    other: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field compared with the office's record; `rule` names why it is tolerated or not."""

    field: str
    claimed: str
    found: str
    verdict: Verdict
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """How a level was reached: the comparison, by whom, when, from which source."""

    level: Level
    method: str
    at: datetime
    by: str = ""
    source: Source | None = None
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """A right as it stood at a moment.

    Attributes:
        id: a UUID as text.
        number: short, for people: `R-2026-000001`.
        organisation: who filed it (the holder's organisation; agents act under a mandate).
        version: counts its events.
    """

    id: str
    number: str
    organisation: str
    state: State
    record: Record
    version: int
    verification: Verification | None = None
    interests: tuple[Interest, ...] = ()
    customs: tuple[CustomsRecordal, ...] = ()
    disputes: tuple[Dispute, ...] = ()

    @property
    def level(self) -> Level:
        """Verification level, 0 without any."""
        return self.verification.level if self.verification is not None else 0


WorkKind = Literal["picture", "audio", "video", "text"]
Basis = Literal["author", "employer", "assignee", "heir", "licensee_exclusive", "collecting_society", "agent"]
"""Why whoever registers a work may."""
Shown = Literal["public", "private"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """The first publication: a day, a place or address, a country (ST.3); each may be left out."""

    on: date | None = None
    where: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkRecord:
    """What is said of a work by whoever registers it.

    Attributes:
        statement: of the rights, for everybody to read, also beside a match.
        created_on: when it was finished.
        licence: an SPDX identifier, `LicenseRef-...`, or empty: all rights reserved.
        tdm_reserved: whether mining its text and data is reserved (TDMRep, Art. 4 (3) of Directive (EU) 2019/790);
            None says nothing.
        tdm_policy: address of the terms on which it may be mined.
        series: name of the series that it belongs to.
        version_of: id of the work that it is a later version of.
        shown: whether others see title, authors and licence beside a match, or the statement alone; never the file.
    """

    kind: WorkKind
    title: str
    authors: tuple[Party, ...] = ()
    basis: Basis = "author"
    statement: str = ""
    created_on: date | None = None
    publication: Publication | None = None
    licence: str = ""
    licence_url: str = ""
    tdm_reserved: bool | None = None
    tdm_policy: str = ""
    series: str = ""
    version_of: str = ""
    shown: Shown = "private"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkFile:
    """A file of a work: its digest, and the deposit that shows by when it existed."""

    sha256: bytes
    size: int
    deposit: str
    name: str = ""
    media_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """What a file was found to be: its ISCC (ISO 24138), and the digest of its fingerprint."""

    sha256: bytes
    iscc: str = ""
    algorithm: str = ""
    fingerprint: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A work as it stood at a moment.

    Attributes:
        id: a UUID as text.
        number: short, for people: `W-2026-000001`.
        organisation: whose it is here.
        version: counts its events.
    """

    id: str
    number: str
    organisation: str
    state: Literal["filed", "withdrawn"]
    record: WorkRecord
    version: int
    files: tuple[WorkFile, ...] = ()
    identified: tuple[Identified, ...] = ()

"""The manifest of a bundle: what is in it, what it shall prove, and where it comes from.

    manifest = Manifest.parse(container.read("manifest.json", MAX_MANIFEST))
    manifest.content_sha256      what certificate.pdf prints and a reader compares

`manifest.json` is canonical JSON (RFC 8785). It lists every file of the bundle but itself, `mimetype` and META-INF/:
what a party brings as evidence under `items`, everything else under `documents`. Parsing is strict: a member that is
missing, unknown, of another type or of another form is refused, and so is what does not print back.

Nothing is checked against the files here; see `check`. `docs/bundles.md` describes each member.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final, TypeVar

from chopmark.base import clock, jcs
from chopmark.base.errors import Invalid
from chopmark.evidence.bundle.asic import MEDIA_TYPE
from chopmark.evidence.bundle.container import MAX_ENTRIES, META_INF, MIMETYPE_NAME, must_be_distinct, must_be_safe

SCHEMA = "urn:chopmark:evidence-bundle:1"
MANIFEST_NAME = "manifest.json"
MAX_MANIFEST = 16 << 20  # bytes
MAX_TEXT = 10_000  # characters
MAX_LIST = MAX_ENTRIES
SHA256_SIZE: Final = 32

_WORD = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")
_BUNDLE = re.compile(r"B-[0-9]{4}-[0-9]{6,12}")
_ITEM = re.compile(r"E-[0-9]{3,5}")
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_HEX = re.compile(r"[0-9a-f]{64}")

Json = dict[str, Any]
_Value = TypeVar("_Value")


# ---- values ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """What a person reads, in both languages; the same text twice when there is one only."""

    zh: str
    en: str

    def as_json(self) -> Json:
        """The JSON form."""
        return {"zh": self.zh, "en": self.en}


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of an item.

    Attributes:
        path: in the container, under the item's folder.
        media_type: `type/subtype`, lower case, without parameters.
        size: bytes.
        sha256: 32 bytes.
        role: what it is to the item: `primary`, `rendition`, `log`, `cleanliness`, ...
        sm3: 32 bytes, when there is one.
        derived_from: path of the file in the bundle that it was made of.
    """

    path: str
    media_type: str
    size: int
    sha256: bytes
    role: str
    sm3: bytes | None = None
    derived_from: str | None = None

    def as_json(self) -> Json:
        """The JSON form."""
        return _document_json(self) | _given(
            sm3=None if self.sm3 is None else self.sm3.hex(), derived_from=self.derived_from
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositRef:
    """That a digest stands on the ledger.

    Attributes:
        number: the platform's number of the deposit.
        sha256: what was deposited, 32 bytes.
        receipt: path of the Transparent Statement in the bundle.
    """

    number: str
    sha256: bytes
    receipt: str

    def as_json(self) -> Json:
        """The JSON form."""
        return {"number": self.number, "sha256": self.sha256.hex(), "receipt": self.receipt}


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An RFC 3161 token made for one file, at its capture for instance.

    Attributes:
        path: of the token in the bundle.
        over: path of the file that it is about.
    """

    path: str
    over: str

    def as_json(self) -> Json:
        """The JSON form."""
        return {"path": self.path, "over": self.over}


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """How a page was captured.

    Attributes:
        mode: `automatic`, `live` or `operator`.
        requested_url: the address that was asked for.
        final_url: the address that answered in the end.
        started: UTC, whole seconds.
        ended: UTC, whole seconds.
        engine: browser and version.
        engine_sha256: digest of the browser's program, 32 bytes.
        vantages: from where it was looked at, each in a few words.
        cleanliness: the verdict of the cleanliness report, one word; the report is a file of the item.
        complete: whether the capture came to its end.
    """

    mode: str
    requested_url: str
    final_url: str
    started: datetime
    ended: datetime
    engine: str
    engine_sha256: bytes
    vantages: tuple[str, ...]
    cleanliness: str
    complete: bool

    def as_json(self) -> Json:
        """The JSON form."""
        return {
            "mode": self.mode,
            "requested_url": self.requested_url,
            "final_url": self.final_url,
            "started": clock.to_text(self.started),
            "ended": clock.to_text(self.ended),
            "engine": self.engine,
            "engine_sha256": self.engine_sha256.hex(),
            "vantages": list(self.vantages),
            "cleanliness": self.cleanliness,
            "complete": self.complete,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One piece of evidence.

    Attributes:
        id: `E-001`.
        kind: `capture`, `photograph`, `invoice`, ...; a word.
        title: its name in the list of evidence.
        purpose: what it shall prove (证明目的).
        source: where it comes from, in named texts.
        phase: of the matter to which it belongs; a word.
        folder: where all its files are, without a slash at the end.
        files: at least one.
        deposits: of its files, or of a list of them.
        capture: how it was captured, if it was.
        tokens: over its files.
    """

    id: str
    kind: str
    title: Text
    purpose: Text
    source: Mapping[str, str]
    phase: str
    folder: str
    files: tuple[File, ...]
    deposits: tuple[DepositRef, ...] = ()
    capture: Capture | None = None
    tokens: tuple[Token, ...] = ()

    def as_json(self) -> Json:
        """The JSON form."""
        return {
            "id": self.id,
            "kind": self.kind,
            "title": self.title.as_json(),
            "purpose": self.purpose.as_json(),
            "source": dict(self.source),
            "phase": self.phase,
            "folder": self.folder,
            "files": [each.as_json() for each in self.files],
            "deposits": [each.as_json() for each in self.deposits],
            "tokens": [each.as_json() for each in self.tokens],
        } | _given(capture=None if self.capture is None else self.capture.as_json())


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One file that belongs to the bundle and to no item: `README.txt`, a receipt, a certificate of a root, ...

    Attributes:
        path: in the container.
        media_type: as in `File`.
        size: bytes.
        sha256: 32 bytes.
        role: `readme`, `verifier`, `certificate`, `custody`, `receipt`, `trust`, `schema`, ...; a word.
    """

    path: str
    media_type: str
    size: int
    sha256: bytes
    role: str

    def as_json(self) -> Json:
        """The JSON form."""
        return _document_json(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """What the bundle is about.

    Attributes:
        id: the platform's number of the matter.
        template: by which it was opened.
        title: its name.
        jurisdiction: `CN`, `CN-ZJ`, `EU`, ...
        court_profile: for which court the bundle was made, if for one.
    """

    id: str
    template: str
    title: Text
    jurisdiction: str
    court_profile: str | None = None

    def as_json(self) -> Json:
        """The JSON form."""
        return {
            "id": self.id,
            "template": self.template,
            "title": self.title.as_json(),
            "jurisdiction": self.jurisdiction,
        } | _given(court_profile=self.court_profile)


@dataclass(frozen=True, slots=True, kw_only=True)
class Depositor:
    """Whose evidence it is, as the platform knows them; no number of an identity card.

    Attributes:
        name: of the party.
        type: `person`, `company`, ...; a word.
        agent: who acts for them.
    """

    name: str
    type: str
    agent: str | None = None

    def as_json(self) -> Json:
        """The JSON form."""
        return {"name": self.name, "type": self.type} | _given(agent=self.agent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """Who made the bundle.

    Attributes:
        operator: the organisation that runs the platform.
        software: name and version.
        origin: of the log on which it deposits.
        independence: what interest the operator has in such matters, in its own words.
    """

    operator: str
    software: str
    origin: str
    independence: Text

    def as_json(self) -> Json:
        """The JSON form."""
        return {
            "operator": self.operator,
            "software": self.software,
            "origin": self.origin,
            "independence": self.independence.as_json(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Custody:
    """The custody log of the matter.

    Attributes:
        log: its path in the bundle.
        head: digest of the last line, 32 bytes.
        entries: number of lines.
    """

    log: str
    head: bytes
    entries: int

    def as_json(self) -> Json:
        """The JSON form."""
        return {"log": self.log, "head": self.head.hex(), "entries": self.entries}


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """That a file stands here in place of another one.

    Attributes:
        path: of the file that is shown.
        reason: why the original is not.
        original_sha256: digest of the original, 32 bytes.
        sealed: path of the copy that only the court can open, when there is one.
    """

    path: str
    reason: str
    original_sha256: bytes
    sealed: str | None = None

    def as_json(self) -> Json:
        """The JSON form."""
        return {
            "path": self.path,
            "reason": self.reason,
            "original_sha256": self.original_sha256.hex(),
        } | _given(sealed=self.sealed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The whole manifest.

    Attributes:
        bundle: `B-2026-000123`.
        created: UTC, whole seconds.
        matter: what it is about.
        depositor: whose evidence it is.
        platform: who made it.
        items: the evidence.
        documents: every other file.
        custody: the log of the matter's custody.
        redactions: which files stand in place of others.
        claims: by legal system, on which rules the depositor relies.
        stated_content: what a manifest that was read states as its `content_sha256`, 32 bytes; who checks it compares
            the two. None when the manifest was made here.
    """

    bundle: str
    created: datetime
    matter: Matter
    depositor: Depositor
    platform: Platform
    items: tuple[Item, ...]
    documents: tuple[Document, ...]
    custody: Custody
    redactions: tuple[Redaction, ...] = ()
    claims: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    stated_content: bytes | None = field(default=None, compare=False)

    @property
    def content_sha256(self) -> bytes:
        """The digest of what the bundle says of the matter, made anew, 32 bytes.

        It leaves out `documents`, so that a certificate that is one of them can print it.
        """
        return sha256(jcs.encode(self._content_json())).digest()

    @property
    def listed(self) -> tuple[File | Document, ...]:
        """Every file that the manifest lists: those of the items, then the documents."""
        return (*(each for item in self.items for each in item.files), *self.documents)

    def encode(self) -> bytes:
        """The canonical JSON.

        Raises:
            Invalid: `bundle.manifest_malformed` when a value has not the form that `parse` would accept.
        """
        data = self._encode()
        if Manifest.parse(data) != self:
            raise Invalid("bundle.manifest_malformed", reason="not_canonical")
        return data

    @classmethod
    def parse(cls, data: bytes) -> Manifest:
        """Read one.

        Raises:
            Invalid: `bundle.manifest_malformed`; `reason` is `not_json`, or names the first member that is wrong.
        """
        if len(data) > MAX_MANIFEST:
            raise Invalid("bundle.manifest_malformed", reason="not_json")
        try:
            value = jcs.decode(data)
        except Invalid as error:
            raise Invalid("bundle.manifest_malformed", reason="not_json") from error
        read = _manifest(_Members(value, ""))
        _must_fit(read)
        if read._encode() != data:  # noqa: SLF001 (its own class)
            raise Invalid("bundle.manifest_malformed", reason="not_canonical")
        return read

    def _encode(self) -> bytes:
        try:
            return jcs.encode(
                {
                    "$schema": SCHEMA,
                    "bundle": self.bundle,
                    "created": clock.to_text(self.created),
                    "platform": self.platform.as_json(),
                    "documents": [each.as_json() for each in self.documents],
                    "claims": {name: list(each) for name, each in self.claims.items()},
                    "content_sha256": (self.stated_content or self.content_sha256).hex(),
                    **self._content_json(),
                }
            )
        except Invalid as error:
            raise Invalid("bundle.manifest_malformed", reason="not_json") from error

    def _content_json(self) -> Json:
        return {
            "matter": self.matter.as_json(),
            "depositor": self.depositor.as_json(),
            "items": [each.as_json() for each in self.items],
            "custody": self.custody.as_json(),
            "redactions": [each.as_json() for each in self.redactions],
        }


def _given(**members: object) -> Json:
    return {name: value for name, value in members.items() if value is not None}


def _document_json(file: File | Document) -> Json:
    return {
        "path": file.path,
        "media_type": file.media_type,
        "bytes": file.size,
        "sha256": file.sha256.hex(),
        "role": file.role,
    }


# ---- reading ---------------------------------------------------------------------------------------------------------


class _Members:
    """Takes the members of one JSON object by name; `end` refuses what nobody took."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise _wrong(where or "manifest")
        self._left: Json = dict(value)
        self._where = where

    def at(self, name: str) -> str:
        return f"{self._where}.{name}" if self._where else name

    def take(self, name: str) -> object:
        if name not in self._left:
            raise _wrong(self.at(name))
        return self._left.pop(name)

    def has(self, name: str) -> bool:
        return name in self._left

    def end(self) -> None:
        if self._left:
            raise _wrong(self.at(min(self._left)))

    def prose(self, name: str) -> str:
        """What a person reads: not empty, without control characters but tab and new line."""
        value = self.take(name)
        if not isinstance(value, str) or not _is_prose(value):
            raise _wrong(self.at(name))
        return value

    def form(self, name: str, pattern: re.Pattern[str]) -> str:
        value = self.take(name)
        if not isinstance(value, str) or pattern.fullmatch(value) is None:
            raise _wrong(self.at(name))
        return value

    def path(self, name: str) -> str:
        value = self.take(name)
        if not isinstance(value, str) or not _is_path(value):
            raise _wrong(self.at(name))
        return value

    def digest(self, name: str) -> bytes:
        return bytes.fromhex(self.form(name, _HEX))

    def moment(self, name: str) -> datetime:
        text = self.form(name, _TIME)
        try:
            return datetime.fromisoformat(text[:-1]).replace(tzinfo=UTC)
        except ValueError as error:
            raise _wrong(self.at(name)) from error

    def count(self, name: str) -> int:
        value = self.take(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise _wrong(self.at(name))
        return value

    def flag(self, name: str) -> bool:
        value = self.take(name)
        if not isinstance(value, bool):
            raise _wrong(self.at(name))
        return value

    def inner(self, name: str, read: Callable[[_Members], _Value]) -> _Value:
        return read(_Members(self.take(name), self.at(name)))

    def each(self, name: str, read: Callable[[_Members], _Value]) -> tuple[_Value, ...]:
        value, where = self._list(name), self.at(name)
        return tuple(read(_Members(each, f"{where}[{index}]")) for index, each in enumerate(value))

    def proses(self, name: str) -> tuple[str, ...]:
        value, where = self._list(name), self.at(name)
        read = []
        for index, each in enumerate(value):
            if not isinstance(each, str) or not _is_prose(each):
                raise _wrong(f"{where}[{index}]")
            read.append(each)
        return tuple(read)

    def keys(self, name: str) -> _Members:
        """An object whose names are free but for their form."""
        inner = _Members(self.take(name), self.at(name))
        for key in inner.names():
            if _KEY.fullmatch(key) is None:
                raise _wrong(self.at(name))
        return inner

    def names(self) -> list[str]:
        return sorted(self._left)

    def _list(self, name: str) -> Sequence[object]:
        value = self.take(name)
        if not isinstance(value, list) or len(value) > MAX_LIST:
            raise _wrong(self.at(name))
        return value


def _wrong(member: str) -> Invalid:
    return Invalid("bundle.manifest_malformed", reason=member[:MAX_TEXT])


def _is_prose(text: str) -> bool:
    return 0 < len(text) <= MAX_TEXT and not any(each < " " and each not in "\t\n" for each in text)


def _is_path(path: str) -> bool:
    try:
        must_be_safe(path)
    except Invalid:
        return False
    return not path.startswith(META_INF)


def _manifest(members: _Members) -> Manifest:
    if members.take("$schema") != SCHEMA:
        raise _wrong("$schema")
    read = Manifest(
        bundle=members.form("bundle", _BUNDLE),
        created=members.moment("created"),
        matter=members.inner("matter", _matter),
        depositor=members.inner("depositor", _depositor),
        platform=members.inner("platform", _platform),
        items=members.each("items", _item),
        documents=members.each("documents", _document),
        custody=members.inner("custody", _custody),
        redactions=members.each("redactions", _redaction),
        claims=_claims(members.keys("claims")),
        stated_content=members.digest("content_sha256"),
    )
    members.end()
    return read


def _matter(members: _Members) -> Matter:
    read = Matter(
        id=members.form("id", _NUMBER),
        template=members.form("template", _WORD),
        title=members.inner("title", _text),
        jurisdiction=members.form("jurisdiction", _KEY),
        court_profile=members.form("court_profile", _NUMBER) if members.has("court_profile") else None,
    )
    members.end()
    return read


def _depositor(members: _Members) -> Depositor:
    read = Depositor(
        name=members.prose("name"),
        type=members.form("type", _WORD),
        agent=members.prose("agent") if members.has("agent") else None,
    )
    members.end()
    return read


def _platform(members: _Members) -> Platform:
    read = Platform(
        operator=members.prose("operator"),
        software=members.prose("software"),
        origin=members.prose("origin"),
        independence=members.inner("independence", _text),
    )
    members.end()
    return read


def _item(members: _Members) -> Item:
    read = Item(
        id=members.form("id", _ITEM),
        kind=members.form("kind", _WORD),
        title=members.inner("title", _text),
        purpose=members.inner("purpose", _text),
        source=_source(members.keys("source")),
        phase=members.form("phase", _WORD),
        folder=members.path("folder"),
        files=members.each("files", _file),
        deposits=members.each("deposits", _deposit),
        capture=members.inner("capture", _capture) if members.has("capture") else None,
        tokens=members.each("tokens", _token),
    )
    if not read.files:
        raise _wrong(members.at("files"))
    members.end()
    return read


def _text(members: _Members) -> Text:
    read = Text(zh=members.prose("zh"), en=members.prose("en"))
    members.end()
    return read


def _source(members: _Members) -> Mapping[str, str]:
    return MappingProxyType({name: members.prose(name) for name in members.names()})


def _claims(members: _Members) -> Mapping[str, tuple[str, ...]]:
    return MappingProxyType({name: members.proses(name) for name in members.names()})


def _file(members: _Members) -> File:
    read = File(
        path=members.path("path"),
        media_type=members.form("media_type", MEDIA_TYPE),
        size=members.count("bytes"),
        sha256=members.digest("sha256"),
        sm3=members.digest("sm3") if members.has("sm3") else None,
        role=members.form("role", _WORD),
        derived_from=members.path("derived_from") if members.has("derived_from") else None,
    )
    members.end()
    return read


def _document(members: _Members) -> Document:
    read = Document(
        path=members.path("path"),
        media_type=members.form("media_type", MEDIA_TYPE),
        size=members.count("bytes"),
        sha256=members.digest("sha256"),
        role=members.form("role", _WORD),
    )
    members.end()
    return read


def _deposit(members: _Members) -> DepositRef:
    read = DepositRef(
        number=members.form("number", _NUMBER), sha256=members.digest("sha256"), receipt=members.path("receipt")
    )
    members.end()
    return read


def _token(members: _Members) -> Token:
    read = Token(path=members.path("path"), over=members.path("over"))
    members.end()
    return read


def _capture(members: _Members) -> Capture:
    read = Capture(
        mode=members.form("mode", _WORD),
        requested_url=members.prose("requested_url"),
        final_url=members.prose("final_url"),
        started=members.moment("started"),
        ended=members.moment("ended"),
        engine=members.prose("engine"),
        engine_sha256=members.digest("engine_sha256"),
        vantages=members.proses("vantages"),
        cleanliness=members.form("cleanliness", _WORD),
        complete=members.flag("complete"),
    )
    members.end()
    return read


def _custody(members: _Members) -> Custody:
    read = Custody(log=members.path("log"), head=members.digest("head"), entries=members.count("entries"))
    members.end()
    return read


def _redaction(members: _Members) -> Redaction:
    read = Redaction(
        path=members.path("path"),
        reason=members.prose("reason"),
        original_sha256=members.digest("original_sha256"),
        sealed=members.path("sealed") if members.has("sealed") else None,
    )
    members.end()
    return read


# ---- what must fit together ------------------------------------------------------------------------------------------


def _must_fit(manifest: Manifest) -> None:
    """No file is listed twice, items are numbered once each, and every path that is named is listed.

    Raises:
        Invalid: `bundle.manifest_malformed`, in the order of the members.
    """
    paths = [each.path for each in manifest.listed]
    listed = frozenset(paths)
    ids: set[str] = set()
    folders: set[str] = set()
    for index, item in enumerate(manifest.items):
        here = f"items[{index}]"
        if item.id in ids:
            raise _wrong(f"{here}.id")
        if item.folder in folders:
            raise _wrong(f"{here}.folder")
        ids.add(item.id)
        folders.add(item.folder)
        _must_fit_item(item, here, listed)
    _must_be_few(manifest.items)
    if manifest.custody.log not in listed:
        raise _wrong("custody.log")
    for index, each in enumerate(manifest.redactions):
        if each.path not in listed:
            raise _wrong(f"redactions[{index}].path")
        if each.sealed is not None and each.sealed not in listed:
            raise _wrong(f"redactions[{index}].sealed")
    try:
        must_be_distinct([MIMETYPE_NAME, MANIFEST_NAME, *paths])
    except Invalid as error:
        raise _wrong(str(error.facts["name"])) from error


def _must_be_few(items: Sequence[Item]) -> None:
    """Each deposit and each token is a claim of its own to check, which takes a verifier time."""
    if sum(len(item.deposits) for item in items) > MAX_LIST:
        raise _wrong("items.deposits")
    if sum(len(item.tokens) for item in items) > MAX_LIST:
        raise _wrong("items.tokens")


def _must_fit_item(item: Item, here: str, listed: frozenset[str]) -> None:
    for index, file in enumerate(item.files):
        if not file.path.startswith(item.folder + "/"):
            raise _wrong(f"{here}.files[{index}].path")
        if file.derived_from is not None and file.derived_from not in listed:
            raise _wrong(f"{here}.files[{index}].derived_from")
    for index, deposit in enumerate(item.deposits):
        if deposit.receipt not in listed:
            raise _wrong(f"{here}.deposits[{index}].receipt")
    for index, token in enumerate(item.tokens):
        if token.path not in listed:
            raise _wrong(f"{here}.tokens[{index}].path")
        if token.over not in listed:
            raise _wrong(f"{here}.tokens[{index}].over")

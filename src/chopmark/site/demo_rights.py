"""The demo's rights and works: a mark from an office's file, a licence, a neighbour, three works and a found copy.

The mark, its owner, the office's entry and every work are made up here; nothing of a real register is in it, and the
numbers are ones that the offices have not given. Everything is done by the actions that pages and commands call. What
is there already stays, so a run that was cut off goes on where it was, and one after the last changes nothing.

Nothing of this is needed to run a platform, and no other code calls it.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from chopmark.base import clock
from chopmark.base.errors import PlatformError, Unavailable
from chopmark.evidence import actions as evidence
from chopmark.evidence.actions import NewDeposit
from chopmark.people.actions import open_account
from chopmark.people.actor import Actor
from chopmark.rights import encoding, imports
from chopmark.rights.actions.bring_in import bring_in_office
from chopmark.rights.actions.common import Operator
from chopmark.rights.actions.copies import find_copies
from chopmark.rights.actions.file import NewPaper, NewRight, file_right
from chopmark.rights.actions.interest import NewInterest, license  # noqa: A004 (the glossary's word)
from chopmark.rights.actions.kept import NewWorkFile
from chopmark.rights.actions.verify import verify_against, vouch
from chopmark.rights.actions.watch import NewWatch, run_watches, save_watch
from chopmark.rights.actions.work import NewWork, register_work
from chopmark.rights.queries.registry import Filters, RightSummary, rights_of
from chopmark.rights.queries.search import Narrow
from chopmark.rights.queries.watches import watches_of
from chopmark.rights.queries.works import searches_of, works_of
from chopmark.rights.record import (
    Class,
    Designation,
    Identifier,
    Mark,
    Party,
    Publication,
    Record,
    Text,
    WorkKind,
    WorkRecord,
)
from chopmark.site import demo_media
from chopmark.site.jobs import alone

OTHERS = "others.txt"
"""In the demo's folder: ids of the organisations that play somebody else, which no command means unasked."""
OPERATOR = Operator()
NUMBER = "099000001"
"""Of the mark; EUIPO is far from it."""
DRAFT = "99000001"
"""Of a mark in China, as far off."""
CLAIM, SIGN = "blue-wave-st96.xml", "blue-wave-sign.png"
SELLER = Party(name="Seide & Meer GmbH", country="DE")
NEIGHBOUR = "Harbour Outfitters 港湾衣铺"
NEIGHBOUR_EMAIL = "neighbour@chopmark.example"
WATCHED = "Blue Wave"
COPY = "shop-2291-harbour-scarf.jpg"
OWNER, OTHER_OWNER = "Blue Wave Studio", "Harbour Outfitters Ltd"
GOODS = {
    "18": "Handbags; purses",
    "24": "Textile fabrics; bed linen",
    "25": "Scarves; shawls; clothing",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """One of the demo's works."""

    name: str
    kind: WorkKind
    title: str
    made: Callable[[], bytes]
    author: str
    created_on: date


PIECES = (
    _Piece(
        name="harbour-at-dusk.jpg",
        kind="picture",
        title="Harbour at dusk · 暮色港湾",
        made=demo_media.picture,
        author="Lin Qing 林青",
        created_on=date(2026, 3, 14),
    ),
    _Piece(
        name="quay-song.flac",
        kind="audio",
        title="Quay song · 码头谣",
        made=demo_media.song,
        author="Chen Hai 陈海",
        created_on=date(2026, 4, 2),
    ),
    _Piece(
        name="eight-harbours.mp4",
        kind="video",
        title="Eight harbours · 八个港口",
        made=demo_media.film,
        author="Lin Qing 林青",
        created_on=date(2026, 6, 21),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoRights:
    """What was made.

    Attributes:
        right: number of the verified mark.
        works: numbers of the works, oldest first.
        copies: number of the search that found a copy; empty without one.
        finds: how many rights the watch met.
        troubles: works that could not be registered here: the file's name, and why.
    """

    right: str
    works: tuple[str, ...]
    copies: str
    finds: int
    troubles: tuple[tuple[str, Unavailable], ...] = ()

    def told(self) -> dict[str, Any]:
        """For programs."""
        return {"right": self.right, "works": list(self.works), "copies": self.copies, "finds": self.finds}


def finished(by: Actor) -> DemoRights | None:
    """What there is, once there is all of it."""
    made = _made(by)
    whole = made is not None and len(made.works) == len(PIECES) and made.copies and made.finds
    return made if whole else None


def make_rights(place: Path, by: Actor) -> DemoRights:
    """Rights, works, a watch and a search; call it while the local members run, and publish afterwards.

    Raises:
        Refused: `site.worker_running` while `chopmark serve` has it and something is left to do.
        Unavailable: `site.demo_stuck`.
    """
    if (there := finished(by)) is not None:
        return there
    folder = place / "demo"
    with alone(place):
        _registers(folder, clock.now())
        _licensed(_filed(folder, by), by)
        _drafted(by)
        _neighbour(folder)
        _watched(by)
        troubles = _works(folder, by)
        if not any(name == PIECES[0].name for name, _ in troubles):
            _searched(folder, by)
    made = _made(by)
    if made is None:
        raise Unavailable("site.demo_stuck", part="rights")
    return replace(made, troubles=troubles)


def _made(by: Actor) -> DemoRights | None:
    right = _known(by, NUMBER)
    if right is None or right.level < 2 or not right.right.interests:
        return None
    titles = {each.title for each in PIECES}
    works = [each.number for each in works_of(by, limit=200) if each.record.title in titles]
    searches = [each.number for each in searches_of(by, limit=200) if each.name == COPY and each.matches]
    watches = [each for each in watches_of(by) if each.text == WATCHED]
    return DemoRights(
        right=right.number,
        works=tuple(sorted(works)),
        copies=searches[-1] if searches else "",
        finds=max((each.finds for each in watches), default=0),
    )


def _known(by: Actor, number: str) -> RightSummary | None:
    found = [
        each
        for each in rights_of(by, Filters(q=number), at=clock.now(), limit=200).items
        if number in (each.record.registration_number, each.record.application_number)
        and each.organisation_id == by.organisation_id
    ]
    return found[-1] if found else None


# ---- the registers ---------------------------------------------------------------------------------------------------


def _registers(folder: Path, at: datetime) -> None:
    """What the offices say, as the operator has it: two files made up here, kept as any office's file is."""
    for office, records in (("EM", (_official(), _pending())), ("GB", (_elsewhere(),))):
        path = folder / f"office-{office}.jsonl"
        if not path.is_file():
            fetched = at.replace(hour=0, minute=0, second=0, microsecond=0)
            head = {"snapshot": 1, "office": office, "fetched_at": clock.to_text(fetched), "records": len(records)}
            lines = [
                head,
                *(encoding.encode(replace(each, source=Record(kind="trademark").source)) for each in records),
            ]
            text = "\n".join(json.dumps(each, ensure_ascii=False) for each in lines)
            path.write_text(text + "\n", "utf-8")
        bring_in_office(path.read_bytes(), path.name, operator=OPERATOR, at=at)


def _mark(verbal: str, owner: str, number: str, **more: Any) -> Record:  # noqa: ANN401 (members of a record)
    said: dict[str, Any] = {
        "kind": "trademark",
        "office": "EM",
        "application_number": number,
        "registration_number": number,
        "mark": Mark(verbal=verbal, feature="combined"),
        "owners": (Party(name=owner, country="CN"),),
        "classes": tuple(Class(scheme="nice", code=code, goods=(Text(text=GOODS[code], lang="en"),)) for code in GOODS),
        "designations": (Designation(territory="EU", status="registered"),),
        "application_date": date(2024, 5, 6),
        "registration_date": date(2024, 10, 21),
        "expiry_date": date(2034, 5, 6),
        "status": "registered",
    }
    return Record(**(said | more))


def _official() -> Record:
    """The entry of the mark: other case, the legal form, one class more than is claimed."""
    return _mark("BLUE WAVE", "BLUE WAVE STUDIO LTD.", NUMBER, mark=Mark(verbal="BLUE WAVE", feature="combined"))


def _pending() -> Record:
    """The entry of the neighbour's mark, for another kind of company than claims it."""
    return _mark("BLEU WAVE", "Harbour Outfitters GmbH", "099000017", mark=Mark(verbal="BLEU WAVE", feature="word"))


def _elsewhere() -> Record:
    return _mark(
        "BLUE WAVES",
        OTHER_OWNER,
        "UK00099000024",
        office="GB",
        mark=Mark(verbal="BLUE WAVES", feature="word"),
        designations=(Designation(territory="GB", status="registered"),),
        owners=(Party(name=OTHER_OWNER, country="GB"),),
    )


# ---- the neighbour ---------------------------------------------------------------------------------------------------


def _neighbour(folder: Path) -> None:
    """Another organisation: a mark like ours in Great Britain, verified; and one in the EU that is in checking."""
    note = folder / "neighbour.txt"
    other = open_account(
        NEIGHBOUR_EMAIL, _password(note), name="Neighbour 邻居", organisation=NEIGHBOUR, at=clock.now()
    ).actor
    others = folder / OTHERS
    if not others.is_file():
        others.write_text(f"{other.organisation_id}\n", "ascii")
    vouch(other.organisation_id, OTHER_OWNER, operator=OPERATOR, at=clock.now(), country="GB", note="demo")
    claimed = replace(_pending(), owners=(Party(name=OTHER_OWNER, country="CN"),))
    for record in (claimed, _elsewhere()):
        number = record.registration_number
        right = _known(other, number) or file_right(NewRight(record=record), by=other, at=clock.now())
        if right.level == 0 and right.state == "submitted":
            verify_against(right.number, by=other, at=clock.now())


def _password(note: Path) -> str:
    """The neighbour's, noted as the demo account's is."""
    if note.is_file():
        return note.read_text("utf-8").splitlines()[1].removeprefix("password: ")
    password = secrets.token_urlsafe(12)
    descriptor = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"e-mail: {NEIGHBOUR_EMAIL}\npassword: {password}\n")
    return password


# ---- the mark --------------------------------------------------------------------------------------------------------


def _filed(folder: Path, by: Actor) -> RightSummary:
    """The mark, from its holder's ST.96 file and with a picture of the sign, compared with the office's entry."""
    right = _known(by, NUMBER)
    if right is None:
        claim = _written(folder / CLAIM, lambda: claim_file().encode())
        sign = _written(folder / SIGN, demo_media.sign)
        [record] = imports.read(claim.read_bytes(), claim.name).records
        shown = replace(record.mark or Mark(), image=hashlib.sha256(sign.read_bytes()).digest())
        new = NewRight(
            record=replace(record, mark=shown),
            papers=(
                NewPaper(kind="office_file", upload=_uploaded(claim, "application/xml", by)),
                NewPaper(kind="other", upload=_uploaded(sign, "image/png", by)),
            ),
        )
        right = file_right(new, by=by, at=clock.now())
    if right.level == 0:
        vouch(by.organisation_id, "Blue Wave Studio Ltd.", operator=OPERATOR, at=clock.now(), country="CN", note="demo")
        right = verify_against(right.number, by=by, at=clock.now())
    return right


def _licensed(right: RightSummary, by: Actor) -> None:
    if right.right.interests:
        return
    at = clock.now()
    new = NewInterest(
        party=replace(SELLER, identifiers=(Identifier(scheme="VAT", value="DE000000000"),)),
        role="authorised_seller",
        territories=("DE", "FR"),
        classes=("25",),
        since=at.date(),
        until=date(at.year + 3, 1, 1),
    )
    license(right.number, new, by=by, at=at)


def _drafted(by: Actor) -> None:
    """A second mark that nobody has handed in yet."""
    if _known(by, DRAFT) is None:
        record = Record(
            kind="trademark",
            office="CN",
            registration_number=DRAFT,
            mark=Mark(verbal="青浪", feature="word", transliteration="Qing Lang"),
            owners=(Party(name="青浪工作室", country="CN"),),
            classes=(Class(scheme="nice", code="25"),),
            designations=(Designation(territory="CN"),),
        )
        file_right(NewRight(record=record, submit=False), by=by, at=clock.now())


def _watched(by: Actor) -> None:
    if not any(each.text == WATCHED for each in watches_of(by)):
        save_watch(NewWatch(text=WATCHED, narrow=Narrow(classes=("25",))), by=by, at=clock.now())
    while run_watches(clock.now()).more:
        pass


def claim_file() -> str:
    """The mark as its holder has it in an office's form, ST.96; our own file, of no office."""
    described = "".join(
        "<tmk:ClassDescription>"
        f"<tmk:ClassNumber>{code}</tmk:ClassNumber>"
        f'<tmk:GoodsServicesDescriptionText com:languageCode="en">{escape(GOODS[code])}'
        "</tmk:GoodsServicesDescriptionText>"
        "</tmk:ClassDescription>"
        for code in ("24", "25")
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!-- Made up for the demo: no office has given it, and the mark does not exist. -->
<tmk:Trademark xmlns:tmk="http://www.wipo.int/standards/XMLSchema/ST96/Trademark"
    xmlns:com="http://www.wipo.int/standards/XMLSchema/ST96/Common">
  <com:RegistrationOfficeCode>EM</com:RegistrationOfficeCode>
  <com:ApplicationNumber>
    <com:IPOfficeCode>EM</com:IPOfficeCode>
    <com:ApplicationNumberText>{NUMBER}</com:ApplicationNumberText>
  </com:ApplicationNumber>
  <com:RegistrationNumber>{NUMBER}</com:RegistrationNumber>
  <tmk:ApplicationDate>2024-05-06</tmk:ApplicationDate>
  <com:RegistrationDate>2024-10-21</com:RegistrationDate>
  <com:ExpiryDate>2034-05-06</com:ExpiryDate>
  <tmk:MarkCurrentStatusCode>Registered</tmk:MarkCurrentStatusCode>
  <tmk:MarkRepresentation>
    <tmk:MarkFeatureCategory>Combined</tmk:MarkFeatureCategory>
    <tmk:MarkReproduction>
      <tmk:WordMarkSpecification>
        <tmk:MarkVerbalElementText>Blue Wave</tmk:MarkVerbalElementText>
      </tmk:WordMarkSpecification>
    </tmk:MarkReproduction>
  </tmk:MarkRepresentation>
  <tmk:GoodsServicesBag>
    <tmk:GoodsServices>
      <tmk:ClassDescriptionBag>{described}</tmk:ClassDescriptionBag>
    </tmk:GoodsServices>
  </tmk:GoodsServicesBag>
  <tmk:ApplicantBag>
    <tmk:Applicant>
      <com:Contact>
        <com:Name><com:EntityName>{OWNER}</com:EntityName></com:Name>
        <com:PostalAddressBag>
          <com:PostalAddress>
            <com:PostalStructuredAddress><com:CountryCode>CN</com:CountryCode></com:PostalStructuredAddress>
          </com:PostalAddress>
        </com:PostalAddressBag>
      </com:Contact>
    </tmk:Applicant>
  </tmk:ApplicantBag>
</tmk:Trademark>
"""


# ---- works and a copy ------------------------------------------------------------------------------------------------


def _works(folder: Path, by: Actor) -> tuple[tuple[str, Unavailable], ...]:
    """Register what is not registered; what this machine cannot read is left out, and told."""
    known = {each.record.title for each in works_of(by, limit=200)}
    troubles = []
    for each in PIECES:
        if each.title in known:
            continue
        record = WorkRecord(
            kind=each.kind,
            title=each.title,
            authors=(Party(name=each.author, country="CN", person=True),),
            basis="employer",
            statement="© 2026 Blue Wave Studio 青浪工作室. All rights reserved · 保留所有权利",
            created_on=each.created_on,
            publication=Publication(on=each.created_on, where="https://blue-wave.example/", country="CN"),
            tdm_reserved=True,
            series="Harbours · 港口",
            shown="public",
        )
        try:
            path = _written(folder / each.name, each.made)
            file = NewWorkFile(upload=_uploaded(path, _MEDIA_TYPES[path.suffix], by))
            register_work(NewWork(record=record, files=(file,), anyway=True), by=by, at=clock.now())
        except Unavailable as error:
            troubles.append((each.name, error))
    return tuple(troubles)


def _searched(folder: Path, by: Actor) -> None:
    """Look for the works in a shop's picture, which is kept as evidence."""
    if any(each.name == COPY and each.matches for each in searches_of(by, limit=200)):
        return
    path = _written(folder / COPY, demo_media.copied_picture)
    new = NewDeposit(
        kind="evidence",
        upload=_uploaded(path, "image/jpeg", by),
        title="Shop's picture of a scarf · 店铺的丝巾图片",
        file_name=COPY,
        media_type="image/jpeg",
        source="cli",
    )
    [kept] = evidence.deposit([new], by=by, at=clock.now())
    if isinstance(kept, PlatformError):
        raise kept
    find_copies(NewWorkFile(deposit=kept.id), name=COPY, by=by, at=clock.now())


_MEDIA_TYPES = {".jpg": "image/jpeg", ".flac": "audio/flac", ".mp4": "video/mp4"}


def _written(path: Path, made: Callable[[], bytes]) -> Path:
    """The file, made once."""
    if not path.is_file():
        half = path.with_name(f"{path.name}.part")
        half.write_bytes(made())
        half.replace(path)
    return path


def _uploaded(path: Path, media_type: str, by: Actor) -> Any:  # noqa: ANN401 (an id)
    data = path.read_bytes()
    made = evidence.start_upload(length=len(data), file_name=path.name, file_type=media_type, by=by, at=clock.now())
    evidence.append_upload(made.id, offset=0, chunks=[data], by=by, at=clock.now())
    return made.id

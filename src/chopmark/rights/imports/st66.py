"""WIPO ST.66 (trade marks in XML, 2012): records of offices that write it, and of the dialects seen of it.

Names are taken without their namespace, because EUIPO, IP Australia, IPONZ and the USPTO each put theirs; the USPTO's
extensions (`...Ext`) are read where they say what the standard has a field for.
Parties that are history are left out: of the USPTO's chain of owners only the last link is an owner.
Addresses, telephone numbers and e-mail are not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from chopmark.base.errors import Invalid
from chopmark.rights.imports import fields, xml
from chopmark.rights.imports.fields import Notes
from chopmark.rights.imports.result import Imported
from chopmark.rights.record import Class, Designation, Mark, Party, Priority, Record, Source, Text

if TYPE_CHECKING:
    from lxml import etree


def is_one(root: etree._Element) -> bool:
    """Whether this is a transaction of ST.66."""
    return xml.local(root) == "Transaction" and xml.at(root, "TradeMarkTransactionBody") is not None


def read(root: etree._Element, *, sha256: bytes, most: int, fetched_at: datetime | None = None) -> Imported:
    """The trade marks of a transaction, at most so many."""
    records, places, problems = [], [], []
    for number, (mark, applicants) in enumerate(_marks(root), 1):
        notes = Notes(where=f"record {number}")
        if number > most:
            notes.problem("imports.too_many", stops=True, limit=most)
            problems += notes.problems
            break
        try:
            record = _record(mark, applicants, notes, Source(format="st66", sha256=sha256, fetched_at=fetched_at))
        except Invalid as error:
            notes.problem(error.code, stops=True, **error.facts)
            record = None
        problems += notes.problems
        if record is not None:
            records.append(record)
            places.append(notes.where)
    return Imported(format="st66", records=tuple(records), places=tuple(places), problems=tuple(problems))


def _marks(root: etree._Element) -> Iterator[tuple[etree._Element, tuple[etree._Element, ...]]]:
    """Each trade mark with its applicants, which the USPTO writes beside it and others inside."""
    for data in xml.each(root, "TradeMarkTransactionBody", "TransactionContentDetails", "TransactionData"):
        beside = tuple(xml.each(data, "ApplicantDetails", "Applicant"))
        marks = tuple(xml.each(data, "TradeMarkDetails", "TradeMark")) or tuple(xml.each(data, "TradeMark"))
        for mark in marks:
            yield mark, tuple(xml.each(mark, "ApplicantDetails", "Applicant")) or beside


def _record(
    mark: etree._Element, applicants: tuple[etree._Element, ...], notes: Notes, source: Source
) -> Record | None:
    office = xml.text(mark, "RegistrationOfficeCode").upper()
    application = xml.text(mark, "ApplicationNumber") or xml.text(mark, "ApplicationNumber", "ApplicationNumberText")
    registration = xml.text(mark, "RegistrationNumber")
    if not office or not (application or registration):
        notes.problem("imports.no_number", stops=True)
        return None
    if international := xml.text(mark, "TradeMarkExt", "RelatedMarkDetails", "InternationalRegistrationNumber"):
        notes.raw["international_registration"] = international
    if renewed := xml.text(mark, "TradeMarkExt", "AdditionalMarkDetails", "RenewalDate"):
        notes.raw["renewal_date"] = renewed[:10]
    kind = xml.text(mark, "KindMark")
    if kind:
        notes.raw["kind"] = kind
    publication = xml.at(mark, "PublicationDetails", "Publication")
    record = Record(
        kind="trademark",
        office=office,
        application_number=application,
        registration_number=registration,
        mark=_sign(mark, notes),
        owners=_owners(mark, applicants),
        representatives=_representatives(mark),
        classes=_classes(mark, notes),
        designations=_designations(mark, notes),
        priorities=_priorities(mark, notes),
        application_date=notes.day("application_date", xml.text(mark, "ApplicationDate")),
        publication_date=notes.day("publication_date", xml.text(publication, "PublicationDate")),
        registration_date=notes.day("registration_date", xml.text(mark, "RegistrationDate")),
        expiry_date=notes.day("expiry_date", xml.text(mark, "ExpiryDate")),
        status_date=notes.day("status_date", xml.text(mark, "MarkCurrentStatusDate")),
        collective=fields.collective_of(kind),
        source=source,
    )
    return fields.finish(
        record,
        notes,
        status=xml.text(mark, "MarkCurrentStatusCode"),
        status_text=xml.text(mark, "TradeMarkExt", "MarkCurrentStatusExternalDescriptionText"),
    )


def _sign(mark: etree._Element, notes: Notes) -> Mark:
    words = xml.at(mark, "WordMarkSpecification")
    image = xml.at(mark, "MarkImageDetails", "MarkImage")
    drawing = xml.text(mark, "TradeMarkExt", "MarkFeatureCode")
    feature = notes.feature(xml.text(mark, "MarkFeature"))
    standard = xml.text(words, "MarkStandardCharacterIndicator").lower()
    described = xml.texts(mark, "MarkDescriptionDetails", "MarkDescription")
    return Mark(
        verbal=xml.text(words, "MarkVerbalElementText") or xml.text(words, "MarkSignificantVerbalElementText"),
        feature=fields.US_DRAWINGS.get(drawing[:1], feature) if drawing else feature,
        transliteration=xml.text(words, "MarkTransliteration"),
        translation=xml.text(words, "MarkTranslation"),
        disclaimer=" ".join(xml.texts(mark, "MarkDisclaimerDetails", "MarkDisclaimer")),
        standard_characters={"true": True, "false": False}.get(standard),
        colours=xml.texts(image, "MarkImageColourClaimedText"),
        vienna=xml.texts(image, "MarkImageCategory", "CategoryCodeDetails", "CategoryCode"),
        us_design_codes=xml.texts(mark, "TradeMarkExt", "MarkImageDetails", "MarkImage", "NationalDesignCode"),
        description=tuple(Text(text=said) for said in described),
    )


def _owners(mark: etree._Element, applicants: tuple[etree._Element, ...]) -> tuple[Party, ...]:
    """Holders where the file names them, else applicants; of the USPTO's chain, those of the highest party type."""
    holders = tuple(xml.each(mark, "HolderDetails", "Holder"))
    if holders:
        parties = [_party(holder, "HolderAddressBook", "") for holder in holders]
    else:
        types = [xml.text(applicant, "ApplicantExt", "PartyTypeCode") for applicant in applicants]
        last = fields.last_of(types)
        current = [one for one, kind in zip(applicants, types, strict=True) if not last or kind == last]
        parties = [_party(one, "ApplicantAddressBook", "ApplicantIncorporationCountryCode") for one in current]
    return tuple(dict.fromkeys(party for party in parties if party is not None))


def _party(element: etree._Element, book: str, incorporation: str) -> Party | None:
    formatted = xml.at(element, book, "FormattedNameAddress")
    lines = xml.texts(formatted, "Name", "FreeFormatName", "FreeFormatNameDetails", "FreeFormatNameLine")
    whole = xml.at(formatted, "Name", "FormattedName")
    name = (lines[0] if lines else "") or xml.text(whole, "OrganizationName") or xml.text(whole, "LastName")
    if not name:
        return None
    address = xml.at(formatted, "Address")
    country = xml.text(address, "FormattedAddress", "FormattedAddressCountryCode") or xml.text(
        address, "AddressCountryCode"
    )
    return Party(name=name, country=(country or (xml.text(element, incorporation) if incorporation else "")).upper())


def _representatives(mark: etree._Element) -> tuple[Party, ...]:
    found = [
        _party(one, "RepresentativeAddressBook", "")
        for one in xml.each(mark, "RepresentativeDetails", "Representative")
        if xml.text(one, "Comment") in ("", "Attorney of Record")
    ]
    return tuple(dict.fromkeys(party for party in found if party is not None))


def _classes(mark: etree._Element, notes: Notes) -> tuple[Class, ...]:
    nice: dict[str, list[Text]] = {}
    edition = ""
    for goods in xml.each(mark, "GoodsServicesDetails", "GoodsServices"):
        edition = edition or xml.text(goods, "ClassificationVersion")
        for one in xml.each(goods, "ClassDescriptionDetails", "ClassDescription"):
            if not (code := notes.nice(xml.text(one, "ClassNumber"))):
                continue
            said = nice.setdefault(code, [])
            for described in xml.each(one, "GoodsServicesDescription"):
                if goods_text := xml.text(described):
                    said.append(Text(text=goods_text, lang=xml.attribute(described, "languageCode").lower()))
    return tuple(Class(scheme="nice", code=code, edition=edition, goods=tuple(said)) for code, said in nice.items())


def _designations(mark: etree._Element, notes: Notes) -> tuple[Designation, ...]:
    found: dict[str, Designation] = {}
    for one in xml.each(mark, "DesignatedCountryDetails", "DesignatedCountry"):
        if code := fields.territory_of(xml.text(one, "DesignatedCountryCode")):
            since = notes.day(f"designation.{code}", xml.text(one, "DesignatedCountryDate"))
            found.setdefault(code, Designation(territory=code, via="madrid", since=since))
    return tuple(found.values())


def _priorities(mark: etree._Element, notes: Notes) -> tuple[Priority, ...]:
    found: list[Priority] = []
    for one in xml.each(mark, "PriorityDetails", "Priority"):
        day = xml.text(one, "PriorityDate") or xml.text(one, "PriorityExt", "ForeignApplicationFilingDate")
        found.append(
            Priority(
                kind="paris",
                country=xml.text(one, "PriorityCountryCode").upper(),
                number=xml.text(one, "PriorityNumber"),
                date=notes.day(f"priority.{len(found) + 1}", day),
            )
        )
    return tuple(found)

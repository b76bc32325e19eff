"""WIPO ST.96 (all rights in XML): the trade mark part, in its versions 2 to 7 and the extensions of offices.

Names are taken without their namespace, so one reader serves the versions; the element's own namespace must be one of
ST.96's. A file holds a transaction, a bag of marks, or one mark.
Parties that are history are left out, addresses and contacts are not read, as in `st66`, so that the same mark gives
the same record from both.
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

_ROOTS = frozenset({"TrademarkTransaction", "TrademarkBag", "Trademark"})


def is_one(root: etree._Element) -> bool:
    """Whether this is ST.96's trade mark part."""
    return xml.local(root) in _ROOTS and "ST96" in xml.namespace(root)


def read(root: etree._Element, *, sha256: bytes, most: int, fetched_at: datetime | None = None) -> Imported:
    """The trade marks of a file, at most so many."""
    records, places, problems = [], [], []
    for number, mark in enumerate(_marks(root), 1):
        notes = Notes(where=f"record {number}")
        if number > most:
            notes.problem("imports.too_many", stops=True, limit=most)
            problems += notes.problems
            break
        try:
            record = _record(mark, notes, Source(format="st96", sha256=sha256, fetched_at=fetched_at))
        except Invalid as error:
            notes.problem(error.code, stops=True, **error.facts)
            record = None
        problems += notes.problems
        if record is not None:
            records.append(record)
            places.append(notes.where)
    return Imported(format="st96", records=tuple(records), places=tuple(places), problems=tuple(problems))


def _marks(root: etree._Element) -> Iterator[etree._Element]:
    if xml.local(root) == "Trademark":
        yield root
    elif xml.local(root) == "TrademarkBag":
        yield from xml.each(root, "Trademark")
    else:
        for content in xml.each(root, "TrademarkTransactionBody", "TransactionContentBag"):
            yield from xml.each(content, "TransactionData", "TrademarkBag", "Trademark")
            yield from xml.each(content, "TransactionData", "Trademark")


def _record(mark: etree._Element, notes: Notes, source: Source) -> Record | None:
    office = (
        xml.text(mark, "RegistrationOfficeCode")
        or xml.text(mark, "ReceivingOfficeCode")
        or xml.text(mark, "ApplicationNumber", "IPOfficeCode")
        or xml.text(mark, "FilingPlace")
    ).upper()
    application = xml.text(mark, "ApplicationNumber", "ApplicationNumberText") or xml.text(mark, "ApplicationNumber")
    registration = xml.text(mark, "RegistrationNumber")
    if not office or not (application or registration):
        notes.problem("imports.no_number", stops=True)
        return None
    international = xml.text(
        mark, "AssociatedMarkBag", "AssociatedMark", "InternationalApplicationNumber", "ApplicationNumberText"
    )
    if international:
        notes.raw["international_registration"] = international
    national = xml.at(mark, "NationalTrademarkInformation")
    if renewed := xml.text(national, "RenewalDate"):
        notes.raw["renewal_date"] = renewed[:10]
    kind = ", ".join(xml.texts(mark, "MarkCategory"))
    if kind:
        notes.raw["kind"] = kind
    publication = xml.at(mark, "PublicationBag", "Publication")
    record = Record(
        kind="trademark",
        office=office,
        application_number=application,
        registration_number=registration,
        mark=_sign(mark, notes),
        owners=_owners(mark),
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
        status_text=xml.text(national, "MarkCurrentStatusExternalDescriptionText"),
    )


def _sign(mark: etree._Element, notes: Notes) -> Mark:
    shown = xml.at(mark, "MarkRepresentation")
    words = xml.at(shown, "MarkReproduction", "WordMarkSpecification")
    image = xml.at(shown, "MarkReproduction", "MarkImageBag", "MarkImage")
    described = xml.at(shown, "MarkDescriptionBag")
    drawing = xml.text(described, "NationalMarkDescription", "MarkFeatureCode")
    feature = notes.feature(xml.text(shown, "MarkFeatureCategory"))
    standard = xml.text(words, "MarkStandardCharacterIndicator").lower()
    return Mark(
        verbal=xml.text(words, "MarkVerbalElementText") or xml.text(words, "MarkSignificantVerbalElementText"),
        feature=fields.US_DRAWINGS.get(drawing[:1], feature) if drawing else feature,
        transliteration=xml.text(words, "MarkTransliteration") or xml.text(words, "MarkTransliterationText"),
        translation=xml.text(words, "MarkTranslationText"),
        disclaimer=" ".join(xml.texts(mark, "MarkDisclaimerBag", "MarkDisclaimerText")),
        standard_characters={"true": True, "false": False}.get(standard),
        colours=xml.texts(image, "MarkImageColourClaimedText"),
        vienna=tuple(_vienna(image)),
        us_design_codes=xml.texts(
            image, "NationalDesignSearchCodeBag", "NationalDesignSearchCode", "NationalDesignCode"
        ),
        description=tuple(
            Text(text=said, lang=xml.attribute(one, "languageCode").lower())
            for one in xml.each(described, "MarkDescriptionText")
            if (said := xml.text(one))
        ),
    )


def _vienna(image: etree._Element | None) -> Iterator[str]:
    for one in xml.each(
        image, "MarkImageClassification", "FigurativeElementClassificationBag", "ViennaClassificationBag"
    ):
        for code in xml.each(one, "ViennaClassification"):
            parts = [xml.text(code, name) for name in ("ViennaCategory", "ViennaDivision", "ViennaSection")]
            if parts[0]:
                yield ".".join(part.zfill(2) for part in parts if part)


def _owners(mark: etree._Element) -> tuple[Party, ...]:
    """Holders where the file names them, else applicants; of the USPTO's chain, those with the highest number.

    The USPTO numbers parties by their type (10 applicant, 20 at publication, 30 registrant, above later owners) and
    says in words which they are; elsewhere the numbers only put co-applicants in order.
    """
    holders = tuple(xml.each(mark, "HolderBag", "Holder"))
    parties = holders or tuple(xml.each(mark, "ApplicantBag", "Applicant"))
    if not holders and any(_role(one) for one in parties):
        numbers = [xml.attribute(one, "sequenceNumber") for one in parties]
        last = fields.last_of(numbers)
        parties = tuple(one for one, number in zip(parties, numbers, strict=True) if not last or number == last)
    return tuple(dict.fromkeys(party for one in parties if (party := _party(one)) is not None))


def _role(party: etree._Element) -> str:
    return xml.text(party, "CommentText") or xml.text(party, "Version", "CommentText")


def _party(element: etree._Element | None) -> Party | None:
    contact = xml.at(element, "Contact")
    name = xml.at(contact, "Name")
    person = xml.text(name, "PersonName", "PersonFullName") or " ".join(
        filter(None, (xml.text(name, "PersonName", part) for part in ("FirstName", "LastName")))
    )
    named = xml.text(name, "EntityName") or xml.text(name, "OrganizationName", "OrganizationStandardName") or person
    if not named or element is None:
        return None
    address = xml.at(contact, "PostalAddressBag", "PostalAddress", "PostalStructuredAddress")
    country = xml.text(address, "CountryCode") or xml.text(element, "IncorporationCountryCode")
    return Party(name=named, country=country.upper())


def _representatives(mark: etree._Element) -> tuple[Party, ...]:
    found = [_party(one) for one in xml.each(mark, "RecordAttorney")]
    found += [_party(one) for one in xml.each(mark, "RepresentativeBag", "Representative")]
    return tuple(dict.fromkeys(party for party in found if party is not None))


def _classes(mark: etree._Element, notes: Notes) -> tuple[Class, ...]:
    nice: dict[str, list[Text]] = {}
    edition = ""
    for bag in xml.each(mark, "GoodsServicesBag", "GoodsServices"):
        edition = edition or xml.text(bag, "ClassificationVersion")
        for one in xml.each(bag, "ClassDescriptionBag", "ClassDescription"):
            if not (code := notes.nice(xml.text(one, "ClassNumber"))):
                continue
            said = nice.setdefault(code, [])
            for described in xml.each(one, "GoodsServicesDescriptionText"):
                if goods := xml.text(described):
                    said.append(Text(text=goods, lang=xml.attribute(described, "languageCode").lower()))
    return tuple(Class(scheme="nice", code=code, edition=edition, goods=tuple(said)) for code, said in nice.items())


def _designations(mark: etree._Element, notes: Notes) -> tuple[Designation, ...]:
    found: dict[str, Designation] = {}
    for one in xml.each(mark, "DesignatedCountryBag", "DesignatedCountry"):
        if code := fields.territory_of(xml.text(one, "DesignatedCountryCode")):
            since = notes.day(f"designation.{code}", xml.text(one, "DesignatedCountryDate"))
            found.setdefault(code, Designation(territory=code, via="madrid", since=since))
    return tuple(found.values())


def _priorities(mark: etree._Element, notes: Notes) -> tuple[Priority, ...]:
    found: list[Priority] = []
    for one in xml.each(mark, "PriorityBag", "Priority"):
        found.append(
            Priority(
                kind="paris",
                country=xml.text(one, "PriorityCountryCode").upper(),
                number=xml.text(one, "ApplicationNumber", "ApplicationNumberText"),
                date=notes.day(f"priority.{len(found) + 1}", xml.text(one, "PriorityApplicationFilingDate")),
            )
        )
    return tuple(found)

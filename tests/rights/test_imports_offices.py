"""ST.66 and ST.96: the same mark gives the same record from both; dirty values are kept beside, not guessed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from world.data import shared_data

from chopmark.rights.imports import read
from chopmark.rights.record import Mark, Source

ST96 = (
    '<tm:TrademarkBag xmlns:tm="http://www.wipo.int/standards/XMLSchema/ST96/Trademark" '
    'xmlns:com="http://www.wipo.int/standards/XMLSchema/ST96/Common">{}</tm:TrademarkBag>'
)
ST66 = (
    '<Transaction xmlns="http://www.wipo.int/standards/XMLSchema/trademarks"><TradeMarkTransactionBody>'
    "<TransactionContentDetails><TransactionData><TradeMarkDetails>{}</TradeMarkDetails></TransactionData>"
    "</TransactionContentDetails></TradeMarkTransactionBody></Transaction>"
)


def pair(name):
    here = shared_data("tsdr-st66-st96") / "test" / "testdata"
    return [read((here / f"{name}-{form}.xml").read_bytes()) for form in ("ST66", "ST96")]


@pytest.mark.parametrize("name", ["rn2178784", "rn3886986", "sn85334015", "sn87881347"])
def test_both_forms_of_a_public_mark_give_the_same_record(name):
    old, new = pair(name)
    assert (old.problems, new.problems) == ((), ())
    [one], [other] = old.records, new.records
    source = Source(format="form")
    assert replace(one, raw={}, source=source) == replace(other, raw={}, source=source)
    assert (one.source.format, other.source.format) == ("st66", "st96")


def test_the_fields_of_a_public_mark_are_those_that_its_register_shows():
    _, new = pair("rn2178784")
    [java] = new.records
    assert (java.office, java.application_number, java.registration_number) == ("US", "74631225", "2178784")
    assert java.st13 == "US500000074631225"
    assert (java.mark.verbal, java.mark.feature) == ("JAVA", "word")
    # Only the last link of the chain of owners is an owner.
    assert [(owner.name, owner.country) for owner in java.owners] == [("Oracle America, Inc.", "US")]
    assert [party.name for party in java.representatives] == ["Andrew Roppel"]
    assert [(each.scheme, each.code) for each in java.classes] == [("nice", "9")]
    assert java.classes[0].goods[0].text.startswith("computer programs for use in developing")
    assert (java.application_date, java.registration_date) == (date(1995, 2, 7), date(1998, 8, 4))
    assert java.publication_date == date(1996, 10, 8)
    assert (java.status, java.raw["status"], java.status_date) == ("registered", "800", date(2008, 8, 11))
    assert java.raw["application_date"] == "1995-02-07-05:00"
    assert java.raw["renewal_date"] == "2008-08-04"


def test_co_owners_priorities_and_the_international_mark_are_read():
    [blue], [ultra] = (pair(name)[1].records for name in ("rn3886986", "sn85334015"))
    assert [owner.name for owner in blue.owners] == [
        "COLUMBIA LAW REVIEW ASSOCIATION, INC.",
        "HARVARD LAW REVIEW ASSOCIATION",
        "UNIVERSITY OF PENNSYLVANIA LAW REVIEW",
        "THE YALE LAW JOURNAL",
    ]
    assert blue.mark.disclaimer == '"A UNIFORM SYSTEM OF CITATION"'
    assert [each.code for each in blue.classes] == ["41", "16"]
    assert (ultra.priorities[0].country, ultra.priorities[0].number) == ("IT", "RM2011C00315")
    assert ultra.priorities[0].date == date(2011, 5, 16)
    assert ultra.raw["international_registration"] == "1087917"


def test_an_application_without_registration_is_pending():
    assert [record.status for imported in pair("sn87881347") for record in imported.records] == ["pending"] * 2


WHOLE_96 = ST96.format(
    "<tm:Trademark><com:RegistrationOfficeCode>EM</com:RegistrationOfficeCode>"
    "<com:ApplicationNumber><com:ApplicationNumberText>018123456</com:ApplicationNumberText></com:ApplicationNumber>"
    "<com:RegistrationNumber>018123456</com:RegistrationNumber><tm:ApplicationDate>2020-01-15</tm:ApplicationDate>"
    "<com:RegistrationDate>2020-06-01Z</com:RegistrationDate><com:ExpiryDate>2030-01-15</com:ExpiryDate>"
    "<tm:MarkCurrentStatusCode>Registered</tm:MarkCurrentStatusCode><tm:MarkCategory>Collective mark</tm:MarkCategory>"
    "<tm:MarkRepresentation><tm:MarkFeatureCategory>Combined</tm:MarkFeatureCategory><tm:MarkReproduction>"
    "<tm:WordMarkSpecification><tm:MarkVerbalElementText>红灯笼</tm:MarkVerbalElementText>"
    "<tm:MarkTransliteration>hong deng long</tm:MarkTransliteration>"
    "<tm:MarkTranslationText>red lantern</tm:MarkTranslationText></tm:WordMarkSpecification>"
    "<tm:MarkImageBag><tm:MarkImage><tm:MarkImageColourClaimedText>red</tm:MarkImageColourClaimedText>"
    "<tm:MarkImageClassification><tm:FigurativeElementClassificationBag><tm:ViennaClassificationBag>"
    "<tm:ViennaClassification><tm:ViennaCategory>13</tm:ViennaCategory><tm:ViennaDivision>1</tm:ViennaDivision>"
    "<tm:ViennaSection>6</tm:ViennaSection></tm:ViennaClassification></tm:ViennaClassificationBag>"
    "</tm:FigurativeElementClassificationBag></tm:MarkImageClassification></tm:MarkImage></tm:MarkImageBag>"
    "</tm:MarkReproduction><tm:MarkDescriptionBag><tm:MarkDescriptionText com:languageCode='EN'>a lantern"
    "</tm:MarkDescriptionText></tm:MarkDescriptionBag></tm:MarkRepresentation>"
    "<tm:GoodsServicesBag><tm:GoodsServices><com:ClassificationVersion>11-2020</com:ClassificationVersion>"
    "<tm:ClassDescriptionBag><tm:ClassDescription><tm:ClassNumber>11</tm:ClassNumber>"
    "<tm:GoodsServicesDescriptionText com:languageCode='en'>lanterns</tm:GoodsServicesDescriptionText>"
    "<tm:GoodsServicesDescriptionText com:languageCode='de'>Laternen</tm:GoodsServicesDescriptionText>"
    "</tm:ClassDescription></tm:ClassDescriptionBag></tm:GoodsServices></tm:GoodsServicesBag>"
    "<tm:ApplicantBag><tm:Applicant com:sequenceNumber='1'><com:Contact><com:Name><com:OrganizationName>"
    "<com:OrganizationStandardName>Lantern GmbH</com:OrganizationStandardName></com:OrganizationName></com:Name>"
    "<com:PostalAddressBag><com:PostalAddress><com:PostalStructuredAddress><com:CountryCode>DE</com:CountryCode>"
    "</com:PostalStructuredAddress></com:PostalAddress></com:PostalAddressBag></com:Contact></tm:Applicant>"
    "<tm:Applicant com:sequenceNumber='2'><com:Contact><com:Name><com:PersonName><com:FirstName>Li</com:FirstName>"
    "<com:LastName>Mei</com:LastName></com:PersonName></com:Name></com:Contact></tm:Applicant></tm:ApplicantBag>"
    "<tm:DesignatedCountryBag><tm:DesignatedCountry><tm:DesignatedCountryCode>CN</tm:DesignatedCountryCode>"
    "<tm:DesignatedCountryDate>2021-02-03</tm:DesignatedCountryDate></tm:DesignatedCountry></tm:DesignatedCountryBag>"
    "</tm:Trademark>"
)


def test_every_field_of_an_st96_mark_is_read():
    imported = read(WHOLE_96.encode())
    assert imported.problems == ()
    [record] = imported.records
    assert record.mark == Mark(
        verbal="红灯笼",
        feature="combined",
        transliteration="hong deng long",
        translation="red lantern",
        colours=("red",),
        vienna=("13.01.06",),
        description=(record.mark.description[0],),
    )
    assert (record.mark.description[0].text, record.mark.description[0].lang) == ("a lantern", "en")
    assert [(text.lang, text.text) for text in record.classes[0].goods] == [("en", "lanterns"), ("de", "Laternen")]
    assert (record.classes[0].code, record.classes[0].edition) == ("11", "11-2020")
    # Elsewhere than at the USPTO, numbered applicants stand beside each other.
    assert [owner.name for owner in record.owners] == ["Lantern GmbH", "Li Mei"]
    assert (record.designations[0].territory, record.designations[0].since) == ("CN", date(2021, 2, 3))
    assert (record.collective, record.status, record.expiry_date) == ("collective", "registered", date(2030, 1, 15))
    assert record.raw["registration_date"] == "2020-06-01Z"


WHOLE_66 = ST66.format(
    "<TradeMark><RegistrationOfficeCode>WO</RegistrationOfficeCode><ApplicationNumber/>"
    "<RegistrationNumber>1234567</RegistrationNumber><RegistrationDate>20200601</RegistrationDate>"
    "<MarkCurrentStatusCode>Something new</MarkCurrentStatusCode><KindMark>Certification</KindMark>"
    "<MarkFeature>3-D</MarkFeature><WordMarkSpecification><MarkVerbalElementText>LANTERN</MarkVerbalElementText>"
    "</WordMarkSpecification><MarkImageDetails><MarkImage><MarkImageCategory><CategoryCodeDetails>"
    "<CategoryCode>13.01.06</CategoryCode></CategoryCodeDetails></MarkImageCategory></MarkImage></MarkImageDetails>"
    "<GoodsServicesDetails><GoodsServices><ClassDescriptionDetails>"
    "<ClassDescription><ClassNumber>11</ClassNumber></ClassDescription>"
    "<ClassDescription><ClassNumber>47</ClassNumber></ClassDescription>"
    "</ClassDescriptionDetails></GoodsServices></GoodsServicesDetails>"
    "<HolderDetails><Holder><HolderAddressBook><FormattedNameAddress><Name><FreeFormatName><FreeFormatNameDetails>"
    "<FreeFormatNameLine>Lantern AG</FreeFormatNameLine></FreeFormatNameDetails></FreeFormatName></Name><Address>"
    "<AddressCountryCode>CH</AddressCountryCode></Address></FormattedNameAddress></HolderAddressBook></Holder>"
    "</HolderDetails><DesignatedCountryDetails><DesignatedCountry><DesignatedCountryCode>CN</DesignatedCountryCode>"
    "</DesignatedCountry><DesignatedCountry><DesignatedCountryCode>EM</DesignatedCountryCode></DesignatedCountry>"
    "</DesignatedCountryDetails></TradeMark>"
)


def test_what_an_st66_file_says_wrongly_or_newly_is_kept_and_reported():
    imported = read(WHOLE_66.encode())
    [record] = imported.records
    assert (record.status, record.raw["status"]) == ("unknown", "Something new")
    assert record.registration_date == date(2020, 6, 1)
    assert [each.code for each in record.classes] == ["11"]
    assert [(owner.name, owner.country) for owner in record.owners] == [("Lantern AG", "CH")]
    assert [each.territory for each in record.designations] == ["CN", "EU"]
    assert (record.mark.feature, record.mark.vienna, record.collective) == (
        "three_dimensional",
        ("13.01.06",),
        "certification",
    )
    assert [problem.code for problem in imported.problems] == ["imports.class_unknown", "imports.status_unknown"]
    assert not any(problem.stops for problem in imported.problems)


def test_a_record_without_number_is_left_out_and_its_neighbours_stay():
    bag = ST96.format(
        "<tm:Trademark><com:RegistrationOfficeCode>US</com:RegistrationOfficeCode></tm:Trademark>"
        "<tm:Trademark><com:RegistrationOfficeCode>US</com:RegistrationOfficeCode>"
        "<com:RegistrationNumber>4000001</com:RegistrationNumber></tm:Trademark>"
    )
    imported = read(bag.encode())
    assert (imported.places, [record.registration_number for record in imported.records]) == (
        ("record 2",),
        ["4000001"],
    )
    assert [(problem.where, problem.stops) for problem in imported.problems] == [("record 1", True)]


@pytest.mark.parametrize("text", ["19960100", "1996-02-30", "0000-00-00", "1996", "Feb 1996", "31-01-1996"])
def test_a_date_that_is_no_day_is_reported_and_kept_as_it_stands(text):
    imported = read(
        ST96.format(
            "<tm:Trademark><com:RegistrationOfficeCode>US</com:RegistrationOfficeCode>"
            f"<com:RegistrationNumber>4000001</com:RegistrationNumber><com:RegistrationDate>{text}</com:RegistrationDate>"
            "</tm:Trademark>"
        ).encode()
    )
    [record] = imported.records
    assert (record.registration_date, record.raw["registration_date"]) == (None, text)
    assert [problem.code for problem in imported.problems] == ["imports.date_unreadable"]


def test_dates_that_contradict_each_other_are_said_to():
    imported = read(
        ST96.format(
            "<tm:Trademark><com:RegistrationOfficeCode>US</com:RegistrationOfficeCode>"
            "<com:RegistrationNumber>4000001</com:RegistrationNumber><tm:ApplicationDate>2020-01-02</tm:ApplicationDate>"
            "<com:RegistrationDate>2019-01-01</com:RegistrationDate></tm:Trademark>"
        ).encode()
    )
    assert [problem.code for problem in imported.problems] == ["imports.dates_contradict"]

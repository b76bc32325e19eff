"""The rules of each jurisdiction as dated data with sources: courts, causes of action, fees, case templates.

    courts()                    every court profile            court("hangzhou")       one
    templates()                 every case template            template("trademark_counterfeit")
    fee("hangzhou", "trademark_infringement", 50_000_000)      what the court charges, in fen

The data lies in `data/`; each file says since when it holds, where it is from, and how sure that is. Nothing here
reads a clock, a database or the network, and nothing here is legal advice.
"""

from chopmark.law.courts import Cause, Court, Required, court, courts
from chopmark.law.fees import Fee, fee
from chopmark.law.kinds import Label, Source, Standing
from chopmark.law.templates import Phase, Template, Unmet, template, templates

__all__ = [
    "Cause",
    "Court",
    "Fee",
    "Label",
    "Phase",
    "Required",
    "Source",
    "Standing",
    "Template",
    "Unmet",
    "court",
    "courts",
    "fee",
    "template",
    "templates",
]

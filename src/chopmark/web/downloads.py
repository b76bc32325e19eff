"""How a file is named when somebody saves it: the name a depositor gave it, which is never trusted.

And what a receipt is saved as: `FILE.tlog-proof` or `FILE.receipt.cose`, with one kind of signatures alone
`FILE.compact.tlog-proof`, `FILE.post-quantum.tlog-proof`, and the same before `.receipt.cose`.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.http import content_disposition_header

from chopmark.evidence.receipt import ALL, SIGNATURES, Receipt

TLOG_PROOF = "tlog-proof"
COSE = "receipt.cose"
MEDIA_TYPES = {TLOG_PROOF: "text/plain; charset=utf-8", COSE: "application/cose"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptForm:
    """One of the six files that a receipt can be.

    Attributes:
        form: TLOG_PROOF or COSE.
        signatures: ALL, COMPACT or POST_QUANTUM.
    """

    form: str
    signatures: str = ALL

    @property
    def ending(self) -> str:
        """What follows the file's name, without the dot: `compact.tlog-proof`."""
        return self.form if self.signatures == ALL else f"{self.signatures}.{self.form}"

    @property
    def media_type(self) -> str:
        """For Content-Type."""
        return MEDIA_TYPES[self.form]

    def write(self, receipt: Receipt) -> bytes:
        """The file's content.

        Raises:
            Invalid: `evidence.signatures_unknown`.
            Refused: `evidence.signatures_not_found`.
            Unavailable: `ledger.receipt_too_early`.
        """
        chosen = receipt.only(self.signatures)
        return chosen.tlog_proof() if self.form == TLOG_PROOF else chosen.transparent_statement()


RECEIPT_FORMS = {
    each.ending: each for each in (ReceiptForm(form=form, signatures=of) for form in MEDIA_TYPES for of in SIGNATURES)
}


def bare_name(name: str) -> str:
    """A file's name without any folder: whoever saves it decides where it lies."""
    return name.replace("/", "_").replace("\\", "_")


def attachment(name: str) -> str:
    """A Content-Disposition that saves under this name and never shows the file inside this site (RFC 6266)."""
    return content_disposition_header(as_attachment=True, filename=bare_name(name)) or "attachment"

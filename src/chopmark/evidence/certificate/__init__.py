"""Certificates: what a deposit's receipt or a bundle proves, on paper, in Chinese and English.

    deposit_certificate(deposit_facts(...))    one deposit
    bundle_certificate(manifest, receipts)     one bundle, printed before the bundle is put together

Printed as PDF/A-4f, tagged, the same bytes for the same facts; a signature is added elsewhere (`evidence.sealing`).
A certificate repeats what can be checked without it, and carries that inside: it is no proof of its own.
"""

from chopmark.evidence.certificate.bundle import ReceiptFacts, bundle_certificate
from chopmark.evidence.certificate.deposit import DepositFacts, deposit_certificate, deposit_facts

__all__ = [
    "DepositFacts",
    "ReceiptFacts",
    "bundle_certificate",
    "deposit_certificate",
    "deposit_facts",
]

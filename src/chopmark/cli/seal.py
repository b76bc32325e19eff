"""`chopmark seal …`: the key that signs an institution's bundles and certificates.

init NAME     make it, in the home; one that is there is left alone
show          whose it is, what others must trust, until when it holds
renew         a new signer under the same root, or only a new list of revoked certificates
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Annotated

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cyclopts import Parameter

from chopmark.base import clock
from chopmark.cli.home import home
from chopmark.cli.output import PLAIN, Common, out, print_json, say
from chopmark.cli.status import DONE, UNCERTAIN
from chopmark.cli.words import text
from chopmark.evidence.sealing import FOLDER, Seal, make_seal

RENEW_BEFORE = timedelta(days=365)  # what is signed near a certificate's end proves less to a hasty reader


def init_command(name: Annotated[str, Parameter(help=text("cli.seal.init.name"))], /, *, common: Common = PLAIN) -> int:
    """Make the seal of this home."""
    return _show(Seal.load(make_seal(home(), name, clock.now())), common)


def show_command(*, common: Common = PLAIN) -> int:
    """Show whose seal it is; status 3 when it should be renewed."""
    seal = Seal.load(home() / FOLDER)
    _show(seal, common)
    if seal.card().until - clock.now() < RENEW_BEFORE:
        say("cli.seal.renew_soon", common)
        return UNCERTAIN
    return DONE


def renew_command(
    *,
    only_list: Annotated[bool, Parameter(negative="", help=text("cli.seal.renew.list"))] = False,
    revoke: Annotated[bool, Parameter(negative="", help=text("cli.seal.renew.revoke"))] = False,
    common: Common = PLAIN,
) -> int:
    """Make a new signing key under the same root; needs the root's key."""
    seal = Seal.load(home() / FOLDER)
    if only_list and not revoke:
        seal.renew_crl(clock.now())
    else:
        seal.renew_signer(clock.now(), revoke=revoke)
    return _show(seal, common)


def _show(seal: Seal, common: Common) -> int:
    card = seal.card()
    fingerprint = hashlib.sha256(card.root).hexdigest()
    pem = x509.load_der_x509_certificate(card.root).public_bytes(Encoding.PEM).decode()
    if common.json:
        print_json({"name": card.name, "until": clock.to_text(card.until), "sha256": fingerprint, "root": pem})
        return DONE
    page = out()
    page.print(card.name)
    page.print(text("cli.seal.until", until=f"{card.until:%Y-%m-%d}"))
    page.print(f"sha-256:{fingerprint}")
    page.print(pem, end="")
    return DONE

"""The pages `/verify` and `/verify/bundle`: receipts and bundles are checked in the reader's own browser.

No account is needed. The page brings the verifier, the wording of its findings and, as a default, the platform's own
trust policy.
Nothing is sent here: neither file nor receipt, and not even a digest.
"""

from __future__ import annotations

import re
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_safe

from chopmark.base.errors import Unavailable
from chopmark.base.wording import catalogue
from chopmark.evidence import wiring
from chopmark.evidence.bundle import verifier
from chopmark.ledger.policy import policy_text
from chopmark.web.context import language

# The rooms whose codes a verifier can show, as a finding or as a finding's cause.
WORDED = (
    "base.",
    "bundle.",
    "evidence.anchor_",
    "evidence.disclosure_",
    "evidence.receipt_",
    "evidence.record_",
    "ledger.",
    "matter.custody_",
    "verify.",
)
POLICY = re.compile(rb'Content-Security-Policy" content="([^"]*)"')


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """The page; all that its script needs comes with it."""
    policy = platform_policy()
    return render(
        request,
        "verify/page.html",
        {
            "has_policy": policy is not None,
            "policy": policy,
            "settings": {
                "policies": platform_policies(),
                "worker": static("chopmark/hash-worker.js"),
                "libraries": [static("vendor/hash-wasm/sha256.umd.min.js"), static("vendor/hash-wasm/sm3.umd.min.js")],
            },
            "wording": wording(),
            "texts": texts(),
        },
    )


@require_safe
def bundle_page(request: HttpRequest) -> HttpResponse:
    """`/verify/bundle`: the page that a bundle brings too, with this platform's trust; `?download` keeps it.

    It is one file with a policy of its own, which is sent as a header as well.
    """
    try:
        trust = wiring.own_trust()
    except Unavailable:
        trust = None
    content = verifier.page(trust)
    response = HttpResponse(content, content_type="text/html; charset=utf-8")
    found = POLICY.search(content)
    if found is None:
        raise RuntimeError("verify.html has no policy; make it again with scripts/verify_html.py")
    response["Content-Security-Policy"] = f"{found[1].decode()}; frame-ancestors 'none'"
    if "download" in request.GET:
        response["Content-Disposition"] = f'attachment; filename="{verifier.NAME}"'
    return response


def platform_policy() -> str | None:
    """The trust policy that names this platform's log; None before the platform has keys."""
    try:
        return wiring.log_policy().decode()
    except Unavailable:
        return None


def platform_policies() -> list[tuple[int, str]]:
    """The platform's policies over time: from which checkpoint size on each was in force, smallest size first.

    Before the first policy of a consortium, the log vouched for itself alone.
    """
    policy = platform_policy()
    if policy is None:
        return []
    past = [(start, text.decode()) for start, text in wiring.policy_history()]
    if not past:
        return [(0, policy)]
    return [(0, policy_text(wiring.own_policy())), *past] if past[0][0] > 1 else past


def wording() -> dict[str, str]:
    """Code to sentence in the reader's language, from the one catalogue."""
    return {code: sentence[language()] for code, sentence in catalogue().items() if code.startswith(WORDED)}


def texts() -> dict[str, Any]:
    """What the script says that carries no code; `{name}` is filled in by the script."""
    return {
        "PASSED": pgettext("verify", "Passed"),
        "FAILED": pgettext("verify", "Failed"),
        "INDETERMINATE": pgettext("verify", "Indeterminate"),
        "meaning_PASSED": _("Every check passed: these bytes are the ones that were deposited."),
        "meaning_FAILED": _("A check failed. Do not rely on this receipt for this file."),
        "meaning_INDETERMINATE": _("Nothing was found wrong, but something needed could not be checked."),
        "finding_PASSED": pgettext("verify finding", "Passed"),
        "finding_FAILED": pgettext("verify finding", "Failed"),
        "finding_INDETERMINATE": pgettext("verify finding", "Undecided"),
        "step_1": _("The receipt is well formed"),
        "step_2": _("The file is the deposited one"),
        "step_3": _("The description is the committed one"),
        "step_4": _("The statement is signed"),
        "step_5": _("The statement is in the log"),
        "step_6": _("A log that you trust signed"),
        "step_7": _("Witnesses"),
        "step_8": pgettext("verify", "Time"),
        "step_9": _("Time stamps and anchors"),
        "names": {
            "title": pgettext("verify", "title"),
            "author": pgettext("verify", "author"),
            "depositor": pgettext("verify", "depositor"),
            "file_name": pgettext("verify", "file name"),
            "media_type": pgettext("verify", "media type"),
            "size": pgettext("verify", "size in bytes"),
            "digest": pgettext("verify", "digest"),
        },
        "roles": {"log": pgettext("verify", "log"), "witness": pgettext("verify", "witness")},
        "forms": {
            "checkpoint": pgettext("verify", "on the checkpoint"),
            "cose": pgettext("verify", "on the COSE receipt"),
        },
        "beijing": _("Beijing time"),
        "no_time": _("states no time"),
        "nobody": _("No signature of anybody in the trust policy was found."),
        "existed_unknown": _("Not established"),
        "hashing": _("Computing the digest: {percent} %"),
        "hash_failed": _("The file could not be read, or it changed while it was read. Choose it again."),
        "hash_engine": _("This browser cannot compute the digest. Paste it instead: sha256sum FILE prints it."),
        "digest_wrong": _("This is not a SHA-256 digest. Paste 64 hexadecimal digits."),
        "receipt_needed": _("Choose a receipt first: a .tlog-proof or a .receipt.cose file."),
        "receipt_too_large": _("{name} is larger than any receipt. Choose it as the file instead?"),
        "policy_needed": _("Choose your policy file, or take this platform's policy."),
        "policy_wrong": _("The policy file cannot be used. {reason}"),
        "bundle_here": _("{name} is an evidence bundle. Open the page for bundles, and drop it there."),
        "unsupported": _("This browser cannot check this signature on a page served without TLS. Open it over https."),
        "only_one_file": _("One file at a time: {name} was taken. Drop its receipts beside it."),
        "verifying": _("Verifying"),
        "done": _("Verified: {verdict}"),
        "remove": pgettext("verify", "Remove {name}"),
        "policy_platform": _("this platform's policy"),
        "policy_own": _("your policy file {name}"),
        "checked": _("Checked in this browser at {time} UTC, against {policy}."),
        "by_digest": _("the pasted digest"),
        "no_file": _("no file given"),
        "yes": pgettext("verify", "yes"),
        "no": pgettext("verify", "no"),
    }


urlpatterns = [
    path("verify", page, name="verify"),
    path("verify/bundle", bundle_page, name="verify-bundle"),
]

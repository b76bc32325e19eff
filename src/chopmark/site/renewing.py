"""`chopmark renew`: bundles whose proofs end soon are time-stamped anew. The worker does the same every night."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from chopmark.base import clock
from chopmark.cli.home import use_platform
from chopmark.cli.output import PLAIN, Common, print_json, say
from chopmark.cli.status import DONE, UNCERTAIN
from chopmark.cli.words import text


def command(
    *,
    days: Annotated[int, Parameter(validator=Number(gte=1, lte=36_500), help=text("cli.renew.days"))] = 90,
    look: Annotated[bool, Parameter(negative="", show_default=False, help=text("cli.renew.look"))] = False,
    common: Common = PLAIN,
) -> int:
    """Renew what ends soon, or only tell what does."""
    use_platform()
    from chopmark.evidence import wiring  # noqa: PLC0415 (the framework is set up)
    from chopmark.evidence.actions.renew import renew_bundles  # noqa: PLC0415
    from chopmark.site.seal import stampers  # noqa: PLC0415

    with wiring.answering():
        came = renew_bundles(stampers(), clock.now, lead=timedelta(days=days), look_only=look)
    if common.json:
        print_json({"seen": came.seen, "due": came.due, "made": came.made, "troubles": came.troubles})
    say("site.renewed", common, seen=came.seen, due=len(came.due), made=len(came.made))
    for number, code in came.troubles:
        say("site.renewal_trouble", common, number=number, cause=code)
    return UNCERTAIN if came.troubles else DONE

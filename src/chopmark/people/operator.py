"""For whoever runs the platform on its own machine: that person may act for every organisation there.

Reaching this code means holding the home's files, which is more than any role allows.
"""

from __future__ import annotations

from chopmark.people.actor import Actor
from chopmark.people.models import Organisation


def actors() -> list[Actor]:
    """One actor with every permission for each organisation, by name."""
    rows = Organisation.objects.order_by("name", "pk").values_list("pk", "name")
    return [Actor(user_id=None, organisation_id=pk, organisation_name=name, role="owner") for pk, name in rows]

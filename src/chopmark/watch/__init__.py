"""Watch: listings of marketplaces checked against the rights that are filed.

    listing -> candidates (text, pictures, other signals) -> features -> rules and score -> two keys -> hit -> measure

Pure, and recomputable by anybody: `listing`, `marks`, `found`, `features`, `text`, `pictures`, `sellers`, `prices`,
`rules`, `score`, `twokeys`, `results`. The engine (`engine`) runs these over files on one machine or a cluster. Tables
(`models`) keep what people and marketplaces did; `actions` change them, `queries` read them, `doors` bring listings in.
"""

import os

# Daft and Ray report their use to their makers, Daft when it is imported; whoever scans here reports to nobody.
os.environ.setdefault("DAFT_ANALYTICS_ENABLED", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

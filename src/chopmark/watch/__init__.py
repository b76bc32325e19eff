"""Watch: listings of marketplaces checked against the rights that are filed.

    listing -> candidates (text, pictures, other signals) -> features -> rules and score -> two keys -> hit -> measure

Pure, and recomputable by anybody: `listing`, `marks`, `found`, `features`, `text`, `pictures`, `sellers`, `prices`,
`rules`, `score`, `twokeys`, `results`. The engine (`engine`) runs these over files on one machine or a cluster. Tables
(`models`) keep what people and marketplaces did; `actions` change them, `queries` read them, `doors` bring listings in.
"""

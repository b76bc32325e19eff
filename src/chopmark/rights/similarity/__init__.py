"""Look-alike words and logos: keys, scores, candidates. Similar is not infringing; a person decides."""

LOGO_ALGORITHM = "logo-v1"
"""Names the rules of `logos`, beside every code that they make."""

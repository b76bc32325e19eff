"""Everything that changes what this room knows, one concern a file; pages, API, commands and jobs call only these."""

"""Everything that changes what this room knows, one verb a file; pages, API, commands and jobs call only these."""

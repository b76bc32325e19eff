"""Commands: the same actions as the pages, or the same API when a server is given."""

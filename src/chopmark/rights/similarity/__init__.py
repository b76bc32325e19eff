"""Look-alike words and logos: keys, scores, candidates. Similar is not infringing; a person decides."""

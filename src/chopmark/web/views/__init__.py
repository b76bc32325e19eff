"""The pages, one module a subject; each shows what the rooms decide and holds no rules."""

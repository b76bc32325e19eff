"""Pages, forms, API: shows what the rooms below decide and holds no rules."""

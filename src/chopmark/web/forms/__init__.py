"""Forms that need more than a template: what a person types, shaped and worded."""

"""Rights and works: what is registered or created, who may use it where, and what resembles it."""

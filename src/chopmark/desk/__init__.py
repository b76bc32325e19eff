"""The desk of a court or a notary: receives what is filed or ordered, checks every item, answers. No Django."""

"""The certificate of a deposit and of a bundle: bilingual PDF/A, worded no further than what is proven."""

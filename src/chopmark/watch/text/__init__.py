"""Marks in the words of listings, also in disguise: see `matcher`. Pure; opens nothing but its own data."""

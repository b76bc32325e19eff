"""Marks in the words of listings, also where they are disguised: see `matcher`. Pure; opens nothing but its own data."""

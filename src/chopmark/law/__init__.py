"""The rules of each jurisdiction as dated data with sources: courts, causes of action, fees, case templates."""

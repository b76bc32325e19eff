"""The outside, in memory: what tests need of the world around the platform."""

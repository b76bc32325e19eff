"""Fingerprints of pictures, audio, video and text, and finding what resembles them. Free of framework and network."""

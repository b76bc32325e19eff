"""What a share must at least, or can at most, be: exact one-sided bounds of Clopper and Pearson (1934), Biometrika 26.

lower_bound(299, 299)       0.9900..: no error in 299 samples proves 99 % at a confidence of 95 %
"""

from __future__ import annotations

from typing import Final

CONFIDENCE: Final = 0.95  # of every bound that is not said otherwise


def lower_bound(successes: int, count: int, confidence: float = CONFIDENCE) -> float:
    """The least share that such samples leave believable, one-sided; 0 without samples.

    Clopper and Pearson (1934): the share at which as many successes or more would have probability 1 - confidence.
    """
    from scipy.special import betaincinv  # noqa: PLC0415 (only bounds need it)

    if not 0 <= successes <= count:
        raise ValueError(f"{successes} of {count}")
    return float(betaincinv(successes, count - successes + 1, 1 - confidence)) if successes else 0.0


def upper_bound(successes: int, count: int, confidence: float = CONFIDENCE) -> float:
    """The largest share that such samples leave believable, one-sided; 1 without samples."""
    return 1 - lower_bound(count - successes, count, confidence)

"""Metrics that ask for a quantile: the pinball loss, which is least where so large a share of the truths lies below."""

from __future__ import annotations

import re

PINBALL = "neg_mean_pinball_loss"  # scikit-learn's name of the function, as its scorers are called
_ASKED = re.compile(r"(?:neg_)?(?:mean_)?(?:pinball|quantile)(?:_loss)?(?:[@_:]?(\d*\.?\d+))?")


def quantile_of(metric: str) -> float | None:
    """The quantile that a metric asks for, between 0 and 1; None of any other metric.

    Example:
        >>> quantile_of("neg_mean_pinball_loss_0.9"), quantile_of("neg_root_mean_squared_error")
        (0.9, None)
    """
    found = metric.removeprefix(f"{PINBALL}_")
    return float(found) if found != metric else None


def pinball_name(asked: str) -> str | None:
    """The name of the pinball loss that is meant; None where none is, or of no quantile that there is.

    Example:
        >>> pinball_name("pinball@0.9"), pinball_name("pinball"), pinball_name("pinball@1.5"), pinball_name("mae")
        ('neg_mean_pinball_loss_0.9', 'neg_mean_pinball_loss_0.5', None, None)
    """
    found = _ASKED.fullmatch(asked)
    if found is None:
        return None
    quantile = float(found[1] or 0.5)
    return f"{PINBALL}_{quantile:g}" if 0.0 < quantile < 1.0 else None

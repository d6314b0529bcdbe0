"""One form of error for numbers out of their range."""

import math


def check_number(
    name: str,
    value: float,
    most: float = math.inf,
    *,
    above_zero: bool = False,
    below_most: bool = False,
) -> float:
    """Return `value` as a float if it lies between 0 and `most`.

    Parameters
    ----------
    name : str
        Of the parameter, for the message.
    value : float
    most : float, default=inf
    above_zero, below_most : bool, default=False
        Whether the ends of the range are excluded.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If `value` is outside, or NaN.
    """
    number = float(value)
    low = number > 0 if above_zero else number >= 0
    high = number < most if below_most else number <= most
    if low and high:
        return number
    opening, closing = "(" if above_zero else "[", ")" if below_most else "]"
    raise ValueError(
        f"{name} must be a number in the range {opening}0, {most:g}{closing}. Got {number} instead."
    )

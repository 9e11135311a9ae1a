"""Numbers as people read them, by one rule: half away from zero, of the decimal number that the JSON answer shows.

That number is the shortest that names the same float. The percentage of 1,686 in 40,000 pixels is 4.215 there, and
4.22 for people; the float itself is a little less, and rounding that would give 4.21. For percentages of pixels the
rule is the same as rounding the exact ratio. `service/static/numbers.js` follows it in the browser.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def write_decimals(value: float, places: int) -> str:
    """Write a number with so many decimals: 0.0625 with three is 0.063. What rounds to zero has no sign."""
    rounded = Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return f"{rounded or abs(rounded)}"


def write_percent(value: float | None) -> str:
    """Write a percentage with two decimals, but never a false 0 or 100: 12.45, <0.01, >99.99; a dash for none."""
    if value is None:
        return "\N{EN DASH}"
    if 0 < value < 0.005:
        return "<0.01"
    if 99.995 <= value < 100:
        return ">99.99"
    return write_decimals(value, 2)


def write_between(low: float, high: float) -> tuple[str, str]:
    """Write the ends of an interval, never narrower than it is: with one decimal, or two where it is narrow."""
    step = Decimal(1).scaleb(-1 if high - low >= 1 else -2)
    ends = ((low, ROUND_FLOOR), (high, ROUND_CEILING))
    one, other = (f"{Decimal(repr(float(value))).quantize(step, rule)}" for value, rule in ends)
    return one, other


def write_signed(value: float, decimals: int = 2) -> str:
    """Write a difference with its sign, a true minus: +0.21, 0.00."""
    text = write_decimals(value, decimals)
    return text.replace("-", "\N{MINUS SIGN}") if float(text) <= 0 else f"+{text}"


def write_figures(value: float, figures: int = 6) -> str:
    """Write a number with so many figures at most, and no needless zeros: 0.325, 10,000, 1 x 10 to the -6th."""
    mantissa, _, exponent = f"{value:,.{figures}g}".partition("e")
    return write_power(mantissa, int(exponent)) if exponent else mantissa


def write_power(mantissa: str, exponent: int) -> str:
    """Write so many times a power of ten, with spaces at which no line breaks."""
    return f"{mantissa}\N{NO-BREAK SPACE}\N{MULTIPLICATION SIGN}\N{NO-BREAK SPACE}10{str(exponent).translate(_RAISED)}"

"""Gestational age from head circumference, by the formula of Hadlock et al. 1984."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import MeasurementError

SOURCE = "Hadlock et al., Radiology 1984; 152:497-501 (head circumference alone)"
INTERCEPT, LINEAR, CUBIC = 8.96, 0.540, 0.0003
"""Weeks, weeks a cm, weeks a cm cubed."""
YOUNGEST, OLDEST = 12.0, 42.0
"""Weeks that the publication's tables span; its 361 fetuses were 14 to 42 weeks old."""
VARIABILITY = ((18.0, 1.19), (24.0, 1.48), (30.0, 2.06), (36.0, 2.98), (42.0, 2.70))
"""(up to this age, two standard deviations of single fetuses), both in weeks."""
DAYS = 7


@dataclass(frozen=True)
class GestationalAge:
    """An age and what single fetuses differ from it, two standard deviations, in weeks."""

    weeks: float
    spread: float

    @property
    def low(self) -> float:
        return self.weeks - self.spread

    @property
    def high(self) -> float:
        return self.weeks + self.spread

    def __str__(self) -> str:
        return weeks_and_days(self.weeks)


def gestational_age(circumference_mm: float) -> GestationalAge | None:
    """The age of a fetus with this head circumference; None outside the formula's range (:func:`why_no_age`).

    Raises
    ------
    MeasurementError
        If the circumference is not positive.
    """
    weeks = _weeks(circumference_mm)
    if not YOUNGEST <= weeks <= OLDEST:
        return None
    return GestationalAge(weeks, next(spread for end, spread in VARIABILITY if weeks <= end))


def why_no_age(circumference_mm: float) -> str | None:
    """One sentence where there is no age; None where there is one."""
    weeks = _weeks(circumference_mm)
    if YOUNGEST <= weeks <= OLDEST:
        return None
    small, how = ("small", "crown-rump length tells the age of so young a fetus") if weeks < YOUNGEST else (
        "large", "check the size of a pixel"
    )  # fmt: skip
    return (
        f"A head circumference of {circumference_mm:.1f} mm is too {small} for the formula of Hadlock et al. 1984, "
        f"which holds from {YOUNGEST:.0f} to {OLDEST:.0f} weeks; {how}."
    )


def weeks_and_days(weeks: float) -> str:
    """``22 weeks 3 days``, rounded to the nearest day."""
    whole, days = divmod(round(weeks * DAYS), DAYS)
    return f"{whole} weeks {days} day{'' if days == 1 else 's'}"


def trimester(circumference_mm: float) -> str:
    """``first`` below 14 weeks by the formula, ``second`` below 28, else ``third``.

    The formula is also read below its range, where it only has to say that a fetus is younger than 14 weeks.
    """
    weeks = _weeks(circumference_mm)
    return "first" if weeks < 14 else "second" if weeks < 28 else "third"


def _weeks(circumference_mm: float) -> float:
    if not circumference_mm > 0:
        raise MeasurementError(f"A head circumference is positive; {circumference_mm:g} mm cannot be dated.")
    length = circumference_mm / 10
    return INTERCEPT + LINEAR * length + CUBIC * length**3

"""One entry of `[[workload.phase]]`: the offered rate over a length of time, given by a shape.

`told.profile` makes the segments of a phase. A key that the shape does not use is an error, as it would do nothing.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from loadgen.config.tables.refused import ProblemCode, Refused
from loadgen.config.tables.table import Table
from loadgen.config.tables.values import COUNT_IN_TEXT, PositiveDuration, Rates
from loadgen.units import NS_PER_S, format_duration

MAX_SEGMENTS = 100_000
"""The most segments of a profile: every worker is sent all of them, and goes through them in memory."""

_USED_BY = {"steps": ("step",), "period": ("sine", "burst"), "width": ("burst",)}
"""The shapes that use each of these keys."""

_BURST_PERIOD_NS = NS_PER_S

_WIDTHS_PER_PERIOD = 10
"""The number of bursts of the default width that would fill a period."""


class Phase(Table):
    """The rate over a length of time. Phases follow one another, and the measurement lasts as long as all of them."""

    lasts: PositiveDuration = Field(alias="for", description="Length of the phase.")
    shape: Literal["constant", "ramp", "step", "sine", "burst"] = Field(
        default="constant",
        description=(
            '"constant" (the default: one rate), "ramp" (a straight line between two rates), "step" (equal stairs), '
            '"sine" (swings, beginning at the first rate) or "burst" (the first rate, and the second rate for the '
            "last part of each period)."
        ),
    )
    rate: Rates = Field(
        description=(
            "Requests per second over all workers: one number for the shape constant, otherwise [from, to]; "
            "0 sends nothing."
        )
    )
    steps: Annotated[int, Field(ge=2, le=MAX_SEGMENTS), COUNT_IN_TEXT] | None = Field(
        default=None,
        description="For step: number of stairs; the first and the last rate are two of them. Default: 2.",
    )
    period: PositiveDuration | None = Field(
        default=None,
        description=(
            "For sine and burst: time from one swing or burst to the next. "
            "Default: the whole phase for sine, 1s for burst."
        ),
    )
    width: PositiveDuration | None = Field(
        default=None, description="For burst: length of each burst. Default: a tenth of the period."
    )

    @field_validator("rate")
    @classmethod
    def _fits_the_shape(cls, rate: Rates, info: ValidationInfo) -> Rates:
        shape = info.data.get("shape")
        if shape == "constant" and isinstance(rate, tuple):
            raise Refused(
                ProblemCode.RATES_OF_SHAPE,
                'has two rates, and the shape "constant" has one; write one, or a shape such as "ramp"',
            )
        if shape not in (None, "constant") and not isinstance(rate, tuple):
            raise Refused(
                ProblemCode.RATES_OF_SHAPE,
                f'has one rate, and the shape "{shape}" goes between two; write them as [from, to]',
            )
        return rate

    @field_validator("steps", "period", "width")
    @classmethod
    def _is_for_the_shape(cls, value: int | None, info: ValidationInfo) -> int | None:
        shape = info.data.get("shape")
        users = _USED_BY[str(info.field_name)]
        if value is not None and shape is not None and shape not in users:
            quoted = " or ".join(f'"{user}"' for user in users)
            raise Refused(
                ProblemCode.NOT_FOR_SHAPE,
                f'is not used by the shape "{shape}"; leave it out, or write the shape {quoted}',
            )
        return value

    @field_validator("steps")
    @classmethod
    def _default_steps(cls, steps: int | None, info: ValidationInfo) -> int | None:
        return 2 if steps is None and info.data.get("shape") == "step" else steps

    @field_validator("period")
    @classmethod
    def _default_period(cls, period: int | None, info: ValidationInfo) -> int | None:
        lasts: int | None = info.data.get("lasts")
        match info.data.get("shape"):
            case "sine" if period is None:
                return lasts
            case "burst" if period is None:
                return _BURST_PERIOD_NS
            case _:
                return period

    @field_validator("width")
    @classmethod
    def _within_the_period(cls, width: int | None, info: ValidationInfo) -> int | None:
        period: int | None = info.data.get("period")
        if info.data.get("shape") != "burst" or period is None:
            return width
        width = max(1, period // _WIDTHS_PER_PERIOD) if width is None else width
        if width >= period:
            raise Refused(
                ProblemCode.TOO_LARGE,
                f"must be shorter than the period, which is {format_duration(period)}, not {format_duration(width)}",
            )
        return width

    @model_validator(mode="after")
    def _bursts_at_all(self) -> Phase:
        rest = (self.period or 0) - (self.width or 0)
        if self.shape == "burst" and rest >= self.lasts:
            raise Refused(
                ProblemCode.NO_BURST,
                f"lasts {format_duration(self.lasts)}, and its first burst would come after {format_duration(rest)}; "
                "make it longer, or its period shorter",
            )
        return self

    @property
    def rates(self) -> tuple[float, float]:
        """The first and the last rate; one rate twice for a constant shape."""
        return self.rate if isinstance(self.rate, tuple) else (self.rate, self.rate)

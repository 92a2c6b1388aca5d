"""The times at which the operations of one caller process fall due. Pure; no clock.

The rate of a traffic with a shape is a function of time. The operations of all processes together are evenly spaced
under that rate, and each process has every `writers`-th of them.
"""

from __future__ import annotations

import math

from loadgen.trial.plan import CallerPlan
from loadgen.units import NS_PER_S

BURST_SHARE = 0.1
"""The part of a burst's period in which the rate is the peak."""


class Schedule:
    """The intended times of one caller process, counted from the beginning of its load. Empty in a closed loop."""

    def __init__(self, plan: CallerPlan) -> None:
        traffic = plan.traffic
        self.is_open = traffic.rate_per_s > 0
        self._shape = traffic.shape
        self._rate = traffic.rate_per_s
        self._peak = max(traffic.peak_per_s, traffic.rate_per_s)
        self._period_s = traffic.period_ns / NS_PER_S
        self._writer = plan.writer
        self._writers = plan.writers

    def due_ns(self, number: int) -> int:
        """Return the time of this process's operation with a number from 0."""
        count = number * self._writers + (self._writer - 1) % self._writers
        return round(self._when(count) * NS_PER_S)

    def due_by(self, at_ns: int) -> int:
        """Return how many of this process's operations have fallen due up to a time, that time included."""
        if not self.is_open or at_ns < 0:
            return 0
        guess = int(self._count(at_ns / NS_PER_S) // self._writers)
        while self.due_ns(guess) <= at_ns:
            guess += 1
        while guess and self.due_ns(guess - 1) > at_ns:
            guess -= 1
        return guess

    def _when(self, count: float) -> float:
        """Return the time in s at which `count` operations have fallen due before."""
        if self._shape == "burst" and self._period_s:
            burst_s = BURST_SHARE * self._period_s
            in_burst, in_period = self._peak * burst_s, self._peak * burst_s + self._rate * (self._period_s - burst_s)
            periods, rest = divmod(count, in_period)
            begun_s = periods * self._period_s
            return begun_s + (rest / self._peak if rest < in_burst else burst_s + (rest - in_burst) / self._rate)
        if self._shape == "ramp" and self._period_s and self._peak > self._rate:
            slope = (self._peak - self._rate) / self._period_s
            in_ramp = (self._rate + self._peak) / 2 * self._period_s
            if count >= in_ramp:
                return self._period_s + (count - in_ramp) / self._peak
            return (math.sqrt(self._rate**2 + 2 * slope * count) - self._rate) / slope
        return count / self._rate

    def _count(self, at_s: float) -> float:
        """Return how many operations have fallen due at a time: the inverse of `_when`."""
        if self._shape == "burst" and self._period_s:
            burst_s = BURST_SHARE * self._period_s
            periods, rest_s = divmod(at_s, self._period_s)
            in_period = self._peak * burst_s + self._rate * (self._period_s - burst_s)
            return periods * in_period + self._peak * min(rest_s, burst_s) + self._rate * max(0.0, rest_s - burst_s)
        if self._shape == "ramp" and self._period_s and self._peak > self._rate:
            ramped_s = min(at_s, self._period_s)
            slope = (self._peak - self._rate) / self._period_s
            return self._rate * ramped_s + slope * ramped_s**2 / 2 + self._peak * (at_s - ramped_s)
        return at_s * self._rate

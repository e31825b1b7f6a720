"""A window's quantities as they travel: integers, in the shape of `model.records`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wattwheel.metrology.quantities import angle_deg
from wattwheel.metrology.wiring import Wiring
from wattwheel.model.records import ELEMENTS, ElementReading, Momentary, directed

if TYPE_CHECKING:
    from wattwheel.metrology.quantities import Window


def _scaled(value: float | None, factor: float) -> int | None:
    return None if value is None else round(value * factor)


def _millidegree(phasor: complex) -> int:
    return round(angle_deg(phasor) * 1000.0) % 360_000


def _gated(window: Window) -> list[tuple[float, float, float]]:
    """P, Q and S of every element as they are shown: nothing below the no-load threshold, like in the registers."""
    threshold = window.rating.no_load_power_w
    triples = list(zip(window.active_power_w, window.reactive_power_var, window.apparent_power_va, strict=True))
    if window.wiring is Wiring.THREE_WIRE:
        is_active = abs(window.total_active_power_w) >= threshold
        is_reactive = abs(window.total_reactive_power_var) >= threshold
        return [(p * is_active, q * is_reactive, s * (is_active or is_reactive)) for p, q, s in triples]
    shown = []
    for p, q, s in triples:
        is_active, is_reactive = abs(p) >= threshold, abs(q) >= threshold
        shown.append((p * is_active, q * is_reactive, s * (is_active or is_reactive)))
    return shown


def momentary(window: Window) -> Momentary:
    """The quantities of a displayable window. Powers below the no-load threshold are 0, with power factor 1."""
    shown = _gated(window)
    elements = [ElementReading() for _ in ELEMENTS]
    thd_voltage, thd_current = window.thd_voltage, window.thd_current
    phasors = window.phasors
    phases = len(shown)
    dead = window.rating.interruption_share * window.rating.reference_voltage_v
    for place, element in enumerate(window.wiring.elements):
        p, q, s = shown[place]
        has_voltage = window.voltage_v_rms[place] >= dead
        has_load = s > 0.0 and has_voltage
        voltage_angle = phase_angle = None
        if phasors is not None and has_voltage:
            voltage_angle = 0 if place == 0 else _millidegree(phasors[place] * phasors[0].conjugate())
            behind = phasors[place] * phasors[phases + place].conjugate()
            phase_angle = _millidegree(behind) if has_load else 0
        active_power_milliwatt = round(p * 1e3)
        elements[element] = ElementReading(
            voltage_millivolt=round(window.voltage_v_rms[place] * 1e3),
            current_microampere=directed(round(window.current_a_rms[place] * 1e6), active_power_milliwatt),
            active_power_milliwatt=active_power_milliwatt,
            reactive_power_millivar=round(q * 1e3),
            apparent_power_millivoltampere=round(s * 1e3),
            power_factor_millionth=round(p / s * 1e6) if s > 0.0 else 1_000_000,
            phase_angle_millidegree=phase_angle,
            voltage_angle_millidegree=voltage_angle,
            thd_voltage_millipercent=_scaled(thd_voltage[place], 1e5) if has_voltage else None,
            thd_current_millipercent=_scaled(thd_current[place], 1e5) if has_load else None,
        )
    elements[0] = _total(window, shown)
    return Momentary(
        elements=(elements[0], elements[1], elements[2], elements[3]),
        frequency_millihertz=_scaled(window.frequency_hz, 1e3),
        neutral_current_microampere=_scaled(window.neutral_a_rms, 1e6),
        sequence_reversed=window.is_sequence_reversed,
        voltage_unbalance_millipercent=_scaled(window.voltage_unbalance, 1e5),
        current_unbalance_millipercent=_scaled(window.current_unbalance, 1e5),
    )


def _total(window: Window, shown: list[tuple[float, float, float]]) -> ElementReading:
    p, q = sum(part[0] for part in shown), sum(part[1] for part in shown)
    s = sum(part[2] for part in shown)
    if window.wiring is Wiring.THREE_WIRE:
        s *= window.total_apparent_power_va / max(sum(window.apparent_power_va), 1e-30)
    return ElementReading(
        active_power_milliwatt=round(p * 1e3),
        reactive_power_millivar=round(q * 1e3),
        apparent_power_millivoltampere=round(s * 1e3),
        power_factor_millionth=round(p / s * 1e6) if s > 0.0 else 1_000_000,
    )

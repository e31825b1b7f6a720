"""Meters a recording: the JSON document of `wattwheel measure`.

Written apart from the metering core, in floating point over the whole recording, so that it can check the core.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wattwheel.drivers.sim.recordings import load_recording
from wattwheel.model.errors import RecordingError
from wattwheel.protocols.recordings.cycles import Cycles, coarse_frequency, find_cycles, integral_to, steadiest
from wattwheel.protocols.recordings.mapping import mapped_channels, parse_map, values_of
from wattwheel.protocols.recordings.recording import Recording

HARMONIC_MAX = 40
"""Highest order that THD counts."""

NYQUIST_SHARE = 0.45
"""Highest harmonic over the sampling rate."""

WINDOW_S = 0.2
"""Length of the windows of fundamental and harmonics, rounded to whole cycles: 10 at 50 Hz, 12 at 60 Hz."""

CYCLE_SAMPLES_MIN = 2.0
"""Fewer samples a cycle than this show no RMS of a cycle."""

WHOLE_CYCLE_TOLERANCE = 0.001
"""A cycle is counted in whole samples when it is that near to a whole number of them."""

STEADY_TOLERANCE = 0.001
"""A record whose mean and median frequency differ by less has no fault that moves the phase."""

JOULE_PER_WH = 3600.0

TOO_SHORT = "holds too little for whole cycles; allowed: at least two, or --periodic for a record cut to whole cycles"

Values = NDArray[np.float64]


class _Span(NamedTuple):
    """The stretch that is metered, cut into windows.

    Attributes:
        times: sample times, s.
        edges: window borders, s, one more than windows.
        position: cycles passed at each sample, None without a fundamental.
        cycles: cycles of the whole stretch, None without a fundamental.
        periodic: the stretch is one period and goes on with its first sample.
        rate: samples a second.
        rms_hz: one over the length of the windows of half-cycle RMS, None when nothing tells it.
    """

    times: Values
    edges: Values
    position: Values | None
    cycles: float | None
    periodic: bool
    rate: float
    rms_hz: float | None

    @property
    def duration(self) -> float:
        return float(self.edges[-1] - self.edges[0])

    @property
    def frequency(self) -> float | None:
        return None if self.cycles is None else self.cycles / self.duration

    def integrals(self, values: Values) -> Values:
        """Integral of `values` over each window."""
        if self.periodic:
            return np.array([float(values.sum()) / self.rate])
        return np.diff(integral_to(self.times, values, self.edges))

    def mean(self, values: Values) -> float:
        return float(self.integrals(values).sum()) / self.duration


def measure(
    path: str | Path,
    mapping: Mapping[str, str] | str | None = None,
    rate_hz: float | None = None,
    periodic: bool = False,
) -> dict[str, Any]:
    """Quantities of the recording at `path`, as `docs/reference/json.md` describes them.

    `mapping` names the channels (`{"va": "U1"}` or `va=U1,...`; None: by their names), `rate_hz` the sampling rate of a
    file without one. `periodic` takes the whole record as one repeating period; otherwise the window runs between the
    outermost rising zero crossings. Raises RecordingError for whatever cannot be metered.
    """
    recording = load_recording(path, rate_hz)
    chosen = mapped_channels(recording, parse_map(mapping) if isinstance(mapping, str) else mapping)
    run = recording.fast_run()
    values = {quantity: values_of(recording, channel, run.first, run.end) for quantity, channel in chosen.items()}
    times = recording.times_s[run.first : run.end] - recording.times_s[run.first]
    if len(times) < 2:
        raise RecordingError(recording.file, "one sample only; allowed: at least two cycles of samples")
    reference = values[steadiest(values)]
    found = find_cycles(times, reference, recording.nominal_hz)
    if periodic:
        span = _whole_record(times, run.rate_hz, reference, recording.nominal_hz)
    else:
        if found is None and coarse_frequency(times, reference - reference.mean(), recording.nominal_hz) is not None:
            raise RecordingError(recording.file, TOO_SHORT)
        span = _between_crossings(recording, times, run.rate_hz, found)
    phasors = {q: _phasors(span, x) for q, x in values.items()}
    phases = {
        p: _phase(span, values.get("v" + p), values.get("i" + p), phasors.get("v" + p), phasors.get("i" + p))
        for p in "abc"
    }
    return {
        "file": str(path),
        "cycles": span.cycles,
        "frequency_hz": span.frequency,
        "phases": phases | {"n": _neutral(span, values.get("in"))},
        "total": _total(span, values, phases),
        "kind": recording.kind,
        "rate_hz": run.rate_hz,
        "samples": len(times),
        "first_sample": run.first,
        "duration_s": span.duration,
        "periodic": periodic,
        "frequency_1s_hz": _frequency_1s(found),
        "channels": {q: {"name": c.name, "unit": c.unit, "side": c.side, "ratio": c.ratio} for q, c in chosen.items()},
    }


def _whole_record(times: Values, rate: float, reference: Values, nominal_hz: float | None) -> _Span:
    """The whole record as one period; its cycles are the whole number nearest to what the spectrum says."""
    count = len(times)
    frequency = coarse_frequency(times, reference - reference.mean(), nominal_hz)
    cycles = None if frequency is None else float(max(1, round(frequency * count / rate)))
    position = None if cycles is None else np.arange(count) * cycles / count
    rms_hz = nominal_hz if cycles is None else cycles * rate / count
    return _Span(times, np.array([0.0, count / rate]), position, cycles, True, rate, rms_hz)


def _between_crossings(recording: Recording, times: Values, rate: float, found: Cycles | None) -> _Span:
    """First to last rising zero crossing in windows of about `WINDOW_S`; all of a record without a fundamental."""
    if found is None:
        return _Span(times, times[[0, -1]], None, None, False, rate, recording.nominal_hz)
    crossings = found.crossings_s
    if len(crossings) < 2:
        raise RecordingError(recording.file, TOO_SHORT)
    per_window = max(1, round(WINDOW_S * found.frequency_hz))
    borders = np.arange(0, len(crossings), per_window)
    if len(crossings) - 1 - borders[-1] > 0:  # what is left over goes with the last window
        borders = np.append(borders[:-1] if len(borders) > 1 else borders, len(crossings) - 1)
    cycles = float(len(crossings) - 1)
    steady = abs(found.frequency_hz / found.median_hz - 1) < STEADY_TOLERANCE
    rms_hz = found.median_hz if steady else recording.nominal_hz or found.median_hz
    return _Span(times, crossings[borders], found.position, cycles, False, rate, rms_hz)


def _orders(span: _Span) -> int:
    """Highest harmonic order that the sampling carries."""
    assert span.frequency is not None
    return max(1, min(HARMONIC_MAX, int(NYQUIST_SHARE * span.rate / span.frequency)))


def _phasors(span: _Span, values: Values) -> NDArray[np.complex128] | None:
    """RMS phasors of the orders 1, 2, ... in each window, shape (windows, orders); None without a fundamental."""
    if span.cycles is None or span.position is None:
        return None
    orders = _orders(span)
    if span.periodic:
        lines = np.fft.rfft(values) * np.sqrt(2) / len(values)
        picked: NDArray[np.complex128] = lines[int(span.cycles) * np.arange(1, orders + 1)]
        return picked[np.newaxis, :]
    rows = []
    for begin, end in zip(span.edges[:-1], span.edges[1:], strict=True):
        inside = slice(*np.searchsorted(span.times, (begin, end)))
        angle = 2 * np.pi * np.outer(span.position[inside], np.arange(1, orders + 1))
        columns = np.concatenate([np.ones((len(angle), 1)), np.cos(angle), np.sin(angle)], axis=1)
        fit = np.linalg.lstsq(columns.T @ columns, columns.T @ values[inside], rcond=None)[0]
        rows.append((fit[1 : orders + 1] - 1j * fit[orders + 1 :]) / np.sqrt(2))
    return np.array(rows)


def _phase(
    span: _Span,
    voltage: Values | None,
    current: Values | None,
    voltage_phasors: NDArray[np.complex128] | None,
    current_phasors: NDArray[np.complex128] | None,
) -> dict[str, Any]:
    """Quantities of one phase; None for what is absent."""
    v_dc, v_square = _moments(span, voltage)
    i_dc, i_square = _moments(span, current)
    power = reactive = None
    if voltage is not None and current is not None:
        power = span.mean(voltage * current)
    if voltage_phasors is not None and current_phasors is not None:
        lengths = np.diff(span.edges)
        powers = np.imag(voltage_phasors[:, 0] * np.conj(current_phasors[:, 0]))
        reactive = float(powers @ lengths) / span.duration
    power_ac = None if power is None or v_dc is None or i_dc is None else power - v_dc * i_dc
    v_half, i_half = _half_cycles(span, voltage), _half_cycles(span, current)
    return {
        **_set(_root(v_square), _root(i_square), power, reactive),
        "thd_voltage_percent": _thd(span, voltage_phasors),
        "thd_current_percent": _thd(span, current_phasors),
        "voltage_v_rms_half_min": v_half[0],
        "voltage_v_rms_half_max": v_half[1],
        "current_a_rms_half_min": i_half[0],
        "current_a_rms_half_max": i_half[1],
        "dc": {"voltage_v": v_dc, "current_a": i_dc},
        "ac": _set(_root(v_square, v_dc), _root(i_square, i_dc), power_ac, reactive),
    }


def _set(voltage: float | None, current: float | None, power: float | None, reactive: float | None) -> dict[str, Any]:
    """The six quantities that exist with and without DC."""
    apparent = None if voltage is None or current is None else voltage * current
    return {
        "voltage_v_rms": voltage,
        "current_a_rms": current,
        "active_power_w": power,
        "reactive_power_var": reactive,
        "apparent_power_va": apparent,
        "power_factor": power / apparent if power is not None and apparent else None,
    }


def _moments(span: _Span, values: Values | None) -> tuple[float | None, float | None]:
    """Mean and mean square."""
    return (None, None) if values is None else (span.mean(values), span.mean(values * values))


def _root(square: float | None, dc: float | None = None) -> float | None:
    return None if square is None else float(np.sqrt(max(square - (dc or 0.0) ** 2, 0.0)))


def _thd(span: _Span, phasors: NDArray[np.complex128] | None) -> float | None:
    """Total harmonic distortion against the fundamental over all windows, percent."""
    if phasors is None or phasors.shape[1] < 2:
        return None
    powers = np.diff(span.edges) @ np.abs(phasors) ** 2
    return float(100 * np.sqrt(powers[1:].sum() / powers[0])) if powers[0] > 0 else None


def _half_cycles(span: _Span, values: Values | None) -> tuple[float | None, float | None]:
    """Smallest and largest RMS over one cycle, renewed every half cycle from the first sample on.

    Each sample stands for the step that follows it. A cycle is a whole number of samples where it nearly is one. Where
    the frequency cannot be told (no fundamental, or a fault that moves its phase), it is that which the file states.
    """
    if values is None or span.rms_hz is None:
        return None, None
    cycle = span.rate / span.rms_hz
    if not CYCLE_SAMPLES_MIN <= cycle <= 2 * len(values):
        return None, None
    if abs(round(cycle) / cycle - 1) < WHOLE_CYCLE_TOLERANCE:
        cycle = float(round(cycle))
    square = np.concatenate([values, values[: int(np.ceil(cycle))]]) ** 2 if span.periodic else values**2
    begins = np.arange(0.0, len(square) - cycle + 1e-6, cycle / 2)
    if not len(begins):
        return None, None
    sums = np.concatenate([np.zeros(1), np.cumsum(square)])
    course = np.arange(len(sums), dtype=np.float64)
    means = (np.interp(begins + cycle, course, sums) - np.interp(begins, course, sums)) / cycle
    return float(np.sqrt(max(means.min(), 0.0))), float(np.sqrt(means.max()))


def _neutral(span: _Span, current: Values | None) -> dict[str, Any]:
    dc, square = _moments(span, current)
    low, high = _half_cycles(span, current)
    return {
        "current_a_rms": _root(square),
        "current_a_rms_half_min": low,
        "current_a_rms_half_max": high,
        "dc": {"current_a": dc},
        "ac": {"current_a_rms": _root(square, dc)},
    }


def _total(span: _Span, values: Mapping[str, Values], phases: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Sums over the phases that have voltage and current; energies by the sign of the power of each window."""
    complete = [p for p in "abc" if phases[p]["active_power_w"] is not None]
    if not complete:
        names = ("active_power_w", "reactive_power_var", "apparent_power_va", "power_factor")
        return dict.fromkeys((*names, "import_active_energy_wh", "export_active_energy_wh"))
    active = sum(phases[p]["active_power_w"] for p in complete)
    apparent = sum(phases[p]["apparent_power_va"] for p in complete)
    reactive = [phases[p]["reactive_power_var"] for p in complete]
    energies = sum(span.integrals(values["v" + p] * values["i" + p]) for p in complete)
    return {
        "active_power_w": active,
        "reactive_power_var": None if None in reactive else sum(reactive),
        "apparent_power_va": apparent,
        "power_factor": active / apparent if apparent else None,
        "import_active_energy_wh": float(np.maximum(energies, 0).sum()) / JOULE_PER_WH,
        "export_active_energy_wh": float(np.maximum(-energies, 0).sum()) / JOULE_PER_WH,
    }


def _frequency_1s(found: Cycles | None) -> dict[str, float] | None:
    """Mean, smallest and largest frequency over about one second, renewed every cycle; None for shorter records."""
    if found is None:
        return None
    cycles = max(1, round(found.frequency_hz))
    if len(found.crossings_s) <= cycles:
        return None
    rates = cycles / (found.crossings_s[cycles:] - found.crossings_s[:-cycles])
    return {"mean": float(rates.mean()), "min": float(rates.min()), "max": float(rates.max())}

// The oscilloscope: one cycle of voltage above, of current below, each with a scale that changes seldom.

const STEPS = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10];
const SHRINK = 0.45; // a scale falls only when less than this part of it is used
const LEFT = 46;
const BOTTOM = 22;
const GAP = 16;

function scaleFor(peak, held) {
  if (held !== null && peak <= held && peak >= held * SHRINK) return held;
  if (!(peak > 0)) return held ?? 1;
  const decade = 10 ** Math.floor(Math.log10(peak * 1.08));
  return decade * STEPS.find((step) => step * decade >= peak * 1.04);
}

function words(value) {
  return Number(value.toPrecision(3)).toString().replace("-", "−");
}

export class Scope {
  constructor(canvas) {
    this.canvas = canvas;
    this.content = null;
    this.scales = { voltage_v: null, current_a: null };
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  show(content) {
    this.content = content;
    this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const ratio = devicePixelRatio || 1;
    if (width === 0) return;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const style = getComputedStyle(this.canvas);
    const color = (name) => style.getPropertyValue(`--${name}`).trim();
    pen.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const pane = (height - BOTTOM - GAP) / 2;
    const panes = [["voltage_v", "V", 6, pane - 6], ["current_a", "A", pane + GAP, pane]];
    for (const [key, unit, top, tall] of panes) {
      const peak = Math.max(0, ...this.traces(key).flatMap(([, points]) => points.map(Math.abs)));
      this.scales[key] = scaleFor(peak, this.scales[key]);
      this.graticule(pen, color, { left: LEFT, top, width: width - LEFT - 14, height: tall }, this.scales[key], unit);
      this.curves(pen, color, { left: LEFT, top, width: width - LEFT - 14, height: tall }, key);
    }
    this.timeAxis(pen, color, width, height);
  }

  traces(key) {
    return Object.entries(this.content?.phases ?? {}).map(([phase, trace]) => [phase, trace[key]]);
  }

  graticule(pen, color, box, scale, unit) {
    const line = (x1, y1, x2, y2, stroke) => {
      pen.strokeStyle = stroke;
      pen.lineWidth = 1;
      pen.beginPath();
      pen.moveTo(Math.round(x1) + 0.5, Math.round(y1) + 0.5);
      pen.lineTo(Math.round(x2) + 0.5, Math.round(y2) + 0.5);
      pen.stroke();
    };
    for (let n = 0; n <= 8; n += 1) {
      const x = box.left + (box.width * n) / 8;
      line(x, box.top, x, box.top + box.height, color("grid"));
    }
    pen.fillStyle = color("muted");
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const part of [-1, -0.5, 0, 0.5, 1]) {
      const y = box.top + (box.height * (1 - part)) / 2;
      line(box.left, y, box.left + box.width, y, color(part === 0 ? "axis" : "grid"));
      if (part === 0) pen.fillText(unit, box.left - 8, y);
      else if (this.content) pen.fillText(words(part * scale), box.left - 8, y);
    }
  }

  curves(pen, color, box, key) {
    pen.lineWidth = 2;
    pen.lineJoin = "round";
    for (const [phase, points] of this.traces(key)) {
      const count = points.length;
      pen.strokeStyle = color(phase);
      pen.fillStyle = color(phase);
      pen.beginPath();
      for (let n = 0; n <= count; n += 1) { // the cycle closes with its first point
        const x = box.left + (box.width * n) / count;
        const y = box.top + (box.height * (1 - points[n % count] / this.scales[key])) / 2;
        if (n === 0) pen.moveTo(x, y);
        else pen.lineTo(x, y);
      }
      pen.stroke();
    }
  }

  timeAxis(pen, color, width, height) {
    if (!this.content?.frequency_hz) return;
    pen.fillStyle = color("muted");
    pen.textBaseline = "alphabetic";
    const period = 1000 / this.content.frequency_hz;
    for (let n = 0; n <= 4; n += 1) {
      pen.textAlign = n === 4 ? "right" : "center";
      const text = `${((period * n) / 4).toFixed(1)}${n === 4 ? " ms" : ""}`;
      pen.fillText(text, LEFT + ((width - LEFT - 14) * n) / 4 + (n === 4 ? 12 : 0), height - 6);
    }
  }
}

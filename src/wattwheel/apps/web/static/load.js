// The load of the last sixty seconds, drawn by uPlot (a classic script that has run before this module).

const SECONDS = 60;
const GAP_S = 3; // a longer silence is no line

export class Load {
  constructor(element) {
    this.element = element;
    this.points = []; // [seconds of arrival, kW or null]
    this.plot = null;
    new ResizeObserver(() => this.resize()).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.build());
    this.build();
  }

  // What was before this page was opened. Without it the curve begins now.
  async begin() {
    try {
      const answer = await fetch("/api/load");
      const now = performance.now() / 1000;
      const before = answer.ok ? await answer.json() : [];
      const first = this.points[0]?.[0] ?? now;
      const earlier = before.map(({ age_s, kilowatt }) => [now - age_s, kilowatt]).filter(([at]) => at < first - 0.5);
      this.show([...earlier, ...this.points]);
    } catch {
      // no connection: the stream tells
    }
  }

  add(kilowatt) {
    const now = performance.now() / 1000;
    this.show([...this.points, [now, typeof kilowatt === "number" ? kilowatt : null]]);
  }

  show(points) {
    const now = points.at(-1)?.[0] ?? 0;
    this.points = points.filter(([at]) => at >= now - SECONDS);
    this.plot?.setData(this.data());
  }

  data() {
    const now = this.points.at(-1)?.[0] ?? 0;
    const found = this.points.flatMap(([at, kilowatt], n) => {
      const point = [at - now, kilowatt];
      const silence = n > 0 ? at - this.points[n - 1][0] : 0;
      return silence > GAP_S ? [[at - now - silence / 2, null], point] : [point];
    });
    return [found.map(([at]) => at), found.map(([, kilowatt]) => kilowatt)];
  }

  size() {
    return { width: Math.max(200, this.element.clientWidth), height: this.element.clientHeight };
  }

  resize() {
    const { width, height } = this.size();
    if (this.plot && (this.plot.width !== width || this.plot.height !== height)) this.plot.setSize({ width, height });
  }

  build() {
    this.plot?.destroy();
    const style = getComputedStyle(this.element);
    const color = (name) => style.getPropertyValue(`--${name}`).trim();
    const axis = {
      stroke: color("muted"),
      font: `11px ${getComputedStyle(document.body).fontFamily}`,
      grid: { stroke: color("grid"), width: 1 },
      ticks: { show: false },
    };
    const options = {
      ...this.size(),
      padding: [8, 14, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false, range: [-SECONDS, 0] }, y: { range: (_, low, high) => this.range(low, high) } },
      axes: [
        { ...axis, size: 26, gap: 6, incrs: [15], values: (_, at) => at.map((s) => (s === 0 ? "now" : `−${-s} s`)) },
        { ...axis, size: 46, gap: 6 },
      ],
      series: [{}, {
        stroke: color("accent"), width: 2, fill: `${color("accent")}22`, points: { show: false },
      }],
    };
    this.plot = new window.uPlot(options, this.data(), this.element);
  }

  range(low, high) {
    if (low === null || high === null) return [0, 1];
    const [bottom, top] = [Math.min(0, low), Math.max(0, high)];
    const room = (top - bottom || 1) * 0.12;
    return [bottom < 0 ? bottom - room : 0, top > 0 ? top + room : room];
  }
}

// Phasors: long arrows for voltages, shorter ones for currents, the reference to the right.

const NS = "http://www.w3.org/2000/svg";
const PHASES = ["a", "b", "c"];
const KINDS = {
  voltage: { letter: "U", reach: 100, rms: "voltage_v_rms", angle: "voltage_angle_deg" },
  current: { letter: "I", reach: 66, rms: "current_a_rms", angle: "current_angle_deg" },
};

function draw(parent, tag, attributes, text = "") {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return parent.appendChild(element);
}

export class Phasor {
  constructor(svg) {
    this.svg = svg;
    draw(svg, "circle", { class: "ring outer", r: 100 });
    draw(svg, "circle", { class: "ring", r: 66 });
    draw(svg, "circle", { class: "ring", r: 33 });
    draw(svg, "path", { class: "cross", d: "M-100 0H100M0-100V100M-86.6-50L86.6 50M-50-86.6L50 86.6M50-86.6L-50 86.6M86.6-50L-86.6 50" });
    for (const [x, y, text] of [[0, -113, "90°"], [-115, 0, "180°"], [0, 113, "−90°"]]) draw(svg, "text", { x, y }, text);
    this.arrows = new Map();
    for (const kind of ["voltage", "current"]) {
      for (const phase of PHASES) this.arrows.set(kind + phase, this.arrow(kind, phase));
    }
  }

  arrow(kind, phase) {
    const group = draw(this.svg, "g", { class: `${kind} ${phase}`, visibility: "hidden" });
    return {
      group,
      arm: draw(group, "line", { class: "arm" }),
      head: draw(group, "path", { d: "M0 0L-10 4.5V-4.5Z" }),
      name: draw(group, "text", {}, `${KINDS[kind].letter}${phase.toUpperCase()}`),
    };
  }

  show(content) {
    const phases = content?.phases ?? {};
    const spoken = [];
    for (const [kind, { letter, reach, rms, angle }] of Object.entries(KINDS)) {
      const longest = Math.max(0, ...Object.values(phases).map((trace) => trace[rms] ?? 0));
      for (const phase of PHASES) {
        const trace = phases[phase];
        const there = trace && trace[angle] !== null && trace[rms] > 0 && trace[rms] > longest * 0.02;
        const arrow = this.arrows.get(kind + phase);
        arrow.group.setAttribute("visibility", there ? "visible" : "hidden");
        if (!there) continue;
        this.place(arrow, (reach * trace[rms]) / longest, trace[angle], kind);
        spoken.push(`${letter} ${phase.toUpperCase()} ${Math.round(trace[angle])}°`);
      }
    }
    this.svg.setAttribute("aria-label", spoken.length ? `Phasors: ${spoken.join(", ")}` : "Phasors: none");
  }

  place({ arm, head, name }, length, degrees, kind) {
    const radians = (-degrees * Math.PI) / 180;
    const [x, y] = [Math.cos(radians), Math.sin(radians)];
    arm.setAttribute("x2", (x * (length - 8)).toFixed(2));
    arm.setAttribute("y2", (y * (length - 8)).toFixed(2));
    head.setAttribute("transform", `translate(${(x * length).toFixed(2)} ${(y * length).toFixed(2)}) rotate(${(-degrees).toFixed(2)})`);
    const beyond = length + (kind === "voltage" ? 13 : 11);
    name.setAttribute("x", (x * beyond).toFixed(2));
    name.setAttribute("y", (y * beyond).toFixed(2));
  }
}

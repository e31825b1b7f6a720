// The glass: eight seven-segment places, a small code line, unit and symbols. Drawn once, then only switched.
import { drawSymbols } from "./lcd_symbols.js";

const PLACES = 8;
const NOTHING = { digits: "", di: "", index: "", unit: "", symbols: [], blinking: [], tariff: "", step: "", lit: false, dark: true, title: "" };
const SEGMENTS = {
  " ": "", "-": "g", "_": "d", "0": "abcdef", "1": "bc", "2": "abdeg", "3": "abcdg", "4": "bcfg", "5": "acdfg",
  "6": "acdefg", "7": "abc", "8": "abcdefg", "9": "abcdfg", A: "abcefg", b: "cdefg", C: "adef", c: "deg", d: "bcdeg",
  E: "adefg", F: "aefg", G: "acdef", H: "bcefg", h: "cefg", I: "ef", i: "c", J: "bcde", L: "def", n: "ceg", o: "cdeg",
  P: "abefg", q: "abcfg", r: "eg", S: "acdfg", t: "defg", U: "bcdef", u: "cde", y: "bcdfg",
};
const NS = "http://www.w3.org/2000/svg";

function draw(parent, tag, attributes, text = "", size = 0) {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  if (size) element.style.fontSize = `${size}px`; // an attribute "style" is not allowed on this page
  return parent.appendChild(element);
}

function bar(x1, y1, x2, y2, half) {
  const gap = half * 0.28;
  if (y1 === y2) {
    [x1, x2] = [x1 + gap, x2 - gap];
    return `${x1},${y1} ${x1 + half},${y1 - half} ${x2 - half},${y1 - half} ${x2},${y1} ${x2 - half},${y1 + half} ${x1 + half},${y1 + half}`;
  }
  [y1, y2] = [y1 + gap, y2 - gap];
  return `${x1},${y1} ${x1 + half},${y1 + half} ${x1 + half},${y2 - half} ${x1},${y2} ${x1 - half},${y2 - half} ${x1 - half},${y1 + half}`;
}

class Place {
  constructor(parent, x, y, width, height, hasPoint) {
    const half = width * 0.105;
    const [left, right, top, middle, bottom] = [x + half, x + width - half, y + half, y + height / 2, y + height - half];
    const lines = {
      a: [left, top, right, top], b: [right, top, right, middle], c: [right, middle, right, bottom],
      d: [left, bottom, right, bottom], e: [left, middle, left, bottom], f: [left, top, left, middle],
      g: [left, middle, right, middle],
    };
    this.segments = Object.entries(lines).map(([name, line]) => [
      name, draw(parent, "polygon", { class: "s", points: bar(...line, half) }),
    ]);
    const dot = (cy) => draw(parent, "circle", { class: "s", cx: x + width * 1.14, cy, r: half * 1.05 });
    this.point = hasPoint && dot(bottom);
    this.colon = hasPoint && dot(y + height * 0.34);
  }

  show(character, mark) {
    const on = SEGMENTS[character] ?? SEGMENTS[character.toUpperCase()] ?? SEGMENTS[character.toLowerCase()] ?? "g";
    for (const [name, segment] of this.segments) segment.classList.toggle("on", on.includes(name));
    if (!this.point) return;
    this.point.classList.toggle("on", mark === "." || mark === ":");
    this.colon.classList.toggle("on", mark === ":");
  }
}

// "123.45" -> [["1",""],["2",""],["3","."],["4",""],["5",""]]
function cells(text) {
  const found = [];
  for (const character of text) {
    if ((character === "." || character === ":") && found.length > 0 && found.at(-1)[1] === "") found.at(-1)[1] = character;
    else found.push([character, ""]);
  }
  return found;
}

function fill(places, text) {
  const found = cells(text).slice(-places.length);
  while (found.length < places.length) found.unshift([" ", ""]);
  places.forEach((place, n) => place.show(...found[n]));
}

export class Lcd {
  constructor(svg) {
    this.svg = svg;
    const slanted = draw(svg, "g", { transform: "translate(17 0) skewX(-5)" });
    const row = (count, x, y, width, height, pitch, hasPoint = false) =>
      Array.from({ length: count }, (_, n) => new Place(slanted, x + n * pitch, y, width, height, hasPoint));
    this.digits = row(PLACES, 20, 62, 46, 128, 66, true);
    this.code = row(8, 22, 211, 12.5, 25, 19);
    this.index = row(2, 190, 211, 12.5, 25, 19);
    this.tariff = row(2, 64, 14, 11, 21, 16.5);
    this.step = row(2, 114, 14, 11, 21, 16.5);
    this.unit = draw(svg, "text", { class: "s on big", x: 558, y: 189 });
    this.symbols = drawSymbols(svg, draw);
  }

  show(content) {
    const shown = { ...NOTHING, ...(content ?? {}) };
    if (content && content.dark === undefined) shown.dark = false;
    const { digits, di, index, unit, symbols, blinking, tariff, step, lit, dark, title } = shown;
    fill(this.digits, digits);
    fill(this.code, di);
    fill(this.index, index);
    fill(this.tariff, tariff);
    fill(this.step, step);
    this.unit.textContent = unit;
    this.unit.style.fontSize = unit.length > 5 ? `${Math.max(9, 130 / unit.length)}px` : "";
    for (const [name, elements] of this.symbols) {
      for (const element of elements) {
        element.classList.toggle("on", symbols.includes(name));
        element.classList.toggle("blinking", blinking.includes(name));
      }
    }
    this.svg.dataset.digits = digits;
    this.svg.dataset.lit = lit;
    this.svg.dataset.dark = dark;
    const words = title || `${digits.trim()} ${unit}`.trim() || "blank";
    this.svg.setAttribute("aria-label", `Display: ${words}`);
  }
}

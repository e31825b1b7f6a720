// The glass: eight seven-segment places, a small code line, unit and symbols. Drawn once, then only switched.

const PLACES = 8;
const SEGMENTS = {
  " ": "", "-": "g", "_": "d", "0": "abcdef", "1": "bc", "2": "abdeg", "3": "abcdg", "4": "bcfg", "5": "acdfg",
  "6": "acdefg", "7": "abc", "8": "abcdefg", "9": "abcdfg", A: "abcefg", b: "cdefg", C: "adef", c: "deg", d: "bcdeg",
  E: "adefg", F: "aefg", G: "acdef", H: "bcefg", h: "cefg", I: "ef", i: "c", J: "bcde", L: "def", n: "ceg", o: "cdeg",
  P: "abefg", q: "abcfg", r: "eg", S: "acdfg", t: "defg", U: "bcdef", u: "cde", y: "bcdfg",
};
const SYMBOLS = [
  // name, text, x, y
  ["tariff_1", "T1", 66, 24], ["tariff_2", "T2", 92, 24], ["tariff_3", "T3", 118, 24], ["tariff_4", "T4", 144, 24],
  ["ua", "Ua", 192, 24], ["ub", "Ub", 220, 24], ["uc", "Uc", 248, 24],
  ["ia_reverse", "−", 284, 24], ["ia", "Ia", 295, 24], ["ib_reverse", "−", 318, 24], ["ib", "Ib", 329, 24],
  ["ic_reverse", "−", 352, 24], ["ic", "Ic", 363, 24], ["phase_sequence", "SEQ", 402, 24], ["alarm", "ALARM", 450, 24],
  ["program", "PROG", 218, 200], ["traffic", "COMM", 272, 200], ["relay_open", "OPEN", 330, 200],
  ["clock_battery", "BAT 1", 390, 200], ["reading_battery", "BAT 2", 447, 200],
];
const QUARTERS = {
  quadrant_1: "M34 18V8A10 10 0 0 1 44 18Z", quadrant_2: "M32 18H22A10 10 0 0 1 32 8Z",
  quadrant_3: "M32 20V30A10 10 0 0 1 22 20Z", quadrant_4: "M34 20H44A10 10 0 0 1 34 30Z",
};
const NS = "http://www.w3.org/2000/svg";

function draw(parent, tag, attributes, text = "") {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
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
  constructor(parent, x, y, width, height) {
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
    this.point = dot(bottom);
    this.colon = dot(y + height * 0.34);
  }

  show(character, mark) {
    const on = SEGMENTS[character] ?? SEGMENTS[character.toUpperCase()] ?? SEGMENTS[character.toLowerCase()] ?? "g";
    for (const [name, segment] of this.segments) segment.classList.toggle("on", on.includes(name));
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
    const slanted = draw(svg, "g", { transform: "translate(13 0) skewX(-5)" });
    const row = (count, x, y, width, height, pitch) =>
      Array.from({ length: count }, (_, n) => new Place(slanted, x + n * pitch, y, width, height));
    this.digits = row(PLACES, 20, 46, 38, 112, 52.5);
    this.code = row(8, 24, 182, 11, 22, 16);
    this.index = row(2, 168, 182, 11, 22, 16);
    this.unit = draw(svg, "text", { class: "s on big", x: 438, y: 157 });
    this.symbols = new Map();
    draw(svg, "path", { class: "s on", d: "M32.5 6h1v26h-1zM20 18.5h26v1H20z" });
    for (const [name, d] of Object.entries(QUARTERS)) this.symbols.set(name, draw(svg, "path", { class: "s", d }));
    for (const [name, text, x, y] of SYMBOLS) this.symbols.set(name, draw(svg, "text", { class: "s", x, y }, text));
  }

  show(content) {
    const { digits, di, index, unit, symbols, lit, title } = content ?? {
      digits: "", di: "", index: "", unit: "", symbols: [], lit: false, title: "",
    };
    fill(this.digits, digits);
    fill(this.code, di);
    fill(this.index, index);
    this.unit.textContent = unit;
    for (const [name, symbol] of this.symbols) symbol.classList.toggle("on", symbols.includes(name));
    this.svg.dataset.digits = digits;
    this.svg.dataset.lit = lit;
    const words = title || `${digits.trim()} ${unit}`.trim() || "blank";
    this.svg.setAttribute("aria-label", `Display: ${words}`);
  }
}

// The symbols around the digits: what is printed on the glass, and where. Icons are drawn in a square of 24 units.

const ICON = {
  // solid shapes; a hole is a contour that turns the other way round
  phone: "M4 7.2C8.6 3 15.4 3 20 7.2l1.6 3.1-4.1 2.2-2.3-2.4V8.3c-2-.7-4.4-.7-6.4 0v1.8l-2.3 2.4-4.1-2.2zM7.2 20.5l1.4-6.2 2-2.6h2.8l2 2.6 1.4 6.2zM12 14.2a2.3 2.3 0 1 0 .01 0z",
  lock: "M5 11h2V8a5 5 0 0 1 10 0v3h2v10H5zm4.2 0h5.6V8a2.8 2.8 0 0 0-5.6 0z",
  key: "M7.5 7A5 5 0 0 1 12.3 10.6H22v3.2h-2.2v3h-3v-3h-4.5A5 5 0 1 1 7.5 7zm0 3.2a1.8 1.8 0 1 0 .01 0z",
  bell: "M12 2.5a1.8 1.8 0 0 1 1.7 2.3c2.9.8 4.6 3.2 4.6 6.4v4.3l2.2 2.8H3.5l2.2-2.8v-4.3c0-3.2 1.7-5.6 4.6-6.4A1.8 1.8 0 0 1 12 2.5zM9.6 19.6h4.8a2.4 2.4 0 0 1-4.8 0z",
  pencil: "M4 16.5 14.8 5.7l3.5 3.5L7.5 20H4zM16 4.5l1.7-1.7 3.5 3.5-1.7 1.7zM10.5 18.2h10V20h-11.8z",
  traffic: "M3 8.8 9 3.5v3.6h11v3.4H9v3.6zM21 15.2l-6 5.3v-3.6H4v-3.4h11V9.9z",
  relay: "M2 11h6v2.6H2zM16 11h6v2.6h-6zM8.6 10.4l8-7.2 1.6 1.8-8 7.2zM8.3 12.3m-2 0a2 2 0 1 0 4 0 2 2 0 1 0-4 0zM15.7 12.3m-2 0a2 2 0 1 0 4 0 2 2 0 1 0-4 0z",
  sequence: "M12 3a9 9 0 0 1 8.6 6.3l2.2-.700-2.3 5.3-5-2.9 2.2-.700A6.2 6.2 0 0 0 6.7 9L4 7.7A9 9 0 0 1 12 3zM12 21a9 9 0 0 1-8.6-6.3l-2.2.700 2.3-5.3 5 2.9-2.2.700A6.2 6.2 0 0 0 17.3 15l2.7 1.3A9 9 0 0 1 12 21z",
  battery: "M2 7h17.5v3H22v4h-2.5v3H2zm2.2 2.2v5.6h13.1V9.2zM5.6 10.6h2.8v2.8H5.6z",
};

// name, x, y of the upper left corner, size
const ICONS = [
  ["traffic", "traffic", 302, 13, 24], ["telephone", "phone", 332, 13, 24],
  ["program", "pencil", 396, 13, 24], ["suspended", "lock", 424, 13, 24], ["test_key", "key", 452, 13, 24],
  ["alarm", "bell", 482, 13, 24], ["relay_open", "relay", 512, 11, 30],
  ["clock_battery", "battery", 551, 11, 28], ["reading_battery", "battery", 590, 11, 28],
  ["phase_sequence", "sequence", 594, 213, 25],
];

// name, text, x, y of the baseline, size
const TEXTS = [
  ["clock_battery", "1", 579, 35, 12], ["reading_battery", "2", 618, 35, 12],
  ["tariff", "T", 60, 35, 23], ["step", "L", 115, 35, 23],
  ["channel_1", "CH1", 362, 23, 12], ["channel_2", "CH2", 362, 36, 12],
  ["ua", "Ua", 250, 234, 22], ["ub", "Ub", 290, 234, 22], ["uc", "Uc", 330, 234, 22],
  ["ia_reverse", "−", 384, 234, 22], ["ia", "Ia", 399, 234, 22],
  ["ib_reverse", "−", 446, 234, 22], ["ib", "Ib", 461, 234, 22],
  ["ic_reverse", "−", 508, 234, 22], ["ic", "Ic", 523, 234, 22],
  ["card_reading", "READING CARD", 20, 264, 14], ["success", "SUCCESS", 159, 264, 14], ["fail", "FAIL", 249, 264, 14],
  ["purchase_needed", "PLEASE BUY", 308, 264, 14], ["overdraft", "OVERDRAFT", 415, 264, 14],
  ["hoarding", "OVER LIMIT", 525, 264, 14],
];

// name, digit, x: numbers in a ring (which time tables run) and in a box (which prices)
const RINGS = [["time_set_1", "1", 183], ["time_set_2", "2", 206]];
const BOXES = [["price_set_1", "1", 222], ["price_set_2", "2", 244]];

const QUARTERS = {
  quadrant_1: "M35.5 22.5V10A12.5 12.5 0 0 1 48 22.5Z", quadrant_2: "M32.5 22.5H20A12.5 12.5 0 0 1 32.5 10Z",
  quadrant_3: "M32.5 25.5V38A12.5 12.5 0 0 1 20 25.5Z", quadrant_4: "M35.5 25.5H48A12.5 12.5 0 0 1 35.5 38Z",
};

/** Draws every symbol with `draw(parent, tag, attributes, text, size)`; gives their elements by name. */
export function drawSymbols(svg, draw) {
  const symbols = new Map();
  const keep = (name, element) => symbols.set(name, [...(symbols.get(name) ?? []), element]);
  draw(svg, "path", { class: "s on", d: "M33.4 7h1.2v34h-1.2zM17 23.4h34v1.2H17z" });
  for (const [name, d] of Object.entries(QUARTERS)) keep(name, draw(svg, "path", { class: "s", d }));
  for (const [name, icon, x, y, size] of ICONS) {
    const transform = `translate(${x} ${y}) scale(${size / 24})`;
    keep(name, draw(svg, "path", { class: "s", d: ICON[icon], transform, "fill-rule": "evenodd" }));
  }
  for (const [name, text, x, y, size] of TEXTS) {
    keep(name, draw(svg, "text", { class: "s", x, y }, text, size));
  }
  for (const [name, text, x] of RINGS) {
    keep(name, draw(svg, "path", { class: "s", "fill-rule": "evenodd", d: ring(x, 25, 10, 8.2) }));
    keep(name, draw(svg, "text", { class: "s", x: x - 4, y: 30 }, text, 14));
  }
  for (const [name, text, x] of BOXES) {
    keep(name, draw(svg, "path", { class: "s", "fill-rule": "evenodd", d: `M${x} 15h19v20h-19zm1.8 1.8v16.4h15.4V16.8z` }));
    keep(name, draw(svg, "text", { class: "s", x: x + 5.5, y: 30 }, text, 14));
  }
  for (let bar = 1; bar <= 4; bar += 1) {
    const height = 5 * bar;
    keep(`signal_${bar}`, draw(svg, "rect", { class: "s", x: 271 + 6.5 * (bar - 1), y: 36 - height, width: 4.5, height }));
  }
  return symbols;
}

function ring(x, y, outer, inner) {
  const circle = (r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
  return circle(outer) + circle(inner);
}

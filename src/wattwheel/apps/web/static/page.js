// Puts the parts together: one stream in, pictures and tables out.
import { watch } from "./live.js";
import { Numbers } from "./numbers.js";
import { Lcd } from "./lcd.js";
import { Scope } from "./scope.js";
import { Phasor } from "./phasor.js";
import { Load } from "./load.js";
import { Disc } from "./disc.js";
import { Running } from "./running.js";

const [LONG_S, LONGER_S] = [3, 5]; // long presses, as on the meter itself
const HELD_WORDS = { 0: "", [LONG_S]: " for three seconds", [LONGER_S]: " for five seconds" };
const TOTAL_POWER = "02030000";
const CORE_WORDS = { up: "up", stale: "silent", down: "down" };
const LINK_WORDS = {
  connecting: "Connecting",
  live: "Live",
  stale: "Stale: last good values",
  empty: "No values from the meter",
  lost: "Not connected, trying again",
};

const byId = (id) => document.getElementById(id);
const numbers = new Numbers(document);
const lcd = new Lcd(byId("lcd"));
const scope = new Scope(byId("scope"));
const phasor = new Phasor(byId("phasor"));
const load = new Load(byId("load"));
const disc = new Disc(document.querySelector(".strip"));
const running = new Running(byId("partitions"), byId("bus"));
load.begin();

function print(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

function clockWords(at) {
  return at ? at.replace("T", " ").replace(/(\.\d+)?(Z|\+00:00)$/, " UTC") : "–";
}

function showLink(state) {
  if (document.body.dataset.link === state && byId("link-text").textContent === LINK_WORDS[state]) return;
  const first = document.body.dataset.link === "connecting";
  document.body.dataset.link = state;
  print("link-text", LINK_WORDS[state]);
  if (!(first && state === "live")) print("announce", LINK_WORDS[state]); // a screen reader hears changes only
  if (state === "lost") disc.turn(0);
}

function showRows(rows) {
  numbers.show(rows);
  const stale = rows.some((row) => row.quality === "stale");
  const valid = !stale && rows.some((row) => row.quality === "valid");
  const power = rows.find((row) => row.di === TOTAL_POWER);
  load.add(valid && power ? (power.value_primary ?? power.value) : null);
  disc.turn(valid && power && typeof power.value === "number" ? power.value : 0);
  const at = rows.find((row) => row.at)?.at;
  if (at) print("clock", clockWords(at));
  if (stale) return "stale";
  return valid ? "live" : "empty";
}

function showStatus(status) {
  print("address", status.address ?? "–");
  print("isolation", status.isolation ?? "–");
  print("core-link", CORE_WORDS[status.link] ?? "–");
  if (status.clock) print("clock", clockWords(status.clock));
}

watch({
  link: showLink,
  values: showRows,
  status: showStatus,
  display: (content) => lcd.show(content),
  waveform: (content) => {
    scope.show(content);
    phasor.show(content);
  },
  partitions: (rows) => running.showPartitions(rows),
  bus: (rows) => running.showBus(rows),
});

// Buttons

async function press({ dataset: { button }, textContent }, seconds) {
  let words;
  try {
    const answer = await fetch("/api/press", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ button, seconds }),
    });
    const content = await answer.json();
    if (answer.ok) lcd.show(content.display);
    words = answer.ok ? `${textContent.trim()} pressed${HELD_WORDS[seconds]}.` : content.error;
  } catch {
    words = "The button did not reach the meter: no connection.";
  }
  print("press-note", words);
}

for (const button of document.querySelectorAll("button[data-button]")) {
  let timer = null;
  let held = 0; // seconds that have been told, or are told when it is let go
  let told = false;
  const hold = () => {
    held = held ? LONGER_S : LONG_S;
    button.classList.add(held === LONG_S ? "held" : "longer");
    if (held === LONG_S) timer = setTimeout(hold, (LONGER_S - LONG_S) * 1000);
    else tell();
  };
  const tell = () => {
    told = true;
    press(button, held);
  };
  const down = () => {
    if (timer !== null) return;
    [held, told] = [0, false];
    timer = setTimeout(hold, LONG_S * 1000);
  };
  const up = () => {
    clearTimeout(timer);
    if (timer !== null && held && !told) tell();
    timer = null;
    button.classList.remove("held", "longer");
  };
  button.addEventListener("pointerdown", down);
  button.addEventListener("keydown", (event) => {
    if (event.key === " ") down();
  });
  for (const end of ["pointerup", "pointerleave", "pointercancel", "keyup", "blur"]) button.addEventListener(end, up);
  button.addEventListener("contextmenu", (event) => event.preventDefault());
  button.addEventListener("click", () => {
    if (!held) press(button, 0);
    held = 0;
  });
}

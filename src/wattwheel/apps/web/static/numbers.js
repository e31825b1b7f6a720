// Every number of the page: found once, written only where it changed.

const NOTHING = "–";
const VOLTAGES = { a: "02010100", b: "02010200", c: "02010300" };

function printed(value, decimals) {
  if (value === null || value === undefined) return NOTHING;
  return typeof value === "number" ? value.toFixed(decimals) : String(value);
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export class Numbers {
  constructor(root) {
    const found = (name) => new Map([...root.querySelectorAll(`[data-${name}]`)].map((e) => [e.dataset[name], e]));
    this.secondary = found("di");
    this.primary = found("primary");
    this.body = root.body;
  }

  show(rows) {
    const byDi = new Map(rows.map((row) => [row.di, row]));
    if (byDi.size === 0) return;
    for (const [di, element] of this.secondary) {
      const row = byDi.get(di);
      const quality = row ? row.quality : "invalid";
      write(element, printed(row?.value, element.dataset.decimals));
      if (element.dataset.quality !== quality) element.dataset.quality = quality;
      if (row) element.closest("[hidden]")?.removeAttribute("hidden");
    }
    for (const [di, element] of this.primary) {
      const value = byDi.get(di)?.value_primary;
      write(element, value === undefined || value === null ? "" : printed(value, element.dataset.decimals));
    }
    this.showPhases(byDi);
  }

  showPhases(byDi) {
    const absent = Object.keys(VOLTAGES).filter((phase) => (byDi.get(VOLTAGES[phase])?.value ?? null) === null);
    const names = absent.length === 3 ? "" : absent.join(" "); // no value anywhere says nothing about the phases
    if (this.body.dataset.absent !== names) this.body.dataset.absent = names;
  }
}

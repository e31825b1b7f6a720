// What runs and what passes: one row for each partition and each channel, written only where it changed.

const NOTHING = "–";
const KIB_A_MIB = 1024;

const whole = (value) => (typeof value === "number" ? value.toFixed(0) : NOTHING);
const tenth = (value) => (typeof value === "number" ? value.toFixed(1) : NOTHING);

const PARTITION_CELLS = [
  (row) => row.mode,
  (row) => whole(row.restarts),
  (row) => tenth(row.processor_s),
  (row) => (typeof row.memory_kib === "number" ? tenth(row.memory_kib / KIB_A_MIB) : NOTHING),
];
const CHANNEL_CELLS = [
  (row) => (row.kind === "queuing" ? `${whole(row.waiting)} of ${whole(row.depth)}` : "value"),
  (row) => whole(row.waiting_highest),
  (row) => whole(row.stalls),
  (row) => whole(row.messages),
  (row) => tenth(row.messages_per_s),
];

class Table {
  constructor(section, name, cells) {
    this.section = section;
    this.body = section.querySelector("tbody");
    this.name = name;
    this.cells = cells;
    this.rows = new Map();
  }

  show(rows) {
    const names = rows.map((row) => String(row[this.name]));
    if (names.join("\n") !== [...this.rows.keys()].join("\n")) this.build(names);
    rows.forEach((row, place) => {
      const texts = this.cells.map((cell) => String(cell(row)));
      this.rows.get(names[place]).forEach((element, column) => {
        if (element.textContent !== texts[column]) element.textContent = texts[column];
      });
    });
    this.section.hidden = rows.length === 0;
  }

  build(names) {
    this.rows.clear();
    this.body.replaceChildren(
      ...names.map((name) => {
        const row = document.createElement("tr");
        const head = document.createElement("th");
        head.scope = "row";
        head.textContent = name;
        const cells = this.cells.map(() => document.createElement("td"));
        row.append(head, ...cells);
        this.rows.set(name, cells);
        return row;
      }),
    );
  }
}

export class Running {
  constructor(partitions, bus) {
    this.partitionTable = new Table(partitions, "partition", PARTITION_CELLS);
    this.busTable = new Table(bus, "channel", CHANNEL_CELLS);
  }

  showPartitions(rows) {
    this.partitionTable.show(rows);
  }

  showBus(rows) {
    this.busTable.show(rows);
  }
}

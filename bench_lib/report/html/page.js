// The page's own behaviour: one view at a time, tables that sort and filter, charts drawn when seen, runs in a dialog.
// All text from results goes in through textContent, so that a name is never markup.
const { DataTable, vegaEmbed } = window;
const data = JSON.parse(document.getElementById("data").textContent);
const { runs, cells } = data;
const dialog = document.getElementById("dialog");
const dark = matchMedia("(prefers-color-scheme: dark)");
const FIRST = "leaderboard";
const DASH = "–";

// ---- the data: numbers are codes of fixed width, see coding.py -----------------------------------------------------
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const DIGITS = Object.fromEntries([...ALPHABET].map((letter, value) => [letter, value]));

function code(text, place, width) {
  let value = 0;
  for (let i = place * width; i < (place + 1) * width; i++) value = 64 * value + DIGITS[text[i]];
  return value === 64 ** width - 1 ? null : value;
}

const pick = (codes, place) => code(codes.text, place, codes.width);

function number(scale, place) {
  const value = code(scale.text, place, scale.width);
  if (value === null) return null;
  const share = value / (64 ** scale.width - 2);
  return scale.log ? scale.low * (scale.high / scale.low) ** share : scale.low + share * (scale.high - scale.low);
}

// Losses are logarithms in 9 bits, two of them in three characters.
function lossOf(run, point) {
  const { text, low, high, points } = runs.loss;
  const pair = code(text, (run * points + point) >> 1, 3) ?? 64 ** 3 - 1;
  const value = point % 2 ? pair % 512 : pair >> 9;
  return value === 511 ? null : low * (high / low) ** (value / 510);
}

// Where each cell's runs begin, and each run's evaluations: both are stored as counts.
const starts = [0];
for (const count of cells.count) starts.push(starts.at(-1) + count);
const evaluations = [0];
for (let run = 0; run < runs.status.length; run++) {
  const schedule = data.schedules[pick(runs.schedule, run)];
  evaluations.push(evaluations.at(-1) + schedule[1].length);
}

const statusOf = (run) => data.statuses[runs.status[run]];
const cellOf = (run) => starts.findLastIndex((start) => start <= run);
const runsOf = (cell) => Array.from({ length: cells.count[cell] }, (_, i) => starts[cell] + i);
const fixed = (value, digits = 2) => (value === null ? DASH : value.toFixed(digits));
const percent = (run) => { const score = number(runs.score, run); return score === null ? null : +(100 * score).toFixed(3); };

function seedOf(run) {
  const cell = cellOf(run);
  const seeds = cells.seeds[cell];
  return Array.isArray(seeds) ? seeds[run - starts[cell]] : seeds + run - starts[cell];
}

function idOf(run) {
  const { text, width, length, hex } = runs.id;
  const own = text.slice(run * width, (run + 1) * width);
  if (!hex) return own.trimEnd();
  const digits = Array.from({ length: width / 2 }, (_, i) => code(own, i, 2) ?? 4095);
  return digits.map((value) => value.toString(16).padStart(3, "0")).join("").slice(0, length);
}

const runNamed = (id) => Array.from(runs.status).findIndex((_, run) => idOf(run) === id);

// ---- elements ------------------------------------------------------------------------------------------------------
function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

function facts(entries) {
  return el("dl", { class: "facts" }, ...entries.map(([key, value]) => el("div", {}, el("dt", {}, key), el("dd", {}, value))));
}

function tableOf(caption, head, rows) {
  const body = rows.map((row) => el("tr", {}, ...row.map((value, i) => (i ? el("td", {}, value ?? DASH) : el("th", { scope: "row" }, value ?? DASH)))));
  const table = el("table", {}, el("caption", {}, caption),
    el("thead", {}, el("tr", {}, ...head.map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, ...body));
  return el("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": caption }, table);
}

// ---- charts --------------------------------------------------------------------------------------------------------
function rowsOf(figure) {
  if (figure.runs) {
    const places = [];
    for (let i = 0; i < figure.runs.length; i += 2) for (let k = 0; k < figure.runs[i + 1]; k++) places.push(figure.runs[i] + k);
    return places.map((run) => (
      { technique: figure.names[cellOf(run)] ?? cells.label[cellOf(run)], seed: seedOf(run), score: percent(run), status: statusOf(run), run: idOf(run) }));
  }
  const at = (column, row) => {
    if (Array.isArray(column)) return column[row];
    return +number(column, row).toPrecision(5);
  };
  const unfold = ({ values, each, times }) => { // values that stand several times in a row
    const rows = [];
    for (let i = 0; i * each.width < each.text.length; i++) for (let k = pick(times, i); k > 0; k--) rows.push(values[pick(each, i)]);
    return rows;
  };
  return figure.blocks.flatMap((block) => {
    const columns = Object.entries(block.columns).map(([name, column]) => [name, column.each ? unfold(column) : column]);
    return Array.from({ length: block.rows }, (_, row) => Object.fromEntries(columns.map(([name, column]) => [name, at(column, row)])));
  });
}

// Parts of specs that repeat are held once, see shared.py.
function whole(value) {
  if (value === null || typeof value !== "object") return value;
  if ("$shared" in value) return data.shared[value.$shared];
  return Array.isArray(value) ? value.map(whole) : Object.fromEntries(Object.entries(value).map(([name, part]) => [name, whole(part)]));
}

const drawn = new Map(); // the container of each chart with what draws it again, for another colour scheme

// The interpreter (`ast`) evaluates expressions without `eval`, which the page's policy forbids.
async function draw(container, spec, rows) {
  drawn.set(container, () => draw(container, spec, rows));
  const theme = data.themes[dark.matches ? "dark" : "light"];
  const config = { ...theme, font: getComputedStyle(document.body).fontFamily, background: "transparent" };
  const result = await vegaEmbed(container, { ...spec, data: { name: "data" }, datasets: { data: rows } }, {
    ast: true, renderer: "svg", actions: false, config, defaultStyle: false, mode: "vega-lite",
    tooltip: { theme: "custom", disableDefaultStyle: true },
  });
  result.view.addEventListener("click", (_, item) => { if (item?.datum?.run) location.hash = `run=${item.datum.run}`; });
  // The caption and the data table say what the marks do: thousands of marks are no reading.
  container.querySelector("svg")?.setAttribute("aria-hidden", "true");
}

async function drawFigure(container) {
  if (drawn.has(container)) return;
  const figure = data.figures[container.dataset.figure];
  const rows = rowsOf(figure);
  const spec = whole(figure.spec);
  const subtitle = spec.title?.subtitle; // the title itself stands above as the caption
  const details = container.closest("figure").querySelector("details");
  details.addEventListener("toggle", () => {
    const head = [...new Set(rows.flatMap(Object.keys))];
    const shown = rows.slice(0, 200).map((row) => head.map((name) => (name === "run" ? el("a", { href: `#run=${row.run}` }, row.run) : row[name])));
    const caption = shown.length < rows.length ? `The first ${shown.length} of ${rows.length} rows` : `${rows.length} rows`;
    details.append(tableOf(caption, head, shown));
  }, { once: true });
  await draw(container, { ...spec, title: subtitle ? { text: subtitle, fontSize: 11, fontWeight: "normal" } : undefined }, rows);
}

dark.addEventListener("change", () => { for (const [container, again] of drawn) if (container.isConnected) again(); });

// ---- tables --------------------------------------------------------------------------------------------------------
// A value sorts by the number that it begins with, or that `data-order` says; what has none stands at the end either way.
DataTable.ext.type.order["known-pre"] = (text) => parseFloat(String(text).replaceAll(",", ""));
const last = (sign) => (a, b) => (isNaN(a) ? (isNaN(b) ? 0 : 1) : isNaN(b) ? -1 : sign * (a - b));
DataTable.ext.type.order["known-asc"] = last(1);
DataTable.ext.type.order["known-desc"] = last(-1);
DataTable.ext.errMode = "throw";

function sortable(table) {
  const numeric = [...table.tHead.rows[0].cells].flatMap((cell, i) => (cell.className === "n" ? [i] : []));
  const ranked = table.querySelector("th.o") !== null; // its first column says whether a cell can be ranked
  const sorted = new DataTable(table, {
    layout: { topStart: null, topEnd: null, bottomStart: table.rows.length > 60 ? "info" : null, bottomEnd: table.rows.length > 60 ? "paging" : null },
    paging: table.rows.length > 60, pageLength: 50, order: JSON.parse(table.dataset.start ?? "[]"), autoWidth: false,
    orderFixed: ranked ? { pre: [[0, "asc"]] } : undefined,
    columnDefs: [{ targets: "_all", orderSequence: ["asc", "desc"] }, { targets: numeric, type: "known" }, ...(ranked ? [{ targets: 0, visible: false }] : [])],
  });
  if (ranked) sorted.on("order", () => sayOrder(sorted)) && sayOrder(sorted);
  return sorted;
}

// DataTables takes the direction of the fixed first column for that of the one that is sorted by.
function sayOrder(table) {
  const [column, direction] = table.order()[0] ?? [];
  if (column !== undefined) table.column(column).header().setAttribute("aria-sort", `${direction}ending`);
}

const VERDICTS = ["more stable", "less stable", "equivalent", "undecided", "too few to rank", "baseline", "declines"];

function filters(form, table) {
  const heads = table.columns().header().toArray(); // those that are hidden as well
  for (const name of ["task", "model", "profile", "family", "verdict"]) {
    const column = heads.findIndex((head) => head.dataset.filter === name);
    const values = name === "verdict" ? VERDICTS : [...new Set(table.column(column).data().toArray().map(plain))].sort();
    if (values.length < 2) { // one model in all results is no choice, and no news in every row
      table.column(column).visible(false);
      continue;
    }
    const select = el("select", { name }, el("option", { value: "" }, "all"), ...values.map((value) => el("option", { value }, value)));
    select.addEventListener("change", () => choose(table, column, name, select.value));
    form.append(el("label", {}, name, select));
    // One group at first: settings of several are no one table to compare in.
    if (name === "model" || name === "profile") {
      select.value = plain(table.column(column, { order: "index" }).data()[0]);
      choose(table, column, name, select.value);
    }
  }
  const field = el("input", { type: "search", name: "search" });
  field.addEventListener("input", () => table.search(field.value).draw());
  form.append(el("label", {}, "search", field), el("p", { class: "dt-info", role: "status" }));
  const say = () => { form.lastChild.textContent = `${table.rows({ search: "applied" }).count()} of ${table.rows().count()} cells`; };
  table.on("draw", say);
  say();
  form.addEventListener("submit", (event) => event.preventDefault());
}

function plain(html) {
  return new DOMParser().parseFromString(html, "text/html").body.textContent;
}

function choose(table, column, name, value) {
  const wanted = (html) => (name === "verdict" ? plain(html).includes(value) : plain(html) === value);
  table.column(column).search(value ? wanted : "").draw();
}

const made = new Set();
function prepare(view) {
  for (const table of view.querySelectorAll("table.cells, table.over, table.sorted")) {
    if (made.has(table)) continue;
    made.add(table);
    const sorted = sortable(table);
    const form = document.querySelector(`[data-filters="${table.id}"]`);
    if (form) filters(form, sorted);
  }
  view.querySelectorAll(".chart[data-figure]").forEach(drawFigure);
}

// ---- runs ----------------------------------------------------------------------------------------------------------
function open(title, ...content) {
  const close = el("button", { class: "close", type: "button" }, "Close");
  close.addEventListener("click", () => dialog.close());
  dialog.replaceChildren(close, el("h2", { id: "dialog-title" }, title), ...content);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

const groupOf = (cell) => data.cells.groups[cells.group[cell]];
const nameOf = (cell) => `${cells.label[cell]} on ${cells.task[cell]}`;

function openCell(cell) {
  const list = runsOf(cell).map((run) => [el("a", { href: `#run=${idOf(run)}` }, `seed ${seedOf(run)}`), statusOf(run),
    fixed(percent(run)), fixed(number(runs.seconds, run), 1)]);
  const [kind, model, profile] = groupOf(cell);
  open(`Runs of ${nameOf(cell)}`, el("p", { class: "how" }, `${kind} data, ${model}, profile ${profile}`),
    tableOf("A seed opens its run", ["run", "status", `${cells.metric[cell] || "score"} (%)`, "training (s)"], list));
}

function leaves(value, path) {
  if (path === "task") return [[path, value.join(", version ")]];
  if (path === "stack") return value.map(([name, settings, version]) => ["technique", [name, ...leaves(settings, "").map((one) => one.join("=")), `version ${version}`].join(", ")]);
  if (value === null || typeof value !== "object") return [[path, String(value)]];
  return Object.entries(value).flatMap(([key, part]) => leaves(part, path ? `${path}.${key}` : key));
}

function openRun(run) {
  const cell = cellOf(run);
  const seed = seedOf(run);
  const [steps, at] = data.schedules[pick(runs.schedule, run)];
  const scores = at.map((step, i) => `${fixed(number(runs.evaluations, evaluations[run] + i) * 100, 1)} at step ${step}`);
  const started = pick(runs.started, run);
  const reason = data.reasons.texts[data.reasons.places[run]];
  const origin = (data.origins[pick(runs.origin, run)] ?? []).map((part) => data.facts[part]);
  const [kind, model, profile] = groupOf(cell);
  const [frame, technique] = cells.command[cell];
  const [before, after] = cells.frames[frame];
  const chart = el("div", { class: "chart" });
  open(`Seed ${seed}: ${nameOf(cell)}`,
    facts([["run", idOf(run)], ["status", statusOf(run) + (reason ? `: ${reason}` : "")],
      [cells.metric[cell] || "score", `${fixed(percent(run), 3)} %`], ["evaluations (%)", scores.join(", ") || DASH],
      ["data, model, profile", `${kind}, ${model}, ${profile}`], ["training", `${fixed(number(runs.seconds, run), 1)} s, ${steps} steps`],
      ["peak memory", `${fixed(number(runs.memory, run), 0)} MiB`]]),
    el("h3", {}, "Training loss"), chart,
    el("h3", {}, "The command that repeats it"), el("pre", { class: "command", tabindex: "0", "aria-label": "command" }, `${before} ${technique} ${after} ${seed}`),
    ...cells.notes[cell].map((note) => el("p", { class: "how" }, cells.said[note])),
    el("h3", {}, "Spec"), facts(cells.spec[cell].flatMap((part) => leaves(cells.parts[part][1], cells.parts[part][0]))),
    el("h3", {}, "Provenance"), facts([...origin, ...(started ? [["started", new Date(1000 * (runs.started.first + started)).toISOString().replace(".000Z", " UTC").replace("T", " ")]] : [])]),
    el("p", {}, el("a", { href: `#cell=${cell}` }, "All runs of this cell")));
  drawLoss(chart, run, steps);
}

function drawLoss(chart, run, steps) {
  const points = Array.from({ length: runs.loss.points }, (_, i) => (
    { step: Math.round(((i + 0.5) * steps) / runs.loss.points), loss: lossOf(run, i) })).filter((point) => point.loss !== null);
  if (!points.length) return void chart.append(el("p", { class: "how" }, "No loss is recorded."));
  draw(chart, {
    width: Math.min(560, dialog.clientWidth - 110), height: 150, mark: { type: "line", point: true },
    encoding: {
      x: { field: "step", type: "quantitative", title: "optimiser step" },
      y: { field: "loss", type: "quantitative", title: "training loss (log scale)", scale: { type: "log" } },
      tooltip: [{ field: "step" }, { field: "loss", format: ".4g" }],
    },
  }, points);
}

// ---- views ---------------------------------------------------------------------------------------------------------
let current = null;

function show(view, focus) {
  if (view !== current) {
    current?.classList.remove("shown");
    view.classList.add("shown");
    current = view;
    for (const link of document.querySelectorAll("nav a")) {
      const own = link.hash === `#${view.id}` || link.hash === `#${view.id.split("=")[0]}s`;
      own ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
    }
    prepare(view);
    scrollTo(0, 0);
  }
  if (focus) view.querySelector("h1").focus({ preventScroll: true });
}

// An address names a view, or a run or a cell, which opens above the view that stands.
function route(focus = true) {
  const hash = location.hash.slice(1);
  const [kind, name] = hash.split("=");
  const place = kind === "run" ? runNamed(name) : kind === "cell" && Number(name) < cells.count.length ? Number(name) : -1;
  if (kind === "run" || kind === "cell") {
    if (!current) show(document.getElementById(FIRST), false);
    if (place < 0) return open("No such run", el("p", {}, `This page holds no ${kind} ${name}.`));
    return kind === "run" ? openRun(place) : openCell(place);
  }
  const target = document.getElementById(hash) ?? document.getElementById(FIRST);
  const view = target.closest(".view");
  if (dialog.open) dialog.close();
  if (view) show(view, focus);
  return undefined;
}

dialog.addEventListener("close", () => { if (/^#(run|cell)=/.test(location.hash)) history.replaceState(null, "", `#${current.id}`); });
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-cell]");
  if (button) location.hash = `cell=${button.dataset.cell}`;
});
addEventListener("hashchange", () => route());
route(location.hash.length > 1);
document.documentElement.classList.add("ready");

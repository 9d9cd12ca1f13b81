// Behaviour of the page: one view at a time, sortable tables with filters, charts drawn when shown, runs in a dialog.
// Text from results is set as textContent, so that a name is never markup.
const { DataTable, vegaEmbed } = window;
const data = await inflated(document.getElementById("data").textContent);
const { runs, cells } = data;
const dialog = document.getElementById("dialog");
const dark = matchMedia("(prefers-color-scheme: dark)");
const FIRST = "leaderboard";
const DASH = "–";

// ---- data: JSON, deflated, in base 64; runs and figures by column --------------------------------------------------
function inflated(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).json();
}

const runsOf = (cell) => [...runs.id.keys()].filter((run) => runs.cell[run] === cell);
const fixed = (value, digits = 2) => (value === null ? DASH : value.toFixed(digits));
const percent = (value, digits = 2) => fixed(value === null ? null : 100 * value, digits);

// ---- elements ------------------------------------------------------------------------------------------------------
function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return element;
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
  const columns = Object.entries(figure.columns);
  return Array.from({ length: columns[0]?.[1].length ?? 0 }, (_, row) => {
    const known = columns.map(([name, values]) => [name, values[row]]).filter(([, value]) => value !== null);
    return Object.fromEntries(known.map(([name, value]) => [name, name === "run" ? runs.id[value] : value]));
  });
}

const drawn = new Map(); // containers of charts with the function that redraws them, for another colour scheme

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
  // Screen readers get the caption and the data table in place of thousands of marks.
  container.querySelector("svg")?.setAttribute("aria-hidden", "true");
}

async function drawFigure(container) {
  if (drawn.has(container)) return;
  const figure = data.figures[container.dataset.figure];
  const rows = rowsOf(figure);
  const { spec } = figure;
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
// Values sort by `data-order` or by the number at their start; values without a number come last in both directions.
DataTable.ext.type.order["known-pre"] = (text) => parseFloat(String(text).replaceAll(",", ""));
const last = (sign) => (a, b) => (isNaN(a) ? (isNaN(b) ? 0 : 1) : isNaN(b) ? -1 : sign * (a - b));
DataTable.ext.type.order["known-asc"] = last(1);
DataTable.ext.type.order["known-desc"] = last(-1);
DataTable.ext.errMode = "throw";

function sortable(table) {
  const numeric = [...table.tHead.rows[0].cells].flatMap((cell, i) => (cell.className === "n" ? [i] : []));
  const ranked = table.querySelector("th.o") !== null; // has a hidden first column: whether a cell can be ranked
  const sorted = new DataTable(table, {
    layout: { topStart: null, topEnd: null, bottomStart: table.rows.length > 60 ? "info" : null, bottomEnd: table.rows.length > 60 ? "paging" : null },
    paging: table.rows.length > 60, pageLength: 50, order: JSON.parse(table.dataset.start ?? "[]"), autoWidth: false,
    orderFixed: ranked ? { pre: [[0, "asc"]] } : undefined,
    columnDefs: [{ targets: "_all", orderSequence: ["asc", "desc"] }, { targets: numeric, type: "known" }, ...(ranked ? [{ targets: 0, visible: false }] : [])],
  });
  if (ranked) sorted.on("order", () => sayOrder(sorted)) && sayOrder(sorted);
  return sorted;
}

// DataTables would announce the direction of the fixed first column.
function sayOrder(table) {
  const [column, direction] = table.order()[0] ?? [];
  if (column !== undefined) table.column(column).header().setAttribute("aria-sort", `${direction}ending`);
}

const VERDICTS = ["more stable", "less stable", "equivalent", "undecided", "too few to rank", "baseline", "declines"];

function filters(form, table) {
  const heads = table.columns().header().toArray(); // includes hidden ones
  for (const name of ["task", "model", "profile", "family", "verdict"]) {
    const column = heads.findIndex((head) => head.dataset.filter === name);
    const values = name === "verdict" ? VERDICTS : [...new Set(table.column(column).data().toArray().map(plain))].sort();
    if (values.length < 2) { // a column with one value needs no filter, and is hidden
      table.column(column).visible(false);
      continue;
    }
    const select = el("select", { name }, el("option", { value: "" }, "all"), ...values.map((value) => el("option", { value }, value)));
    select.addEventListener("change", () => choose(table, column, name, select.value));
    form.append(el("label", {}, name, select));
    // Initially only one group is shown, since groups are not comparable.
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

const prepared = new Set();
function prepare(view) {
  for (const table of view.querySelectorAll("table.cells, table.over, table.sorted")) {
    if (prepared.has(table)) continue;
    prepared.add(table);
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

const groupOf = ({ data: kind, model, profile }) => `${kind} data, ${model}, profile ${profile}`;
const nameOf = (cell) => `${cell.label} on ${cell.task}`;

function openCell(number) {
  const cell = cells[number];
  const rows = runsOf(number).map((run) => [el("a", { href: `#run=${runs.id[run]}` }, `seed ${runs.seed[run]}`), runs.status[run],
    percent(runs.score[run]), fixed(runs.seconds[run], 1)]);
  open(`Runs of ${nameOf(cell)}`, el("p", { class: "how" }, groupOf(cell)),
    tableOf("A seed opens its run", ["run", "status", `${cell.metric || "score"} (%)`, "training (s)"], rows));
}

function leaves(value, path) {
  if (path === "task") return [[path, value.join(", version ")]];
  if (path === "stack") return value.map(([name, settings, version]) => ["technique", [name, ...leaves(settings, "").map((one) => one.join("=")), `version ${version}`].join(", ")]);
  if (value === null || typeof value !== "object") return [[path, String(value)]];
  return Object.entries(value).flatMap(([key, part]) => leaves(part, path ? `${path}.${key}` : key));
}

function openRun(run) {
  const cell = cells[runs.cell[run]];
  const scores = runs.evaluations[run].map((score, i) => `${percent(score, 1)} at step ${runs.evaluation_steps[run][i]}`);
  const started = runs.started[run] ? [["started", runs.started[run]]] : [];
  const chart = el("div", { class: "chart" });
  open(`Seed ${runs.seed[run]}: ${nameOf(cell)}`,
    facts([["run", runs.id[run]], ["status", [runs.status[run], runs.reason[run]].filter(Boolean).join(": ")],
      [cell.metric || "score", `${percent(runs.score[run], 3)} %`], ["evaluations (%)", scores.join(", ") || DASH],
      ["group", groupOf(cell)], ["training", `${fixed(runs.seconds[run], 1)} s, ${runs.steps[run]} steps`],
      ["peak memory", `${fixed(runs.memory_mib[run], 0)} MiB`]]),
    el("h3", {}, "Training loss"), chart,
    el("h3", {}, "The command that repeats it"), el("pre", { class: "command", tabindex: "0", "aria-label": "command" }, `${cell.command} ${runs.seed[run]}`),
    ...cell.notes.map((note) => el("p", { class: "how" }, note)),
    el("h3", {}, "Spec"), facts(leaves(cell.spec, "")),
    el("h3", {}, "Provenance"), facts([...Object.entries(data.provenances[runs.provenance[run]]), ...started]),
    el("p", {}, el("a", { href: `#cell=${runs.cell[run]}` }, "All runs of this cell")));
  drawLoss(chart, runs.loss[run], runs.steps[run]);
}

function drawLoss(chart, losses, steps) {
  const points = losses.map((loss, i) => ({ step: Math.round(((i + 0.5) * steps) / losses.length), loss })).filter(({ loss }) => loss !== null);
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

// The hash is a view, or a run or a cell, which opens in a dialog above the current view.
function route(focus = true) {
  const hash = location.hash.slice(1);
  const [kind, name] = hash.split("=");
  const place = kind === "run" ? runs.id.indexOf(name) : kind === "cell" && Number(name) in cells ? Number(name) : -1;
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

// The page: settings in, weights out. Names are set as text, never as markup.

const byId = (id) => document.getElementById(id);
const read = (id) => JSON.parse(byId(id).textContent);
const data = read("data");
const chart = read("chart-data");
const SHARES = ["out", "in", "difficulty"];
const everyGroup = data.groups.map((_, group) => group);
const [LOWEST, HIGHEST] = [Math.log2(data.temperatures[0]), 3];

data.replicates.values = new Float64Array(
  Uint8Array.from(atob(data.replicates.matrices), (letter) => letter.charCodeAt(0)).buffer,
);
const current = { temperature: data.temperature, alphas: data.alphas, on: everyGroup };
const whole = measured(data, everyGroup);
const now = whatIf(data, whole, current.temperature, current.alphas).groups;
let state = { ...current };
let lastMeasured = whole;
let view = null;

// Each share in thousandths, so that the three numbers shown add up to 1 and not to almost 1.
function withShare(alphas, moved, share) {
  const others = [0, 1, 2].filter((one) => one !== moved);
  const sum = others.reduce((total, one) => total + alphas[one], 0);
  const rest = 1000 - Math.round(share * 1000);
  const first = Math.round(rest * (sum > 0 ? alphas[others[0]] / sum : 0.5));
  const thousandths = { [moved]: 1000 - rest, [others[0]]: first, [others[1]]: rest - first };
  return [0, 1, 2].map((one) => thousandths[one] / 1000);
}

function change(settings) {
  state = { ...state, ...settings };
  show();
}

function show() {
  const refusal = whyNot(data, state.on);
  byId("summary").classList.toggle("refused", refusal !== null);
  if (refusal) {
    byId("summary").textContent = refusal;
    showGroups([]);
    showRows([]);
    showConfig(refusal);
    return;
  }
  if (lastMeasured.on.join() !== state.on.join()) lastMeasured = measured(data, state.on);
  const found = whatIf(data, lastMeasured, state.temperature, state.alphas);
  showSettings(found);
  showSummary(found);
  showGroups(found.groups);
  showRows(found.groups);
  showConfig(null);
}

const rounded = (number, digits = 2) => (
  Number.isFinite(number) ? number.toFixed(digits).replace(/^-(?=0\.0*$)/, "").replace("-", "−") : "?"
);

function showSettings({ temperature, automatic }) {
  const slider = byId("temperature");
  slider.value = Math.log2(temperature);
  slider.setAttribute("aria-valuetext", `T = ${rounded(temperature, 3)}`);
  if (document.activeElement !== byId("temperature-number")) {
    byId("temperature-number").value = Number(temperature.toPrecision(4));
  }
  byId("automatic").checked = state.temperature === "auto";
  byId("automatic-mark").hidden = automatic === null;
  byId("automatic-says").textContent = automaticSays(automatic);
  if (automatic !== null) {
    byId("automatic-mark").style.setProperty("--place", (Math.log2(automatic) - LOWEST) / (HIGHEST - LOWEST));
  }
  SHARES.forEach((name, k) => {
    byId(`alpha-${name}`).value = state.alphas[k];
    const field = byId(`alpha-${name}-number`);
    if (document.activeElement !== field) field.value = Number(state.alphas[k].toFixed(4));
  });
}

function automaticSays(automatic) {
  const [lowest, highest] = [data.temperatures[0], data.temperatures.at(-1)];
  if (automatic === null) return `(no T up to ${highest} keeps every weight in 0.5–2; auto takes ${highest})`;
  return automatic > lowest
    ? `(T = ${automatic})`
    : `(T = ${automatic}: no T down to it takes a weight out of 0.5–2, as is common with few groups; 0.5 or 1 is safer)`;
}

function showSummary({ temperature, groups }) {
  const sorted = [...groups].sort((one, other) => one.weight - other.weight);
  const named = ({ group, weight }) => `${rounded(weight)} (${data.groups[group].name})`;
  const [low, high] = data.weightRange;
  const outside = groups.filter(({ weight }) => weight < low || weight > high).length;
  byId("summary").textContent = `T = ${Number(temperature.toPrecision(4))}, N = ${groups.length}. `
    + `Weights from ${named(sorted[0])} to ${named(sorted.at(-1))}; `
    + `${outside === 0 ? "all" : `${groups.length - outside} of ${groups.length}`} in 0.5–2. `
    + toldFromEqual(groups);
}

function toldFromEqual(groups) {
  if (groups.some(({ low }) => Number.isNaN(low))) return "No interval is known.";
  const equal = groups.filter((one) => one.low <= 1 && one.high >= 1).map(({ group }) => data.groups[group].name);
  return equal.length ? `Not to be told from equal weights: ${equal.join(", ")}.` : "All can be told from equal weights.";
}

const rows = data.groups.map((group, k) => {
  const row = byId("groups").insertRow();
  const head = row.appendChild(document.createElement("th"));
  head.scope = "row";
  const label = head.appendChild(document.createElement("label"));
  const box = label.appendChild(document.createElement("input"));
  box.type = "checkbox";
  box.dataset.group = k;
  const members = group.tasks.length > 3 ? `${group.tasks.length} tasks` : group.tasks.join(", ");
  const others = members === group.name ? "" : ` (${members})`;
  label.append(` ${group.name}${others}${group.measured ? "" : " *"}`);
  label.title = [group.tasks.join(", "), ...group.notes].join("\n");
  box.addEventListener("change", () => {
    change({ on: everyGroup.filter((one) => (one === k ? box.checked : state.on.includes(one))) });
  });
  const names = ["weight", "interval", "now", "equal", "outward", "inward", "difficulty"];
  return { row, box, cells: Object.fromEntries(names.map((name) => [name, row.insertCell()])) };
});

// The cell shows two digits, its <data> holds them all.
function fillCell(cell, ...numbers) {
  cell.replaceChildren(...numbers.flatMap((number, k) => {
    const element = document.createElement("data");
    element.value = number;
    element.textContent = rounded(number);
    return k ? [" – ", element] : [element];
  }));
}

function showGroups(found) {
  rows.forEach(({ row, box, cells }, group) => {
    const one = found.find((candidate) => candidate.group === group);
    box.checked = state.on.includes(group);
    row.classList.toggle("off", !box.checked);
    fillCell(cells.now, now[group].weight);
    fillCell(cells.equal, 1);
    for (const name of ["weight", "outward", "inward", "difficulty"]) fillCell(cells[name], ...(one ? [one[name]] : []));
    fillCell(cells.interval, ...(one ? [one.low, one.high] : []));
  });
}

function chartRows(found) {
  const row = (series) => ({ group, weight, low, high }) =>
    ({ place: group, group: data.groups[group].name, series, weight, low, high });
  return [...found.map(row(chart.series[0])), ...now.map(row(chart.series[1]))];
}

function showRows(found) {
  if (view) view.data(chart.rows, chartRows(found)).runAsync();
}

const quoted = (name) => JSON.stringify(name); // a JSON string is a YAML string, whatever the name looks like

function configLines() {
  const off = data.groups.filter((_, group) => !state.on.includes(group));
  const [out, inward, difficulty] = state.alphas;
  const lines = [
    "balancing:",
    `  temperature: ${state.temperature}`,
    "  alpha:",
    `    out: ${out}`,
    `    in: ${inward}`,
    `    difficulty: ${difficulty}`,
  ];
  if (off.length) {
    lines.push("# In a config that `extends` this experiment's: null takes a task away. All is measured again.");
    lines.push("tasks:", ...off.flatMap(({ tasks }) => tasks.map((task) => `  ${quoted(task)}: null`)));
    const named = off.filter(({ name, tasks }) => tasks.length > 1 || tasks[0] !== name);
    if (named.length) lines.push("groups:", ...named.map(({ name }) => `  ${quoted(name)}: null`));
  }
  return lines;
}

function showConfig(refusal) {
  const lines = refusal ? [`# ${refusal}`] : configLines();
  byId("config").value = `${lines.join("\n")}\n`;
  byId("config").rows = lines.length + 1;
  byId("copy").disabled = refusal !== null;
  byId("copied").textContent = "";
}

async function copy() {
  const field = byId("config");
  let done = false;
  try {
    await navigator.clipboard.writeText(field.value);
    done = true;
  } catch { // not allowed here, as in the frame of a report
    field.select();
    done = document.execCommand("copy");
  }
  byId("copied").textContent = done ? "Copied." : "Select the lines and copy them.";
}

function prepareInputs() {
  const slider = byId("temperature");
  [slider.min, slider.max] = [LOWEST, HIGHEST];
  for (const temperature of data.temperatures) {
    byId("temperatures").appendChild(document.createElement("option")).value = Math.log2(temperature);
  }
  slider.addEventListener("input", () => change({ temperature: Number((2 ** slider.value).toPrecision(3)) }));
  // A step of `any` is 1/100 of the slider to the keyboard; halving and doubling in eight steps is enough.
  slider.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -8, PageUp: 8 }[event.key];
    if (!step) return;
    event.preventDefault();
    const power = Math.min(HIGHEST, Math.max(LOWEST, Math.round(8 * slider.value + step) / 8));
    change({ temperature: Number((2 ** power).toPrecision(3)) });
  });
  byId("temperature-number").addEventListener("input", ({ target }) => {
    if (target.valueAsNumber > 0) change({ temperature: target.valueAsNumber });
  });
  byId("automatic").addEventListener("change", ({ target }) => {
    change({ temperature: target.checked ? "auto" : Number((2 ** slider.value).toPrecision(3)) });
  });
  SHARES.forEach((name, k) => {
    for (const field of [byId(`alpha-${name}`), byId(`alpha-${name}-number`)]) {
      field.addEventListener("input", () => {
        const share = field.valueAsNumber;
        if (share >= 0 && share <= 1) change({ alphas: withShare(state.alphas, k, share) });
      });
    }
  });
  byId("reset").addEventListener("click", () => change(current));
  byId("copy").addEventListener("click", copy);
}

function sayWhatIsThere() {
  const { made, taken } = data.replicates;
  byId("replicates").textContent = taken < made
    ? `From the first ${taken} of ${made} replicates, which is what fits into this page.`
    : `From ${taken} replicates.`;
  const fixed = Object.entries(data.fixed).map(([task, weight]) => `${task} ${weight}`).join(", ");
  const unmeasured = data.groups.some((group) => !group.measured);
  byId("fixed").textContent = (unmeasured ? "* not measured; the mean of the others stands in for its C_in and D. " : "")
    + (fixed ? `Tasks with a fixed weight take no part: ${fixed}.` : "");
}

prepareInputs();
sayWhatIsThere();
show();
const specification = {
  ...chart.specification,
  data: chart.specification.data.map((set) => (set.name === chart.rows ? { ...set, values: chartRows(now) } : set)),
};
({ view } = await window.vegaEmbed(byId("chart"), specification, { actions: false, renderer: "svg" }));
document.body.dataset.ready = "yes";

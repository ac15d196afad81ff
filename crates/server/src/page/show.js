// How values of the record look: words in the reader's language, times in Viet Nam, tables with the newest first.
// Everything is set as text, never as markup.

import { FIELDS, KINDS, TEXTS, WORDS } from "/assets/texts.js";

let language = "vi";
export const speak = (chosen) => { language = chosen; };
export const text = (key) => TEXTS[language][key] || plain(key);
const plain = (word) => {
  const spaced = String(word).replaceAll("_", " ");
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
};
const field = (key) => (language === "vi" && FIELDS[key]) || plain(key);
export const word = (value) => (language === "vi" && WORDS[value]) || plain(value);
export const kind = (value) => (language === "vi" && KINDS[value]) || plain(value);

export function node(tag, content, name) {
  const made = document.createElement(tag);
  if (content !== undefined && content !== null) made.append(content);
  if (name) made.className = name;
  return made;
}

const CLOCK = new Intl.DateTimeFormat("en-GB", {
  timeZone: "Asia/Ho_Chi_Minh", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit",
});
const PARTIAL = /^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?$/;
const MOMENT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}.*(?:Z|[+-]\d{2}:\d{2})$/;

/** Day/month/year, with the hour in Viet Nam where there is one. */
export function when(value) {
  if (typeof value === "object" && value) return [value.from || value.earliest, value.to || value.latest].filter(Boolean).map(when).join(" – ");
  const parts = PARTIAL.exec(value || "");
  if (parts) return parts.slice(1).filter(Boolean).reverse().join("/");
  return MOMENT.test(value || "") ? CLOCK.format(new Date(value)).replace(",", "") : value || "";
}
const day = (value) => when(value).split(" ")[0];
const at = (entry) => String(entry.occurred_at?.from || entry.occurred_at || entry.due_on || "");
export const newestFirst = (list) => [...list].sort((one, other) => Number(at(one) < at(other)) - Number(at(one) > at(other)));

const UNITS = { "mm[Hg]": "mmHg", "/min": { vi: "lần/phút", en: "/min" }, Cel: "°C", "kg/m2": "kg/m²", "umol/L": "µmol/L", "{score}": "" };
function unit(code) {
  const known = UNITS[code];
  return known === undefined ? code : known[language] ?? known;
}
const number = (value) => (language === "vi" ? String(value).replace(".", ",") : String(value));

/** A code's name, or the code itself. */
export function named(code) {
  if (!code) return "";
  if (typeof code === "string") return code;
  return code.display || code.text || [code.system, code.code].filter(Boolean).join(" ");
}

/** A measured value as one line. */
export function measured(value) {
  if (!value || typeof value !== "object") return value === undefined || value === null ? "" : String(value);
  if (value.quantity) return measured(value.quantity);
  if (value.unit !== undefined && value.value !== undefined) return `${value.comparator || ""}${number(value.value)} ${unit(value.unit)}`.trim();
  if (value.code && typeof value.code === "object") return named(value.code);
  if (value.boolean !== undefined) return word(value.boolean ? "yes" : "no");
  if (value.absent) return word(value.absent);
  return named(value.code_or_text || value) || value.text || "";
}

/** What an observation found; blood pressure as people write it. */
export function finding(observation) {
  if (observation.value !== undefined) return measured(observation.value);
  const parts = observation.components || [];
  const of = (code) => parts.find((part) => part.code.code === code)?.value?.quantity;
  const [systolic, diastolic] = [of("8480-6"), of("8462-4")];
  if (systolic && diastolic) return `${number(systolic.value)}/${number(diastolic.value)} ${unit(systolic.unit)}`;
  return parts.map((part) => `${named(part.code)} ${finding(part)}`).join("; ");
}

const QUIET = ["event_id", "recorded_at", "source", "stated_by", "unchecked", "labels", "list_date", "version"];
const TIMES = /(_at|_on|_date|_due|^onset|^valid_from|^valid_to|^since|^until)$/;

function empty(value) {
  return value === null || value === undefined || value === "" ||
    (typeof value === "object" && !Object.values(value).some((item) => !empty(item)));
}

/** Any value of the vocabulary, as people read it. */
export function show(value, key = "") {
  if (empty(value)) return node("span", text("none"), "quiet");
  if (typeof value === "boolean") return node("span", word(value ? "yes" : "no"));
  if (typeof value === "number") return node("span", number(value));
  if (typeof value === "string") {
    if (TIMES.test(key) || MOMENT.test(value)) return node("span", when(value));
    return node("span", value in WORDS || /^[a-z]+(_[a-z]+)+$/.test(value) ? word(value) : value);
  }
  if (Array.isArray(value)) {
    if (value.length === 1) return show(value[0], key);
    const list = node("ul");
    for (const item of value) list.append(node("li", show(item, key)));
    return list;
  }
  if (key === "name" && value.full) return node("span", value.full);
  if (key.endsWith("address") && value.text) return node("span", value.text);
  if (key === "author") return node("span", author(value));
  if (value.system && value.value) return node("span", `${word(value.system)}: ${value.value}`);
  if (value.system && value.code) return coded(value);
  if (value.quantity || value.unit !== undefined) return node("span", measured(value));
  const line = brief(value);
  if (line) return line;
  const keys = Object.keys(value).filter((name) => !QUIET.includes(name) && !empty(value[name]));
  if (keys.length === 1 && ["text", "answer", "code", "value"].includes(keys[0])) return show(value[keys[0]], keys[0]);
  return pairs(keys.map((name) => [field(name), show(value[name], name)]));
}

/** A coded finding as one line, where all else that it says is words. */
function brief(value) {
  const { code, components, value: found, ...rest } = value;
  const others = Object.entries(rest).filter(([key, item]) => !QUIET.includes(key) && !empty(item));
  if (!code?.code || others.some(([, item]) => typeof item === "object")) return null;
  const shown = coded(code);
  if (found !== undefined || components) shown.append(": ", node("strong", finding(value)));
  for (const [key, item] of others) shown.append(" · ", show(item, key));
  return shown;
}

export function pairs(rows) {
  const table = node("table", null, "pairs");
  for (const [title, content] of rows) {
    const row = table.insertRow();
    row.append(node("th", title), node("td", content));
  }
  return table;
}

export function coded(code) {
  const shown = node("span", code.display || code.text || "");
  if (code.code) shown.append(" ", node("code", code.display ? code.code : `${code.system} ${code.code}`));
  return shown;
}

export const author = (value) => [value.name, value.role && word(value.role), value.id].filter(Boolean).join(" ");

/** Marks that change how an entry is to be read. */
function marks(entry) {
  const shown = ["voided", "corrected", "disputed", "self_reported"].filter((mark) => entry[mark] === true);
  return shown.map((mark) => node("span", text(mark), `mark ${mark}`));
}

const ROWS_SHOWN = 8;
/** Fewer rows than this are not worth a button. */
const ROWS_HIDDEN_MIN = 4;

/** A table of entries: titles with how to draw each cell; more rows on demand. */
export function table(entries, columns) {
  if (!entries.length) return node("p", text("none"), "quiet");
  const filled = columns.map(([title, draw, label]) => [label || text(title), entries.map((entry) => draw(entry))])
    .filter(([, cells]) => cells.some((cell) => cell !== "" && cell !== undefined));
  const made = node("table");
  const head = made.createTHead().insertRow();
  for (const [title] of filled) head.append(node("th", title));
  const body = made.createTBody();
  const add = (from, to) => {
    for (let index = from; index < Math.min(to, entries.length); index += 1) {
      const row = body.insertRow();
      if (entries[index].voided) row.className = "voided";
      filled.forEach(([, cells], column) => {
        const cell = node("td", cells[index] ?? "");
        if (column === 0) for (const mark of marks(entries[index])) cell.append(" ", mark);
        row.append(cell);
      });
    }
  };
  const all = entries.length < ROWS_SHOWN + ROWS_HIDDEN_MIN;
  add(0, all ? entries.length : ROWS_SHOWN);
  if (all) return made;
  const box = node("div", made);
  const button = node("button", `${text("all")} (${entries.length})`);
  button.type = "button";
  button.addEventListener("click", () => { add(ROWS_SHOWN, entries.length); button.remove(); });
  box.append(button);
  return box;
}

const COLUMNS = {
  problems: [["problem", (e) => coded(e.code)], ["status", (e) => word(e.clinical_status)],
    ["since", (e) => day(e.onset || e.diagnosed?.first_at || e.occurred_at)], ["last", (e) => day(e.diagnosed?.latest_at || e.occurred_at)],
    ["times", (e) => e.diagnosed?.times ?? ""], ["place", (e) => e.facility || ""]],
  medications: [["drug", (e) => named(e.code)], ["dose", (e) => e.dose?.text || measured(e.dose)], ["status", (e) => word(e.status)],
    ["since", (e) => day(e.started_on || e.occurred_at)], ["days", (e) => e.days ?? ""], ["place", (e) => e.facility || ""]],
  vaccinations: [["vaccine", (e) => named(e.vaccine)], ["dose_number", (e) => e.dose_number ?? ""], ["time", (e) => day(e.occurred_at)],
    ["status", (e) => word(e.status)], ["lot", (e) => e.lot || ""], ["place", (e) => e.facility || ""]],
  encounters: [["time", (e) => when(e.started_at || e.occurred_at)], ["type", (e) => word(e.class || "")], ["reason", (e) => named(e.reason)],
    ["problem", (e) => (e.diagnoses || []).map((d) => named(d.code)).join("; ")], ["place", (e) => e.facility || ""]],
  procedures: [["procedure", (e) => named(e.code)], ["time", (e) => day(e.performed_on || e.occurred_at)], ["result", (e) => named(e.outcome)],
    ["place", (e) => e.facility || ""]],
  allergies: [["substance", (e) => named(e.substance || e.code)], ["reaction", (e) => named(e.reaction)], ["since", (e) => day(e.onset || e.occurred_at)],
    ["place", (e) => e.facility || ""]],
};

/** Whether a section holds nothing that was recorded. */
export function bare(name, value) {
  if (name === "allergies") return !value.items?.length && value.status === "not_asked";
  if (name === "risk_factors" || name === "social") {
    const quiet = (item) => empty(item) || item.answer === "not_asked";
    return Object.entries(value).every(([key, item]) => quiet(item) || key === "household" || key === "occupation");
  }
  return empty(value);
}

/** One section of the record; what another facility may have recorded there is never taken for "nothing". */
export function section(name, value, withheld) {
  if (withheld && bare(name, value)) return node("p", text("elsewhere"), "quiet");
  if (COLUMNS[name] && Array.isArray(value)) return table(sorted(name, value), COLUMNS[name]);
  if (name === "allergies") return allergies(value);
  if (name === "observations") return observations(value);
  if (Array.isArray(value)) return lists(newestFirst(value));
  const box = node("div");
  const lines = [];
  for (const [key, item] of Object.entries(value)) {
    if (QUIET.includes(key) || empty(item)) continue;
    if (name === "social" && (key === "household" || key === "occupation")) continue;
    const several = Array.isArray(item) && item.some((entry) => entry && typeof entry === "object" && entry.event_id);
    if (several) box.append(node("h3", field(key)), lists(newestFirst(item)));
    else lines.push([field(key), show(item, key)]);
  }
  if (lines.length) box.prepend(pairs(lines));
  return box.childNodes.length ? box : node("p", text("none"), "quiet");
}

function sorted(name, entries) {
  const list = newestFirst(entries);
  const over = (entry) => (entry.clinical_status === "resolved" ? 1 : 0);
  return name === "problems" ? list.sort((one, other) => over(one) - over(other)) : list;
}

/** Entries without columns of their own: a column for each of their fields. */
function lists(entries) {
  const hidden = [...QUIET, "author", "encounter_id", "occurred_at", "facility", "inputs", "appointment_id", "disputed_event_id", "disputed", "corrected", "self_reported"];
  const keys = [...new Set(entries.flatMap((entry) => Object.keys(entry)))].filter((key) => !hidden.includes(key));
  // A day of its own, as an appointment's, says more than the day of writing it down.
  const dated = keys.some((key) => key.endsWith("_on"));
  const columns = dated ? [] : [["time", (e) => day(e.occurred_at)]];
  for (const key of keys) columns.push([key, (e) => (empty(e[key]) ? "" : show(e[key], key)), field(key)]);
  if (!keys.some((key) => key.endsWith("facility"))) columns.push(["place", (e) => e.facility || ""]);
  return table(entries, columns);
}

function allergies(value) {
  const items = value.items || [];
  if (items.length) return table(newestFirst(items), COLUMNS.allergies);
  return node("p", text(value.status === "none_known" ? "no_known_allergy" : "allergy_not_asked"), value.status === "none_known" ? "" : "quiet");
}

function observations(value) {
  const box = node("div");
  const latest = newestFirst(value.latest || []);
  const series = Object.entries(value.series || {});
  const earlier = (entry) => {
    const key = `${entry.code.system}|${entry.code.code}`;
    const first = series.find(([name, points]) => name === key || points[0]?.part_of === key);
    if (!first || first[1].length < 2) return "";
    const fold = node("details", node("summary", `${first[1].length} ${text("series")}`));
    fold.addEventListener("toggle", () => { if (fold.open && !fold.querySelector("table")) fold.append(course(key, series)); });
    return fold;
  };
  box.append(table(latest, [["measured", (e) => named(e.code)], ["result", (e) => node("strong", finding(e))], ["time", (e) => when(e.occurred_at)],
    ["place", (e) => e.facility || ""], ["course", earlier]]));
  if (value.self_reports?.length) box.append(node("h3", field("self_reports")), lists(newestFirst(value.self_reports)));
  return box;
}

/** A value's course, newest first; the parts of a panel side by side. */
function course(key, series) {
  const rows = new Map();
  for (const [name, points] of series) {
    for (const point of points) {
      if (name !== key && point.part_of !== key) continue;
      const row = rows.get(point.event_id) || { occurred_at: point.occurred_at, values: [], self_reported: point.self_reported };
      row.values.push([name, measured(point.value)]);
      rows.set(point.event_id, row);
    }
  }
  const joined = (row) => {
    const values = row.values.sort(([one], [other]) => (one < other ? 1 : -1)).map(([, value]) => value);
    return values.length === 2 ? `${values[0].split(" ")[0]}/${values[1]}` : values.join("; ");
  };
  return table(newestFirst([...rows.values()]), [["time", (row) => when(row.occurred_at)], ["result", joined]]);
}

/** What an event of the history says, in one line. */
export function summary(event) {
  const data = event.data || {};
  const main = [data.vaccine, data.substance, data.code, data.condition].find(Boolean);
  const parts = [main && named(main), data.value !== undefined || data.components ? finding(data) : "", (data.diagnoses || []).map((d) => named(d.code)).join("; "),
    data.dose?.text, data.programme && word(data.programme), data.instrument && word(data.instrument), data.score, data.due_on && when(data.due_on),
    data.none_known && text("no_known_allergy"), data.channel && word(data.channel), data.result && typeof data.result === "string" && word(data.result),
    data.title, data.statement, data.note, data.name?.full, typeof data.reason === "string" && data.reason, data.action && word(data.action)];
  return parts.filter(Boolean).join(" · ");
}

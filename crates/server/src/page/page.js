// The one plain page: signs in with a token, finds a person, shows the record and its history.
// Everything from the server is set as text, never as markup.

import { author, bare, kind, newestFirst, node, pairs, section, show, speak, summary, text, when, word } from "/assets/show.js";
import { showSharing } from "/assets/sharing.js";
import { BECAUSE } from "/assets/texts.js";

const state = { language: "vi", token: null, claims: {}, person: null, shown: null, events: [], drawn: 0 };
/** Events of the history drawn at a time. */
const DRAWN = 30;
/** Pages of the history fetched at most. */
const PAGES_MAX = 20;
const element = (id) => document.getElementById(id);

function claimsOf(token) {
  try {
    const part = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(part), (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch { return {}; }
}

const staff = () => ["hospital", "clinician", "station"].includes(state.claims.role);

async function call(path, options = {}) {
  const headers = { authorization: `Bearer ${state.token}`, "accept-language": state.language, ...options.headers };
  if (staff()) headers["sokhoe-purpose"] = element("purpose").value;
  if (staff() && element("purpose").value === "ETREAT") headers["sokhoe-reason"] = encodeURIComponent(element("reason").value.trim());
  const answer = await fetch(path, { ...options, headers, cache: "no-store" });
  const body = await answer.json().catch(() => ({}));
  if (answer.ok) return body;
  if (answer.status === 401) { leave(); throw new Error(text("expired")); }
  if (answer.status === 403) throw new Error(`${text("forbidden")} ${body.detail || ""}`);
  if (answer.status === 404) throw new Error(text("nobody"));
  throw new Error(`${body.title || answer.status}: ${body.detail || ""}`);
}

async function attempt(work) {
  element("message").textContent = text("loading");
  try {
    await work();
    element("message").textContent = "";
  } catch (error) {
    element("message").textContent = error instanceof TypeError ? text("failed") : error.message;
  }
}

function label() {
  document.documentElement.lang = state.language;
  speak(state.language);
  for (const item of document.querySelectorAll("[data-text]")) item.textContent = text(item.dataset.text);
  element("language").textContent = text("language");
  element("leave").textContent = text("leave");
  const { role, facility, sub } = state.claims;
  element("who").textContent = state.token ? [word(role || ""), facility || sub].filter(Boolean).join(" · ") : "";
  if (state.shown) showRecord(state.shown);
  if (state.shown) showHistory();
  if (state.shown && state.claims.role === "citizen") attempt(() => showSharing(element("sharing"), state.person, call, attempt));
}

function arrange() {
  const entered = Boolean(state.token);
  element("enter").hidden = entered;
  element("find").hidden = !entered || state.claims.role === "citizen";
  element("purpose_row").hidden = !staff();
  element("leave").hidden = !entered;
  element("book").hidden = !entered || !state.shown;
  label();
}

function enter(token) {
  state.token = token.trim();
  state.claims = claimsOf(state.token);
  sessionStorage.setItem("token", state.token);
  arrange();
  if (state.claims.role === "citizen" && state.claims.person) open(state.claims.person);
}

function leave() {
  sessionStorage.removeItem("token");
  Object.assign(state, { token: null, claims: {}, person: null, shown: null, events: [], drawn: 0 });
  element("history").replaceChildren();
  element("sections").replaceChildren();
  element("sharing").replaceChildren();
  element("found").replaceChildren();
  arrange();
}

async function find() {
  const system = element("system").value.trim();
  const value = element("value").value.trim();
  element("found").replaceChildren();
  if (system === "id") return open(value);
  state.person = null;
  await attempt(async () => {
    const body = JSON.stringify(system === "name" ? { name: value } : { identifier: { system, value } });
    const headers = { "content-type": "application/json" };
    const { items } = await call("/v1/people/search", { method: "POST", headers, body });
    if (!items.length) throw new Error(text("nobody"));
    if (items.length === 1) state.person = items[0].person_id;
    else element("found").replaceChildren(node("li", text("choose")), ...items.map(choice));
  });
  if (state.person) await open(state.person);
}

function choice(hit) {
  const shown = [hit.name || hit.person_id, hit.sex && word(hit.sex), when(hit.birth_date)];
  const button = node("button", shown.filter(Boolean).join(" · "));
  button.type = "button";
  button.addEventListener("click", () => open(hit.person_id));
  return node("li", button);
}

async function open(person) {
  state.person = person;
  state.shown = null;
  element("book").hidden = true;
  await attempt(async () => {
    const path = `/v1/people/${encodeURIComponent(person)}`;
    const moment = element("as_of").value;
    const query = moment ? `?as_of=${encodeURIComponent(`${moment}:00+07:00`)}` : "";
    const record = await call(path + query);
    state.events = await events(`${path}/events?limit=1000`);
    showRecord(record);
    showHistory();
    element("book").hidden = false;
    if (state.claims.role === "citizen") await showSharing(element("sharing"), person, call, attempt);
  });
}

async function events(path) {
  const all = [];
  for (let pages = 0; path && pages < PAGES_MAX; pages += 1) {
    const page = await call(path);
    all.push(...page.items);
    path = page.next;
  }
  return all;
}

/** What matters at the bedside comes first, numbers and addresses last. */
const ORDER = ["allergies", "problems", "observations", "medications", "vaccinations", "encounters", "procedures", "pregnancies",
  "social", "risk_factors", "family_history", "documents", "demographics"];
const OPEN = ["allergies", "problems", "observations", "medications"];

function showRecord(record) {
  state.shown = record;
  const { name, sex, birth_date: born, died_on: died, identifiers } = record.sections.demographics || {};
  element("name").textContent = name?.full || text("record");
  const about = [sex && word(sex), born && `${text("born")} ${when(born)}${age(born, died)}`, died && `${text("died")} ${when(died)}`];
  for (const { system, value } of identifiers || []) about.push(`${word(system)} ${value}`);
  element("about").textContent = about.filter(Boolean).join(" · ");
  const moment = element("as_of").value;
  const past = moment ? [`${text("as_it_was")} ${when(`${moment}:00+07:00`)}`] : [];
  past.push(`${text("true_at")} ${record.position}`, `${text("version")} ${record.version}`);
  element("position").textContent = past.join(" · ");
  const names = [...new Set([...ORDER, ...Object.keys(record.sections)])].filter((key) => key in record.sections);
  const withheld = (record.withheld || []).map((part) => part.section);
  const sections = names.map((key) => {
    const [value, elsewhere] = [record.sections[key], withheld.includes(key)];
    const box = node("details");
    const title = node("summary", text(key));
    if (Array.isArray(value) && value.length) title.append(` (${value.length})`);
    if (elsewhere) title.append(" ", node("span", text("more_elsewhere"), "mark"));
    else if (bare(key, value)) title.append(" ", node("span", text("none"), "mark"));
    box.append(title, section(key, value, elsewhere));
    box.open = OPEN.includes(key);
    return box;
  });
  const reasons = new Map();
  for (const { section: part, because } of record.withheld || []) reasons.set(because, [...(reasons.get(because) || []), text(part)]);
  for (const [because, parts] of reasons) {
    const said = state.language === "vi" ? BECAUSE[because] || because : because;
    sections.unshift(node("p", `${text("withheld")}: ${parts.join(", ")} (${said}).`, "notice"));
  }
  element("sections").replaceChildren(...sections);
}

function age(born, died) {
  const [from, to] = [new Date(born), died ? new Date(died) : new Date()];
  let years = to.getFullYear() - from.getFullYear();
  if (new Date(to.getFullYear(), from.getMonth(), from.getDate()) > to) years -= 1;
  return Number.isNaN(years) || died ? "" : ` (${years} ${text("age")})`;
}

function showHistory() {
  const table = node("table");
  const head = table.createTHead().insertRow();
  for (const key of ["time", "kind", "content", "place", "details"]) head.append(node("th", text(key)));
  table.createTBody();
  element("history").replaceChildren(table);
  state.drawn = 0;
  showMore();
}

function showMore() {
  const rows = newestFirst(state.events).slice(state.drawn, state.drawn + DRAWN).map(historyRow);
  state.drawn += rows.length;
  element("history").querySelector("tbody").append(...rows);
  element("more").hidden = state.drawn >= state.events.length;
  element("more").textContent = `${text("more")} (${state.events.length - state.drawn})`;
}

function historyRow(event) {
  const row = node("tr", null, event.voided ? "voided" : "");
  const content = node("td", summary(event));
  if (event.voided) content.append(" ", node("span", text("voided"), "mark voided"));
  else if (event.corrected_by) content.append(" ", node("span", text("corrected"), "mark corrected"));
  const button = node("button", text("details"));
  button.type = "button";
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", () => {
    const open = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!open));
    if (open) return row.nextSibling.remove();
    const below = node("tr", null, "details");
    const cell = node("td", whole(event));
    cell.colSpan = row.cells.length;
    below.append(cell);
    row.after(below);
  });
  row.append(node("td", when(event.occurred_at)), node("td", kind(event.kind)), content, node("td", event.facility || ""), node("td", button));
  return row;
}

/** Everything an event says, and how it hangs in the chain. */
function whole(event) {
  const hash = (value) => node("code", value);
  const rows = [["content", show(event.data)], ["by", event.author ? author(event.author) : ""], ["recorded_by", event.recorded_by],
    ["recorded_at", when(event.recorded_at)], ["corrects", others(event.corrects)], ["corrected", others(event.corrected_by)],
    ["event", hash(event.event_id)], ["position", String(event.position)], ["hash", hash(event.hash)], ["previous_hash", hash(event.previous_hash)]];
  return pairs(rows.filter(([, value]) => value).map(([key, value]) => [text(key), value]));
}

function others(ids) {
  const all = [ids].flat().filter(Boolean);
  return all.length ? node("code", all.join(", ")) : "";
}

element("enter").addEventListener("submit", (event) => { event.preventDefault(); enter(element("token").value); element("token").value = ""; });
element("find").addEventListener("submit", (event) => { event.preventDefault(); find(); });
element("moment").addEventListener("submit", (event) => { event.preventDefault(); open(state.person); });
element("now").addEventListener("click", () => { element("as_of").value = ""; open(state.person); });
element("more").addEventListener("click", showMore);
element("purpose").addEventListener("change", () => { element("reason_row").hidden = element("purpose").value !== "ETREAT"; });
element("leave").addEventListener("click", leave);
element("language").addEventListener("click", () => {
  state.language = state.language === "vi" ? "en" : "vi";
  sessionStorage.setItem("language", state.language);
  label();
});

state.language = sessionStorage.getItem("language") || "vi";
const fragment = new URLSearchParams(location.hash.slice(1));
const given = fragment.get("token") || sessionStorage.getItem("token");
// The token leaves the address bar at once, so that it is neither copied nor kept in the history.
if (location.hash) window.history.replaceState(null, "", location.pathname);
arrange();
if (given) enter(given);
if (given && fragment.get("person")) open(fragment.get("person"));
window.addEventListener("hashchange", () => location.reload());

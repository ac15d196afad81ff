// The one plain page: signs in with a token, finds a person, shows the record and its history.
// Everything from the server is set as text, never as markup.

const TEXTS = {
  vi: {
    enter: "Đăng nhập", token: "Mã truy cập (token)", leave: "Thoát", find: "Tìm người", purpose: "Mục đích xem",
    purpose_TREAT: "Khám, điều trị", purpose_PATRQT: "Theo yêu cầu của người bệnh",
    purpose_PUBHLTH: "Y tế công cộng", purpose_HOPERAT: "Vận hành cơ sở",
    system: "Loại số (hoặc name, id)", value: "Số hoặc tên", as_of: "Tại thời điểm (vị trí hoặc thời gian)", show: "Xem",
    history: "Lịch sử", more: "Xem thêm", docs: "Tài liệu", language: "English", position: "Vị trí", version: "phiên bản",
    nobody: "Không tìm thấy, hoặc không được phép xem.", loading: "Đang tải…", failed: "Không liên lạc được máy chủ.",
    none: "chưa có", yes: "có", no: "không", unknown: "không rõ", not_asked: "chưa hỏi", withheld: "Không hiển thị",
    kind: "Sự kiện", when: "Xảy ra", recorded: "Ghi nhận", by: "Người gửi", place: "Cơ sở", content: "Nội dung",
    chain: "Mã băm", corrected: "đã sửa bởi", corrects: "sửa cho", record: "Sổ sức khỏe", expired: "Hãy đăng nhập lại.",
    latest: "Mới nhất", series: "Theo thời gian",
    demographics: "Hành chính", problems: "Bệnh, vấn đề sức khỏe", allergies: "Dị ứng", medications: "Thuốc",
    vaccinations: "Tiêm chủng", observations: "Chỉ số, xét nghiệm", encounters: "Lượt khám", procedures: "Thủ thuật",
    pregnancies: "Thai sản", family_history: "Tiền sử gia đình", risk_factors: "Yếu tố nguy cơ", documents: "Tài liệu",
    social: "Xã hội, quản lý",
  },
  en: {
    enter: "Sign in", token: "Access token", leave: "Sign out", find: "Find a person", purpose: "Purpose",
    purpose_TREAT: "Treatment", purpose_PATRQT: "At the person's request",
    purpose_PUBHLTH: "Public health", purpose_HOPERAT: "Operations",
    system: "Kind of number (or name, id)", value: "Number or name", as_of: "As of (position or time)", show: "Show",
    history: "History", more: "More", docs: "Documentation", language: "Tiếng Việt", position: "Position", version: "version",
    nobody: "Not found, or not yours to see.", loading: "Loading…", failed: "The server does not answer.",
    none: "nothing yet", yes: "yes", no: "no", unknown: "unknown", not_asked: "not asked", withheld: "Withheld",
    kind: "Event", when: "Happened", recorded: "Recorded", by: "Sent by", place: "Facility", content: "Content",
    chain: "Hash", corrected: "corrected by", corrects: "corrects", record: "Health book", expired: "Please sign in again.",
    latest: "Latest", series: "Over time",
    demographics: "Demographics", problems: "Problems", allergies: "Allergies", medications: "Medications",
    vaccinations: "Vaccinations", observations: "Observations", encounters: "Encounters", procedures: "Procedures",
    pregnancies: "Pregnancies", family_history: "Family history", risk_factors: "Risk factors", documents: "Documents",
    social: "Social and programmes",
  },
};
const ANSWERS = ["yes", "no", "unknown", "not_asked"];
const state = { language: "vi", token: null, claims: {}, person: null, next: null, shown: null };
const element = (id) => document.getElementById(id);
const text = (key) => TEXTS[state.language][key] || key.replaceAll("_", " ");

function node(tag, content, name) {
  const made = document.createElement(tag);
  if (content !== undefined && content !== null) made.append(content);
  if (name) made.className = name;
  return made;
}

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
  const answer = await fetch(path, { ...options, headers, cache: "no-store" });
  const body = await answer.json().catch(() => ({}));
  if (answer.ok) return body;
  if (answer.status === 401) { leave(); throw new Error(text("expired")); }
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
  for (const item of document.querySelectorAll("[data-text]")) item.textContent = text(item.dataset.text);
  element("language").textContent = text("language");
  element("leave").textContent = text("leave");
  const { role, facility, sub } = state.claims;
  element("who").textContent = state.token ? [role, facility || sub].filter(Boolean).join(" · ") : "";
  if (state.shown) showRecord(state.shown);
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
  Object.assign(state, { token: null, claims: {}, person: null, next: null, shown: null });
  element("history").tBodies[0].replaceChildren();
  element("sections").replaceChildren();
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
    else element("found").replaceChildren(...items.map(choice));
  });
  if (state.person) await open(state.person);
}

function choice(hit) {
  const button = node("button", [hit.name || hit.person_id, hit.birth_date].filter(Boolean).join(" · "));
  button.type = "button";
  button.addEventListener("click", () => open(hit.person_id));
  return node("li", button);
}

async function open(person) {
  state.person = person;
  state.shown = null;
  element("book").hidden = true;
  await attempt(async () => {
    const asOf = element("as_of").value.trim();
    const query = asOf ? `?as_of=${encodeURIComponent(asOf)}` : "";
    showRecord(await call(`/v1/people/${encodeURIComponent(person)}${query}`));
    element("history").tBodies[0].replaceChildren();
    await history(`/v1/people/${encodeURIComponent(person)}/events?limit=50`);
    element("book").hidden = false;
  });
}

function showRecord(record) {
  state.shown = record;
  const demographics = record.sections.demographics || {};
  const name = demographics.name && (demographics.name.full || demographics.name);
  element("name").textContent = typeof name === "string" ? name : text("record");
  element("position").textContent = `${text("position")} ${record.position} · ${text("version")} ${record.version}`;
  const sections = Object.entries(record.sections).map(([key, value]) => {
    const box = node("details");
    const count = Array.isArray(value) ? ` (${value.length})` : "";
    box.append(node("summary", text(key) + count), show(value));
    box.open = ["demographics", "allergies", "problems"].includes(key);
    return box;
  });
  for (const { section, because } of record.withheld || []) {
    sections.push(node("p", `${text("withheld")}: ${text(section)} (${because})`, "quiet"));
  }
  element("sections").replaceChildren(...sections);
}

function empty(value) {
  return value === null || (Array.isArray(value) && !value.length) ||
    (typeof value === "object" && !Object.keys(value).length);
}

function show(value) {
  if (empty(value)) return node("span", text("none"), "quiet");
  if (typeof value === "string") return node("span", ANSWERS.includes(value) ? text(value) : value);
  if (typeof value !== "object") return node("span", typeof value === "boolean" ? text(value ? "yes" : "no") : String(value));
  if (Array.isArray(value)) return showList(value);
  if (value.system && value.code) return showCode(value);
  if (value.value !== undefined && value.unit) return node("span", `${value.comparator || ""}${value.value} ${value.unit}`);
  const table = node("table");
  for (const [key, item] of Object.entries(value)) {
    const row = table.insertRow();
    row.append(node("th", text(key)), node("td", show(item)));
  }
  return table;
}

function showCode(code) {
  const shown = node("span", code.display ? `${code.display} ` : "");
  shown.append(node("code", `${code.system} ${code.code}`));
  return shown;
}

function showList(list) {
  const rows = list.every((item) => typeof item === "object" && item !== null && !Array.isArray(item));
  if (!rows) {
    const shown = node("ul");
    for (const item of list) shown.append(node("li", show(item)));
    return shown;
  }
  const quiet = ["event_id", "recorded_at", "author", "source"];
  const keys = [...new Set(list.flatMap((item) => Object.keys(item)))].filter((key) => !quiet.includes(key));
  const table = node("table");
  const head = table.createTHead().insertRow();
  for (const key of keys) head.append(node("th", text(key)));
  const body = table.createTBody();
  for (const item of list) {
    const row = body.insertRow();
    for (const key of keys) row.append(node("td", key in item ? show(item[key]) : ""));
  }
  return table;
}

async function history(path) {
  const page = await call(path);
  const table = element("history");
  const columns = ["position", "kind", "when", "recorded", "by", "content", "chain"];
  const head = node("tr");
  for (const key of columns) head.append(node("th", text(key)));
  table.tHead.replaceChildren(head);
  for (const event of page.items) table.tBodies[0].append(historyRow(event));
  state.next = page.next;
  element("more").hidden = !page.next;
}

function historyRow(event) {
  const row = node("tr", null, event.voided ? "voided" : "");
  const content = node("details");
  content.append(node("summary", text("content")), show(event.data));
  const links = node("td", content);
  for (const key of ["corrects", "corrected_by"]) {
    const others = [event[key]].flat().filter(Boolean);
    const name = text(key === "corrects" ? "corrects" : "corrected");
    if (others.length) links.append(node("p", `${name} ${others.join(", ")}`, "quiet"));
  }
  const sender = [event.recorded_by, event.facility].filter(Boolean).join(" · ");
  for (const value of [event.position, text(event.kind), event.occurred_at, event.recorded_at, sender]) {
    row.append(node("td", value === undefined ? "" : String(value)));
  }
  const hash = node("td", (event.hash || "").slice(0, 16), "hash");
  hash.title = `${event.hash} ← ${event.previous_hash}`;
  row.append(links, hash);
  return row;
}

element("enter").addEventListener("submit", (event) => { event.preventDefault(); enter(element("token").value); element("token").value = ""; });
element("find").addEventListener("submit", (event) => { event.preventDefault(); find(); });
element("moment").addEventListener("submit", (event) => { event.preventDefault(); open(state.person); });
element("more").addEventListener("click", () => attempt(() => history(state.next)));
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

// The citizen's side of the page: what they allow and refuse, and who looked. Everything is set as text, never as markup.

import { node, text, when, word } from "/assets/show.js";

/** Looks fetched at a time. */
const LOOKS = 50;

/**
 * Shows directives and looks of a person below the book.
 * `call` asks the server, `attempt` shows what went wrong, `place` is filled anew.
 */
export async function showSharing(place, person, call, attempt) {
  const path = `/v1/people/${encodeURIComponent(person)}`;
  const again = () => attempt(() => showSharing(place, person, call, attempt));
  const { items } = await call(`${path}/consents`);
  const list = node("ul");
  for (const directive of items) list.append(directiveLine(directive, path, call, attempt, again));
  if (!items.length) list.append(node("li", text("silence"), "quiet"));
  const looks = node("ul");
  const more = node("button", text("more"));
  more.type = "button";
  let next = `${path}/accesses?limit=${LOOKS}`;
  const fetchLooks = async () => {
    const page = await call(next);
    looks.append(...page.items.map((look) => node("li", `${when(look.recorded_at)} · ${look.text}`, look.kind)));
    next = page.next;
    more.hidden = !next;
  };
  more.addEventListener("click", () => attempt(fetchLooks));
  await fetchLooks();
  place.replaceChildren(node("h2", text("sharing")), list, form(path, call, attempt, again), node("h2", text("who_looked")), looks, more);
}

function directiveLine(directive, path, call, attempt, again) {
  const { to, sections = [], labels = [], effect, purpose, in_force: inForce } = directive;
  const whom = to.facility || to.professional || (to.role && word(to.role)) || text("anyone_treating");
  const what = [...sections, ...labels].map((part) => text(part) || word(part)).join(", ") || text("everything");
  const period = `${when(directive.from)} – ${directive.until ? when(directive.until) : "…"}`;
  const line = node("li", [word(effect), whom, text(`purpose_${purpose}`) || purpose, what, period].join(" · "));
  if (!inForce) return line.append(" ", node("span", text("over"), "mark")), line;
  const button = node("button", text("withdraw"));
  button.type = "button";
  button.addEventListener("click", () => attempt(async () => {
    await call(`${path}/consents/${encodeURIComponent(directive.consent_id)}`, { method: "DELETE" });
    await again();
  }));
  line.append(" ", button);
  return line;
}

function choice(name, options) {
  const select = node("select");
  for (const [value, shown] of options) {
    const option = node("option", shown);
    option.value = value;
    select.append(option);
  }
  const label = node("label");
  label.append(node("span", text(name)), select);
  return [label, select];
}

function form(path, call, attempt, again) {
  const box = node("form");
  const [effectRow, effect] = choice("effect", [["permit", word("permit")], ["deny", word("deny")]]);
  const [purposeRow, purpose] = choice("purpose", [["TREAT", text("purpose_TREAT")], ["PATRQT", text("purpose_PATRQT")],
    ["PUBHLTH", text("purpose_PUBHLTH")]]);
  const facility = node("input");
  facility.required = true;
  facility.maxLength = 64;
  const facilityRow = node("label");
  facilityRow.append(node("span", text("facility_code")), facility);
  const [sectionRow, section] = choice("part", [["", text("everything")],
    ...["allergies", "problems", "medications", "vaccinations", "observations", "encounters", "procedures", "pregnancies"].map((name) => [name, text(name)])]);
  const send = node("button", text("grant"));
  send.type = "submit";
  box.append(effectRow, facilityRow, purposeRow, sectionRow, send);
  box.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(async () => {
      const directive = { effect: effect.value, purpose: purpose.value, to: { facility: facility.value.trim() } };
      if (section.value) directive.sections = [section.value];
      const headers = { "content-type": "application/json" };
      await call(`${path}/consents`, { method: "POST", headers, body: JSON.stringify(directive) });
      await again();
    });
  });
  return box;
}

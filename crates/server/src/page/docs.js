// Draws /openapi.json: routes, kinds of event with their fields, limits, problems.

function node(tag, content, name) {
  const made = document.createElement(tag);
  if (content !== undefined && content !== null) made.append(content);
  if (name) made.className = name;
  return made;
}

function table(head, rows) {
  const made = node("table");
  const first = made.createTHead().insertRow();
  for (const title of head) first.append(node("th", title));
  const body = made.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const cell of row) line.append(node("td", cell));
  }
  return made;
}

function folded(title, ...content) {
  const box = node("details");
  box.append(node("summary", title), ...content);
  return box;
}

function route(path, method, operation) {
  const box = folded(`${method.toUpperCase()} ${path}: ${operation.summary}`);
  const roles = operation["x-sokhoe-roles"];
  box.append(node("p", roles ? `Roles: ${roles.join(", ")}` : "Needs no token"));
  const parameters = operation.parameters || [];
  if (parameters.length) {
    box.append(table(["parameter", "in", "meaning"], parameters.map((p) => [p.name, p.in, p.description || ""])));
  }
  const body = Object.keys(operation.requestBody?.content || {});
  if (body.length) box.append(node("p", `Body: ${body.join(", ")}`));
  box.append(table(["status", "meaning"], Object.entries(operation.responses).map(([s, r]) => [s, r.description])));
  return box;
}

/** What a value may be, in a few words. */
function shape(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf || schema.oneOf) return (schema.anyOf || schema.oneOf).map(shape).join(" or ");
  if (schema.const !== undefined) return String(schema.const);
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.type === "array") return `list of ${shape(schema.items || {})}${schema.maxItems ? `, at most ${schema.maxItems}` : ""}`;
  if (schema.properties) {
    const { system, code, value, unit } = schema.properties;
    if (system && code) return "code {system, code, …}";
    if (value && unit) return "quantity {value, unit}";
    return `{${Object.keys(schema.properties).join(", ")}}`;
  }
  const type = [schema.format || schema.type || "any"].flat().join(" or ");
  const pattern = schema.pattern === "^\\d{4}(-\\d{2}(-\\d{2})?)?$" ? "YYYY, YYYY-MM or YYYY-MM-DD" : schema.pattern;
  const bounds = [pattern, schema.maxLength && `at most ${schema.maxLength} characters`,
    schema.maximum !== undefined && `${schema.minimum ?? ""} to ${schema.maximum}`, schema.description];
  return [type, ...bounds.filter(Boolean)].join(", ");
}

/** One row for each field; those of an event's data one by one. */
function fields(schema, prefix = "") {
  return Object.entries(schema.properties || {}).flatMap(([name, part]) => {
    const needed = (schema.required || []).includes(name) ? "required" : "";
    if (name === "data" && part.properties) return [[name, needed, "object"], ...fields(part, "data.")];
    return [[prefix + name, needed, shape(part)]];
  });
}

function drawn(schema) {
  const whole = folded("JSON Schema", node("pre", JSON.stringify(schema, null, 2)));
  const rows = fields(schema);
  return rows.length ? [table(["field", "", "value"], rows), whole] : [whole];
}

async function draw() {
  const description = await (await fetch("/openapi.json")).json();
  document.getElementById("about").textContent = description.info.description;
  const page = document.getElementById("docs");
  page.replaceChildren(node("h2", "Routes"));
  // What programs use comes first; pages and their parts last.
  const rank = (path) => ["/v1/", "/fhir/"].findIndex((start) => path.startsWith(start)) >>> 0;
  const paths = Object.entries(description.paths).filter(([path]) => !path.startsWith("/assets/"));
  paths.sort(([one], [other]) => rank(one) - rank(other));
  for (const [path, item] of paths) {
    for (const [method, operation] of Object.entries(item)) page.append(route(path, method, operation));
  }
  page.append(node("h2", "Events and answers"));
  for (const [name, schema] of Object.entries(description.components.schemas)) {
    page.append(folded(name, ...drawn(schema)));
  }
  page.append(node("h2", "Limits"), table(["limit", "value"], Object.entries(description["x-sokhoe-limits"]).map(([k, v]) => [k, String(v)])));
  page.append(node("h2", "Problems"), table(["type", "status", "title"],
    description["x-sokhoe-problems"].map((p) => [p.type, String(p.status), p.title])));
}

draw().catch(() => { document.getElementById("docs").textContent = "The description could not be read."; });

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
    page.append(folded(name, node("pre", JSON.stringify(schema, null, 2))));
  }
  page.append(node("h2", "Limits"), table(["limit", "value"], Object.entries(description["x-sokhoe-limits"]).map(([k, v]) => [k, String(v)])));
  page.append(node("h2", "Problems"), table(["type", "status", "title"],
    description["x-sokhoe-problems"].map((p) => [p.type, String(p.status), p.title])));
}

draw().catch(() => { document.getElementById("docs").textContent = "The description could not be read."; });

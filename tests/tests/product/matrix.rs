//! Who sees what of whom: every route about one person, every role, and people of every standing; the whole table, compared
//! with the written one. And every answer of it is on the person's list, refusals included.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::home::{Home, Served};
use crate::peer::{Answer, Request};
use crate::sent::{event_id, identified};

/// The commune that the table's station serves.
const COMMUNE: &str = "26734";
/// What stands in every entry that nobody labelled, and in the labelled ones.
const MARK: &str = "Dấu vết thường";
const SECRET_MARK: &str = "Dấu vết kín";

/// People by how they stand to whoever asks: staff of 99001 that serve the commune, and a citizen of their own.
const STANDINGS: [&str; 10] = [
    "own",
    "other",
    "consented",
    "refused",
    "withdrawn",
    "expired",
    "labelled",
    "named_label",
    "merged",
    "area",
];

/// Routes that are about no single person; every other one has its rows in the table.
const ELSEWHERE: [&str; 27] = [
    "GET /",
    "GET /checkpoint",
    "GET /docs",
    "GET /fhir/R4/metadata",
    "GET /livez",
    "GET /metrics",
    "GET /openapi.json",
    "GET /readyz",
    "GET /tile/{path}",
    "GET /v1/audit/accesses",
    "GET /v1/audit/affected",
    "GET /v1/audit/reviews",
    "GET /v1/audit/signals",
    "GET /v1/catalogue",
    "GET /v1/feed",
    // One's own, or all of them without what they say.
    "GET /v1/requests",
    "POST /v1/requests",
    "POST /fhir/R4",
    "POST /v1/admin/heads",
    "POST /v1/admin/rebuild",
    "POST /v1/audit/reviews",
    "POST /v1/blobs",
    "POST /v1/catalogue/{name}",
    "POST /v1/events",
    "POST /v1/events/batch",
    // Shown is who was found, and each of them is written down; `server`'s own tests tell.
    "POST /v1/people/search",
    // Decided as the read is.
    "POST /v1/access/explain",
];

struct Person {
    standing: &'static str,
    number: u64,
    id: String,
}

struct Table {
    home: Home,
    served: Served,
    people: Vec<Person>,
}

impl Table {
    fn open() -> Self {
        let home = Home::new();
        let served = home.serve();
        let people = STANDINGS.iter().zip(1..).map(|(standing, number)| Person {
            standing,
            number,
            id: String::new(),
        });
        let mut table = Self {
            people: people.collect(),
            home,
            served,
        };
        for index in 0..table.people.len() {
            table.people[index].id = table.begin(index);
        }
        for index in 0..table.people.len() {
            table.state(index);
        }
        table
    }

    fn facility(&self, index: usize) -> &'static str {
        match self.people[index].standing {
            "own" => "99001",
            _ => "99002",
        }
    }

    fn send(&self, facility: &str, event: &Value) -> Value {
        let token = self.home.hospital(facility);
        self.served.by(&token).event(event).expect(201).json()
    }

    /// Registers a person with a problem, and one under a label.
    fn begin(&self, index: usize) -> String {
        let person = &self.people[index];
        let facility = self.facility(index);
        let event = |number: u64, kind: &str, data: Value| {
            json!({"event_id": event_id(person.number * 100 + number), "kind": kind, "occurred_at": "2026-01-05",
                   "facility": facility, "person": identified(person.number), "data": data})
        };
        let mut who = json!({
            "identifiers": [identified(person.number)["identifier"]], "sex": "female", "birth_date": "1985-03-07",
            "name": {"full": format!("{MARK} {}", person.standing)},
        });
        if person.standing == "area" {
            who["current_address"] =
                json!({"commune": COMMUNE, "list_date": "2025-07-01", "text": "ấp 1"});
        }
        let registered = self.send(facility, &event(1, "person_registered", who));
        let problem = |display: &str, labels: Value| {
            json!({"code": {"system": "icd10", "code": "I10", "display": display}, "clinical_status": "active",
                   "certainty": "confirmed", "labels": labels})
        };
        self.send(
            facility,
            &event(2, "condition_recorded", problem(MARK, json!([]))),
        );
        self.send(
            facility,
            &event(
                3,
                "condition_recorded",
                problem(SECRET_MARK, json!(["hiv"])),
            ),
        );
        registered["person_id"].as_str().expect("an id").to_owned()
    }

    /// States what makes the person's standing.
    fn state(&self, index: usize) {
        let person = &self.people[index];
        let consents = format!("/v1/people/{}/consents", person.id);
        let token = self.home.citizen(&person.id);
        let grant = |directive: Value| {
            let by = self.served.by(&token);
            let taken = by.post(&consents, "application/json", directive.to_string());
            taken.expect(201).json()["event_id"]
                .as_str()
                .expect("an id")
                .to_owned()
        };
        let permit = || json!({"purpose": "TREAT", "to": {"facility": "99001"}});
        match person.standing {
            "consented" | "labelled" => drop(grant(permit())),
            "named_label" => {
                grant(permit());
                let mut named = permit();
                named["labels"] = json!(["hiv"]);
                grant(named);
            }
            "refused" => {
                grant(json!({"purpose": "TREAT", "to": {"anyone_treating": true}}));
                grant(json!({"purpose": "TREAT", "to": {"facility": "99001"}, "effect": "deny"}));
            }
            "withdrawn" => {
                let consent = grant(permit());
                self.served
                    .by(&token)
                    .delete(&format!("{consents}/{consent}"))
                    .expect(200);
            }
            "expired" => {
                // A directive that is over can only be stated at a counter, by an event of its day.
                let over = json!({"event_id": event_id(person.number * 100 + 9), "kind": "consent_granted",
                    "occurred_at": "2026-01-06", "facility": "99002", "person": identified(person.number),
                    "data": {"consent_id": "c", "purpose": "TREAT", "to": {"facility": "99001"}, "effect": "permit",
                             "from": "2026-01-06", "until": "2026-02-01", "evidence": "signed"}});
                self.send("99002", &over);
            }
            "merged" => {
                // What a person states holds for those merged into them.
                grant(permit());
                let retired = self.people.iter().find(|person| person.standing == "area");
                let retired = format!("{}", retired.expect("one").number + 50);
                let number: u64 = retired.parse().expect("a number");
                let second = json!({"event_id": event_id(9001), "kind": "person_registered", "occurred_at": "2026-01-05",
                    "facility": "99002", "person": identified(number), "data": {
                    "identifiers": [identified(number)["identifier"]], "sex": "female", "birth_date": "1985-03-07",
                    "name": {"full": format!("{MARK} twice")}}});
                self.send("99002", &second);
                let merge = json!({"event_id": event_id(9002), "kind": "people_merged", "occurred_at": "2026-01-07",
                    "facility": "99002", "person": identified(person.number),
                    "data": {"retired": identified(number), "grounds": "the same papers"}});
                self.send("99002", &merge);
            }
            _ => {}
        }
    }

    /// Every role of the contract, with its token; the citizen is the person `own`.
    fn roles(&self) -> Vec<(&'static str, String)> {
        let own = self.people[0].id.as_str();
        let staff = ["--facility", "99001", "--jurisdiction", COMMUNE];
        let of = |role: &'static str, flags: &[&str]| (role, self.home.token(role, flags));
        vec![
            of("hospital", &staff),
            of("clinician", &staff),
            of("station", &staff),
            of("citizen", &["--person", own]),
            of("guardian", &["--person", own]),
            of("auditor", &[]),
            of("epidemiologist", &["--jurisdiction", "79"]),
            of("researcher", &["--study", "a-study"]),
            of("department", &["--jurisdiction", "79"]),
            of("dashboard", &[]),
            of("admin", &[]),
            of("operator", &[]),
        ]
    }

    /// Every route that the server describes and that is about one person.
    fn routes(&self) -> BTreeSet<(String, String)> {
        let description = self
            .served
            .anonymous()
            .get("/openapi.json")
            .expect(200)
            .json();
        let mut routes = BTreeSet::new();
        let paths = description["paths"].as_object().expect("paths").iter();
        for (path, operations) in paths.filter(|(path, _)| !path.starts_with("/assets/")) {
            for method in operations.as_object().expect("operations").keys() {
                let name = format!("{} {path}", method.to_uppercase());
                if !ELSEWHERE.contains(&name.as_str()) {
                    routes.insert((path.clone(), method.to_uppercase()));
                }
            }
        }
        routes
    }
}

fn knock(request: Request<'_>, (path, method): &(String, String), person: &Person) -> Answer {
    let entry = event_id(person.number * 100 + 2);
    let path = path
        .replace(
            "/fhir/R4/{type}/{id}",
            &format!("/fhir/R4/Condition/{entry}"),
        )
        .replace(
            "/fhir/R4/AuditEvent",
            &format!("/fhir/R4/AuditEvent?patient={}", person.id),
        )
        .replace("{id}", &person.id)
        .replace("{consent_id}", "none")
        .replace("{event_id}", &entry);
    let request = request.treating();
    match method.as_str() {
        "GET" => request.get(&path),
        "DELETE" => request.delete(&path),
        "POST" => request.post(&path, "application/json", "{}"),
        _ => panic!("a route without a row: {method} {path}"),
    }
}

/// The status, `+` where entries are seen, `!` where labelled ones are.
fn seen(answer: &Answer) -> String {
    let mut seen = answer.status.to_string();
    for (mark, sign) in [(MARK, '+'), (SECRET_MARK, '!')] {
        if answer.body.contains(mark) {
            seen.push(sign);
        }
    }
    seen
}

#[test]
fn everybody_sees_of_everybody_what_the_table_says_and_is_written_down() {
    let table = Table::open();
    let roles = table.roles();
    let mut text = String::new();
    let mut asked: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut rows = 0;
    for route in table.routes() {
        let _ = writeln!(text, "{} {}", route.1, route.0);
        for (role, token) in &roles {
            let mut cells: Vec<(String, Vec<&str>)> = Vec::new();
            for person in &table.people {
                rows += 1;
                let answer = knock(table.served.by(token), &route, person);
                let request = answer.header("x-request-id").expect("a request id");
                // An entry of its own that is not valid is nobody's look.
                if answer.status != 422 {
                    asked
                        .entry(&person.id)
                        .or_default()
                        .insert(request.to_owned());
                }
                let cell = seen(&answer);
                match cells.iter_mut().find(|(known, _)| *known == cell) {
                    Some((_, people)) => people.push(person.standing),
                    None => cells.push((cell, vec![person.standing])),
                }
            }
            let everybody = cells.len() == 1;
            let said: Vec<String> = cells
                .into_iter()
                .map(|(cell, people)| match everybody {
                    true => format!("{cell} everybody"),
                    false => format!("{cell} {}", people.join(" ")),
                })
                .collect();
            let _ = writeln!(text, "  {role:14} {}", said.join(" · "));
        }
    }
    println!("the matrix has {rows} cells");
    let written = include_str!("matrix.txt");
    assert!(
        text == written,
        "matrix.txt should read, if this is meant:\n{text}"
    );

    let auditor = table.home.token("auditor", &[]);
    for person in &table.people {
        let mut on_the_list = BTreeSet::new();
        let mut next = Some(format!("/v1/people/{}/accesses?limit=1000", person.id));
        while let Some(path) = next {
            let page = table.served.by(&auditor).get(&path).expect(200).json();
            for look in page["items"].as_array().expect("looks") {
                on_the_list.extend(look["data"]["request"].as_str().map(str::to_owned));
            }
            next = page["next"].as_str().map(str::to_owned);
        }
        let missing: Vec<_> = asked[person.id.as_str()].difference(&on_the_list).collect();
        assert!(
            missing.is_empty(),
            "{}: answered and not written down: {missing:?}",
            person.standing
        );
    }
    // Names and numbers of people are in no line that the server says.
    let said = table.served.said();
    for person in &table.people {
        let number = identified(person.number)["identifier"]["value"].to_string();
        for secret in [MARK, SECRET_MARK, number.trim_matches('"'), &person.id] {
            assert!(!said.contains(secret), "the server says {secret}");
        }
    }
    table.served.stop();
}

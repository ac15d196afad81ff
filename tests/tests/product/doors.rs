//! Who gets how far on every route: the whole table, compared with the written one.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::home::{Home, Served};
use crate::peer::{Answer, Request};
use crate::sent::{event_id, identified, registration, weight};

/// What needs no token: the contract's list. `/metrics` is for this machine alone, which the tests run on.
const OPEN: [&str; 9] = [
    "/",
    "/checkpoint",
    "/docs",
    "/fhir/R4/metadata",
    "/livez",
    "/metrics",
    "/openapi.json",
    "/readyz",
    "/tile/{path}",
];

/// Every role of the contract, with what its token needs.
fn roles(person: &str) -> Vec<(&'static str, Vec<&str>)> {
    let facility = || vec!["--facility", "99001"];
    vec![
        ("hospital", facility()),
        ("clinician", facility()),
        ("station", facility()),
        ("citizen", vec!["--person", person]),
        ("guardian", vec!["--person", person]),
        ("auditor", vec![]),
        ("epidemiologist", vec!["--jurisdiction", "79"]),
        ("researcher", vec!["--study", "a-study"]),
        ("department", vec!["--jurisdiction", "79"]),
        ("dashboard", vec![]),
        ("admin", vec![]),
        ("operator", vec![]),
    ]
}

/// A house with one person, known to facility 99001.
fn house() -> (Home, Served, String) {
    let home = Home::new();
    let served = home.serve();
    let hospital = home.hospital("99001");
    let receipt = served
        .by(&hospital)
        .event(&registration(1, 1))
        .expect(201)
        .json();
    served
        .by(&hospital)
        .event(&weight(2, 1, "2026-02-01", 70))
        .expect(201);
    let person = receipt["person_id"].as_str().unwrap().to_owned();
    (home, served, person)
}

/// Every method and path that the server describes, but for the parts of pages.
fn routes(served: &Served) -> Vec<(String, String)> {
    let description = served.anonymous().get("/openapi.json").expect(200).json();
    let mut routes = Vec::new();
    let paths = description["paths"].as_object().unwrap().iter();
    for (path, operations) in paths.filter(|(path, _)| !path.starts_with("/assets/")) {
        let methods = operations.as_object().unwrap().keys();
        routes.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
    }
    routes.sort_by(|a, b| (&a.1, &a.0).cmp(&(&b.1, &b.0)));
    routes
}

/// Knocks with a request that is fit for the route, and changes nothing.
fn knock(request: Request<'_>, (method, path): &(String, String), person: &str) -> Answer {
    let shown = path
        .replace(
            "/fhir/R4/AuditEvent",
            &format!("/fhir/R4/AuditEvent?patient={person}"),
        )
        .replace("{id}", person)
        .replace("{type}", "Patient")
        .replace("{event_id}", &event_id(2))
        .replace("{path}", "0/000.p/1");
    let request = request.treating();
    match (method.as_str(), path.as_str()) {
        ("GET", _) => request.get(&shown),
        ("DELETE", _) => request.delete(&shown.replace("{consent_id}", "none")),
        ("POST", "/v1/catalogue/{name}") => request.post("/v1/catalogue/of-no-use", "text/csv", ""),
        ("POST", "/v1/people/search") => {
            request.post(&shown, "application/json", identified(1).to_string())
        }
        ("POST", "/v1/events/batch") => request.post(&shown, "application/x-ndjson", ""),
        ("POST", "/fhir/R4") => {
            let empty = json!({"resourceType": "Bundle", "type": "batch", "entry": []});
            request.post(&shown, "application/fhir+json", empty.to_string())
        }
        ("POST", _) => request.post(&shown, "application/json", "{}"),
        _ => panic!("the table knows no {method}"),
    }
}

#[test]
fn every_role_gets_as_far_on_every_route_as_the_table_says() {
    let (home, served, person) = house();
    let roles: Vec<(&str, String)> = roles(&person)
        .into_iter()
        .map(|(role, flags)| (role, home.token(role, &flags)))
        .collect();
    let mut table = String::new();
    for route in routes(&served) {
        let mut by_status: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
        let nobody = knock(served.anonymous(), &route, &person);
        by_status.entry(nobody.status).or_default().push("nobody");
        for (role, token) in &roles {
            let answer = knock(served.by(token), &route, &person);
            by_status.entry(answer.status).or_default().push(role);
        }
        let everybody = by_status.len() == 1;
        let said: Vec<String> = by_status
            .into_iter()
            .map(|(status, roles)| match everybody {
                true => format!("{status} everybody"),
                false => format!("{status} {}", roles.join(" ")),
            })
            .collect();
        let _ = writeln!(
            table,
            "{:4} {}\n     {}",
            route.0,
            route.1,
            said.join("\n     ")
        );
    }
    let written = include_str!("doors.txt");
    assert!(
        table == written,
        "doors.txt should read, if this is meant:\n{table}"
    );
    served.stop();
}

#[test]
fn without_a_token_nothing_opens_but_the_published_list() {
    let (_home, served, person) = house();
    let mut open = Vec::new();
    for route in routes(&served) {
        let answer = knock(served.anonymous(), &route, &person);
        if answer.status == 401 {
            assert!(
                answer
                    .header("www-authenticate")
                    .unwrap()
                    .starts_with("Bearer")
            );
            assert!(!answer.body.contains(&person), "{answer:?}");
        } else {
            assert_eq!(answer.status, 200, "{route:?}: {answer:?}");
            open.push(route.1);
        }
    }
    assert_eq!(open, OPEN);
    // What is not described is not there either, whoever asks.
    let others = [
        "/v1",
        "/v1/people",
        "/v1/events",
        "/v1/feed",
        "/fhir/R4/Patient",
        "/admin",
    ];
    for path in others
        .into_iter()
        .chain(["/..", "//", "/assets/../v1/catalogue", "/.git/config"])
    {
        let answer = served.anonymous().get(path);
        assert!(
            matches!(answer.status, 400 | 401 | 404 | 405),
            "{path}: {answer:?}"
        );
    }
    served.stop();
}

#[test]
fn nobody_learns_of_people_who_are_not_theirs() {
    let (home, served, person) = house();
    let stranger = "0192f0c1-7a3b-4c11-9e2f-0242ac12ffff";
    let citizen = home.citizen(stranger);
    let other_hospital = home.hospital("99002");
    let mask = |answer: Answer| {
        let mut body: Value = answer.json();
        body["instance"] = Value::Null;
        (answer.status, body)
    };
    for token in [&citizen, &other_hospital] {
        for suffix in ["", "/events"] {
            let ask = |id: &str| {
                let path = format!("/v1/people/{id}{suffix}");
                mask(served.by(token).treating().get(&path))
            };
            let absent = ask("0192f0c1-7a3b-4c11-9e2f-00000000abcd");
            assert_eq!(absent.0, 404);
            assert_eq!(ask(&person), absent, "hidden and absent look alike");
        }
        let found = served.by(token).treating().post(
            "/v1/people/search",
            "application/json",
            identified(1).to_string(),
        );
        assert_eq!(found.expect(200).json()["items"], json!([]));
    }
    served.stop();
}

//! Every kind of bad input, over HTTP and from files: a clear problem, nothing written, nothing repeated, others not
//! disturbed.

use std::path::Path;

use serde_json::{Value, json};
use sokhoe_access::{Claims, Role};

use crate::bad_events::{SECRET, not_json, refused_by_state, wrong_content};
use crate::home::{Home, Insiders, Served, claims, now_s};
use crate::peer::Answer;
use crate::sent::{registration, weight};

/// A house where person 1 is known to facility 99001, and weighed.
struct House {
    served: Served,
    home: Home,
    insiders: Insiders,
    hospital: String,
    citizen: String,
    person: String,
}

impl House {
    fn open() -> Self {
        let home = Home::new();
        let insiders = home.insiders();
        let served = home.serve();
        let hospital = insiders.issue(claims(Role::Hospital));
        let receipt = served
            .by(&hospital)
            .event(&registration(1, 1))
            .expect(201)
            .json();
        served
            .by(&hospital)
            .event(&weight(2, 1, "2026-02-01", 70))
            .expect(201);
        served.by(&hospital).event(&registration(3, 2)).expect(201);
        let person = receipt["person_id"].as_str().unwrap().to_owned();
        let citizen = insiders.citizen(&person);
        Self {
            served,
            home,
            insiders,
            hospital,
            citizen,
            person,
        }
    }

    /// What the person sees; its position moves with every event that is written.
    fn seen(&self) -> Value {
        let record = self.served.record(&self.citizen, &self.person).expect(200);
        let mut record = record.json();
        // Looks are written down, and nothing else is.
        record["position"] = Value::Null;
        record
    }

    fn send(&self, body: &[u8]) -> Answer {
        let request = self.served.by(&self.hospital);
        request.post("/v1/events", "application/json", body)
    }
}

#[test]
fn every_bad_event_is_told_what_is_wrong_and_writes_nothing() {
    let house = House::open();
    let before = house.seen();
    let cases = [not_json(), wrong_content(), refused_by_state()].concat();
    for (what, body, status, at) in &cases {
        let answer = house.send(body);
        assert_eq!(answer.status, *status, "{what}: {answer:?}");
        problem(what, &answer, *at);
        assert_eq!(house.seen(), before, "{what} was written");
    }
    assert!(
        !house.served.said().contains(SECRET),
        "the log repeats what was sent"
    );

    // The same in a batch: the good lines between the bad ones are taken.
    let mut lines = Vec::new();
    let mut expected = Vec::new();
    for (index, (_, body, status, _)) in cases.iter().enumerate() {
        if body.contains(&b'\n') {
            continue;
        }
        let good = weight(100 + u64::try_from(index).unwrap(), 1, "2026-03-01", 70);
        lines.extend([body.as_slice(), b"\n", good.to_string().as_bytes(), b"\n"].concat());
        expected.extend([*status, 201]);
    }
    let request = house.served.by(&house.hospital);
    let results = request
        .post("/v1/events/batch", "application/x-ndjson", &lines)
        .expect(200);
    assert!(!results.body.contains(SECRET));
    let results = results.lines();
    let statuses: Vec<_> = results
        .iter()
        .map(|line| line["status"].as_u64().unwrap())
        .collect();
    let expected: Vec<_> = expected.into_iter().map(u64::from).collect();
    assert_eq!(statuses, expected);
    house.served.stop();
}

/// Checks a problem document: its type, what it names, and that it repeats nothing.
fn problem(what: &str, answer: &Answer, at: Option<&str>) {
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json"),
        "{what}"
    );
    let problem = answer.json();
    let address = problem["type"].as_str().unwrap();
    assert!(
        address.starts_with("https://sokhoe.vn/problems/"),
        "{what}: {address}"
    );
    assert_eq!(problem["status"], answer.status, "{what}");
    assert!(!problem["detail"].as_str().unwrap().is_empty(), "{what}");
    if let Some(at) = at {
        let errors = problem["errors"]
            .as_array()
            .unwrap_or_else(|| panic!("{what}: {answer:?}"));
        let named = errors.iter().any(|error| {
            error["pointer"] == at && error["detail"].as_str().is_some_and(|said| said.len() > 5)
        });
        assert!(named, "{what} does not name {at}: {answer:?}");
    }
    assert!(
        !answer.body.contains(SECRET),
        "{what} is repeated: {answer:?}"
    );
    assert!(
        !answer.body.contains("099085"),
        "{what}: a number is repeated: {answer:?}"
    );
}

#[test]
fn tokens_that_do_not_hold_open_nothing() {
    let house = House::open();
    let before = house.seen();
    let other_house = Home::new().insiders();
    let expired = Claims {
        expires_at_s: now_s() - 120,
        ..claims(Role::Hospital)
    };
    let expired = Claims {
        not_before_s: now_s() - 3_600,
        ..expired
    };
    let early = Claims {
        not_before_s: now_s() + 1_800,
        ..claims(Role::Hospital)
    };
    let unsigned = house.hospital.rsplit_once('.').unwrap().0;
    let (_, signature) = house.hospital.rsplit_once('.').unwrap();
    let claims_of_citizen = house.citizen.split('.').nth(1).unwrap();
    let head = house.hospital.split('.').next().unwrap();
    let tokens = [
        ("expired", house.insiders.issue(expired)),
        ("not yet", house.insiders.issue(early)),
        ("foreign", other_house.issue(claims(Role::Hospital))),
        ("unsigned", format!("{unsigned}.")),
        ("without signature", unsigned.to_owned()),
        (
            "other claims",
            format!("{head}.{claims_of_citizen}.{signature}"),
        ),
        (
            "alg none",
            format!("eyJhbGciOiJub25lIn0.{claims_of_citizen}."),
        ),
        ("garbage", "x".repeat(5_000)),
        ("nothing", String::new()),
    ];
    for (what, token) in tokens {
        let answer = house
            .served
            .by(&token)
            .event(&weight(9, 1, "2026-03-01", 70))
            .expect(401);
        problem(what, &answer, None);
        house.served.record(&token, &house.person).expect(401);
    }
    assert_eq!(house.seen(), before);
    house.served.stop();
}

#[test]
fn wrong_types_and_parameters_are_told() {
    let house = House::open();
    let before = house.seen();
    let event = weight(9, 1, "2026-03-01", 70).to_string();
    let by = || house.served.by(&house.hospital);
    for (path, media_type, status) in [
        ("/v1/events", "text/plain", 415),
        ("/v1/events", "application/x-ndjson", 415),
        ("/v1/events", "application/x-www-form-urlencoded", 415),
        ("/v1/events/batch", "application/json", 415),
        ("/v1/people/search", "application/x-ndjson", 415),
        ("/v1/events/batch?atomicc=true", "application/x-ndjson", 400),
        ("/v1/events/batch?atomic=maybe", "application/x-ndjson", 400),
    ] {
        let answer = by()
            .treating()
            .post(path, media_type, &event)
            .expect(status);
        problem(path, &answer, None);
    }
    for (coding, status) in [
        ("br", 415),
        ("gzip, gzip", 415),
        ("gzip", 400),
        ("zstd", 400),
    ] {
        let coded = by().header("content-encoding", coding);
        // Said to be compressed, and not.
        let answer = coded.post("/v1/events", "application/json", &event);
        problem(coding, &answer.expect(status), None);
    }
    for query in [
        "as_of=yesterday",
        "as_of=-1",
        "at_least=x",
        "limit=3",
        "as_of=1&as_of=2",
    ] {
        let path = format!("/v1/people/{}?{query}", house.person);
        let answer = house.served.by(&house.citizen).get(&path).expect(400);
        problem(query, &answer, None);
    }
    for (body, status) in [
        ("{", 400),
        ("[]", 422),
        (r#"{"resourceType": "Patient"}"#, 422),
    ] {
        let answer = by()
            .post("/fhir/R4", "application/fhir+json", body)
            .expect(status);
        assert_eq!(answer.json()["resourceType"], "OperationOutcome");
    }
    assert_eq!(house.seen(), before);
    house.served.stop();
}

#[test]
fn a_storm_of_bad_requests_does_not_disturb_a_good_sender() {
    let house = House::open();
    let cases = [not_json(), wrong_content(), refused_by_state()].concat();
    let good = 40;
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for (what, body, status, _) in &cases {
                    assert_eq!(house.send(body).status, *status, "{what}");
                }
            });
        }
        for number in 0..good {
            let event = weight(1_000 + number, 1, "2026-03-01", 70);
            house.served.by(&house.hospital).event(&event).expect(201);
        }
    });
    let record = house.seen();
    assert_eq!(
        record["version"],
        2 + good,
        "what was good is there, and nothing else"
    );
    house.served.stop();
}

#[test]
fn an_import_goes_on_past_bad_items_and_ends_with_the_list() {
    let house = House::open();
    let cases = [not_json(), wrong_content()].concat();
    let mut lines = Vec::new();
    for (number, (_, body, _, _)) in (0..).zip(&cases) {
        let good = weight(100 + number, 1, "2026-03-01", 70).to_string();
        lines.extend([body.as_slice(), b"\n", good.as_bytes(), b"\n"].concat());
    }
    let House { served, home, .. } = house;
    served.stop();
    let file = home.path().join("events.ndjson");
    std::fs::write(&file, lines).unwrap();
    let (summary, refused) = import(&home, "events", &file);
    // An empty line is no item.
    let bad = cases
        .iter()
        .filter(|(_, body, _, _)| !body.is_empty())
        .count();
    assert_eq!(summary["accepted"], cases.len());
    assert_eq!(summary["refused"], bad);
    assert_eq!(refused.len(), bad);
    // Each bad item stands on the line before a good one.
    for (line, (what, _, status, at)) in (1..).step_by(2).zip(&cases) {
        let place = format!("line {line}");
        let Some(item) = refused.iter().find(|item| item["place"] == place.as_str()) else {
            assert_eq!(*what, "nothing", "not in the list");
            continue;
        };
        assert_eq!(
            item["code"] == "malformed",
            *status == 400,
            "{what}: {item}"
        );
        if let Some(at) = at {
            let errors = item["errors"].as_array().into_iter().flatten();
            let named = errors.chain([item]).any(|error| error["pointer"] == *at);
            assert!(named, "{what} does not name {at}: {item}");
        }
    }
}

#[test]
fn an_import_of_fhir_goes_on_past_what_it_cannot_read() {
    let home = Home::new();
    let folder = home.path().join("fhir");
    std::fs::create_dir(&folder).unwrap();
    let patient = json!({"resourceType": "Patient", "id": "p1", "gender": "male",
        "birthDate": "1985-03-07", "name": [{"text": "Nguyễn Văn An"}]});
    let unborn = json!({"resourceType": "Patient", "id": "p2", "name": [{"text": SECRET}]});
    let astray = json!({"resourceType": "Condition", "id": "c1",
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "38341003"}]}});
    let bundle = json!({"resourceType": "Bundle", "type": "collection", "entry": [
        {"resource": astray}, {"resource": unborn}, {"resource": patient}, {"fullUrl": "urn:uuid:1"}]});
    for (name, bytes) in [
        ("a-cut.json", &bundle.to_string().as_bytes()[..100]),
        ("b-no-fhir.json", br#"{"hello": "world"}"#.as_slice()),
        ("c-empty.json", b""),
        ("d-no-bzip2.json.bz2", b"BZh9 not really"),
        ("e-bundle.json", bundle.to_string().as_bytes()),
        ("f-notes.txt", b"no FHIR"),
    ] {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    let (summary, refused) = import(&home, "fhir", &folder);
    let of = |file: &str| {
        let of_file = |item: &&Value| item["source"].as_str().unwrap().ends_with(file);
        refused.iter().filter(of_file).count()
    };
    let read = [
        "a-cut.json",
        "b-no-fhir.json",
        "c-empty.json",
        "d-no-bzip2.json.bz2",
    ];
    assert_eq!(read.map(of), [1; 4], "{refused:#?}");
    let named = |pointer: &str| refused.iter().any(|item| item["pointer"] == pointer);
    assert!(named("/entry/1/resource/birthDate"), "{refused:#?}");
    assert!(
        of("e-bundle.json") >= 2 && summary["accepted"].as_u64() >= Some(1),
        "{summary}"
    );
    let counts = ["accepted", "duplicate", "refused"].map(|name| summary[name].as_u64().unwrap());
    assert_eq!(summary["read"], counts.iter().sum::<u64>(), "{summary}");
}

/// Imports what is partly bad: exit code 3, the summary, and the list of refused items, which repeats nothing.
fn import(home: &Home, format: &str, path: &Path) -> (Value, Vec<Value>) {
    let list = home.path().join("refused.ndjson");
    let (path, list_path) = (path.to_str().unwrap(), list.to_str().unwrap());
    let ended = home.sokhoe(&["import", format, path, "--refused", list_path, "--json"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let list = std::fs::read_to_string(list).unwrap();
    assert!(
        !list.contains(SECRET) && !ended.stderr.contains(SECRET),
        "{list}"
    );
    let items: Vec<Value> = list
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for item in &items {
        for name in ["source", "place", "pointer", "code", "detail"] {
            assert!(item[name].is_string(), "{name}: {item}");
        }
    }
    (ended.summary(), items)
}

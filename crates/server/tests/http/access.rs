//! Consent and its history over HTTP: who sees what, why something is withheld, and that every look is written down first.

use serde_json::{Value, json};
use sokhoe_access::{Claims, Role};

use crate::house::{House, bearer_of, claims};
use crate::peer::{Answer, send};
use crate::sent::{append, event_id, identified, pressure, registration};

const TREAT: (&str, &str) = ("sokhoe-purpose", "TREAT");
const EMERGENCY: (&str, &str) = ("sokhoe-purpose", "ETREAT");
const JSON: (&str, &str) = ("content-type", "application/json");

/// A house where facility 99001 registered person 1, measured them and wrote down an allergy.
async fn with_person() -> (House, String) {
    let house = House::open().await;
    let receipt = append(&house, &registration(1)).await.json();
    append(&house, &pressure(2, 1)).await;
    let allergy = json!({
        "event_id": event_id(3), "person": identified(1), "kind": "allergy_recorded",
        "occurred_at": "2026-11-02T08:00:00+07:00",
        "data": {"substance": {"system": "atc", "code": "J01CA04", "display": "Amoxicillin"}, "kind": "drug", "status": "active"},
    });
    let sent = append(&house, &allergy).await;
    assert_eq!(sent.status, 201, "{sent:?}");
    (house, receipt["person_id"].as_str().unwrap().to_owned())
}

async fn ask(
    house: &House,
    who: Claims,
    what: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Answer {
    let token = bearer_of(house.issuer(), who);
    let mut all = vec![("authorization", token.as_str())];
    all.extend(headers);
    let body = if body.is_null() {
        String::new()
    } else {
        all.push(JSON);
        body.to_string()
    };
    send(house.addr, what, &all, &body).await
}

fn citizen(person: &str) -> Claims {
    Claims {
        person: person.parse().ok(),
        ..claims(Role::Citizen)
    }
}

/// A clinician of a facility that has no entries of anybody.
fn clinician() -> Claims {
    Claims {
        facility: Some("99002".to_owned()),
        ..claims(Role::Clinician)
    }
}

async fn read(house: &House, who: Claims, person: &str, headers: &[(&str, &str)]) -> Answer {
    let path = format!("GET /v1/people/{person}");
    ask(house, who, &path, headers, &Value::Null).await
}

/// Everything in the person's access stream, oldest first.
async fn looks(house: &House, person: &str, language: &str) -> Vec<Value> {
    let path = format!("GET /v1/people/{person}/accesses?limit=1000");
    let headers = [("accept-language", language)];
    let answer = ask(house, citizen(person), &path, &headers, &Value::Null).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut items = answer.json()["items"].as_array().unwrap().clone();
    items.reverse();
    items
}

fn withheld(record: &Value, section: &str) -> Option<String> {
    let all = record["withheld"].as_array().unwrap();
    let found = all.iter().find(|withheld| withheld["section"] == section);
    found.map(|withheld| withheld["because"].as_str().unwrap().to_owned())
}

async fn grant(house: &House, person: &str, directive: &Value) -> Answer {
    let path = format!("POST /v1/people/{person}/consents");
    ask(house, citizen(person), &path, &[], directive).await
}

/// Facility 99002 becomes known by an entry of another person.
async fn second_facility(house: &House) {
    let place = json!({
        "event_id": event_id(90), "kind": "facility_registered", "facility": "99002",
        "occurred_at": "2026-11-01", "data": {"facility": "99002", "name": "Trạm thử"},
    });
    let who = Claims {
        facility: Some("99002".to_owned()),
        ..claims(Role::Hospital)
    };
    let sent = ask(house, who, "POST /v1/events", &[], &place).await;
    assert_eq!(sent.status, 201, "{sent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_citizen_grants_and_withdraws_and_the_next_read_follows() {
    let (house, person) = with_person().await;
    second_facility(&house).await;
    let before = read(&house, clinician(), &person, &[TREAT]).await.json();
    assert_eq!(before["sections"], json!({}));
    let because = withheld(&before, "allergies").unwrap();
    assert!(because.contains("no directive"), "{because}");

    let directive =
        json!({"purpose": "TREAT", "to": {"facility": "99002"}, "sections": ["allergies"]});
    let granted = grant(&house, &person, &directive).await;
    assert_eq!(granted.status, 201, "{granted:?}");
    let consent = granted.json()["event_id"].as_str().unwrap().to_owned();
    let after = read(&house, clinician(), &person, &[TREAT]).await.json();
    assert_eq!(
        after["sections"]["allergies"]["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert!(after["sections"].get("observations").is_none());
    let because = withheld(&after, "allergies").unwrap();
    assert!(because.contains("label"), "{because}");

    let path = format!("GET /v1/people/{person}/consents");
    let listed = ask(&house, citizen(&person), &path, &[], &Value::Null)
        .await
        .json();
    assert_eq!(listed["items"][0]["in_force"], true);
    let path = format!("DELETE /v1/people/{person}/consents/{consent}");
    let withdrawn = ask(&house, citizen(&person), &path, &[], &Value::Null).await;
    assert_eq!(withdrawn.status, 200, "{withdrawn:?}");
    let again = read(&house, clinician(), &person, &[TREAT]).await.json();
    assert_eq!(again["sections"], json!({}));
    let path = format!("GET /v1/people/{person}/consents");
    let listed = ask(&house, citizen(&person), &path, &[], &Value::Null)
        .await
        .json();
    assert_eq!(listed["items"][0]["in_force"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directive_that_cannot_hold_is_refused_by_its_field() {
    let (house, person) = with_person().await;
    let to = json!({"facility": "99001"});
    for (directive, pointer) in [
        (json!({"to": to}), "/purpose"),
        (json!({"purpose": "CURE", "to": to}), "/purpose"),
        (
            json!({"purpose": "TREAT", "to": {"facility": "404"}}),
            "/to/facility",
        ),
        (
            json!({"purpose": "TREAT", "to": to, "until": "2020-01-01"}),
            "/until",
        ),
        (json!({"purpose": "TREAT", "to": {}}), "/to"),
    ] {
        let answer = grant(&house, &person, &directive).await;
        assert_eq!(answer.status, 422, "{directive}: {answer:?}");
        let said = answer.json();
        let pointers: Vec<&str> = said["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["pointer"].as_str().unwrap())
            .collect();
        assert!(pointers.contains(&pointer), "{directive}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn breaking_the_glass_wants_a_reason_opens_what_saves_a_life_and_is_written_down() {
    let (house, person) = with_person().await;
    for reason in ["", "x", &"x".repeat(4000)] {
        let refused = read(
            &house,
            clinician(),
            &person,
            &[EMERGENCY, ("sokhoe-reason", reason)],
        )
        .await;
        assert_eq!(refused.status, 403, "{refused:?}");
        assert!(refused.body.contains("glass.staff"), "{refused:?}");
    }
    let refused = read(&house, clinician(), &person, &[EMERGENCY]).await;
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("read.staff.emergency"), "{refused:?}");

    let reason = ("sokhoe-reason", "B%E1%BA%A5t%20t%E1%BB%89nh");
    let opened = read(&house, clinician(), &person, &[EMERGENCY, reason]).await;
    assert_eq!(opened.status, 200, "{opened:?}");
    let record = opened.json();
    assert_eq!(
        record["sections"]["allergies"]["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert!(record["sections"].get("observations").is_none());
    // While it is broken it needs no second reason; another's glass opens nothing.
    let again = read(&house, clinician(), &person, &[EMERGENCY]).await;
    assert_eq!(again.status, 200);
    let colleague = Claims {
        sub: "another".to_owned(),
        ..clinician()
    };
    let other = read(&house, colleague, &person, &[EMERGENCY]).await;
    assert_eq!(other.status, 403);
    let five_hours = 5 * 3_600_000_000;
    house
        .clock
        .fetch_add(five_hours, std::sync::atomic::Ordering::Relaxed);
    let late = Claims {
        expires_at_s: crate::house::NOW_S + 10 * 3600,
        ..clinician()
    };
    let over = read(&house, late, &person, &[EMERGENCY]).await;
    assert_eq!(over.status, 403, "the time is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_citizen_reads_each_look_in_plain_words() {
    let (house, person) = with_person().await;
    read(&house, clinician(), &person, &[TREAT]).await;
    let reason = ("sokhoe-reason", "B%E1%BA%A5t%20t%E1%BB%89nh");
    read(&house, clinician(), &person, &[EMERGENCY, reason]).await;
    read(&house, claims(Role::Researcher), &person, &[]).await;
    let kinds: Vec<String> = looks(&house, &person, "vi")
        .await
        .iter()
        .map(|look| look["kind"].as_str().unwrap().to_owned())
        .collect();
    let expected = [
        "record_accessed",
        "glass_broken",
        "record_accessed",
        "access_refused",
    ];
    assert_eq!(kinds, expected);
    let said = looks(&house, &person, "vi").await;
    let text = |index: usize| said[index]["text"].as_str().unwrap().to_owned();
    assert!(
        text(0).contains("đã xem sổ sức khỏe để khám, điều trị"),
        "{}",
        text(0)
    );
    assert!(text(0).contains("Không được xem"), "{}", text(0));
    assert!(text(1).contains("“Bất tỉnh”"), "{}", text(1));
    assert!(text(2).contains("dị ứng"), "{}", text(2));
    assert!(text(3).contains("bị từ chối"), "{}", text(3));
    assert!(text(4).contains("danh sách người đã xem"), "{}", text(4));
    let english = looks(&house, &person, "en").await;
    assert!(
        english[0]["text"]
            .as_str()
            .unwrap()
            .contains("looked at the health book")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_of_showing_something_is_on_the_list() {
    let (house, person) = with_person().await;
    let hospital = || claims(Role::Hospital);
    let first = read(&house, hospital(), &person, &[TREAT]).await;
    let tag = first.header("etag").unwrap().to_owned();
    let same = read(
        &house,
        hospital(),
        &person,
        &[TREAT, ("if-none-match", &tag)],
    )
    .await;
    assert_eq!(same.status, 304);
    for (what, body) in [
        (format!("GET /v1/people/{person}/events"), Value::Null),
        (format!("GET /fhir/R4/Patient/{person}"), Value::Null),
        (
            format!("GET /fhir/R4/Observation/{}", event_id(2)),
            Value::Null,
        ),
        ("POST /v1/people/search".to_owned(), identified(1)),
        ("GET /v1/feed".to_owned(), Value::Null),
        (format!("GET /v1/proofs/{}", event_id(2)), Value::Null),
    ] {
        let shown = ask(&house, hospital(), &what, &[TREAT], &body).await;
        assert_eq!(shown.status, 200, "{what}: {shown:?}");
    }
    let path = format!("GET /v1/people/{person}/evidence");
    let evidence = ask(&house, citizen(&person), &path, &[], &Value::Null).await;
    assert_eq!(evidence.status, 200, "{evidence:?}");
    let through: Vec<String> = looks(&house, &person, "en")
        .await
        .iter()
        .map(|look| look["data"]["through"].as_str().unwrap().to_owned())
        .collect();
    let expected = [
        "record", "record", "history", "resource", "resource", "search", "feed", "proof",
        "evidence",
    ];
    assert_eq!(through, expected);
    let all = looks(&house, &person, "en").await;
    assert_eq!(all[1]["data"]["unchanged"], true);
    assert_eq!(all[0]["data"]["entries"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_for_somebody_who_is_not_there_is_written_down_all_the_same() {
    let (house, person) = with_person().await;
    let before = house.commands.opener().reader().position();
    let absent = "00000000-0000-4000-8000-000000000001";
    assert_eq!(
        read(&house, clinician(), absent, &[TREAT]).await.status,
        404
    );
    assert_eq!(
        house.commands.opener().reader().position().get(),
        before.get() + 1
    );
    let stranger = Claims {
        facility: Some("99002".to_owned()),
        ..claims(Role::Hospital)
    };
    assert_eq!(read(&house, stranger, &person, &[TREAT]).await.status, 404);
    assert_eq!(
        house.commands.opener().reader().position().get(),
        before.get() + 2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_agrees_with_the_read_and_says_what_was_seen_on_a_day() {
    let (house, person) = with_person().await;
    second_facility(&house).await;
    let explain = async |who: Claims, question: Value| {
        ask(&house, who, "POST /v1/access/explain", &[], &question).await
    };
    let doctor = json!({"id": "the-clinician", "role": "clinician", "facility": "99002"});
    let question = json!({"person": person, "purpose": "TREAT", "viewer": doctor});
    let silent = explain(citizen(&person), question.clone()).await;
    assert_eq!(silent.status, 200, "{silent:?}");
    let silent = silent.json();
    assert_eq!(silent["outcome"], "permit_withheld");
    assert!(
        silent["sections"]
            .as_array()
            .unwrap()
            .iter()
            .all(|section| section["seen"] == false)
    );
    let position = silent["position"].as_u64().unwrap();

    let directive = json!({"purpose": "TREAT", "to": {"professional": "the-clinician"}});
    let granted = grant(&house, &person, &directive).await.json();
    read(&house, clinician(), &person, &[TREAT]).await;
    let told = explain(claims(Role::Auditor), question.clone())
        .await
        .json();
    assert!(
        told["sections"]
            .as_array()
            .unwrap()
            .iter()
            .all(|section| section["seen"] == true)
    );
    assert_eq!(told["directives"], json!([granted["event_id"]]));
    assert_eq!(told["looks"].as_array().unwrap().len(), 1);
    let rules = told["rules"].as_array().unwrap();
    assert!(
        rules.iter().all(|rule| rule["says"].is_string()),
        "{rules:?}"
    );

    let mut past = question.clone();
    past["at"] = json!(position);
    let then = explain(claims(Role::Auditor), past).await.json();
    assert!(
        then["sections"]
            .as_array()
            .unwrap()
            .iter()
            .all(|section| section["seen"] == false)
    );

    let own = json!({"person": person, "purpose": "TREAT"});
    assert_eq!(explain(clinician(), own.clone()).await.status, 200);
    assert_eq!(
        explain(clinician(), question.clone()).await.status,
        403,
        "about others"
    );
    let stranger = Claims {
        facility: Some("99003".to_owned()),
        ..claims(Role::Hospital)
    };
    assert_eq!(
        explain(stranger, own).await.status,
        404,
        "hidden as the read is"
    );
    for (bad, pointer) in [
        (json!({"purpose": "TREAT"}), "/person"),
        (json!({"person": person}), "/purpose"),
        (
            json!({"person": person, "purpose": "TREAT", "at": "noon"}),
            "/at",
        ),
        (
            json!({"person": person, "purpose": "TREAT", "viewer": {"role": "king"}}),
            "/viewer/role",
        ),
    ] {
        let refused = explain(claims(Role::Auditor), bad).await;
        assert_eq!(refused.status, 422);
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn auditors_find_looks_see_whom_an_account_affected_and_review_broken_glasses() {
    let (house, person) = with_person().await;
    read(&house, clinician(), &person, &[TREAT]).await;
    let reason = ("sokhoe-reason", "B%E1%BA%A5t%20t%E1%BB%89nh");
    read(&house, clinician(), &person, &[EMERGENCY, reason]).await;
    let auditor = || Claims {
        person: None,
        ..claims(Role::Auditor)
    };
    let list = async |path: &str| {
        let answer = ask(&house, auditor(), &format!("GET {path}"), &[], &Value::Null).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    };
    let first = list("/v1/audit/accesses?actor=the-clinician&limit=2").await;
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    assert_eq!(first["items"][0]["person_id"], person.as_str());
    let rest = list(first["next"].as_str().unwrap()).await;
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    assert_eq!(rest["next"], Value::Null);
    let affected = list("/v1/audit/affected?actor=the-clinician").await;
    assert_eq!(
        (
            &affected["items"][0]["person_id"],
            &affected["items"][0]["looks"]
        ),
        (&json!(person), &json!(3))
    );
    let signals = list("/v1/audit/signals").await;
    let rules: Vec<&str> = signals["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|signal| signal["rule"].as_str().unwrap())
        .collect();
    assert!(rules.contains(&"no_treatment_relation"), "{signals}");
    assert!(
        !first.to_string().contains("Amoxicillin"),
        "looks, never contents"
    );

    let queue = list("/v1/audit/reviews").await;
    let glass = queue["items"][0]["event_id"].clone();
    assert_eq!(queue["items"][0]["kind"], "glass_broken");
    let review = json!({"event_id": glass, "outcome": "justified", "note": "Ca cấp cứu"});
    let taken = ask(&house, auditor(), "POST /v1/audit/reviews", &[], &review).await;
    assert_eq!(taken.status, 201, "{taken:?}");
    assert_eq!(list("/v1/audit/reviews").await["items"], json!([]));
    let said = looks(&house, &person, "vi").await;
    assert!(said.iter().any(|look| {
        look["text"]
            .as_str()
            .unwrap()
            .contains("có lý do chính đáng")
    }));
    for (bad, pointer) in [
        (
            json!({"event_id": event_id(2), "outcome": "justified"}),
            "/event_id",
        ),
        (json!({"event_id": glass, "outcome": "fine"}), "/outcome"),
        (
            json!({"event_id": glass, "outcome": "justified", "note": "x".repeat(3000)}),
            "/note",
        ),
    ] {
        let refused = ask(&house, auditor(), "POST /v1/audit/reviews", &[], &bad).await;
        assert_eq!(
            (refused.status, &refused.json()["errors"][0]["pointer"]),
            (422, &json!(pointer))
        );
    }
    for wrong in [
        "/v1/audit/affected",
        "/v1/audit/accesses?from=yesterday",
        "/v1/audit/accesses?kind=all",
    ] {
        let refused = ask(
            &house,
            auditor(),
            &format!("GET {wrong}"),
            &[],
            &Value::Null,
        )
        .await;
        assert_eq!(refused.status, 400, "{wrong}");
    }
    // What auditors ask is on the record as well.
    let own = list("/v1/audit/accesses?actor=the-auditor").await;
    assert!(own["items"].as_array().unwrap().len() > 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_absent_is_answered_like_somebody_of_whom_nothing_is_seen() {
    let (house, person) = with_person().await;
    let absent = "00000000-0000-4000-8000-000000000001";
    let reason = ("sokhoe-reason", "x");
    let stranger = |role: Role| Claims {
        facility: role.staff().then(|| "99002".to_owned()),
        person: None,
        ..claims(role)
    };
    for role in Role::ALL
        .iter()
        .copied()
        .filter(|role| !matches!(role, Role::Citizen | Role::Guardian))
    {
        for headers in [vec![TREAT], vec![EMERGENCY], vec![EMERGENCY, reason]] {
            for part in ["", "/events", "/evidence", "/accesses", "/consents"] {
                let of = |id: &str| format!("GET /v1/people/{id}{part}");
                let there = ask(&house, stranger(role), &of(&person), &headers, &Value::Null).await;
                let not = ask(&house, stranger(role), &of(absent), &headers, &Value::Null).await;
                // Auditors see all looks, and whoever treats is told that somebody is there.
                if there.status == 200 {
                    assert!(
                        matches!(role, Role::Auditor | Role::Clinician),
                        "{role} {part}"
                    );
                    continue;
                }
                let said = |answer: &Answer| (answer.status, answer.json()["detail"].clone());
                assert_eq!(said(&there), said(&not), "{role} {part} {headers:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_has_a_clock_until_it_is_refused_with_a_ground_or_done() {
    let (house, person) = with_person().await;
    let own = async |what: &str, body: &Value| ask(&house, citizen(&person), what, &[], body).await;
    let wrong = own("POST /v1/requests", &json!({"right": "forget"})).await;
    assert_eq!(
        (wrong.status, &wrong.json()["errors"][0]["pointer"]),
        (422, &json!("/right"))
    );
    let asked = json!({"right": "view", "statement": "Xin bản sao"});
    let made = own("POST /v1/requests", &asked).await;
    assert_eq!(made.status, 201, "{made:?}");
    let listed = own("GET /v1/requests", &Value::Null).await.json();
    let item = &listed["items"][0];
    assert_eq!(
        (&item["state"], &item["statement"]),
        (&json!("due"), &json!("Xin bản sao"))
    );
    let id = item["request_id"].as_str().unwrap().to_owned();

    let decide = async |number: u32, decision: &str, ground: Value| {
        let mut data = json!({"request_id": id, "decision": decision});
        if !ground.is_null() {
            data["ground"] = ground;
        }
        let event = json!({"event_id": event_id(number), "person": identified(1), "kind": "request_decided",
            "occurred_at": "2026-11-02", "data": data});
        append(&house, &event).await.status
    };
    assert_eq!(decide(60, "extended", Value::Null).await, 422, "why?");
    assert_eq!(decide(61, "extended", json!("hồ sơ giấy")).await, 201);
    let queue = async |state: &str| {
        let what = format!("GET /v1/requests?state={state}");
        ask(&house, claims(Role::Auditor), &what, &[], &Value::Null)
            .await
            .json()["items"]
            .clone()
    };
    let open = queue("open").await;
    assert_eq!(
        (&open[0]["state"], &open[0]["person_id"]),
        (&json!("extended"), &json!(person))
    );
    assert!(
        !open.to_string().contains("bản sao"),
        "auditors do not read what people say"
    );
    assert_eq!(queue("overdue").await, json!([]));
    let month = 31 * 86_400_000_000;
    house
        .clock
        .fetch_add(month, std::sync::atomic::Ordering::Relaxed);
    let late = Claims {
        expires_at_s: crate::house::NOW_S + 40 * 86_400,
        ..claims(Role::Auditor)
    };
    let overdue = ask(
        &house,
        late,
        "GET /v1/requests?state=overdue",
        &[],
        &Value::Null,
    )
    .await;
    assert_eq!(overdue.json()["items"][0]["state"], "overdue");
}

#[tokio::test(flavor = "multi_thread")]
async fn looks_come_as_audit_events_page_by_page() {
    let (house, person) = with_person().await;
    read(&house, claims(Role::Hospital), &person, &[TREAT]).await;
    read(&house, claims(Role::Researcher), &person, &[]).await;
    let path = format!("GET /fhir/R4/AuditEvent?patient=Patient/{person}&_count=1");
    let first = ask(&house, citizen(&person), &path, &[], &Value::Null)
        .await
        .json();
    assert_eq!(first["entry"][0]["resource"]["outcome"], "4");
    let next = first["link"][0]["url"].as_str().unwrap();
    let next = format!("GET /fhir/R4/{next}");
    let second = ask(&house, citizen(&person), &next, &[], &Value::Null)
        .await
        .json();
    assert_eq!(second["entry"][0]["resource"]["outcome"], "0");
    let refused = ask(&house, clinician(), &path, &[TREAT], &Value::Null).await;
    assert_eq!(refused.status, 403);
    let unnamed = ask(
        &house,
        citizen(&person),
        "GET /fhir/R4/AuditEvent",
        &[],
        &Value::Null,
    )
    .await;
    assert_eq!(unnamed.status, 400);
}

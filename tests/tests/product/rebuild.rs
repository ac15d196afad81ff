//! What is read is computed from the log alone: rebuilt, or with its caches gone, every answer is the same to the
//! byte. And a demo started again is the same demo.

use serde_json::json;

use crate::home::{Home, Insiders, Served};
use crate::peer::Answer;

/// People of the demo; its cast needs 22.
const PEOPLE: u64 = 80;

#[test]
fn a_rebuild_gives_the_same_answers_to_the_byte_for_everybody() {
    let home = Home::new();
    home.demo(PEOPLE).stop();
    let before = everything(&home);
    home.sokhoe(&["rebuild"]).well();
    same(&before, &everything(&home), "after a rebuild");

    std::fs::remove_dir_all(home.data().join("cache")).expect("a cache to remove");
    same(&before, &everything(&home), "without what was cached");

    let insiders = home.insiders();
    let served = home.serve();
    let token = home.token("admin", &[]);
    let mut rebuild = home.bare(&["rebuild", "--to", &format!("http://{}", served.addr)]);
    rebuild.env("SOKHOE_TOKEN", &token);
    crate::home::end(rebuild).well();
    let beside = look(&home, &served, &insiders);
    same(&before, &beside, "after a rebuild beside the live views");
    served.stop();
}

/// An address asked, and what was answered.
type Answers = Vec<(String, Answer)>;

fn everything(home: &Home) -> Answers {
    let insiders = home.insiders();
    let served = home.serve();
    let answers = look(home, &served, &insiders);
    served.stop();
    answers
}

/// Asks for everybody's record and history, and searches for everybody.
fn look(home: &Home, served: &Served, insiders: &Insiders) -> Answers {
    assert!(insiders.people.len() >= usize::try_from(PEOPLE).unwrap());
    let hospital = home.hospital("99001");
    let mut answers = Answers::new();
    for person in &insiders.people {
        let token = insiders.citizen(person);
        let mut names = None;
        for path in [
            format!("/v1/people/{person}"),
            format!("/v1/people/{person}/events?limit=1000"),
        ] {
            let answer = served.by(&token).get(&path).expect(200);
            names = names.or_else(|| {
                let record = answer.json();
                let who = &record["sections"]["demographics"];
                Some(json!({"name": who["name"]["full"], "birth_date": who["birth_date"]}))
            });
            answers.push((path, answer));
        }
        let names = names.expect("a name");
        let request = served.by(&hospital).treating();
        let found = request.post("/v1/people/search", "application/json", names.to_string());
        answers.push((format!("search for {person}"), found.expect(200)));
    }
    answers
}

/// What an answer says, but for the position that it is true at: the looks before it moved that on.
fn content(answer: &Answer) -> String {
    let named = |(before, after): (&str, &str)| {
        let rest = after.trim_start_matches(|digit: char| digit.is_ascii_digit());
        format!("{before}{rest}")
    };
    // A record names it first; a history names the position of each event, which stays.
    let record = answer.body.starts_with("{\"person_id\"");
    let split = answer.body.split_once("\"position\":").filter(|_| record);
    split.map_or_else(|| answer.body.clone(), named)
}

/// Compares answers, but for what names the single request.
fn same(before: &Answers, after: &Answers, when: &str) {
    assert_eq!(before.len(), after.len(), "{when}");
    for ((asked, before), (asked_again, after)) in before.iter().zip(after) {
        assert_eq!(asked, asked_again, "{when}");
        assert_eq!(content(before), content(after), "{asked} {when}");
        for header in ["etag", "cache-control", "vary", "content-type"] {
            assert_eq!(
                before.header(header),
                after.header(header),
                "{asked} {header} {when}"
            );
        }
    }
}

#[test]
fn a_demo_started_again_is_the_same_demo() {
    let home = Home::new();
    let first = home.demo(PEOPLE);
    let sheet = home.sheet();
    assert_eq!(sheet["people_count"], PEOPLE);
    let token = |role: &str| sheet["tokens"][role].as_str().expect("a token").to_owned();
    let person = |part: &str| sheet["people"][part].as_str().expect("a person").to_owned();
    let (citizen, hospital) = (token("citizen"), token("hospital"));
    let seen = first.record(&citizen, &person("citizen")).expect(200);
    let visible = |served: &Served, part: &str| {
        let path = format!("/v1/people/{}", person(part));
        served.by(&hospital).treating().get(&path).status
    };
    assert_eq!(visible(&first, "with_consent"), 200);
    assert_eq!(
        visible(&first, "without_consent"),
        404,
        "known to another facility only"
    );
    for role in [
        "clinician",
        "station",
        "guardian",
        "auditor",
        "epidemiologist",
        "researcher",
    ] {
        first.by(&token(role)).get("/v1/catalogue").expect(200);
    }
    first.stop();

    let second = home.demo(PEOPLE);
    let again = home.sheet();
    for same in ["people", "people_count", "event_count", "vkey", "data_dir"] {
        assert_eq!(sheet[same], again[same], "{same}");
    }
    assert_ne!(
        sheet["tokens"], again["tokens"],
        "tokens are random at each start"
    );
    let still = second.record(&citizen, &person("citizen")).expect(200);
    assert_eq!(content(&still), content(&seen), "and earlier ones hold on");
    assert_eq!(visible(&second, "with_consent"), 200);
    second.stop();
}

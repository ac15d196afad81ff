//! The feed: who sees which events, going on without gap or repetition, and how streams begin, live and end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use sokhoe_access::{Claims, Role};
use sokhoe_server::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::house::{House, bearer_of, claims};
use crate::peer::{Answer, send};
use crate::sent::{NDJSON, append, event_id, post, pressure, registration};

const TREAT: (&str, &str) = ("sokhoe-purpose", "TREAT");
const PATIENCE: Duration = Duration::from_secs(20);

async fn feed(house: &House, claims: Claims, query: &str) -> Answer {
    let token = bearer_of(house.issuer(), claims);
    let headers = [("authorization", token.as_str()), TREAT];
    send(house.addr, &format!("GET /v1/feed{query}"), &headers, "").await
}

async fn hospital(house: &House, query: &str) -> Answer {
    feed(house, claims(Role::Hospital), query).await
}

fn ids(answer: &Answer) -> Vec<String> {
    let events = answer.json();
    let events = events.as_array().unwrap().iter();
    events
        .map(|event| event["id"].as_str().unwrap().to_owned())
        .collect()
}

fn position(answer: &Answer) -> u64 {
    answer.header("sokhoe-position").unwrap().parse().unwrap()
}

/// A stream that is read as it comes.
struct Stream {
    socket: TcpStream,
    text: String,
}

impl Stream {
    async fn open(house: &House, claims: Claims, query: &str, last: Option<u64>) -> Self {
        let token = bearer_of(house.issuer(), claims);
        let last = last.map_or(String::new(), |last| format!("last-event-id: {last}\r\n"));
        let request = format!(
            "GET /v1/feed{query} HTTP/1.1\r\nhost: sokhoe\r\nauthorization: {token}\r\n\
             sokhoe-purpose: TREAT\r\naccept: text/event-stream\r\n{last}\r\n"
        );
        let mut socket = TcpStream::connect(house.addr).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let text = String::new();
        Self { socket, text }
    }

    /// Reads until the text holds this.
    async fn until(&mut self, expected: &str) -> &str {
        let read = tokio::time::timeout(PATIENCE, async {
            let mut piece = vec![0; 64 << 10];
            while !self.text.contains(expected) {
                let count = self.socket.read(&mut piece).await.unwrap();
                assert!(
                    count > 0,
                    "the stream ended without {expected}: {}",
                    self.text
                );
                self.text += &String::from_utf8_lossy(&piece[..count]);
            }
        });
        read.await
            .unwrap_or_else(|_| panic!("no {expected} in time: {}", self.text));
        &self.text
    }

    /// Reads until the server closes.
    async fn rest(mut self) -> String {
        let mut rest = Vec::new();
        let read = tokio::time::timeout(PATIENCE, self.socket.read_to_end(&mut rest)).await;
        read.expect("an end in time").expect("an orderly end");
        self.text += &String::from_utf8_lossy(&rest);
        self.text
    }
}

/// A house with a registration and two measurements of the hospital, at positions 1 to 3.
async fn with_events() -> House {
    let house = House::open().await;
    for event in [registration(1), pressure(2, 1), pressure(3, 1)] {
        assert_eq!(append(&house, &event).await.status, 201);
    }
    house
}

#[tokio::test(flavor = "multi_thread")]
async fn a_facility_follows_its_own_events_in_order() {
    let house = with_events().await;
    let answer = hospital(&house, "?wait=5&after=2").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("application/cloudevents-batch+json")
    );
    assert_eq!(ids(&answer), [event_id(3)]);
    assert_eq!(ids(&hospital(&house, "").await), [1, 2, 3].map(event_id));
    let event = &answer.json()[0];
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["type"], "vn.sokhoe.observation_recorded");
    assert_eq!(event["sequence"], format!("{:020}", 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_event_says_comes_only_when_asked_for() {
    let house = with_events().await;
    let bare = hospital(&house, "").await;
    assert!(
        !bare.body.contains("mm[Hg]") && !bare.body.contains("\"data\""),
        "{bare:?}"
    );
    let whole = hospital(&house, "?payload=true&after=1").await;
    assert_eq!(
        whole.json()[0]["data"]["data"]["value"]["quantity"]["value"],
        148
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_follows_what_they_may_not_read() {
    let house = with_events().await;
    let elsewhere = Claims {
        facility: Some("99002".to_owned()),
        ..claims(Role::Hospital)
    };
    let answer = feed(&house, elsewhere, "").await;
    assert_eq!((answer.status, ids(&answer).len()), (200, 0));
    // Passed over all the same, so that the next question begins behind them.
    assert_eq!(position(&answer), 3);
    let stranger = feed(&house, claims(Role::Citizen), "").await;
    assert_eq!(ids(&stranger).len(), 0);
    let person = hospital(&house, "").await.json()[0]["subject"].clone();
    let oneself = Claims {
        person: person.as_str().unwrap().parse().ok(),
        ..claims(Role::Citizen)
    };
    assert_eq!(ids(&feed(&house, oneself, "").await).len(), 3);
    for role in [
        Role::Auditor,
        Role::Epidemiologist,
        Role::Admin,
        Role::Operator,
    ] {
        assert_eq!(feed(&house, claims(role), "").await.status, 403, "{role}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn page_after_page_nothing_is_skipped_or_repeated() {
    let house = with_events().await;
    let (mut seen, mut after) = (Vec::new(), 0);
    for _ in 0..3 {
        let page = hospital(&house, &format!("?limit=1&after={after}")).await;
        let next = page.header("link").unwrap().to_owned();
        after = position(&page);
        assert!(next.contains(&format!("after={after}>")), "{next}");
        seen.extend(ids(&page));
    }
    assert_eq!(seen, [1, 2, 3].map(event_id));
    let kinds = hospital(&house, "?kind=person_registered,person_died").await;
    assert_eq!(ids(&kinds), [event_id(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_does_not_exist_is_refused_with_where_the_log_ends() {
    let house = with_events().await;
    let beyond = hospital(&house, "?after=4").await;
    assert_eq!(beyond.status, 400);
    assert!(beyond.body.contains("the log ends at 3"), "{beyond:?}");
    for query in [
        "?after=-1",
        "?after=x",
        "?kind=gossip",
        "?before=1",
        "?wait=soon",
    ] {
        assert_eq!(hospital(&house, query).await.status, 400, "{query}");
    }
    let mut stream = Stream::open(&house, claims(Role::Hospital), "", Some(4)).await;
    stream.until("the log ends at 3").await;
    let mut stream = Stream::open(&house, claims(Role::Hospital), "?wait=1", None).await;
    stream.until("HTTP/1.1 400").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_poll_is_answered_by_the_next_event() {
    let house = with_events().await;
    let (answer, appended) = tokio::join!(hospital(&house, "?after=3&wait=20"), async {
        // Whichever comes first, the poll must show it.
        append(&house, &pressure(4, 1)).await
    });
    assert_eq!(appended.status, 201);
    assert_eq!(ids(&answer), [event_id(4)]);
    let idle = hospital(&house, "?after=4&wait=0").await;
    // Position 5 holds the look before.
    assert_eq!((ids(&idle).len(), position(&idle)), (0, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_shows_the_past_then_what_comes_and_goes_on_from_the_last_id() {
    let house = with_events().await;
    let mut stream = Stream::open(&house, claims(Role::Hospital), "?after=1", None).await;
    let text = stream.until(&event_id(3)).await;
    assert!(text.contains("content-type: text/event-stream"), "{text}");
    assert!(
        text.contains(&event_id(2)) && !text.contains(&event_id(1)),
        "{text}"
    );
    append(&house, &pressure(4, 1)).await;
    stream
        .until(&format!(
            "id: 5\ndata: {{\"specversion\":\"1.0\",\"id\":\"{}",
            event_id(4)
        ))
        .await;
    drop(stream);
    append(&house, &pressure(5, 1)).await;
    // What the address says is older than what the consumer itself says.
    let mut again = Stream::open(&house, claims(Role::Hospital), "?after=1", Some(5)).await;
    let text = again.until(&event_id(5)).await;
    assert!(!text.contains(&event_id(4)), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_moves_the_id_past_what_is_not_wanted() {
    let limits = Limits {
        feed_heartbeat: Duration::from_millis(50),
        ..Limits::default()
    };
    let house = House::with(limits).await;
    let mut stream = Stream::open(&house, claims(Role::Hospital), "?kind=person_died", None).await;
    stream.until(": here\nid: 0\n\n").await;
    append(&house, &registration(1)).await;
    append(&house, &pressure(2, 1)).await;
    stream.until(": here\nid: 2\n\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_says_so_to_its_streams() {
    let house = with_events().await;
    let mut stream = Stream::open(&house, claims(Role::Hospital), "", None).await;
    stream.until(&event_id(3)).await;
    house.handle.shutdown().await;
    let text = stream.rest().await;
    assert!(
        text.contains("event: close\ndata: {\"because\":\"stopping\""),
        "{text}"
    );
    assert!(text.contains("\"position\":3"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_token() {
    let limits = Limits {
        feed_heartbeat: Duration::from_millis(50),
        ..Limits::default()
    };
    let house = House::with(limits).await;
    let mut stream = Stream::open(&house, claims(Role::Hospital), "", None).await;
    stream.until(": here").await;
    house.clock.fetch_add(7200 * 1_000_000, Ordering::Relaxed);
    let text = stream.rest().await;
    assert!(text.contains("\"because\":\"token_expired\""), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_consumer_too_many_is_told_to_come_back() {
    let limits = Limits {
        feed_followers_max: 1,
        ..Limits::default()
    };
    let house = House::with(limits).await;
    let mut first = Stream::open(&house, claims(Role::Hospital), "", None).await;
    first.until(": here").await;
    let second = hospital(&house, "").await;
    assert_eq!(
        (second.status, second.header("retry-after")),
        (503, Some("1"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_does_not_read_is_cut_off_and_told_why() {
    let limits = Limits {
        feed_lag_max: 1000,
        ..Limits::default()
    };
    let house = House::with(limits).await;
    append(&house, &registration(1)).await;
    let mut stream = Stream::open(&house, claims(Role::Hospital), "?payload=true", None).await;
    stream.until(&event_id(1)).await;
    // More than memory and sockets keep for anybody.
    let mut letters = 1_u32;
    let mut note = || -> String {
        let letter = |_| {
            letters = letters.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'!' + (letters >> 24) as u8 % 90)
        };
        (0..4000)
            .map(letter)
            .map(|c| if c == '"' || c == '\\' { 'q' } else { c })
            .collect()
    };
    for part in 0..8 {
        let lines: Vec<String> = (0..1000)
            .map(|line| {
                let mut event = pressure(2 + part * 1000 + line, 1);
                event["data"]["extra"] = serde_json::json!({ "note": note() });
                event.to_string()
            })
            .collect();
        let answer = post(&house, "/v1/events/batch", NDJSON, &lines.join("\n")).await;
        let refused = (answer.lines().iter())
            .find(|line| line["status"] != 201)
            .cloned();
        assert_eq!(refused, None);
    }
    let text = stream.rest().await;
    let (before, close) = text.rsplit_once("event: close\n").expect("a clear close");
    assert!(close.contains("\"because\":\"too_slow\""), "{close}");
    // It says the last id that it sent, so that nothing is lost by going on from there.
    let last = before.rsplit_once("\nid: ").unwrap().1;
    let last = last.split('\n').next().unwrap();
    assert!(
        close.contains(&format!("\"position\":{last}}}")),
        "{last}: {close}"
    );
}

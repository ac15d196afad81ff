//! Bodies that come compressed: taken as what they were, and stopped where they would become too large.

use std::io::Write as _;

use sokhoe_access::Role;

use crate::house::House;
use crate::peer::{Answer, parse, raw};
use crate::sent::{NDJSON, pressure, registration};

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zstd(plain: &[u8]) -> Vec<u8> {
    zstd::encode_all(plain, 3).unwrap()
}

async fn post(house: &House, path: &str, media_type: &str, coding: &str, body: &[u8]) -> Answer {
    let token = house.bearer(Role::Hospital);
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: sokhoe\r\nconnection: close\r\nauthorization: {token}\r\n\
         content-type: {media_type}\r\ncontent-encoding: {coding}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    parse(&raw(house.addr, &[head.as_bytes(), body].concat()).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn events_and_batches_are_taken_in_either_coding() {
    let house = House::open().await;
    let one = registration(1).to_string();
    let answer = post(
        &house,
        "/v1/events",
        "application/json",
        "gzip",
        &gzip(one.as_bytes()),
    )
    .await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let lines: Vec<String> = (2..600).map(|line| pressure(line, 1).to_string()).collect();
    let lines = lines.join("\n");
    for (coding, body, status) in [
        ("zstd", zstd(lines.as_bytes()), 201),
        ("gzip", gzip(lines.as_bytes()), 200),
    ] {
        let answer = post(&house, "/v1/events/batch", NDJSON, coding, &body).await;
        let answers = answer.lines();
        assert_eq!(answers.len(), 598, "{coding}");
        // The same bytes in another coding are the same events.
        assert!(
            answers.iter().all(|line| line["status"] == status),
            "{coding}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_is_stopped_and_what_came_before_it_stands() {
    let house = House::open().await;
    let lines = format!("{}\n{}\n", registration(1), pressure(2, 1));
    let bomb = [lines.as_bytes(), &vec![b' '; 100 << 20]].concat();
    for (coding, body) in [("gzip", gzip(&bomb)), ("zstd", zstd(&bomb))] {
        let answer = post(&house, "/v1/events/batch", NDJSON, coding, &body).await;
        let answers = answer.lines();
        assert_eq!(
            answers.last().unwrap()["status"],
            413,
            "{coding}: {answer:?}"
        );
        assert!(
            answers[0]["receipt"].is_null() && answers[0]["position"] == 1,
            "{answer:?}"
        );
        let single = post(&house, "/v1/events", "application/json", coding, &body).await;
        assert_eq!(single.status, 413, "{coding}: {single:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_cut_off_in_its_coding_is_told_from_a_whole_one() {
    let house = House::open().await;
    let lines = format!("{}\n{}\n", registration(1), pressure(2, 1));
    let body = gzip(lines.as_bytes());
    let cut = &body[..body.len() - 4];
    let answer = post(&house, "/v1/events/batch", NDJSON, "gzip", cut).await;
    assert_eq!(answer.lines().last().unwrap()["status"], 400, "{answer:?}");
}

//! How many events a second `POST /v1/events` takes over real sockets, load generator on the same cores.
//!
//! `cargo run --release -p sokhoe-server --example post_rate [CONNECTIONS] [SECONDS]`
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement, not the product"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use sokhoe_access::{Claims, Issuer, Role};
use sokhoe_commands::{Commands, Settings};
use sokhoe_projections::{Beginning, Views};
use sokhoe_server::{App, Server, ServerConfig};
use sokhoe_storage::Clock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const PEOPLE: u64 = 1000;

fn now_us() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    i64::try_from(since.as_micros()).unwrap()
}

fn person(number: u64) -> String {
    let person = number % PEOPLE;
    format!(r#""person":{{"identifier":{{"system":"cccd","value":"099085{person:06}"}}}}"#)
}

fn envelope(number: u64, kind: &str, data: &str) -> String {
    let person = person(number);
    format!(
        r#"{{"event_id":"0192f0c1-7a3b-7c11-9e2f-{number:012x}",{person},"kind":"{kind}","occurred_at":"2026-11-01T08:00:00+07:00","facility":"99001","data":{data}}}"#
    )
}

fn registration(number: u64) -> String {
    let identifier = format!(r#"{{"system":"cccd","value":"099085{number:06}"}}"#);
    let name = r#"{"full":"Nguyễn Văn A"}"#;
    let data = format!(
        r#"{{"identifiers":[{identifier}],"name":{name},"sex":"male","birth_date":"1985-03-07"}}"#
    );
    envelope(number, "person_registered", &data)
}

fn observation(number: u64) -> String {
    let data = r#"{"code":{"system":"loinc","code":"8480-6"},"value":{"quantity":{"value":148,"unit":"mm[Hg]"}}}"#;
    envelope(number, "observation_recorded", data)
}

async fn post(stream: &mut TcpStream, head: &str, body: &str, buffer: &mut [u8]) -> bool {
    let request = format!("{head}{}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    let read = stream.read(buffer).await.unwrap();
    buffer[..read].starts_with(b"HTTP/1.1 201")
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .map(|argument| argument.parse::<u64>().unwrap());
    let connections = arguments.next().unwrap_or(64);
    let seconds = arguments.next().unwrap_or(5);
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::new(&folder.path().join("data"), Clock::new(now_us));
    let commands = Commands::open(settings).unwrap();
    let issuer = Issuer::from_seed(&commands.opener().vault().secrets().issuer_seed());
    let views = Views::start(Beginning::of(commands.opener())).unwrap();
    let config = ServerConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        ..ServerConfig::default()
    };
    let server = Server::start(config, App::new(commands.clone(), views.clone()))
        .await
        .unwrap();
    let addr = server.addr();
    let now_s = now_us() / 1_000_000;
    let token = issuer.issue(&Claims {
        sub: "load".to_owned(),
        role: Role::Hospital,
        facility: Some("99001".to_owned()),
        jurisdiction: None,
        person: None,
        study: None,
        jti: "1".to_owned(),
        not_before_s: now_s,
        expires_at_s: now_s + 3600,
    });
    let head: Arc<str> = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: ",
        token.unwrap()
    )
    .into();
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let mut buffer = vec![0; 4096];
    for number in 0..PEOPLE {
        assert!(post(&mut stream, &head, &registration(number), &mut buffer).await);
    }
    drop(stream);
    let (next, stop) = (
        Arc::new(AtomicU64::new(PEOPLE)),
        Arc::new(AtomicBool::new(false)),
    );
    let started = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..connections {
        let (head, next, stop) = (Arc::clone(&head), Arc::clone(&next), Arc::clone(&stop));
        clients.spawn(async move {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            let mut buffer = vec![0; 4096];
            let mut times = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let body = observation(next.fetch_add(1, Ordering::Relaxed));
                let sent = Instant::now();
                assert!(post(&mut stream, &head, &body, &mut buffer).await);
                times.push(sent.elapsed());
            }
            times
        });
    }
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    stop.store(true, Ordering::Relaxed);
    let mut times: Vec<Duration> = clients.join_all().await.into_iter().flatten().collect();
    let took = started.elapsed();
    times.sort_unstable();
    let rate = u128::try_from(times.len()).unwrap() * 1_000_000 / took.as_micros();
    let at = |part: usize| times[(times.len() - 1) * part / 1000];
    println!(
        "{connections} connections: {rate}/s, p50 {:?}, p99 {:?}",
        at(500),
        at(990)
    );
    server.shutdown().await;
    views.close();
    commands.close().unwrap();
}

//! A server that listens while its log is still being opened.

use std::time::Duration;

use sokhoe_projections::{Beginning, Views};
use sokhoe_server::{App, Limits, Listening, Server, ServerConfig};
use sokhoe_storage::{LastStep, Step};

use crate::house::commands;
use crate::peer::send;

async fn listening(last: &LastStep, opening_timeout: Duration) -> Listening {
    let limits = Limits {
        opening_timeout,
        ..Limits::default()
    };
    let listen = "127.0.0.1:0".parse().unwrap();
    let config = ServerConfig {
        listen,
        limits,
        ..ServerConfig::default()
    };
    Server::listen(config, last.clone()).await.unwrap()
}

fn app(folder: &std::path::Path) -> App {
    let commands = commands(folder);
    let views = Views::start(Beginning::of(commands.opener())).unwrap();
    App::new(commands, views)
}

#[tokio::test]
async fn a_server_that_opens_its_log_lives_and_says_what_it_waits_for() {
    let last = LastStep::default();
    let listening = listening(&last, Duration::from_millis(1)).await;
    let addr = listening.addr();
    assert_eq!(send(addr, "GET /livez", &[], "").await.status, 200);
    let ready = send(addr, "GET /readyz", &[], "").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["reasons"][0]["part"], "log");
    last.set(Step {
        doing: "reading the log",
        done: 3,
        total: 40,
        unit: "segments",
    });
    let ready = send(addr, "GET /readyz", &[], "").await;
    assert_eq!(ready.json()["ready"], false);
    let because = &ready.json()["reasons"][0]["because"];
    assert_eq!(because, "reading the log: 3 of 40 segments");

    let early = send(addr, "GET /openapi.json", &[], "").await;
    assert_eq!(early.status, 503);
    assert_eq!(early.header("retry-after"), Some("1"));
    assert!(early.json()["detail"].as_str().unwrap().contains("/readyz"));

    let folder = tempfile::tempdir().unwrap();
    let handle = listening.serve(app(folder.path()));
    assert_eq!(send(addr, "GET /openapi.json", &[], "").await.status, 200);
    assert_eq!(send(addr, "GET /readyz", &[], "").await.status, 200);
    handle.shutdown().await;
}

#[tokio::test]
async fn who_comes_while_the_log_is_being_opened_is_served_once_it_is() {
    let listening = listening(&LastStep::default(), Duration::from_secs(60)).await;
    let addr = listening.addr();
    let early = tokio::task::JoinSet::from_iter([send(addr, "GET /openapi.json", &[], "")]);
    let folder = tempfile::tempdir().unwrap();
    let app = app(folder.path());
    let handle = listening.serve(app);
    let answers = early.join_all().await;
    assert_eq!(answers[0].status, 200);
    handle.shutdown().await;
}

#[tokio::test]
async fn a_stop_while_the_log_is_being_opened_ends_the_listener() {
    let listening = listening(&LastStep::default(), Duration::from_secs(60)).await;
    let addr = listening.addr();
    assert_eq!(send(addr, "GET /livez", &[], "").await.status, 200);
    drop(listening);
    while tokio::net::TcpStream::connect(addr).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

//! Who comes through the door and what the rude ones get: tokens, bodies, types, slowness. Nothing here needs data.

use std::time::Duration;

use crate::house::{CITIZEN, House, NOW_S, bearer_of, claims, commands};
use crate::peer::{Answer, raw, send};
use sokhoe_access::{Claims, Issuer, Role};
use sokhoe_projections::{Beginning, Views};
use sokhoe_server::{App, Limits, Server, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const JSON: (&str, &str) = ("content-type", "application/json");

async fn post(house: &House, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let token = house.bearer(Role::Hospital);
    let mut all = vec![("authorization", token.as_str())];
    all.extend(headers);
    send(house.addr, &format!("POST {path}"), &all, body).await
}

#[tokio::test]
async fn everything_outside_the_published_list_wants_a_token() {
    let house = House::open().await;
    let description = send(house.addr, "GET /openapi.json", &[], "").await.json();
    let mut asked = 0;
    for (path, operations) in description["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let open = operation["security"] == serde_json::json!([]);
            let path = path.replace("{id}", CITIZEN).replace("{type}", "Patient");
            let path = path.replace("{name}", "icd10");
            let asked_for = format!("{} {path}", method.to_uppercase());
            let answer = send(house.addr, &asked_for, &[], "").await;
            assert_eq!(answer.status == 401, !open, "{asked_for}: {answer:?}");
            if !open {
                assert!(
                    answer
                        .header("www-authenticate")
                        .unwrap()
                        .starts_with("Bearer")
                );
            }
            asked += 1;
        }
    }
    assert!(asked > 15, "{asked}");
}

#[tokio::test]
async fn a_bad_token_is_401_and_says_why() {
    let house = House::open().await;
    let good = house.issuer().issue(&claims(Role::Hospital)).unwrap();
    let expired = Claims {
        expires_at_s: NOW_S - 61,
        ..claims(Role::Hospital)
    };
    let early = Claims {
        not_before_s: NOW_S + 61,
        ..claims(Role::Hospital)
    };
    let unsigned = good.rsplit_once('.').unwrap().0;
    for (token, because) in [
        (bearer_of(house.issuer(), expired), "expired"),
        (bearer_of(house.issuer(), early), "not valid yet"),
        (
            bearer_of(&Issuer::from_seed(&[9; 32]), claims(Role::Hospital)),
            "signature",
        ),
        (format!("Bearer {unsigned}."), "signature"),
        (format!("Bearer {unsigned}"), "malformed"),
        ("Basic eDp5".to_owned(), "Authorization"),
    ] {
        let answer = send(
            house.addr,
            "GET /v1/catalogue",
            &[("authorization", &token)],
            "",
        )
        .await;
        assert_eq!(answer.status, 401);
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(because), "{detail}");
        assert!(
            !answer.body.contains(&good[..20]),
            "an answer repeats no token"
        );
    }
}

#[tokio::test]
async fn who_asks_too_often_is_told_how_long_to_wait() {
    let limits = Limits {
        requests_per_s: Some(1),
        refusals_per_s: 1,
        refusals_burst: 3,
        ..Limits::default()
    };
    let house = House::with(limits).await;
    let ask =
        async |headers: &[(&str, &str)]| send(house.addr, "GET /v1/catalogue", headers, "").await;
    let until_429 = async |headers: &[(&str, &str)]| {
        let mut before = 0;
        loop {
            let answer = ask(headers).await;
            if answer.status == 429 {
                return (before, answer);
            }
            before += 1;
        }
    };
    let token = house.bearer(Role::Hospital);
    let hospital = [("authorization", token.as_str())];
    for (headers, allowed) in [(&hospital[..], 2), (&[][..], 3)] {
        let (before, refused) = until_429(headers).await;
        assert!(before >= allowed, "{before}");
        assert_eq!(refused.header("retry-after"), Some("1"));
        let kind = "https://sokhoe.vn/problems/too-many-requests";
        assert_eq!(refused.json()["type"], kind);
    }
    let other = house.bearer(Role::Station);
    assert_eq!(ask(&[("authorization", &other)]).await.status, 200);
    let published = send(house.addr, "GET /openapi.json", &[], "").await.json();
    assert_eq!(published["x-sokhoe-limits"]["requests_per_s"], 1);
    let metrics = send(house.addr, "GET /metrics", &[], "").await.body;
    assert!(
        metrics.contains("sokhoe_rate_limited_total 2\n"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_role_without_business_here_is_403() {
    let house = House::open().await;
    for role in [
        Role::Auditor,
        Role::Epidemiologist,
        Role::Researcher,
        Role::Dashboard,
    ] {
        let token = house.bearer(role);
        let headers = [("authorization", token.as_str()), JSON];
        assert_eq!(
            send(house.addr, "POST /v1/events", &headers, "{}")
                .await
                .status,
            403
        );
        let search = "POST /v1/people/search";
        assert_eq!(send(house.addr, search, &headers, "{}").await.status, 403);
    }
}

#[tokio::test]
async fn staff_say_why_they_read() {
    let house = House::open().await;
    let token = house.bearer(Role::Clinician);
    let path = format!("GET /v1/people/{}", CITIZEN);
    let read = async |purpose: &[(&str, &str)]| {
        let mut headers = vec![("authorization", token.as_str())];
        headers.extend(purpose);
        send(house.addr, &path, &headers, "").await
    };
    let missing = read(&[]).await;
    assert_eq!(missing.status, 400);
    assert!(missing.body.contains("Sokhoe-Purpose"));
    assert_eq!(read(&[("sokhoe-purpose", "CURIOSITY")]).await.status, 400);
    assert_eq!(read(&[("sokhoe-purpose", "ETREAT")]).await.status, 403);
    assert_eq!(read(&[("sokhoe-purpose", "TREAT")]).await.status, 404);
}

#[tokio::test]
async fn absent_and_hidden_people_look_alike() {
    let house = House::open().await;
    let token = house.bearer(Role::Citizen);
    let read = async |id: &str| {
        let path = format!("GET /v1/people/{id}");
        let answer = send(house.addr, &path, &[("authorization", &token)], "").await;
        let mut body = answer.json();
        body["instance"] = serde_json::Value::Null;
        (answer.status, body)
    };
    let hidden = read("0192f0c1-7a3b-4c11-9e2f-0242ac12ffff").await;
    assert_eq!(hidden.0, 404);
    assert_eq!(hidden, read("no-id").await);
    assert_eq!(hidden, read("%ff").await);
}

#[tokio::test]
async fn bad_events_name_what_is_wrong() {
    let house = House::open().await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let twice = r#"{"kind": "person_died", "kind": "person_died"}"#;
    for (body, status) in [
        ("{", 400),
        ("", 400),
        (deep.as_str(), 400),
        (twice, 400),
        ("[]", 422),
        (r#"{"kind": "horoscope_read"}"#, 422),
        (r#"{"kind": "person_erased"}"#, 403),
    ] {
        let answer = post(&house, "/v1/events", &[JSON], body).await;
        assert_eq!(answer.status, status, "{:.40}: {answer:?}", body);
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
        let problem = answer.json();
        assert!(
            problem["type"]
                .as_str()
                .unwrap()
                .starts_with("https://sokhoe.vn/problems/")
        );
        assert_eq!(problem["errors"].is_array(), status == 422);
    }
}

#[tokio::test]
async fn a_body_that_is_no_utf8_is_400() {
    let house = House::open().await;
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: {}\r\n\
         content-type: application/json\r\ncontent-length: 4\r\n\r\n",
        house.bearer(Role::Hospital)
    );
    let answer = raw(house.addr, &[head.as_bytes(), b"\"\xff\xfe\""].concat()).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test]
async fn an_event_of_ten_megabytes_is_413_before_it_is_read() {
    let house = House::open().await;
    let body = format!("{{\"data\": \"{}\"}}", "x".repeat(10 << 20));
    assert_eq!(post(&house, "/v1/events", &[JSON], &body).await.status, 413);
    let line = post(
        &house,
        "/v1/events/batch",
        &[("content-type", "application/x-ndjson")],
        &body,
    );
    let line = line.await;
    assert_eq!(
        (line.status, line.lines()[0]["status"].as_u64()),
        (200, Some(413))
    );
}

#[tokio::test]
async fn another_content_type_is_415() {
    let house = House::open().await;
    let with =
        async |path: &str, headers: &[(&str, &str)]| post(&house, path, headers, "{}").await.status;
    assert_eq!(with("/v1/events", &[]).await, 415);
    assert_eq!(
        with("/v1/events", &[("content-type", "text/plain")]).await,
        415
    );
    assert_eq!(
        with("/v1/events", &[("content-type", "application/x-ndjson")]).await,
        415
    );
    assert_eq!(
        with("/v1/events", &[JSON, ("content-encoding", "br")]).await,
        415
    );
    assert_eq!(with("/v1/events/batch", &[JSON]).await, 415);
    assert_eq!(
        with("/fhir/R4", &[("content-type", "application/xml")]).await,
        415
    );
}

#[tokio::test]
async fn fhir_errors_are_operation_outcomes() {
    let house = House::open().await;
    let answer = post(
        &house,
        "/fhir/R4",
        &[JSON],
        r#"{"resourceType": "Patient"}"#,
    )
    .await;
    assert_eq!(answer.status, 422);
    assert_eq!(answer.header("content-type"), Some("application/fhir+json"));
    assert_eq!(answer.json()["resourceType"], "OperationOutcome");
    let metadata = send(house.addr, "GET /fhir/R4/metadata", &[], "").await;
    assert_eq!(metadata.json()["resourceType"], "CapabilityStatement");
}

#[tokio::test]
async fn every_bad_line_of_a_batch_has_its_own_answer() {
    let house = House::open().await;
    let body = "{\n\n[]\n{\"kind\": \"person_erased\"}";
    let ndjson = [("content-type", "application/x-ndjson")];
    let answer = post(&house, "/v1/events/batch", &ndjson, body).await;
    let seen: Vec<_> = answer
        .lines()
        .iter()
        .map(|line| (line["line"].as_u64(), line["status"].as_u64()))
        .collect();
    let expected = [400, 400, 422, 403].into_iter().enumerate();
    let expected: Vec<_> = expected
        .map(|(at, status)| (Some(at as u64 + 1), Some(status)))
        .collect();
    assert_eq!(seen, expected);
    let atomic = post(&house, "/v1/events/batch?atomic=true", &ndjson, "{\n[]").await;
    assert_eq!(atomic.lines().len(), 2);
    assert_ne!(atomic.status, 200);
}

#[tokio::test]
async fn unknown_addresses_methods_and_parameters_are_said() {
    let house = House::open().await;
    assert_eq!(
        send(house.addr, "GET /v2/people", &[], "").await.status,
        404
    );
    let wrong = send(house.addr, "DELETE /v1/events", &[], "").await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("POST")));
    let ndjson = [("content-type", "application/x-ndjson")];
    let answer = post(&house, "/v1/events/batch?atomicc=true", &ndjson, "").await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("atomic"));
}

#[tokio::test]
async fn pages_load_nothing_from_elsewhere() {
    let house = House::open().await;
    for path in ["/", "/docs"] {
        let page = send(house.addr, &format!("GET {path}"), &[], "").await;
        assert_eq!(page.status, 200);
        let policy = page.header("content-security-policy").unwrap();
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert!(!page.body.contains("http://") && !page.body.contains("https://"));
        assert!(!page.body.contains("onclick") && !page.body.contains("<script>"));
        // A script may name further ones.
        let mut bodies = vec![page.body];
        let mut seen = Vec::new();
        while let Some(body) = bodies.pop() {
            for asset in body
                .split('"')
                .filter(|text| text.starts_with("/assets/") && text.len() > 8)
            {
                if seen.iter().any(|known| known == asset) {
                    continue;
                }
                seen.push(asset.to_owned());
                let part = send(house.addr, &format!("GET {asset}"), &[], "").await;
                assert_eq!(part.status, 200, "{asset}");
                assert!(
                    !part.body.contains("innerHTML"),
                    "{asset} sets text, never markup"
                );
                bodies.push(part.body);
            }
        }
        assert!(seen.len() > 1, "{seen:?}");
    }
}

#[tokio::test]
async fn a_slow_body_is_408_and_a_slow_head_is_cut_off() {
    let house = House::hasty().await;
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{",
        house.bearer(Role::Hospital)
    );
    let answer = raw(house.addr, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(
        !raw(house.addr, b"POST /v1/events HTTP/1.1\r\nhos")
            .await
            .contains("200")
    );
    assert!(
        !raw(house.addr, b"").await.contains("200"),
        "an idle connection is closed"
    );
}

#[tokio::test]
async fn a_crowd_of_slow_connections_does_not_keep_others_out_for_long() {
    let house = House::hasty().await;
    let mut crowd = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(house.addr).await.unwrap();
        stream.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
        crowd.push(stream);
    }
    let mut turned_away = 0;
    let served = async {
        loop {
            let answer = send(house.addr, "GET /livez", &[], "").await;
            if answer.status == 200 {
                return answer;
            }
            assert_eq!(answer.status, 503);
            turned_away += 1;
        }
    };
    let served = tokio::time::timeout(Duration::from_secs(20), served)
        .await
        .expect("a place");
    assert_eq!(served.json()["live"], true);
    assert!(turned_away > 0, "the cap holds");
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let house = House::open().await;
    let mut stream = TcpStream::connect(house.addr).await.unwrap();
    let mut buffer = vec![0; 4096];
    for _ in 0..3 {
        stream
            .write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(buffer[..read].starts_with(b"HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn only_loopback_is_listened_on() {
    let folder = tempfile::tempdir().unwrap();
    let commands = commands(folder.path());
    let views = Views::start(Beginning::of(commands.opener())).unwrap();
    let app = App::new(commands, views);
    let listen = "0.0.0.0:0".parse().unwrap();
    let config = ServerConfig {
        listen,
        ..ServerConfig::default()
    };
    let refused = Server::start(config, app).await.unwrap_err();
    assert!(refused.to_string().contains("loopback"), "{refused}");
}

#[tokio::test]
async fn a_stop_ends_idle_connections_and_the_listener() {
    let house = House::open().await;
    let mut idle = TcpStream::connect(house.addr).await.unwrap();
    assert_eq!(send(house.addr, "GET /livez", &[], "").await.status, 200);
    house.handle.shutdown().await;
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.ok();
    assert!(rest.is_empty());
    assert!(TcpStream::connect(house.addr).await.is_err());
}

//! What administrators do to the whole server: new code lists, projections made anew.

use serde_json::json;
use sokhoe_access::Role;

use crate::house::House;
use crate::peer::{Answer, send};
use crate::sent::{append, event_id, identified, pressure, registration};

const LIST: &str = "/v1/catalogue/icd10?system=icd10&version=own&complete=true";

async fn load(house: &House, role: Role, path: &str, csv: &str) -> Answer {
    let token = house.bearer(role);
    let headers = [
        ("authorization", token.as_str()),
        ("content-type", "text/csv"),
    ];
    send(house.addr, &format!("POST {path}"), &headers, csv).await
}

async fn rebuild(house: &House, role: Role) -> Answer {
    let token = house.bearer(role);
    let headers = [("authorization", token.as_str())];
    send(house.addr, "POST /v1/admin/rebuild", &headers, "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_was_loaded_decides_from_the_next_event_on() {
    let house = House::open().await;
    append(&house, &registration(1)).await;
    let condition = |number| {
        json!({
            "event_id": event_id(number), "person": identified(1), "kind": "condition_recorded",
            "occurred_at": "2026-11-01T08:00:00+07:00",
            "data": {"code": {"system": "icd10", "code": "I10"}, "clinical_status": "active",
                     "certainty": "confirmed"},
        })
    };
    assert_eq!(append(&house, &condition(2)).await.status, 201);
    let loaded = load(&house, Role::Admin, LIST, "code,name_vi\nI11,Tim\n").await;
    assert_eq!(loaded.status, 201, "{loaded:?}");
    assert_eq!(
        (&loaded.json()["version"], &loaded.json()["entries"]),
        (&json!("own"), &json!(1))
    );
    let refused = append(&house, &condition(3)).await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.json()["errors"][0]["pointer"], "/data/code/code");
    let again = load(&house, Role::Operator, LIST, "code,name_vi\nI10,Áp\n").await;
    assert_eq!(again.status, 201, "{again:?}");
    assert_eq!(append(&house, &condition(3)).await.status, 201);
    let stored = sokhoe_catalogue::open_folder(&house.commands.settings().data).unwrap();
    let own = |list: &sokhoe_catalogue::ListSummary| list.identity.version == "own";
    assert_eq!(stored.lists().iter().filter(|list| own(list)).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_list_is_refused_with_its_line_and_changes_nothing() {
    let house = House::open().await;
    let refused = async |path: &str, csv: &str| {
        let answer = load(&house, Role::Admin, path, csv).await;
        (answer.status, answer.json()["detail"].to_string())
    };
    let (status, detail) = refused(LIST, "code,name_vi\nI10,Áp\nI10,Khác\n").await;
    assert_eq!(status, 422);
    assert!(
        detail.contains("line 3") && detail.contains("line 2"),
        "{detail}"
    );
    assert_eq!(refused(LIST, "").await.0, 422);
    assert_eq!(
        refused("/v1/catalogue/x", "code,name_vi\nA,B\n").await.0,
        422
    );
    assert_eq!(
        refused(
            "/v1/catalogue/%2e%2e?system=x&version=1",
            "code,name_vi\nA,B\n"
        )
        .await
        .0,
        422
    );
    for query in [
        "shape=x",
        "valid_from=2026",
        "complete=yes",
        "code_chars=256",
        "nam=x",
    ] {
        let path = format!("/v1/catalogue/x?{query}");
        assert_eq!(
            refused(&path, "code,name_vi\nA,B\n").await.0,
            400,
            "{query}"
        );
    }
    let large = "x".repeat((16 << 20) + 1);
    assert_eq!(refused(LIST, &large).await.0, 413);
    let folder = house.commands.settings().data.join("catalogue");
    assert!(!folder.exists(), "nothing was stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_says_where_it_ends_and_changes_no_answer() {
    let house = House::open().await;
    let person = append(&house, &registration(1)).await.json()["person_id"].clone();
    append(&house, &pressure(2, 1)).await;
    let read = async || {
        let token = house.bearer(Role::Hospital);
        let headers = [
            ("authorization", token.as_str()),
            ("sokhoe-purpose", "TREAT"),
        ];
        let path = format!("GET /v1/people/{}?at_least=2", person.as_str().unwrap());
        send(house.addr, &path, &headers, "").await.json()["sections"].clone()
    };
    let before = read().await;
    let rebuilt = rebuild(&house, Role::Operator).await;
    assert_eq!(
        (rebuilt.status, &rebuilt.json()),
        (200, &json!({"position": 3}))
    );
    assert_eq!(read().await, before);
}

#[tokio::test]
async fn only_administrators_change_what_all_share() {
    let house = House::open().await;
    for role in Role::ALL {
        let may = matches!(role, Role::Admin | Role::Operator);
        let loaded = load(&house, *role, LIST, "code,name_vi\nI10,Áp\n").await;
        assert_eq!(loaded.status, if may { 201 } else { 403 }, "{role}");
        let rebuilt = rebuild(&house, *role).await;
        assert_eq!(rebuilt.status, if may { 200 } else { 403 }, "{role}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_are_committed_to_on_demand_and_only_for_administrators() {
    let house = House::open().await;
    append(&house, &registration(1)).await;
    let ask = async |role: Role| {
        let token = house.bearer(role);
        let headers = [("authorization", token.as_str())];
        send(house.addr, "POST /v1/admin/heads", &headers, "").await
    };
    assert_eq!(ask(Role::Auditor).await.status, 403);
    let answer = ask(Role::Operator).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let reader = house.commands.opener().reader();
    let event = reader.last_commitment().unwrap().unwrap();
    let expected = json!({
        "position": event.frame.position.get(), "hash": event.frame.hash().to_string(),
        "as_of": 1, "streams": 1, "root": event.heads.root.to_string(),
    });
    assert_eq!(answer.json(), expected);
    assert_eq!(ask(Role::Admin).await.json()["as_of"], json!(2));
}

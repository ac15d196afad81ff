//! The description at `/openapi.json`: OpenAPI 3.1 from the table of routes, the vocabulary's schemas and the limits.
//!
//! Nothing in it is written by hand twice, so it cannot drift from what the server does.

use axum::http::StatusCode;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use sokhoe_record::Kind as EventKind;

use crate::config::Limits;
use crate::error::{Family, Kind, status_code};
use crate::routes::{Access, Method, Place, ROUTES, Route};

/// Writes the description; `schemas` are the vocabulary's, of whole events by kind.
pub(crate) fn describe(limits: &Limits, schemas: Vec<(EventKind, Value)>) -> Bytes {
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths
            .entry(described(route.path))
            .or_insert_with(|| json!({}));
        path[route.method.word().to_ascii_lowercase()] = operation(route);
    }
    let mut components = Map::new();
    let mut of_any_kind = Vec::with_capacity(schemas.len());
    for (kind, schema) in schemas {
        let name = format!("event.{kind}");
        of_any_kind.push(json!({"$ref": format!("#/components/schemas/{name}")}));
        components.insert(name, schema);
    }
    components.insert("event".to_owned(), json!({"oneOf": of_any_kind}));
    components.insert("receipt".to_owned(), receipt());
    components.insert("problem".to_owned(), problem());
    let description = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Sokhoe",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The health book: immutable, hash-chained events in; each person's record and history out.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
        "x-sokhoe-limits": published(limits),
        "x-sokhoe-problems": problems(),
    });
    Bytes::from(description.to_string())
}

/// A path as OpenAPI writes it, which knows no rest of a path.
fn described(path: &str) -> String {
    path.replace("{*", "{")
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "summary": route.summary,
        "operationId": operation_id(route),
        "parameters": parameters(route),
        "responses": responses(route),
    });
    match route.access {
        Access::Anonymous | Access::Loopback => operation["security"] = json!([]),
        Access::Roles(roles) => {
            let roles: Vec<&str> = roles.iter().map(|role| role.word()).collect();
            operation["x-sokhoe-roles"] = json!(roles);
            operation["security"] = json!([{"bearer": []}]);
        }
    }
    if let Some(accepts) = route.accepts {
        let types = if accepts.is_empty() {
            &["application/octet-stream"]
        } else {
            accepts
        };
        let content: Map<String, Value> = types
            .iter()
            .map(|media_type| ((*media_type).to_owned(), body_schema(route)))
            .collect();
        operation["requestBody"] = json!({"required": true, "content": content});
    }
    operation
}

fn body_schema(route: &Route) -> Value {
    match route.path {
        "/v1/events" | "/v1/events/batch" => {
            json!({"schema": {"$ref": "#/components/schemas/event"}})
        }
        _ => json!({}),
    }
}

fn operation_id(route: &Route) -> String {
    let words = route
        .path
        .split(['/', '{', '}', '.', '*'])
        .filter(|word| !word.is_empty());
    words.fold(route.method.word().to_ascii_lowercase(), |id, word| {
        format!("{id}_{word}")
    })
}

fn parameters(route: &Route) -> Vec<Value> {
    let in_path = route.path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        let name = name.trim_start_matches('*');
        Some(json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
    });
    let others = route.parameters.iter().map(|(name, place, meaning)| {
        let place = match place {
            Place::Query => "query",
            Place::Header => "header",
        };
        json!({"name": name, "in": place, "description": meaning, "schema": {"type": "string"}})
    });
    in_path.chain(others).collect()
}

fn responses(route: &Route) -> Value {
    let mut statuses: Vec<u16> = route.statuses.to_vec();
    if matches!(route.access, Access::Roles(_)) {
        statuses.extend([401, 403, 429]);
    }
    statuses.push(500);
    statuses.sort_unstable();
    statuses.dedup();
    let all = statuses
        .into_iter()
        .map(|status| (status.to_string(), response(route, status)));
    Value::Object(all.collect())
}

fn response(route: &Route, status: u16) -> Value {
    if status < 400 {
        let description = status_code(status).canonical_reason().unwrap_or("OK");
        if status_code(status) == StatusCode::NOT_MODIFIED {
            return json!({"description": description});
        }
        let schema = match (route.method, route.path) {
            (Method::Post, "/v1/events") => json!({"$ref": "#/components/schemas/receipt"}),
            _ => json!({}),
        };
        return json!({"description": description, "content": {route.answers_with: {"schema": schema}}});
    }
    let titles: Vec<&str> = Kind::ALL
        .iter()
        .filter(|kind| kind.status() == status)
        .map(|kind| kind.title())
        .collect();
    let content = match route.family {
        Family::Plain => {
            json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/problem"}}})
        }
        Family::Fhir => json!({"application/fhir+json": {"schema": {"type": "object"}}}),
    };
    json!({"description": titles.join("; "), "content": content})
}

fn published(limits: &Limits) -> Value {
    let own = limits
        .published()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), json!(value)));
    Value::Object(own.collect())
}

fn problems() -> Vec<Value> {
    let problem =
        |kind: &Kind| json!({"type": kind.uri(), "status": kind.status(), "title": kind.title()});
    Kind::ALL.iter().map(problem).collect()
}

fn receipt() -> Value {
    json!({
        "type": "object",
        "required": ["event_id", "person_id", "version", "position", "hash", "recorded_at"],
        "properties": {
            "event_id": {"type": "string", "format": "uuid"},
            "person_id": {"type": ["string", "null"], "format": "uuid"},
            "version": {"type": "integer"},
            "position": {"type": "integer"},
            "hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "recorded_at": {"type": "string", "format": "date-time"},
        },
    })
}

fn problem() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "instance": {"type": "string", "format": "uri"},
            "errors": {"type": "array", "items": {"type": "object", "properties": {
                "pointer": {"type": "string", "format": "json-pointer"},
                "code": {"type": "string"},
                "detail": {"type": "string"},
            }}},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_described_with_its_roles() {
        let description = describe(&Limits::default(), sokhoe_record::event_schemas());
        let description: Value = serde_json::from_slice(&description).unwrap();
        for route in ROUTES {
            let operation =
                &description["paths"][described(route.path)][route.method.word().to_lowercase()];
            let open = matches!(route.access, Access::Anonymous | Access::Loopback);
            assert_eq!(operation["security"] == json!([]), open, "{}", route.path);
            assert!(!operation["responses"].as_object().unwrap().is_empty());
        }
        assert!(description["components"]["schemas"]["event.encounter_recorded"].is_object());
        assert!(description["x-sokhoe-limits"]["event_bytes_max"].is_u64());
    }

    #[test]
    fn every_status_of_a_route_has_a_problem() {
        for status in ROUTES
            .iter()
            .flat_map(|route| route.statuses)
            .filter(|status| **status >= 400)
        {
            assert!(
                Kind::ALL.iter().any(|kind| kind.status() == *status),
                "{status}"
            );
        }
    }
}

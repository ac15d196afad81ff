//! The table of routes: the single source for the router, `/openapi.json` and the test that none is open by accident.

mod admin;
mod audit;
mod batch;
mod catalogue;
mod consents;
mod events;
mod evidence;
mod feed;
mod fhir;
mod health;
mod looks;
mod pages;
mod parameters;
mod people;
mod proofs;
mod requests;
mod stated;

pub(crate) use catalogue::unreadable;
pub(crate) use health::{alive, opening};

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::{RawPathParams, Request};
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use sokhoe_access::Role;

use crate::body::{ANY, CSV, FHIR, JSON, NDJSON};
use crate::error::{Family, Kind, Problem};
use crate::guard::{Answer, Shared, Visit, serve};
use parameters::{
    AS_OF, AT_LEAST, ATOMIC, CURSOR, FEED_PARAMETERS, IF_NONE_MATCH, LIMIT, LIST_PARAMETERS,
    LOOKS_PARAMETERS, PURPOSE, REASON, SOURCE,
};

/// A handler, boxed so that the table can hold it.
type Handler = fn(Visit, Request) -> Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A method that some route has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Method {
    Get,
    Post,
    Delete,
}

impl Method {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }

    /// Whether the method only reads.
    pub(crate) const fn reads(self) -> bool {
        matches!(self, Self::Get)
    }

    const fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

/// Who may come to a route.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Access {
    /// Everybody.
    Anonymous,
    /// Everybody on this machine.
    Loopback,
    /// Tokens of these roles; the handler decides the rest. What is about one person comes to its handler whoever asks, so
    /// that a refusal is written down for that person.
    Roles(&'static [Role]),
}

/// One route.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    /// Content types of the body; `None` where there is none.
    pub(crate) accepts: Option<&'static [&'static str]>,
    pub(crate) family: Family,
    pub(crate) summary: &'static str,
    /// Query parameters and headers with their meaning.
    pub(crate) parameters: &'static [(&'static str, Place, &'static str)],
    /// Content type of the hoped-for answer.
    pub(crate) answers_with: &'static str,
    /// Statuses beside those that every route has.
    pub(crate) statuses: &'static [u16],
    pub(crate) handler: Handler,
}

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Query,
    Header,
}

const SENDERS: &[Role] = &[
    Role::Hospital,
    Role::Clinician,
    Role::Station,
    Role::Citizen,
    Role::Guardian,
    Role::Admin,
    Role::Operator,
];
const CLINICAL_SENDERS: &[Role] = &[
    Role::Hospital,
    Role::Clinician,
    Role::Station,
    Role::Operator,
];
const BLOB_SENDERS: &[Role] = &[
    Role::Hospital,
    Role::Clinician,
    Role::Station,
    Role::Citizen,
    Role::Guardian,
    Role::Operator,
];
const READERS: &[Role] = &[
    Role::Hospital,
    Role::Clinician,
    Role::Station,
    Role::Citizen,
];

/// Who may change what all share; none of them reads records.
const ADMINISTRATORS: &[Role] = &[Role::Admin, Role::Operator];

/// Who sees requests of data subjects: their own, or all without what they say.
const REQUEST_KEEPERS: &[Role] = &[Role::Citizen, Role::Guardian, Role::Auditor, Role::Admin];
/// Who sees looks at all records.
const AUDITORS: &[Role] = &[Role::Auditor];

/// Every route there is.
pub(crate) static ROUTES: &[Route] = &[
    Route {
        accepts: Some(JSON),
        parameters: &[],
        statuses: &[200, 201, 400, 408, 409, 410, 412, 413, 415, 422, 503],
        ..post("/v1/events", SENDERS, "Appends one event", |v, r| {
            Box::pin(events::append(v, r))
        })
    },
    Route {
        accepts: Some(NDJSON),
        parameters: &[ATOMIC],
        answers_with: "application/x-ndjson",
        statuses: &[200, 400, 408, 413, 415, 503],
        ..post(
            "/v1/events/batch",
            SENDERS,
            "Appends events line by line",
            |v, r| Box::pin(batch::append(v, r)),
        )
    },
    Route {
        accepts: Some(ANY),
        statuses: &[201, 408, 413, 503, 507],
        ..post(
            "/v1/blobs",
            BLOB_SENDERS,
            "Keeps a large content for an event to name",
            |v, r| Box::pin(events::keep_blob(v, r)),
        )
    },
    Route {
        accepts: Some(JSON),
        parameters: &[PURPOSE],
        statuses: &[200, 400, 413, 415, 422],
        ..post("/v1/people/search", READERS, "Finds a person", |v, r| {
            Box::pin(people::search(v, r))
        })
    },
    Route {
        parameters: &[AS_OF, AT_LEAST, PURPOSE, REASON, IF_NONE_MATCH],
        statuses: &[200, 304, 400, 403, 404, 410, 503],
        access: Access::Roles(Role::ALL),
        ..get("/v1/people/{id}", "Shows a person's record", |v, r| {
            Box::pin(people::record(v, r))
        })
    },
    Route {
        parameters: &[CURSOR, LIMIT, AT_LEAST, PURPOSE, REASON],
        statuses: &[200, 400, 403, 404, 410, 503],
        access: Access::Roles(Role::ALL),
        ..get(
            "/v1/people/{id}/events",
            "Shows a person's history",
            |v, r| Box::pin(people::history(v, r)),
        )
    },
    Route {
        parameters: &[CURSOR, LIMIT],
        statuses: &[200, 400, 403, 404, 503],
        access: Access::Roles(Role::ALL),
        ..get(
            "/v1/people/{id}/accesses",
            "Shows who looked at a record, when, why, at what and by which rule",
            |v, r| Box::pin(looks::accesses(v, r)),
        )
    },
    Route {
        statuses: &[200, 400, 403, 404, 503],
        access: Access::Roles(Role::ALL),
        ..get(
            "/v1/people/{id}/consents",
            "Shows what a person allows and refuses",
            |v, r| Box::pin(consents::list(v, r)),
        )
    },
    Route {
        accepts: Some(JSON),
        statuses: &[200, 201, 400, 403, 404, 409, 413, 415, 422, 503],
        ..post(
            "/v1/people/{id}/consents",
            Role::ALL,
            "Takes a directive of the person",
            |v, r| Box::pin(consents::grant(v, r)),
        )
    },
    Route {
        method: Method::Delete,
        statuses: &[200, 400, 403, 404, 503],
        access: Access::Roles(Role::ALL),
        ..get(
            "/v1/people/{id}/consents/{consent_id}",
            "Withdraws a directive from now on",
            |v, r| Box::pin(consents::withdraw(v, r)),
        )
    },
    Route {
        accepts: Some(JSON),
        statuses: &[200, 400, 403, 404, 413, 415, 422, 503],
        ..post(
            "/v1/access/explain",
            Role::ALL,
            "Says what somebody could see of a person, when, and by which rules",
            |v, r| Box::pin(looks::explain(v, r)),
        )
    },
    Route {
        parameters: &[
            ("state", Place::Query, "of the queue: open, overdue or all"),
            LIMIT,
        ],
        statuses: &[200, 400, 404, 503],
        access: Access::Roles(REQUEST_KEEPERS),
        ..get(
            "/v1/requests",
            "Shows requests of data subjects with their clocks: one's own, or the queue",
            |v, r| Box::pin(requests::list(v, r)),
        )
    },
    Route {
        accepts: Some(JSON),
        statuses: &[200, 201, 400, 404, 409, 413, 415, 422, 503],
        ..post(
            "/v1/requests",
            &[Role::Citizen, Role::Guardian],
            "Takes a request of a data subject",
            |v, r| Box::pin(requests::make(v, r)),
        )
    },
    Route {
        parameters: LOOKS_PARAMETERS,
        statuses: &[200, 400, 503],
        access: Access::Roles(AUDITORS),
        ..get(
            "/v1/audit/accesses",
            "Shows looks at all records, newest first",
            |v, r| Box::pin(audit::accesses(v, r)),
        )
    },
    Route {
        parameters: LOOKS_PARAMETERS,
        statuses: &[200, 400, 503],
        access: Access::Roles(AUDITORS),
        ..get(
            "/v1/audit/affected",
            "Shows whose records an account looked at in a period",
            |v, r| Box::pin(audit::affected(v, r)),
        )
    },
    Route {
        parameters: LOOKS_PARAMETERS,
        statuses: &[200, 400, 503],
        access: Access::Roles(AUDITORS),
        ..get(
            "/v1/audit/signals",
            "Shows looks that should be looked into, each by a rule",
            |v, r| Box::pin(audit::signals(v, r)),
        )
    },
    Route {
        parameters: &[LIMIT],
        statuses: &[200, 400, 503],
        access: Access::Roles(AUDITORS),
        ..get(
            "/v1/audit/reviews",
            "Shows broken glasses that nobody has reviewed",
            |v, r| Box::pin(audit::reviews(v, r)),
        )
    },
    Route {
        accepts: Some(JSON),
        statuses: &[201, 400, 413, 415, 422, 503],
        ..post(
            "/v1/audit/reviews",
            AUDITORS,
            "Takes a review of a look",
            |v, r| Box::pin(audit::review(v, r)),
        )
    },
    Route {
        parameters: FEED_PARAMETERS,
        answers_with: "application/cloudevents-batch+json",
        statuses: &[200, 400, 503],
        access: Access::Roles(READERS),
        ..get(
            "/v1/feed",
            "Shows events in the order of the log",
            |v, r| Box::pin(feed::follow(v, r)),
        )
    },
    Route {
        access: Access::Roles(Role::ALL),
        ..get("/v1/catalogue", "Lists the code lists", |v, r| {
            Box::pin(catalogue::lists(v, r))
        })
    },
    Route {
        accepts: Some(CSV),
        parameters: LIST_PARAMETERS,
        statuses: &[201, 400, 408, 409, 413, 415, 422, 503],
        ..post(
            "/v1/catalogue/{name}",
            ADMINISTRATORS,
            "Takes a code list in, in place of the same version of it",
            |v, r| Box::pin(catalogue::load(v, r)),
        )
    },
    Route {
        statuses: &[200, 503],
        ..post(
            "/v1/admin/rebuild",
            ADMINISTRATORS,
            "Makes the projections anew from the first event",
            |v, r| Box::pin(admin::rebuild(v, r)),
        )
    },
    Route {
        statuses: &[200, 503],
        ..post(
            "/v1/admin/heads",
            ADMINISTRATORS,
            "Commits to the last event of every stream",
            |v, r| Box::pin(admin::heads(v, r)),
        )
    },
    Route {
        accepts: Some(FHIR),
        family: Family::Fhir,
        parameters: &[SOURCE],
        answers_with: "application/fhir+json",
        statuses: &[200, 400, 408, 413, 415, 422, 503],
        ..post(
            "/fhir/R4",
            CLINICAL_SENDERS,
            "Takes a transaction or batch Bundle",
            |v, r| Box::pin(fhir::bundle(v, r)),
        )
    },
    Route {
        family: Family::Fhir,
        answers_with: "application/fhir+json",
        ..get(
            "/fhir/R4/metadata",
            "Says what of FHIR is supported",
            |v, r| Box::pin(fhir::metadata(v, r)),
        )
    },
    Route {
        family: Family::Fhir,
        answers_with: "application/fhir+json",
        parameters: &[
            ("patient", Place::Query, "whose looks: the id of a person"),
            ("_count", Place::Query, "resources of a page"),
            CURSOR,
        ],
        statuses: &[200, 400, 403, 404, 503],
        access: Access::Roles(Role::ALL),
        ..get(
            "/fhir/R4/AuditEvent",
            "Shows who looked at a record, as AuditEvents after IHE BALP",
            |v, r| Box::pin(looks::audit_events(v, r)),
        )
    },
    Route {
        family: Family::Fhir,
        answers_with: "application/fhir+json",
        parameters: &[PURPOSE, REASON],
        statuses: &[200, 400, 403, 404, 410, 503],
        access: Access::Roles(Role::ALL),
        ..get("/fhir/R4/{type}/{id}", "Shows one resource", |v, r| {
            Box::pin(fhir::resource(v, r))
        })
    },
    get("/livez", "Says whether the process runs", |v, r| {
        Box::pin(health::live(v, r))
    }),
    Route {
        statuses: &[200, 503],
        ..get(
            "/readyz",
            "Says whether events are taken and reads are current",
            |v, r| Box::pin(health::ready(v, r)),
        )
    },
    Route {
        access: Access::Loopback,
        answers_with: "text/plain",
        statuses: &[200, 404],
        ..get("/metrics", "Counters for Prometheus", |v, r| {
            Box::pin(health::metrics(v, r))
        })
    },
    Route {
        answers_with: "text/plain",
        statuses: &[200, 503],
        ..get("/checkpoint", "The signed checkpoint of the log", |v, r| {
            Box::pin(health::checkpoint(v, r))
        })
    },
    Route {
        answers_with: "application/octet-stream",
        statuses: &[200, 404, 503],
        ..get(
            "/tile/{*path}",
            "Hashes of the log's tree and its entries, as C2SP tlog-tiles names them",
            |v, r| Box::pin(proofs::tile(v, r)),
        )
    },
    Route {
        parameters: &[
            (
                "from",
                Place::Query,
                "the size of an earlier checkpoint: proves that the tree only grew since",
            ),
            PURPOSE,
        ],
        statuses: &[200, 400, 403, 404, 503],
        access: Access::Roles(Role::ALL),
        ..get(
            "/v1/proofs/{event_id}",
            "Proves that an event is in the signed tree",
            |v, r| Box::pin(proofs::event(v, r)),
        )
    },
    Route {
        parameters: &[
            (
                "open",
                Place::Query,
                "true adds the keys of the events, so that contents can be read; for the person alone",
            ),
            PURPOSE,
        ],
        statuses: &[200, 400, 403, 404, 503],
        access: Access::Roles(Role::ALL),
        ..get(
            "/v1/people/{id}/evidence",
            "Shows a person's chains such that anybody can check them (storage/FORMAT.md)",
            |v, r| Box::pin(evidence::of_person(v, r)),
        )
    },
    get("/openapi.json", "This description", |v, r| {
        Box::pin(pages::openapi(v, r))
    }),
    html("/docs", "This description for people", |v, r| {
        Box::pin(pages::docs(v, r))
    }),
    html(
        "/",
        "The page that finds a person and shows the book",
        |v, r| Box::pin(pages::index(v, r)),
    ),
    asset("/assets/page.css", "text/css", |v, r| {
        Box::pin(pages::page_css(v, r))
    }),
    asset("/assets/page.js", "text/javascript", |v, r| {
        Box::pin(pages::page_js(v, r))
    }),
    asset("/assets/show.js", "text/javascript", |v, r| {
        Box::pin(pages::show_js(v, r))
    }),
    asset("/assets/sharing.js", "text/javascript", |v, r| {
        Box::pin(pages::sharing_js(v, r))
    }),
    asset("/assets/texts.js", "text/javascript", |v, r| {
        Box::pin(pages::texts_js(v, r))
    }),
    asset("/assets/docs.js", "text/javascript", |v, r| {
        Box::pin(pages::docs_js(v, r))
    }),
];

const fn get(path: &'static str, summary: &'static str, handler: Handler) -> Route {
    Route {
        method: Method::Get,
        path,
        access: Access::Anonymous,
        accepts: None,
        family: Family::Plain,
        summary,
        parameters: &[],
        answers_with: "application/json",
        statuses: &[200],
        handler,
    }
}

const fn html(path: &'static str, summary: &'static str, handler: Handler) -> Route {
    Route {
        answers_with: "text/html",
        ..get(path, summary, handler)
    }
}

const fn asset(path: &'static str, media_type: &'static str, handler: Handler) -> Route {
    Route {
        answers_with: media_type,
        ..get(path, "Part of a page", handler)
    }
}

const fn post(
    path: &'static str,
    roles: &'static [Role],
    summary: &'static str,
    handler: Handler,
) -> Route {
    Route {
        method: Method::Post,
        access: Access::Roles(roles),
        ..get(path, summary, handler)
    }
}

/// Builds the router of the table.
pub(crate) fn router(shared: &Arc<Shared>) -> Router {
    let mut router = Router::new();
    for (index, route) in ROUTES.iter().enumerate() {
        let shared = Arc::clone(shared);
        let handler = move |parameters: Result<RawPathParams, _>, request: Request| {
            serve(Arc::clone(&shared), index, route, parameters.ok(), request)
        };
        router = router.route(route.path, on(route.method.filter(), handler));
    }
    router
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
}

async fn no_such_route() -> Response {
    let detail = "there is no such address; /openapi.json lists them";
    Problem::new(Kind::NotFound, detail).respond(Family::Plain, "none")
}

async fn no_such_method() -> Response {
    let detail = "this address has other methods; /openapi.json lists them";
    Problem::new(Kind::Method, detail).respond(Family::Plain, "none")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contract's list of what needs no token.
    const OPEN: &[&str] = &[
        "/livez",
        "/readyz",
        "/openapi.json",
        "/docs",
        "/checkpoint",
        "/tile/{*path}",
        "/fhir/R4/metadata",
        "/",
        "/assets/page.css",
        "/assets/page.js",
        "/assets/show.js",
        "/assets/sharing.js",
        "/assets/texts.js",
        "/assets/docs.js",
    ];

    #[test]
    fn no_route_is_open_by_accident() {
        for route in ROUTES {
            let open = matches!(route.access, Access::Anonymous);
            assert_eq!(open, OPEN.contains(&route.path), "{}", route.path);
            let loopback = matches!(route.access, Access::Loopback);
            assert_eq!(loopback, route.path == "/metrics", "{}", route.path);
        }
    }

    #[test]
    fn every_body_has_its_content_types() {
        for route in ROUTES {
            let has_body = route.method == Method::Post && !route.path.starts_with("/v1/admin/");
            assert_eq!(route.accepts.is_some(), has_body, "{}", route.path);
        }
    }

    #[test]
    fn who_changes_what_all_share_reads_no_records() {
        for route in ROUTES {
            let Access::Roles(roles) = route.access else {
                continue;
            };
            let admits = |role| roles.contains(&role);
            if route.path.starts_with("/v1/admin/") || route.path == "/v1/catalogue/{name}" {
                assert_eq!(roles, ADMINISTRATORS, "{}", route.path);
            }
            let about_people =
                route.path.starts_with("/v1/people/search") || route.path.starts_with("/v1/feed");
            if about_people {
                assert!(
                    !admits(Role::Admin) && !admits(Role::Operator),
                    "{}",
                    route.path
                );
            }
            // Whoever asks about one person comes in, so that a refusal is written down for that person.
            if route.path.contains("/people/{id}") {
                assert_eq!(roles, Role::ALL, "{}", route.path);
            }
        }
    }

    #[test]
    fn routes_are_unique() {
        for (index, route) in ROUTES.iter().enumerate() {
            let same = |other: &&Route| (other.method, other.path) == (route.method, route.path);
            assert!(
                ROUTES.iter().take(index).find(same).is_none(),
                "{}",
                route.path
            );
        }
    }
}

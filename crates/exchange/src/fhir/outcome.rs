//! Builds FHIR's own error document, OperationOutcome. Texts come from the caller, who keeps people's data out of
//! them.

use serde_json::{Value, json};

/// What kind of problem an issue is (the codes of FHIR's `issue-type` that this server uses).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssueType {
    /// The content breaks a rule of the format.
    Invalid,
    /// Something mandatory is missing.
    Required,
    /// A value is not allowed.
    Value,
    /// The interaction or content is not supported.
    NotSupported,
    /// The content was seen before.
    Duplicate,
    /// Nothing of that name, or nothing that may be shown.
    NotFound,
    /// The content is too long.
    TooLong,
    /// An edit conflict: the content of an id differs from what was taken under it.
    Conflict,
    /// The caller must sign in.
    Login,
    /// The caller may not do this.
    Forbidden,
    /// A limit was reached; trying later may help.
    Throttled,
    /// The server cannot at the moment.
    Transient,
    /// The server's own fault.
    Exception,
    /// Nothing went wrong.
    Informational,
}

impl IssueType {
    /// Returns FHIR's code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Required => "required",
            Self::Value => "value",
            Self::NotSupported => "not-supported",
            Self::Duplicate => "duplicate",
            Self::NotFound => "not-found",
            Self::TooLong => "too-long",
            Self::Conflict => "conflict",
            Self::Login => "login",
            Self::Forbidden => "forbidden",
            Self::Throttled => "throttled",
            Self::Transient => "transient",
            Self::Exception => "exception",
            Self::Informational => "informational",
        }
    }

    fn severity(self) -> &'static str {
        match self {
            Self::Informational => "information",
            Self::Exception => "fatal",
            _ => "error",
        }
    }
}

/// One problem to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// What kind of problem.
    pub issue: IssueType,
    /// What a person can act on; free of health data.
    pub diagnostics: String,
    /// The place in the resource: a JSON pointer or FHIRPath, if known.
    pub expression: Option<String>,
}

/// Builds an OperationOutcome of `issues`; of none, one that says all is well.
///
/// ```
/// use sokhoe_exchange::fhir::{Issue, IssueType, operation_outcome};
/// let outcome = operation_outcome(&[Issue {
///     issue: IssueType::Required,
///     diagnostics: "a code is missing".to_owned(),
///     expression: Some("/code".to_owned()),
/// }]);
/// assert_eq!(outcome["issue"][0]["code"], "required");
/// ```
pub fn operation_outcome(issues: &[Issue]) -> Value {
    let well = [Issue {
        issue: IssueType::Informational,
        diagnostics: "all well".to_owned(),
        expression: None,
    }];
    let issues = if issues.is_empty() { &well } else { issues };
    let issues: Vec<Value> = issues.iter().map(render).collect();
    json!({"resourceType": "OperationOutcome", "issue": issues})
}

fn render(issue: &Issue) -> Value {
    let mut value = json!({
        "severity": issue.issue.severity(),
        "code": issue.issue.code(),
        "diagnostics": issue.diagnostics,
    });
    if let (Some(map), Some(expression)) = (value.as_object_mut(), &issue.expression) {
        map.insert("expression".to_owned(), json!([expression]));
    }
    value
}

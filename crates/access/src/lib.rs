//! Who asks, for what purpose, and what they may: principals, tokens and the rules.
//!
//! Owns the roles, the purposes, tokens and whose are believed, and every allow or deny rule with its stable id.
//! Refuses HTTP, clocks, randomness and I/O: the time of a check and a token's id are passed in, a decision is a value.
//! Invariant: what no rule permits is denied.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod deadlines;
mod decide;
mod defaults;
mod directive;
mod policy;
mod principal;
mod rules;
mod system;
mod token;

pub use deadlines::{AnswerTime, DEADLINES_VERSION, acknowledge_by, answer_by, answer_time};
pub use decide::{
    Because, Decision, EmergencyGrant, Outcome, POLICY_VERSION, PersonFacts, Question, Sight,
    decide,
};
pub use defaults::{
    DEFAULT_OTHERWISE, DEFAULTS, DefaultEffect, DefaultRule, Relation, default_for, defaults_table,
};
pub use directive::{Directive, directives};
pub use policy::{
    AppendDecision, AppendRequest, Corrected, Denial, Filter, GLASS_OPEN_US, ReadDecision,
    finds_by_identifier, may_append, may_break_glass, may_explain, may_prove, may_search,
    may_see_directives, may_see_looks, purpose_of_read,
};
pub use principal::{Principal, Purpose, PurposeError, Role, UnknownWord, role_of_sender};
pub use rules::{
    APPEND_RULES, AppendRule, Kinds, LOOKS_RULES, PROVE_RULES, READ_RULES, ReadRule, RuleId, Scope,
    rule_says, rules_table,
};
pub use system::{SystemAccount, SystemError};
pub use token::{
    AUDIENCE, Algorithm, Claims, ISSUER, Issuer, KEY_SET_BYTES_MAX, KeySet, KeySetError, Provider,
    ProviderTerms, REVOKED_BYTES_MAX, Revoked, RevokedError, SKEW_S, TOKEN_BYTES_MAX, TermsError,
    TokenError, Trust, Verifier,
};

//! The tables of the `health` schema, folded from the log into columns.
//!
//! Owns what the tables hold at every position. Each row is live in an interval `[from, until)` of positions: a
//! correction, a merge or an unmerge ends the rows it concerns and begins others, and nothing is ever changed in
//! place. Refuses to decide who may see what: labels, consents and roles are not looked at here, so a table leaves
//! this process only behind a gate that masks.

mod rows;
mod schema;
mod tables;
#[cfg(test)]
mod tests;

pub use schema::{Column, Kind, TABLES, Table, tables_page};
pub use tables::{Records, Tables};

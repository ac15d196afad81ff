//! Prints `queries/TABLES.md`: `cargo run -p sokhoe-projections --example tables > queries/TABLES.md`.
#![allow(clippy::print_stdout, reason = "printing is all it does")]

fn main() {
    print!("{}", sokhoe_projections::health::tables_page());
}

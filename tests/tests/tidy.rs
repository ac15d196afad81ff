//! The house rules as tests: which crate may know which, how big files and functions grow, what
//! they are called, and who may ask the clock. Each rule prints every place that breaks it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says so loudly"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The crates from the ground up. A crate may know those above its own line, no other: levels of
/// ARCHITECTURE.md, and within a level the order of its table.
const HOUSE: [(&str, &str); 18] = [
    ("sokhoe-record", "crates/record"),
    ("sokhoe-chain", "crates/chain"),
    ("sokhoe-codec", "crates/codec"),
    ("sokhoe-disk", "crates/disk"),
    ("sokhoe-vault", "crates/vault"),
    ("sokhoe-catalogue", "crates/catalogue"),
    ("sokhoe-storage", "storage"),
    ("sokhoe-registry", "crates/registry"),
    ("sokhoe-access", "crates/access"),
    ("sokhoe-commands", "crates/commands"),
    ("sokhoe-projections", "projections"),
    ("sokhoe-queries", "queries"),
    ("sokhoe-exchange", "crates/exchange"),
    ("sokhoe-population", "crates/population"),
    ("sokhoe-server", "crates/server"),
    ("sokhoe-cli", "crates/cli"),
    ("sokhoe-tests", "tests"),
    ("sokhoe-benches", "benches"),
];

/// What a crate refuses: (crate, words that must not stand in its code or its dependencies).
const REFUSED: [(&str, &[&str]); 6] = [
    (
        "crates/record",
        &["std::fs", "std::net", "tokio", "SystemTime"],
    ),
    (
        "crates/chain",
        &["std::fs", "std::net", "tokio", "SystemTime"],
    ),
    ("crates/codec", &["std::fs", "std::net", "tokio", "blake3"]),
    ("crates/access", &["axum", "hyper"]),
    ("crates/commands", &["axum", "hyper", "datafusion"]),
    ("projections", &["axum", "hyper", "datafusion"]),
];

/// Crates that may depend on the synthetic city: it must not leak into the product's own paths.
const MAY_USE_POPULATION: [&str; 3] = ["sokhoe-cli", "sokhoe-tests", "sokhoe-benches"];

/// Where the clock and the environment may be read; everywhere else they are passed in. The
/// server's `io` times idle connections, nothing that is ever stored.
const CLOCK_OWNERS: [&str; 6] = [
    "crates/cli/",
    "crates/server/src/clock.rs",
    "crates/server/src/io.rs",
    "crates/commands/src/clock.rs",
    "tests/",
    "benches/",
];

const FILE_LINES_MAX: usize = 700;
const FUNCTION_LINES_MAX: usize = 70;
/// A test may hold a table of cases.
const TEST_LINES_MAX: usize = 100;
/// Twelve lines say what a file owns; the pages that describe a format byte for byte need more.
const HEADER_LINES_MAX: usize = 40;

/// Module names that say nothing about a duty.
const EMPTY_NAMES: [&str; 8] = [
    "util", "utils", "common", "helpers", "misc", "types", "prelude", "mod",
];

#[test]
fn crate_arrows_point_downwards_only() {
    let rank: BTreeMap<&str, usize> = HOUSE
        .iter()
        .enumerate()
        .map(|(rank, (name, _))| (*name, rank))
        .collect();
    let mut broken = String::new();
    for (name, folder) in HOUSE {
        let Some(manifest) = manifest(folder) else {
            continue;
        };
        for dependency in dependencies(&manifest) {
            let Some(below) = rank.get(dependency.as_str()) else {
                if dependency.starts_with("sokhoe-") {
                    let _ = writeln!(broken, "{name} depends on {dependency}, which has no level");
                }
                continue;
            };
            if *below >= rank[name] {
                let _ = writeln!(
                    broken,
                    "{name} depends on {dependency}, which stands above it"
                );
            }
            if dependency == "sokhoe-population" && !MAY_USE_POPULATION.contains(&name) {
                let _ = writeln!(
                    broken,
                    "{name} uses synthetic people outside demo and tests"
                );
            }
        }
    }
    assert!(
        broken.is_empty(),
        "a crate knows lower levels only:\n{broken}"
    );
}

#[test]
fn every_member_of_the_workspace_has_a_level_and_the_shared_lints() {
    let workspace = manifest(".").expect("the workspace manifest");
    let members = workspace["workspace"]["members"]
        .as_array()
        .expect("a list of members");
    let mut broken = String::new();
    for member in members.iter().filter_map(toml::Value::as_str) {
        if !HOUSE.iter().any(|(_, folder)| *folder == member) {
            let _ = writeln!(broken, "{member}: not in the house; give it a level");
            continue;
        }
        let manifest = manifest(member).expect("a member's manifest");
        let lints = manifest
            .get("lints")
            .and_then(|lints| lints.get("workspace"));
        if lints.and_then(toml::Value::as_bool) != Some(true) {
            let _ = writeln!(broken, "{member}: `[lints] workspace = true` is missing");
        }
    }
    assert!(broken.is_empty(), "\n{broken}");
}

#[test]
fn crates_keep_away_from_what_they_refuse() {
    let mut broken = String::new();
    for (folder, words) in REFUSED {
        let manifest = manifest(folder).expect("a crate of the house");
        for dependency in dependencies(&manifest)
            .iter()
            .filter(|name| words.contains(&name.as_str()))
        {
            let _ = writeln!(broken, "{folder}/Cargo.toml depends on {dependency}");
        }
        for source in sources()
            .iter()
            .filter(|source| source.path.starts_with(folder))
        {
            for (line, code) in source.product_code() {
                for word in words.iter().filter(|word| code.contains(**word)) {
                    let _ = writeln!(broken, "{}:{line}: `{word}`", source.path);
                }
            }
        }
    }
    assert!(
        broken.is_empty(),
        "refused by the crate's own page:\n{broken}"
    );
}

#[test]
fn every_file_opens_with_what_it_owns() {
    let mut broken = String::new();
    for source in sources() {
        let header = source
            .text
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .count();
        if header == 0 {
            let _ = writeln!(broken, "{}: starts without `//!`", source.path);
        }
        if header > HEADER_LINES_MAX && !source.path.ends_with("lib.rs") {
            let _ = writeln!(broken, "{}: {header} header lines", source.path);
        }
    }
    assert!(
        broken.is_empty(),
        "1 to {HEADER_LINES_MAX} lines: owns, refuses, keeps:\n{broken}"
    );
}

#[test]
fn files_and_functions_have_one_duty() {
    let mut broken = String::new();
    for source in sources() {
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX {
            let _ = writeln!(broken, "{}: {lines} lines", source.path);
        }
        let limit = if source.of_tests() {
            TEST_LINES_MAX
        } else {
            FUNCTION_LINES_MAX
        };
        for (line, length) in long_functions(&source.text, limit) {
            let _ = writeln!(
                broken,
                "{}:{line}: a function of {length} lines",
                source.path
            );
        }
    }
    assert!(
        broken.is_empty(),
        "files {FILE_LINES_MAX}, functions {FUNCTION_LINES_MAX}:\n{broken}"
    );
}

#[test]
fn modules_are_named_after_a_duty() {
    let mut broken = String::new();
    for source in sources() {
        let path = Path::new(&source.path);
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        let folder = path
            .parent()
            .and_then(Path::file_name)
            .and_then(|name| name.to_str());
        if EMPTY_NAMES.contains(&stem) || folder.is_some_and(|name| EMPTY_NAMES.contains(&name)) {
            let _ = writeln!(broken, "{}", source.path);
        }
    }
    assert!(broken.is_empty(), "names that say nothing:\n{broken}");
}

#[test]
fn promises_to_do_something_carry_a_number() {
    let word = concat!("TO", "DO");
    let others = [
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("HA", "CK:"),
    ];
    let mut broken = String::new();
    for source in sources() {
        for (line, code) in numbered(&source.text) {
            let bare = code
                .match_indices(word)
                .any(|(at, _)| !code[at..].starts_with(concat!("TO", "DO(#")));
            if bare || others.iter().any(|other| code.contains(other)) {
                let _ = writeln!(broken, "{}:{line}", source.path);
            }
        }
    }
    assert!(broken.is_empty(), "`{word}(#n)` or nothing:\n{broken}");
}

#[test]
fn clock_and_environment_have_one_owner() {
    let words = [
        "SystemTime::now",
        "Instant::now",
        "env::var",
        "Utc::now",
        "Local::now",
    ];
    let mut broken = String::new();
    for source in sources() {
        if CLOCK_OWNERS
            .iter()
            .any(|owner| source.path.starts_with(owner))
        {
            continue;
        }
        for (line, code) in source.product_code() {
            let comment = code.trim_start().starts_with("//");
            if !comment && words.iter().any(|word| code.contains(word)) {
                let _ = writeln!(broken, "{}:{line}: {}", source.path, code.trim());
            }
        }
    }
    assert!(broken.is_empty(), "pass it in:\n{broken}");
}

#[test]
fn imports_name_what_they_import() {
    let mut broken = String::new();
    for source in sources() {
        for (line, code) in source.product_code() {
            let code = code.trim();
            let import = code.starts_with("use ") || code.starts_with("pub use ");
            if import && code.ends_with("::*;") {
                let _ = writeln!(broken, "{}:{line}: {code}", source.path);
            }
        }
    }
    assert!(broken.is_empty(), "no glob imports:\n{broken}");
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    let words = [
        concat!("/wo", "rk/"),
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
    ];
    let mut broken = String::new();
    for source in sources() {
        for (line, code) in numbered(&source.text) {
            if words.iter().any(|word| code.contains(word)) {
                let _ = writeln!(broken, "{}:{line}", source.path);
            }
        }
    }
    assert!(broken.is_empty(), "\n{broken}");
}

/// A Rust file of the workspace, its path from the workspace's root with forward slashes.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn of_tests(&self) -> bool {
        self.path.split('/').any(|part| {
            let folder = matches!(part, "tests" | "tests.rs" | "benches" | "examples");
            folder || part.ends_with("_tests.rs")
        })
    }

    /// The numbered lines of the product itself: nothing of test files and test modules.
    fn product_code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = if self.of_tests() { 0 } else { usize::MAX };
        numbered(&self.text)
            .take(lines)
            .take_while(|(_, code)| code.trim() != "#[cfg(test)]")
    }
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests lie in the workspace")
        .to_owned()
}

fn manifest(folder: &str) -> Option<toml::Value> {
    let text = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).ok()?;
    Some(
        text.parse::<toml::Table>()
            .expect("a manifest that parses")
            .into(),
    )
}

/// Names of the crates that the product code of a manifest may use, build scripts included.
fn dependencies(manifest: &toml::Value) -> Vec<String> {
    let tables = ["dependencies", "build-dependencies"];
    let found = tables
        .iter()
        .filter_map(|table| manifest.get(table)?.as_table());
    found.flat_map(|table| table.keys().cloned()).collect()
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for (_, folder) in HOUSE {
        collect(&root().join(folder), &mut found);
    }
    assert!(
        found.len() > 20,
        "the walk lost its way: {} files",
        found.len()
    );
    found
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("an entry of the folder").path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file in UTF-8");
            let relative = path.strip_prefix(root()).expect("a file of the workspace");
            let path = relative.to_string_lossy().replace('\\', "/");
            found.push(Source { path, text });
        }
    }
}

/// First lines and lengths of functions over the limit, told by rustfmt's indentation.
fn long_functions(text: &str, limit: usize) -> Vec<(usize, usize)> {
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut long = Vec::new();
    for (line, code) in numbered(text) {
        let trimmed = code.trim_start();
        let indent = code.len() - trimmed.len();
        if opens_function(trimmed) && !trimmed.ends_with(['}', ';']) {
            open.push((indent, line));
        } else if trimmed == "}" && open.last().is_some_and(|(at, _)| *at == indent) {
            let (_, first) = open.pop().expect("looked at it");
            let length = line - first + 1;
            if length > limit {
                long.push((first, length));
            }
        }
    }
    long
}

fn opens_function(trimmed: &str) -> bool {
    let mut words = trimmed.split_whitespace();
    let qualifiers = |word: &&str| {
        word.starts_with("pub") || matches!(*word, "const" | "async" | "in" | "super)" | "crate)")
    };
    words.find(|word| !qualifiers(word)) == Some("fn")
}

#[test]
fn long_functions_are_seen() {
    let body = "    step();\n".repeat(FUNCTION_LINES_MAX);
    let text = format!("pub(crate) async fn long() {{\n{body}}}\n\nfn short() {{}}\n");
    assert_eq!(
        long_functions(&text, FUNCTION_LINES_MAX),
        [(1, FUNCTION_LINES_MAX + 2)]
    );
}

//! Reading files and folders: what is a document, what is skipped and said, what the limits do.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use sokhoe_exchange::source::{Cut, Documents, Found, Limits, open};

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn tell(documents: Documents) -> Vec<String> {
    documents
        .map(|found| match found {
            Found::Document { place, bytes } => {
                let name = place
                    .file
                    .file_name()
                    .unwrap()
                    .to_string_lossy()
                    .into_owned();
                let line = place
                    .line
                    .map(|line| format!(":{line}"))
                    .unwrap_or_default();
                format!(
                    "{name}{line} {}",
                    String::from_utf8_lossy(&bytes).trim().replace('\n', "")
                )
            }
            Found::Skipped(skipped) => format!("skipped {}", skipped.because),
            Found::Unreadable { code, .. } => format!("unreadable {code}"),
        })
        .collect()
}

fn read(path: &Path, limits: Limits) -> Vec<String> {
    tell(open(&[path.to_owned()], Cut::ByContent, limits).unwrap())
}

#[test]
fn content_decides_between_one_document_and_one_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let check = |content: &str, expected: &[&str]| {
        let path = write(folder.path(), "a.json", content.as_bytes());
        assert_eq!(read(&path, Limits::default()), expected, "{content}");
    };
    check("{\"a\":1}", &["a.json {\"a\":1}"]);
    check("{\n\"a\":1}\n", &["a.json {\"a\":1}"]);
    check("[\n{\"a\":1}]\n", &["a.json [{\"a\":1}]"]);
    check(
        "{\"a\":1}\n{\"b\":1}\n",
        &["a.json:1 {\"a\":1}", "a.json:2 {\"b\":1}"],
    );
    check(
        "{\"a\n\n{\"b\":1}\n{}",
        &["a.json:1 {\"a", "a.json:3 {\"b\":1}", "a.json:4 {}"],
    );
}

#[test]
fn compressed_files_are_known_by_their_bytes() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "1.json.gz", &gzip(b"{\"a\":1}"));
    write(folder.path(), "2.json.bz2", &bzip2(b"{\"b\":1}"));
    write(folder.path(), "3.json", &gzip(b"{\"c\":1}"));
    assert_eq!(
        read(folder.path(), Limits::default()),
        [
            "1.json.gz {\"a\":1}",
            "2.json.bz2 {\"b\":1}",
            "3.json {\"c\":1}"
        ]
    );
}

#[test]
fn people_are_read_before_what_is_said_about_them() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "1-Observation.ndjson", b"{}");
    write(
        folder.path(),
        "2.ndjson",
        b"{\"resourceType\": \"Patient\"}",
    );
    write(folder.path(), "3-Organization.ndjson.gz", &gzip(b"{}"));
    write(folder.path(), "sub/4-Patient.ndjson", b"{}");
    write(folder.path(), "5.json", b"{}");
    let names: Vec<String> = read(folder.path(), Limits::default())
        .iter()
        .map(|line| line.split([' ', ':']).next().unwrap().to_owned())
        .collect();
    let expected = [
        "3-Organization.ndjson.gz",
        "2.ndjson",
        "4-Patient.ndjson",
        "5.json",
        "1-Observation.ndjson",
    ];
    assert_eq!(names, expected);
}

#[test]
fn other_files_are_skipped_and_said() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "notes.txt", b"{}");
    write(folder.path(), ".hidden.json", b"{}");
    let mut told = read(folder.path(), Limits::default());
    told.sort();
    assert_eq!(
        told,
        [
            "skipped a hidden file",
            "skipped neither .json nor .ndjson, plain, .gz or .bz2"
        ]
    );
}

#[test]
fn limits_are_told_and_reading_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits {
        document_bytes_max: 64,
        line_bytes_max: 16,
        file_bytes_max: 10_000,
    };
    let lines = format!("{{}}\n{{\"a\":\"{}\"}}\n{{}}\n", "x".repeat(32));
    let path = write(folder.path(), "a.ndjson", lines.as_bytes());
    assert_eq!(
        read(&path, limits),
        ["a.ndjson:1 {}", "unreadable too_large", "a.ndjson:3 {}"]
    );
    let long = format!("{{\n\"a\":\n\"{}\"}}", "x".repeat(64));
    let path = write(folder.path(), "b.json", long.as_bytes());
    assert_eq!(read(&path, limits), ["unreadable too_large"]);
    let bomb = gzip("{}\n".repeat(10_000).as_bytes());
    let path = write(folder.path(), "c.ndjson.gz", &bomb);
    assert_eq!(read(&path, limits).last().unwrap(), "unreadable too_large");
}

#[test]
fn a_broken_archive_and_an_empty_file_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut cut = gzip("{\"a\": 1}".repeat(100).as_bytes());
    cut.truncate(20);
    let path = write(folder.path(), "a.json.gz", &cut);
    assert_eq!(read(&path, Limits::default()), ["unreadable unreadable"]);
    let path = write(folder.path(), "b.json", b"");
    assert_eq!(read(&path, Limits::default()), ["unreadable unreadable"]);
    assert!(
        open(
            &[folder.path().join("absent")],
            Cut::Lines,
            Limits::default()
        )
        .is_err()
    );
}

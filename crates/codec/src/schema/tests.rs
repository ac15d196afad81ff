//! The mechanism of schema versions, shown on a kind of its own that has had three shapes.
#![expect(
    unreachable_pub,
    reason = "the macro that is tested defines public items"
)]

use crate::CodecError;
use crate::wire::{put, take_all};

use super::{SchemaVersion, gapless, upcast};

/// Stands for the kinds of the record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Note,
    Plain,
    NeverStored,
}

/// Stands for the data of the record.
#[derive(Debug, PartialEq)]
pub enum Data {
    Note(Box<Note>),
    Plain(Box<bool>),
}

/// The present shape: who wrote it may be unknown, and lines are a list.
#[derive(Debug, PartialEq, wincode::SchemaWrite, wincode::SchemaRead)]
pub struct Note {
    lines: Vec<String>,
    author: Option<String>,
}

/// The second shape: an author was always given.
#[derive(wincode::SchemaWrite, wincode::SchemaRead)]
struct NoteV2 {
    text: String,
    author: String,
}

/// The first shape.
#[derive(wincode::SchemaWrite, wincode::SchemaRead)]
struct NoteV1 {
    text: String,
}

impl From<NoteV1> for Note {
    fn from(old: NoteV1) -> Self {
        Self {
            lines: old.text.lines().map(str::to_owned).collect(),
            author: None,
        }
    }
}

impl From<NoteV2> for Note {
    fn from(old: NoteV2) -> Self {
        let NoteV2 { text, author } = old;
        Self {
            author: Some(author),
            ..Self::from(NoteV1 { text })
        }
    }
}

kinds! {
    3 Note 3, was 1 NoteV1, was 2 NoteV2;
    4 Plain 1;
}

fn bytes<T: wincode::SchemaWrite<crate::wire::Wire, Src = T>>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    put(value, &mut out).unwrap();
    out
}

fn note(author: Option<&str>) -> Data {
    Data::Note(Box::new(Note {
        lines: vec!["one".to_owned(), "two".to_owned()],
        author: author.map(str::to_owned),
    }))
}

#[test]
fn every_version_ever_written_is_read_as_the_present_shape() {
    let text = "one\ntwo".to_owned();
    let first = bytes(&NoteV1 { text: text.clone() });
    let author = "99001/BS-1".to_owned();
    let second = bytes(&NoteV2 { text, author });
    let mut third = Vec::new();
    put_data(&note(Some("99001/BS-1")), &mut third).unwrap();

    assert_eq!(take_data(3, 1, &first).unwrap(), note(None));
    assert_eq!(take_data(3, 2, &second).unwrap(), note(Some("99001/BS-1")));
    assert_eq!(take_data(3, 3, &third).unwrap(), note(Some("99001/BS-1")));
    let plain = take_data(4, 1, &[1]).unwrap();
    assert_eq!(plain, Data::Plain(Box::new(true)));
}

#[test]
fn today_only_the_latest_version_is_written() {
    assert_eq!(LATEST, &[(Kind::Note, 3, 3), (Kind::Plain, 4, 1)]);
    assert_eq!(schema_of(Kind::Note), Some((3, 3)));
    assert_eq!(schema_of(Kind::NeverStored), None);
}

#[test]
fn an_old_version_must_fit_to_the_last_byte_too() {
    let mut long = bytes(&NoteV1 {
        text: "one".to_owned(),
    });
    long.push(0);
    assert!(matches!(
        take_data(3, 1, &long),
        Err(CodecError::Malformed(_))
    ));
}

#[test]
fn versions_and_kinds_of_the_future_are_refused() {
    for (number, version) in [(3, 0), (3, 4), (5, 1), (0, 0)] {
        let read = take_data(number, version, &[]);
        assert!(
            matches!(read, Err(CodecError::UnknownSchema { kind, version: v }) if (kind, v) == (number, version))
        );
    }
}

#[test]
fn a_row_with_a_gap_is_noticed() {
    assert!(gapless(1, 1, &[]));
    assert!(gapless(1, 3, &[1, 2]));
    for frozen in [&[][..], &[1], &[2], &[2, 1], &[1, 3], &[1, 2, 3]] {
        assert!(!gapless(1, 3, frozen), "{frozen:?}");
    }
}

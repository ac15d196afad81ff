//! Canonical bytes of a JSON value, for digests that must not depend on white space or the order of keys.

use super::{Node, Value};

/// Feeds the canonical bytes of a value to `sink`: keys sorted by bytes, no white space, only the escapes that JSON
/// demands, numbers as they were sent.
pub fn canonical(node: &Node<'_>, sink: &mut impl FnMut(&[u8])) {
    match node.value() {
        Value::Null | Value::Bool(_) | Value::Number(_) => sink(node.raw().as_bytes()),
        Value::Text(text) => quoted(text, sink),
        Value::List(items) => {
            sink(b"[");
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    sink(b",");
                }
                canonical(item, sink);
            }
            sink(b"]");
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by(|left, right| left.0.cmp(&right.0));
            sink(b"{");
            for (index, (key, value)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    sink(b",");
                }
                quoted(key, sink);
                sink(b":");
                canonical(value, sink);
            }
            sink(b"}");
        }
    }
}

fn quoted(text: &str, sink: &mut impl FnMut(&[u8])) {
    sink(b"\"");
    let mut rest = text;
    // What needs an escape is one byte, which no other character holds.
    let special = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    while let Some(at) = rest.bytes().position(special) {
        let (plain, tail) = rest.split_at(at);
        sink(plain.as_bytes());
        let mut tail = tail.chars();
        if let Some(special) = tail.next() {
            escaped(special, sink);
        }
        rest = tail.as_str();
    }
    sink(rest.as_bytes());
    sink(b"\"");
}

fn escaped(special: char, sink: &mut impl FnMut(&[u8])) {
    match special {
        '"' => sink(b"\\\""),
        '\\' => sink(b"\\\\"),
        '\n' => sink(b"\\n"),
        '\r' => sink(b"\\r"),
        '\t' => sink(b"\\t"),
        '\u{8}' => sink(b"\\b"),
        '\u{c}' => sink(b"\\f"),
        other => sink(format!("\\u{:04x}", u32::from(other)).as_bytes()),
    }
}

//! Promises of the JSON reader, many by comparison with serde_json.

use proptest::prelude::*;

use super::{Limits, Node, Value, canonical, parse, parse_with};

fn what(text: &[u8]) -> &'static str {
    parse(text)
        .expect_err("this text is not JSON as we want it")
        .what
}

fn canonical_text(text: &str) -> String {
    let mut bytes = Vec::new();
    canonical(&parse(text.as_bytes()).unwrap(), &mut |part| {
        bytes.extend_from_slice(part)
    });
    String::from_utf8(bytes).unwrap()
}

/// Whether our tree says the same as serde_json's.
fn same(ours: &Node<'_>, theirs: &serde_json::Value) -> bool {
    match (ours.value(), theirs) {
        (Value::Null, serde_json::Value::Null) => true,
        (Value::Bool(left), serde_json::Value::Bool(right)) => left == right,
        (Value::Number(left), serde_json::Value::Number(right)) => {
            left.parse::<f64>().ok() == right.as_f64()
        }
        (Value::Text(left), serde_json::Value::String(right)) => left == right,
        (Value::List(left), serde_json::Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same(l, r))
        }
        (Value::Object(left), serde_json::Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, node)| right.get(&**key).is_some_and(|r| same(node, r)))
        }
        _ => false,
    }
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        (-1e9..1e9f64).prop_map(Into::into),
        ".{0,12}".prop_map(Into::into),
        "[a-z\\\\\"\n\u{1}é😀]{0,20}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map("[a-z\\\\é]{0,6}", inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_json_reads_as_serde_json_reads_it(value in json_value(), pretty: bool) {
        let text = match pretty {
            true => serde_json::to_string_pretty(&value).unwrap(),
            false => serde_json::to_string(&value).unwrap(),
        };
        let node = parse(text.as_bytes()).unwrap();
        prop_assert!(same(&node, &value), "{text}");
        let again = canonical_text(&text);
        prop_assert!(same(&parse(again.as_bytes()).unwrap(), &value));
        prop_assert_eq!(canonical_text(&again), again);
    }

    #[test]
    fn what_serde_json_refuses_is_refused(text in "[\\[\\]{}:,\"\\\\0-9eE+.a-z \n-]{0,24}") {
        if serde_json::from_str::<serde_json::Value>(&text).is_err() {
            // It also refuses numbers too large for a double, which we keep as text.
            let number = text.trim().bytes().any(|byte| byte.is_ascii_digit());
            prop_assert!(parse(text.as_bytes()).is_err() || number, "{text}");
        }
    }

    #[test]
    fn short_texts_are_taken_as_serde_json_takes_them(text in "[\\[\\]{}:,\"\\\\1tn.-]{0,8}") {
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        match parse(text.as_bytes()) {
            Ok(node) => prop_assert!(same(&node, &theirs.unwrap()), "{text}"),
            Err(error) => prop_assert!(theirs.is_err() || error.what.contains("twice"), "{text}"),
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn damaged_json_never_panics(value in json_value(), at: prop::sample::Index, byte: u8) {
        let mut bytes = serde_json::to_vec(&value).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = parse(&bytes);
        let _ = parse(&bytes[..at]);
    }
}

#[test]
fn an_error_names_its_place() {
    let error = parse(b"{\n  \"a\": 1,\n  \"b\": x\n}").unwrap_err();
    assert_eq!((error.offset, error.line, error.column), (19, 3, 8));
}

#[test]
fn what_two_readers_could_read_differently_is_refused() {
    assert_eq!(
        what(br#"{"a":1,"a":2}"#),
        "the same key stands twice in one object"
    );
    assert_eq!(
        what(br#"{"a":1,"\u0061":2}"#),
        "the same key stands twice in one object"
    );
    assert_eq!(
        what(br#""\ud800""#),
        "half of a surrogate pair stands alone"
    );
    assert_eq!(
        what(br#""\udc00""#),
        "half of a surrogate pair stands alone"
    );
    assert_eq!(what(b"\"\xff\""), "invalid UTF-8");
    assert_eq!(what(b"1 2"), "expected the end after the value");
    assert_eq!(
        what(b"\"a\nb\""),
        "a control character in a text must be escaped"
    );
    assert_eq!(what(b""), "expected a value, found the end");
}

#[test]
fn a_duplicate_in_a_large_object_is_found() {
    let members: Vec<_> = (0..100).map(|n| format!("\"k{}\":0", n % 99)).collect();
    assert!(what(format!("{{{}}}", members.join(",")).as_bytes()).contains("twice"));
}

#[test]
fn a_depth_bomb_is_refused() {
    let deep = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
    assert!(parse(&deep(64)).is_ok());
    assert_eq!(what(&deep(65)), "lists and objects are nested too deep");
    assert!(parse(&vec![b'['; 1_000_000]).is_err());
}

#[test]
fn a_text_over_the_limit_is_refused() {
    let limits = Limits {
        bytes_max: 3,
        ..Limits::default()
    };
    assert!(parse_with(b"123", limits).is_ok());
    assert!(parse_with(b"1234", limits).is_err());
}

#[test]
fn numbers_and_raw_slices_stay_as_sent() {
    let node = parse(br#"{"a": [6.50, {"b" : 1e2}]}"#).unwrap();
    let items = node.items("a");
    assert_eq!(items[0].as_number(), Some("6.50"));
    assert_eq!(items[1].raw(), r#"{"b" : 1e2}"#);
}

#[test]
fn canonical_bytes_ignore_order_space_and_escapes() {
    let left = canonical_text("{\"b\": [1.0, null], \"a\": \"\\u0041\\/\\n\"}");
    assert_eq!(left, r#"{"a":"A/\n","b":[1.0,null]}"#);
    assert_eq!(
        left,
        canonical_text("{ \"a\":\"A/\\u000a\",\"b\":[1.0,null]}")
    );
}

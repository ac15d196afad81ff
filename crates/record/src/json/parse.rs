//! The JSON reader: one pass over checked UTF-8, borrowing wherever no escape forces a copy.

use std::borrow::Cow;

use super::{JsonError, Node, Value};
use crate::limits::JSON_DEPTH_MAX;

/// Members up to which duplicate keys are looked for by comparing each with each.
const FEW_MEMBERS: usize = 24;

/// What a text may hold at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Lists and objects inside one another.
    pub depth_max: usize,
    /// Bytes of the whole text.
    pub bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth_max: JSON_DEPTH_MAX,
            bytes_max: usize::MAX,
        }
    }
}

/// Reads one JSON text with the default limits.
///
/// # Errors
/// Names the byte where the text stops being JSON, or breaks one of this crate's stricter rules.
pub fn parse(bytes: &[u8]) -> Result<Node<'_>, JsonError> {
    parse_with(bytes, Limits::default())
}

/// Reads one JSON text.
///
/// # Errors
/// Names the byte where the text stops being JSON, or breaks one of this crate's stricter rules.
pub fn parse_with(bytes: &[u8], limits: Limits) -> Result<Node<'_>, JsonError> {
    if bytes.len() > limits.bytes_max {
        return Err(error_at(
            bytes,
            limits.bytes_max,
            "the text is longer than allowed",
        ));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| error_at(bytes, error.valid_up_to(), "invalid UTF-8"))?;
    let mut parser = Parser {
        text,
        bytes,
        at: 0,
        depth_left: limits.depth_max,
    };
    parser
        .document()
        .map_err(|fault| error_at(bytes, fault.at, fault.what))
}

/// A fault before line and column are counted.
struct Fault {
    at: usize,
    what: &'static str,
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth_left: usize,
}

impl<'a> Parser<'a> {
    fn document(&mut self) -> Result<Node<'a>, Fault> {
        self.space();
        let node = self.node()?;
        self.space();
        match self.peek() {
            None => Ok(node),
            Some(_) => self.fault("expected the end after the value"),
        }
    }

    fn node(&mut self) -> Result<Node<'a>, Fault> {
        let start = self.at;
        let value = match self.peek() {
            Some(b'"') => Value::Text(self.text_value()?),
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::list)?,
            Some(b'-' | b'0'..=b'9') => Value::Number(self.number()?),
            Some(b't') => self.word("true", Value::Bool(true))?,
            Some(b'f') => self.word("false", Value::Bool(false))?,
            Some(b'n') => self.word("null", Value::Null)?,
            Some(_) => return self.fault("expected a value"),
            None => return self.fault("expected a value, found the end"),
        };
        Ok(Node {
            raw: self.slice(start, self.at),
            value,
        })
    }

    fn nested(
        &mut self,
        inner: fn(&mut Self) -> Result<Value<'a>, Fault>,
    ) -> Result<Value<'a>, Fault> {
        if self.depth_left == 0 {
            return self.fault("lists and objects are nested too deep");
        }
        self.depth_left -= 1;
        self.at += 1;
        let value = inner(self)?;
        self.depth_left += 1;
        Ok(value)
    }

    fn object(&mut self) -> Result<Value<'a>, Fault> {
        self.space();
        if self.take(b'}') {
            return Ok(Value::Object(Vec::new()));
        }
        let mut members: Vec<(Cow<'a, str>, Node<'a>)> = Vec::with_capacity(8);
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return self.fault("expected a key in double quotes");
            }
            let key_at = self.at;
            let key = self.text_value()?;
            if members.len() <= FEW_MEMBERS && members.iter().any(|(other, _)| *other == key) {
                return Err(Fault {
                    at: key_at,
                    what: "the same key stands twice in one object",
                });
            }
            self.space();
            if !self.take(b':') {
                return self.fault("expected a colon after the key");
            }
            self.space();
            members.push((key, self.node()?));
            self.space();
            if self.take(b',') {
                continue;
            }
            if self.take(b'}') {
                break;
            }
            return self.fault("expected a comma or a closing brace");
        }
        if members.len() > FEW_MEMBERS && has_duplicate(&members) {
            return self.fault("the same key stands twice in the object that ends here");
        }
        Ok(Value::Object(members))
    }

    fn list(&mut self) -> Result<Value<'a>, Fault> {
        self.space();
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(Value::List(items));
        }
        loop {
            self.space();
            items.push(self.node()?);
            self.space();
            if self.take(b',') {
                continue;
            }
            if self.take(b']') {
                return Ok(Value::List(items));
            }
            return self.fault("expected a comma or a closing bracket");
        }
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, Fault> {
        if !self.rest().starts_with(word.as_bytes()) {
            return self.fault("expected true, false or null");
        }
        self.at += word.len();
        Ok(value)
    }

    fn number(&mut self) -> Result<&'a str, Fault> {
        let start = self.at;
        self.take(b'-');
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return self.fault("expected a digit"),
        }
        if self.take(b'.') {
            self.some_digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.some_digits()?;
        }
        Ok(self.slice(start, self.at))
    }

    fn some_digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        self.digits();
        if self.at == start {
            self.fault("expected a digit")
        } else {
            Ok(())
        }
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    /// Reads a text from its opening quote to past its closing one.
    fn text_value(&mut self) -> Result<Cow<'a, str>, Fault> {
        self.at += 1;
        let start = self.at;
        self.plain();
        if self.peek() == Some(b'"') {
            let text = self.slice(start, self.at);
            self.at += 1;
            return Ok(Cow::Borrowed(text));
        }
        let mut text = String::from(self.slice(start, self.at));
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return self.fault("a control character in a text must be escaped"),
                None => return self.fault("a text has no closing quote"),
            }
            let run = self.at;
            self.plain();
            text.push_str(self.slice(run, self.at));
        }
    }

    /// Moves to the next quote, backslash or control character, eight bytes at a time.
    fn plain(&mut self) {
        const ONES: u64 = 0x0101_0101_0101_0101;
        const HIGHS: u64 = 0x8080_8080_8080_8080;
        // The lowest marked byte is exact: a borrow can only travel upwards from a true hit.
        let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
        while let Some(chunk) = self.rest().first_chunk::<8>() {
            let word = u64::from_le_bytes(*chunk);
            let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
            let hit = control
                | zero(word ^ (ONES * u64::from(b'"')))
                | zero(word ^ (ONES * u64::from(b'\\')));
            if hit != 0 {
                self.at += (hit.trailing_zeros() / 8) as usize;
                return;
            }
            self.at += 8;
        }
        while matches!(self.peek(), Some(byte) if byte != b'"' && byte != b'\\' && byte >= 0x20) {
            self.at += 1;
        }
    }

    fn escape(&mut self) -> Result<char, Fault> {
        self.at += 1;
        let escaped = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return self.fault("unknown escape in a text"),
        };
        self.at += 1;
        Ok(escaped)
    }

    /// Reads `uXXXX`, and the second half of a surrogate pair.
    fn unicode(&mut self) -> Result<char, Fault> {
        let start = self.at;
        let lone = Fault {
            at: start,
            what: "half of a surrogate pair stands alone",
        };
        let first = self.hex()?;
        let code = match first {
            0xD800..=0xDBFF => {
                if !self.rest().starts_with(b"\\u") {
                    return Err(lone);
                }
                self.at += 1;
                let second = self.hex()?;
                if !(0xDC00..=0xDFFF).contains(&second) {
                    return Err(lone);
                }
                0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)
            }
            other => other,
        };
        char::from_u32(code).ok_or(lone)
    }

    fn hex(&mut self) -> Result<u32, Fault> {
        self.at += 1;
        let mut code = 0;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|byte| char::from(byte).to_digit(16)) else {
                return self.fault("expected four hexadecimal digits");
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// The parser only stops at ASCII bytes, so both ends are always character boundaries.
    fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    fn fault<T>(&self, what: &'static str) -> Result<T, Fault> {
        Err(Fault { at: self.at, what })
    }
}

fn has_duplicate(members: &[(Cow<'_, str>, Node<'_>)]) -> bool {
    let mut keys: Vec<&str> = members.iter().map(|(key, _)| &**key).collect();
    keys.sort_unstable();
    keys.windows(2)
        .any(|pair| matches!(pair, [left, right] if left == right))
}

#[cold]
fn error_at(bytes: &[u8], offset: usize, what: &'static str) -> JsonError {
    let before = bytes.get(..offset).unwrap_or(bytes);
    let line_start = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    JsonError {
        offset,
        line,
        column: offset - line_start.min(offset) + 1,
        what,
    }
}

//! The form in which codes are compared: ICD-10 and ATC without dots, dagger and asterisk marks and
//! in capitals, everything else as written. Never allocates: keys are short.

use std::fmt;

/// Longest code that is compared; longer ones are in no list.
pub(crate) const KEY_BYTES_MAX: usize = 64;

/// A code in its comparable form.
#[derive(Clone, Copy)]
pub(crate) struct CodeKey {
    bytes: [u8; KEY_BYTES_MAX],
    len: usize,
}

impl CodeKey {
    /// Makes the key of `code` in `system`; `None` when it is too long to be in any list.
    pub(crate) fn new(system: &str, code: &str) -> Option<Self> {
        let mut key = Self {
            bytes: [0; KEY_BYTES_MAX],
            len: 0,
        };
        if matches!(system, "icd10" | "atc") {
            let marks = |c: &char| matches!(c, '.' | '†' | '*' | '+') || c.is_whitespace();
            for c in code.chars().filter(|c| !marks(c)) {
                key.push(c.to_ascii_uppercase())?;
            }
        } else {
            let trimmed = code.trim();
            key.bytes
                .get_mut(..trimmed.len())?
                .copy_from_slice(trimmed.as_bytes());
            key.len = trimmed.len();
        }
        Some(key)
    }

    /// The key's text.
    pub(crate) fn as_str(&self) -> &str {
        // Only whole characters are pushed, so the bytes are always valid UTF-8.
        self.bytes
            .get(..self.len)
            .and_then(|b| std::str::from_utf8(b).ok())
            .unwrap_or_default()
    }

    fn push(&mut self, c: char) -> Option<()> {
        let room = self.bytes.get_mut(self.len..)?;
        if room.len() < c.len_utf8() {
            return None;
        }
        self.len += c.encode_utf8(room).len();
        Some(())
    }
}

impl fmt::Debug for CodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn icd_codes_compare_without_dots_and_marks() {
        for (code, key) in [
            ("e11.9", "E119"),
            ("A17.0†", "A170"),
            ("G01*", "G01"),
            (" I10 ", "I10"),
        ] {
            assert_eq!(CodeKey::new("icd10", code).unwrap().as_str(), key);
        }
    }

    #[test]
    fn other_codes_compare_as_written() {
        assert_eq!(CodeKey::new("loinc", "8480-6").unwrap().as_str(), "8480-6");
    }

    #[test]
    fn a_code_too_long_for_any_list_has_no_key() {
        for code in ["x".repeat(65), "ệ".repeat(40)] {
            assert!(CodeKey::new("icd10", &code).is_none());
            assert!(CodeKey::new("dvhc", &code).is_none());
        }
    }
}

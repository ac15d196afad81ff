//! Derived names: event ids, people's identifiers, codes of facilities and professionals. All are functions of the
//! source and of what stands in the resource, so that loading twice, or files in another order, gives the same.

use std::fmt::{self, Write as _};

use sokhoe_record::Instant;

/// A keyed hash over the concatenation of length-framed parts, supplied by the owner of the key.
pub type KeyedHash<'a> = dyn Fn(&[&[u8]]) -> [u8; 32] + Sync + 'a;

/// Characters of a source's name at most.
pub const SOURCE_CHARS_MAX: usize = 32;

/// Characters of a resource id that are kept as they are; FHIR allows 64, longer ones are hashed.
const ID_CHARS_MAX: usize = 64;

/// Who sends: the name of the source and what its documents get when they do not say more.
pub struct Context<'a> {
    source: String,
    caller_facility: Option<String>,
    default_facility: String,
    patient_system: String,
    received: Instant,
    hash: &'a KeyedHash<'a>,
}

/// A source's name that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("name a source: expected 1 to {SOURCE_CHARS_MAX} of a-z, 0-9, dot, hyphen, underscore")]
pub struct BadSource;

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl<'a> Context<'a> {
    /// Makes the context of `source`. Where the caller is signed in for a facility, pass it: every event then
    /// carries it, and the source's ids are told apart from the same ids sent by another facility.
    /// `received` is when the documents came; it dates what no document dates.
    ///
    /// # Errors
    /// A source's name of other characters, or too long.
    pub fn new(
        source: &str,
        caller_facility: Option<&str>,
        received: Instant,
        hash: &'a KeyedHash<'a>,
    ) -> Result<Self, BadSource> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c);
        if source.is_empty() || source.len() > SOURCE_CHARS_MAX || !source.chars().all(plain) {
            return Err(BadSource);
        }
        let default_facility = if source.starts_with("fhir") {
            source.to_owned()
        } else {
            format!("fhir-{source}")
        };
        let source = match caller_facility {
            Some(facility) => format!("{source}-{facility}"),
            None => source.to_owned(),
        };
        Ok(Self {
            patient_system: format!("mrn/{source}"),
            caller_facility: caller_facility.map(str::to_owned),
            default_facility,
            source,
            received,
            hash,
        })
    }

    /// Returns the name under which this source's ids live.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns the identifier system of this source's Patient ids.
    pub fn patient_system(&self) -> &str {
        &self.patient_system
    }

    pub(crate) fn received(&self) -> Instant {
        self.received
    }

    pub(crate) fn caller_facility(&self) -> Option<&str> {
        self.caller_facility.as_deref()
    }

    pub(crate) fn default_facility(&self) -> &str {
        &self.default_facility
    }

    /// Derives the id of the event that `part` of a resource becomes (`""` for the resource itself).
    pub(crate) fn event_id(&self, kind: &str, id: &str, part: &str) -> [u8; 16] {
        let source = self.source.as_bytes();
        if part.is_empty() {
            return as_uuid((self.hash)(&[
                b"fhir",
                source,
                kind.as_bytes(),
                id.as_bytes(),
            ]));
        }
        let parts: [&[u8]; 5] = [
            b"fhir",
            source,
            kind.as_bytes(),
            id.as_bytes(),
            part.as_bytes(),
        ];
        as_uuid((self.hash)(&parts))
    }

    /// Derives the id of `part` of what a changed resource becomes: the same change gives the same id.
    pub(crate) fn revision_id(
        &self,
        original: &[u8; 16],
        content: &[u8; 32],
        part: &str,
    ) -> [u8; 16] {
        as_uuid((self.hash)(&[
            b"fhir-revision",
            original,
            content,
            part.as_bytes(),
        ]))
    }

    /// Returns the value under [`Context::patient_system`] of the Patient with `id`.
    pub(crate) fn patient_value(&self, id: &str) -> String {
        if !id.is_empty() && id.chars().count() <= ID_CHARS_MAX {
            return id.to_owned();
        }
        digest_name("id", &[self.source.as_bytes(), b"Patient", id.as_bytes()])
    }

    /// Maps a FHIR identifier of a person to a system and value of ours. Numbers that name nobody here for certain
    /// (foreign social security and driving licence numbers) give `None`: they are kept, but identify nobody.
    pub(crate) fn person_identifier(
        &self,
        system: &str,
        kind: &str,
        value: &str,
    ) -> Option<(String, String)> {
        if value.is_empty() {
            return None;
        }
        if matches!(kind, "SS" | "DL" | "SB") || system == "http://hl7.org/fhir/sid/us-ssn" {
            return None;
        }
        let alias = last_word(system).to_ascii_lowercase();
        let national = match alias.as_str() {
            "cccd" | "dinh-danh" | "personal-number" => Some("cccd"),
            "cmnd" => Some("cmnd"),
            "bhxh" | "social-insurance" => Some("bhxh"),
            "bhyt" | "health-insurance" => Some("bhyt"),
            "birth-certificate" | "birth_certificate" | "gks" => Some("birth_certificate"),
            _ if kind == "PPN" || alias.starts_with("passport") => Some("passport"),
            _ => None,
        };
        match national {
            Some("cccd") if !is_personal_number(value) => {}
            Some(national) => return Some((national.to_owned(), value.to_owned())),
            None => {}
        }
        let value = if value.chars().count() <= ID_CHARS_MAX {
            value.to_owned()
        } else {
            digest_name("id", &[value.as_bytes()])
        };
        Some((format!("{}.{}", self.patient_system, slug(system)), value))
    }
}

/// Says whether `value` has the shape of a Vietnamese personal number.
fn is_personal_number(value: &str) -> bool {
    value.len() == 12 && value.bytes().all(|byte| byte.is_ascii_digit())
}

/// Derives the code of the facility that an identifier names. A Vietnamese facility code is used as it is.
pub(crate) fn facility_code(kind: &str, system: &str, value: &str) -> String {
    let alias = last_word(system).to_ascii_lowercase();
    let national = matches!(alias.as_str(), "cskcb" | "ma-cskcb" | "facility");
    if national && value.len() == 5 && value.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return value.to_owned();
    }
    let prefix = if kind == "Location" { "loc" } else { "org" };
    digest_name(prefix, &[scope(system, value).as_bytes(), value.as_bytes()])
}

/// Derives the id of the professional that an identifier names.
pub(crate) fn practitioner_id(system: &str, value: &str) -> String {
    let plain = value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if system == "http://hl7.org/fhir/sid/us-npi" && plain && value.len() <= ID_CHARS_MAX {
        return format!("us-npi/{value}");
    }
    digest_name(
        "pract",
        &[scope(system, value).as_bytes(), value.as_bytes()],
    )
}

/// The system that makes a value unique: none for a UUID, which is unique by itself, so that a reference by id and
/// one by identifier meet where a source uses one UUID for both.
fn scope<'a>(system: &'a str, value: &str) -> &'a str {
    let uuid = value.len() == 36
        && value.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    if uuid { "" } else { system }
}

/// Names something by the first 8 bytes of a plain hash: codes of places and professionals are no secret.
fn digest_name(prefix: &str, parts: &[&[u8]]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part);
    }
    let mut name = String::with_capacity(prefix.len() + 17);
    name.push_str(prefix);
    name.push('-');
    for byte in hasher.finalize().as_bytes().iter().take(8) {
        // Writing to a String cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// The last part of a system's address that carries meaning.
fn last_word(system: &str) -> &str {
    system
        .trim_end_matches('/')
        .rsplit(['/', ':', '#'])
        .next()
        .unwrap_or(system)
}

/// A short readable form of a system's address, or a digest where that would be long or ambiguous.
fn slug(system: &str) -> String {
    let bare = system
        .trim_start_matches("https://")
        .trim_start_matches("http://")
        .trim_start_matches("urn:oid:");
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
    if !bare.is_empty() && bare.len() <= 40 && bare.chars().all(plain) {
        return bare.to_owned();
    }
    digest_name("s", &[system.as_bytes()])
}

/// Makes a UUID of version 8 (made by a rule of one's own) of the first 16 bytes.
fn as_uuid(hash: [u8; 32]) -> [u8; 16] {
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(hash) {
        *to = from;
    }
    let [.., version, _, variant, _, _, _, _, _, _, _] = &mut id;
    *version = (*version & 0x0f) | 0x80;
    *variant = (*variant & 0x3f) | 0x80;
    id
}

//! Systems that show a certificate instead of a token: which certificate speaks for which account.
//!
//! Owns the terms of such an account; refuses roles of people, who sign in with more than a file on a disk.

use thiserror::Error;

use crate::principal::{Principal, Role, sender_of};

/// The longest name or account, in bytes.
const TEXT_BYTES_MAX: usize = 255;

/// A system's account, for whoever proves to hold a certificate with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemAccount {
    /// The DNS name in the certificate (subjectAltName), in lower case.
    pub name: String,
    /// The account, as a token's `sub` would name it: who changes from tokens to a certificate stays the same sender.
    pub account: String,
    /// What the system is.
    pub role: Role,
    /// The facility that it acts for.
    pub facility: Option<String>,
}

/// Why an account is not usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SystemError {
    /// No DNS name in lower case.
    #[error("the name must be a DNS name in lower case, without wildcards")]
    Name,
    /// Empty, too long, or with control characters.
    #[error("account and facility must be 1 to {TEXT_BYTES_MAX} bytes without control characters")]
    Text,
    /// A role of people.
    #[error("the role must be hospital or dashboard: people sign in with a token")]
    Role,
    /// A facility's system without its facility.
    #[error("a system of the role hospital names its facility")]
    NoFacility,
}

impl SystemAccount {
    /// The roles that systems have.
    pub const ROLES: &'static [Role] = &[Role::Hospital, Role::Dashboard];

    /// Checks the account's terms.
    ///
    /// # Errors
    /// [`SystemError`] says what is wrong and what would be right.
    pub fn check(&self) -> Result<(), SystemError> {
        let letter = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.')
        };
        let sized = |text: &str| (1..=TEXT_BYTES_MAX).contains(&text.len());
        if !sized(&self.name) || !self.name.bytes().all(letter) {
            return Err(SystemError::Name);
        }
        let texts = [Some(&self.account), self.facility.as_ref()];
        let usable = |text: &String| sized(text) && !text.chars().any(char::is_control);
        if !texts.into_iter().flatten().all(usable) {
            return Err(SystemError::Text);
        }
        if !Self::ROLES.contains(&self.role) {
            return Err(SystemError::Role);
        }
        if self.role.staff() && self.facility.is_none() {
            return Err(SystemError::NoFacility);
        }
        Ok(())
    }

    /// Returns the caller behind a connection whose certificate has this name.
    #[must_use]
    pub fn principal(&self) -> Principal {
        Principal {
            sub: self.account.clone(),
            role: self.role,
            facility: self.facility.clone(),
            jurisdiction: None,
            person: None,
            study: None,
            jti: String::new(),
            expires_at_s: i64::MAX,
            sender: sender_of(self.role, self.facility.as_deref(), &self.account),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn his() -> SystemAccount {
        SystemAccount {
            name: "his.example.vn".to_owned(),
            account: "his".to_owned(),
            role: Role::Hospital,
            facility: Some("99001".to_owned()),
        }
    }

    #[test]
    fn a_system_is_the_sender_that_its_tokens_were() {
        assert_eq!(his().principal().sender, "hospital:his@99001");
    }

    #[test]
    fn only_systems_show_certificates() {
        let check = |change: fn(&mut SystemAccount)| {
            let mut account = his();
            change(&mut account);
            account.check()
        };
        assert_eq!(check(|_| ()), Ok(()));
        assert_eq!(
            check(|a| a.name = "*.example.vn".to_owned()),
            Err(SystemError::Name)
        );
        assert_eq!(
            check(|a| a.name = "HIS.example.vn".to_owned()),
            Err(SystemError::Name)
        );
        assert_eq!(check(|a| a.account.clear()), Err(SystemError::Text));
        assert_eq!(check(|a| a.role = Role::Clinician), Err(SystemError::Role));
        assert_eq!(check(|a| a.role = Role::Admin), Err(SystemError::Role));
        assert_eq!(check(|a| a.facility = None), Err(SystemError::NoFacility));
    }
}

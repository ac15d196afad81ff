//! How much one client may ask of the server in a time, and how long whoever asked more must wait.
//!
//! Owns the accounts of it: one instant for each client, at which its allowance will be whole again (the generic cell
//! rate algorithm). A client whose allowance is whole takes no memory; the memory of the others is bounded.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// An allowance: so many at once, and then so many a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) per_s: u32,
    pub(crate) burst: u32,
}

/// What clients have used of their allowances.
#[derive(Debug)]
pub(crate) struct Allowances<K> {
    /// How long one takes to come back.
    each: Duration,
    /// How long all take to come back.
    all: Duration,
    clients_max: usize,
    whole_at: Mutex<HashMap<K, Instant>>,
}

impl<K: Eq + Hash> Allowances<K> {
    pub(crate) fn new(rate: Rate, clients_max: usize) -> Self {
        let each = Duration::from_secs(1) / rate.per_s.max(1);
        Self {
            each,
            all: each.saturating_mul(rate.burst.max(1)),
            clients_max,
            whole_at: Mutex::default(),
        }
    }

    /// Takes one of the client's allowance.
    ///
    /// # Errors
    /// How long to wait until there is one.
    pub(crate) fn take(&self, client: K, now: Instant) -> Result<(), Duration> {
        let mut whole_at = self.whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = whole_at.get_mut(&client) {
            let next = (*at).max(now) + self.each;
            self.within(next, now)?;
            *at = next;
            return Ok(());
        }
        if whole_at.len() >= self.clients_max {
            whole_at.retain(|_, at| *at > now);
        }
        if whole_at.len() >= self.clients_max {
            // More clients than are remembered: forgetting half is kind to some of them, and cheap on average.
            let mut keep = false;
            whole_at.retain(|_, _| {
                keep = !keep;
                keep
            });
        }
        whole_at.insert(client, now + self.each);
        Ok(())
    }

    /// Looks whether the client has any allowance left, and takes none.
    ///
    /// # Errors
    /// How long to wait until there is.
    pub(crate) fn look(&self, client: &K, now: Instant) -> Result<(), Duration> {
        let whole_at = self.whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        match whole_at.get(client) {
            Some(at) => self.within((*at).max(now) + self.each, now),
            None => Ok(()),
        }
    }

    fn within(&self, whole_at: Instant, now: Instant) -> Result<(), Duration> {
        let used = whole_at.saturating_duration_since(now);
        match used.checked_sub(self.all) {
            None | Some(Duration::ZERO) => Ok(()),
            Some(over) => Err(over),
        }
    }

    #[cfg(test)]
    fn count(&self) -> usize {
        self.whole_at.lock().unwrap().len()
    }
}

/// Where a client comes from, as far as it can be held to that: whoever has one address of IPv6 has the 2⁶⁴ beside it.
pub(crate) fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::steady_now;

    const RATE: Rate = Rate {
        per_s: 10,
        burst: 3,
    };

    #[test]
    fn a_burst_is_followed_by_the_rate() {
        let (allowances, now) = (Allowances::new(RATE, 10), steady_now());
        for _ in 0..3 {
            assert_eq!(allowances.look(&1, now), Ok(()));
            assert_eq!(allowances.take(1, now), Ok(()));
        }
        let wait = Duration::from_millis(100);
        assert_eq!(allowances.take(1, now), Err(wait));
        assert_eq!(allowances.look(&1, now), Err(wait));
        assert_eq!(allowances.take(2, now), Ok(()), "others are not hurt");
        let later = now + wait;
        assert_eq!(allowances.take(1, later), Ok(()));
        assert_eq!(allowances.take(1, later), Err(wait));
        // Who waits longer saves up no more than the burst.
        let much_later = now + Duration::from_secs(60);
        let taken = (0..10).filter(|_| allowances.take(1, much_later).is_ok());
        assert_eq!(taken.count(), 3);
    }

    #[test]
    fn the_memory_is_bounded() {
        let (allowances, now) = (Allowances::new(RATE, 8), steady_now());
        for client in 0..100 {
            assert_eq!(allowances.take(client, now), Ok(()));
            assert!(allowances.count() <= 8);
        }
        let later = now + Duration::from_secs(1);
        while allowances.count() < 8 {
            allowances.take(1000 + allowances.count(), now).unwrap();
        }
        allowances.take(5000, later).unwrap();
        assert_eq!(allowances.count(), 1, "who waited is forgotten first");
    }

    #[test]
    fn neighbours_share_an_allowance() {
        let same = |one: &str, other: &str| {
            let [one, other] = [one, other].map(|text| neighbourhood(text.parse().unwrap()));
            one == other
        };
        assert!(same("2001:db8::1", "2001:db8::ffff:1"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
        assert!(same("::ffff:10.0.0.1", "10.0.0.1"));
        assert!(!same("10.0.0.1", "10.0.0.2"));
    }
}

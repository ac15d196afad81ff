//! The one owner of randomness: the operating system's, in small buffers per thread for salts.
//!
//! A copy of a running machine (a resumed snapshot) repeats the salts left in the buffers; two
//! such copies must not both write. `KEYS.md` says so.

use std::cell::RefCell;

use zeroize::Zeroizing;

const POOL_BYTES: usize = 2048;

struct Pool {
    bytes: Box<[u8; POOL_BYTES]>,
    used: usize,
}

thread_local! {
    static POOL: RefCell<Pool> =
        RefCell::new(Pool { bytes: Box::new([0; POOL_BYTES]), used: POOL_BYTES });
}

/// Returns a fresh secret.
pub(crate) fn secret() -> Result<Zeroizing<[u8; 32]>, getrandom::Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice())?;
    Ok(bytes)
}

/// Returns a fresh nonce, for keys that seal few things.
pub(crate) fn nonce() -> Result<[u8; 12], getrandom::Error> {
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// Returns 16 public random bytes; one system call for 128 of them.
pub(crate) fn public() -> Result<[u8; 16], getrandom::Error> {
    POOL.with_borrow_mut(|pool| {
        if pool.used >= POOL_BYTES {
            getrandom::fill(pool.bytes.as_mut_slice())?;
            pool.used = 0;
        }
        let taken = pool
            .bytes
            .get(pool.used..)
            .and_then(|rest| rest.first_chunk::<16>())
            .copied();
        pool.used += 16;
        taken.ok_or(getrandom::Error::UNEXPECTED)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn public_bytes_never_repeat_over_refills() {
        let drawn: HashSet<_> = (0..1000).map(|_| super::public().unwrap()).collect();
        assert_eq!(drawn.len(), 1000);
    }
}

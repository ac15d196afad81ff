//! Reading and writing fields at fixed places of fixed-size arrays, checked when compiled.

/// Returns the `LEN` bytes at `AT`.
pub(crate) fn field<const AT: usize, const LEN: usize, const N: usize>(
    bytes: &[u8; N],
) -> [u8; LEN] {
    const { assert!(AT + LEN <= N, "field lies inside its array") };
    bytes
        .get(AT..)
        .and_then(|rest| rest.first_chunk::<LEN>())
        .copied()
        .unwrap_or([0; LEN])
}

/// Writes `value` at `AT`.
pub(crate) fn set_field<const AT: usize, const LEN: usize, const N: usize>(
    bytes: &mut [u8; N],
    value: [u8; LEN],
) {
    const { assert!(AT + LEN <= N, "field lies inside its array") };
    if let Some(slot) = bytes
        .get_mut(AT..)
        .and_then(|rest| rest.first_chunk_mut::<LEN>())
    {
        *slot = value;
    }
}

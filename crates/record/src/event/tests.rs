//! Promises of reading events.

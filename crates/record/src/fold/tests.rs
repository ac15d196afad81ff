//! Promises of the fold.

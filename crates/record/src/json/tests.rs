//! Promises of the JSON reader.

//! Promises of dates and instants.

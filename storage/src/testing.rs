//! A disk in memory for tests: faults on demand, and crashes that lose what was not synced.

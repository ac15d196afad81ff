//! Reading people over HTTP: search, record, history, as of, tags, and who sees what.

//! Events as JSON lines, in the form that `import events` reads.

use std::io::{self, Write};

use sokhoe_record::Incoming;

/// Writes an event as one line of JSON. What only the server may say about a code is left out.
///
/// # Errors
/// Those of the writer.
pub fn write_line(mut incoming: Incoming, to: &mut impl Write) -> io::Result<()> {
    incoming.event.data.codes_mut(|_, code| code.checked = true);
    serde_json::to_writer(&mut *to, &incoming.event).map_err(io::Error::from)?;
    to.write_all(b"\n")
}

//! What the server adds to an event before it is sealed: checked codes and demanded labels.

use sokhoe_catalogue::{Catalogue, Check};
use sokhoe_record::{Data, Date, FieldError};

/// Marks the codes that a list valid on the day knows, adds the labels that codes demand, and
/// returns the codes that a complete list does not know.
pub(crate) fn enrich(data: &mut Data, day: Date, catalogue: &Catalogue) -> Vec<FieldError> {
    let mut unknown = Vec::new();
    let mut demanded = sokhoe_catalogue::Labels::default();
    data.codes_mut(|pointer, code| {
        let system = code.system.as_str();
        demanded = demanded.union(catalogue.labels_for(system, &code.code));
        match catalogue.check(system, code.version.as_deref(), &code.code, day) {
            Check::Checked { .. } => code.checked = true,
            Check::Unknown { .. } => unknown.push(FieldError {
                pointer: format!("{pointer}/code"),
                code: "unknown_code",
                detail: format!("expected a code of {system} that was valid on the day"),
            }),
            Check::NoList => code.checked = false,
        }
    });
    if let Some(labels) = data.labels_mut() {
        for label in demanded.iter() {
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
    }
    unknown
}

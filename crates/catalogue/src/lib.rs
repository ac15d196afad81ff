//! Versioned code lists and administrative areas, valid by date: the project's own small tables and
//! files that an operator loads. Refuses the network, clocks and guessing: a list says "unknown" only
//! where it is complete, and every answer names the list and version that gave it.
//!
//! ```
//! use sokhoe_catalogue::{Catalogue, Check};
//! use sokhoe_record::PartialDate;
//!
//! let catalogue = Catalogue::built_in();
//! let day = PartialDate::parse("2026-11-01")?.whole().ok_or("a whole day")?;
//! assert!(matches!(catalogue.check("dvhc", None, "79", day), Check::Checked { .. }));
//! // Hà Giang (02) joined Tuyên Quang (08) on 1 July 2025.
//! assert!(matches!(catalogue.check("dvhc", None, "02", day), Check::Unknown { .. }));
//! assert_eq!(catalogue.successors("dvhc", "02"), ["08"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod built_in;
mod catalogue;
mod code_key;
mod dates;
mod error;
mod facility;
mod files;
mod groups;
mod labels;
mod list;
mod reading;
mod shapes;
mod shared;

pub use catalogue::{Catalogue, Check, Language, ListSummary, Origin};
pub use error::{CatalogueError, FileError, ReadError};
pub use facility::{DemoFacility, FacilityCode, demo_facilities};
pub use files::{CATALOGUE_FOLDER, FOLDER_FILES_MAX, open_folder, remove, save};
pub use groups::{NcdGroup, ncd_groups, ncd_groups_of};
pub use labels::Labels;
pub use list::{Crosswalk, Entry, List, ListIdentity, Loaded, Successor};
pub use reading::{
    CELL_CHARS_MAX, CODE_CHARS_MAX, FILE_BYTES_MAX, LoadSpec, ROWS_MAX, ReadReport,
    SYSTEM_CHARS_MAX, load,
};
pub use shapes::{Shape, shapes};
pub use shared::SharedCatalogue;

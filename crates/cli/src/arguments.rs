//! The command line's grammar: commands, flags and what `--help` says of them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use sokhoe_access::Role;
use sokhoe_record::PersonId;

use crate::command::demo;
use crate::config::{Flags, LogFormat, keys_beside};

/// Sổ Khỏe: an immutable health record for life.
#[derive(Debug, Parser)]
#[command(name = "sokhoe", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Configuration file (TOML); also SOKHOE_CONFIG.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How log lines look; also SOKHOE_LOG_FORMAT. Which lines: RUST_LOG.
    #[arg(long, global = true, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
}

/// The folders of a command that works on data itself.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct FolderFlags {
    /// Data folder; also SOKHOE_DATA_DIR.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Key folder; also SOKHOE_KEYS_DIR. By default the data folder's name with `.keys`.
    #[arg(long, value_name = "DIR")]
    pub(crate) keys: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes a synthetic city and serves it: the quickest look at everything.
    Demo(DemoArguments),
    /// Serves a data folder over HTTP.
    Serve(ServeArguments),
    /// Takes records in from files, into a data folder or a running server. Exit code 3 when some
    /// items were refused.
    Import(ImportArguments),
    /// Writes out what the log holds.
    #[command(subcommand)]
    Export(ExportCommand),
    /// Makes the projections of a data folder or a running server anew from the first event.
    Rebuild(RebuildArguments),
    /// Makes tokens of the built-in issuer.
    Token(TokenArguments),
    /// Loads, lists and asks code lists.
    #[command(subcommand)]
    Catalogue(CatalogueCommand),
    /// Looks at clock, disk, limits, permissions and keys.
    Doctor(DoctorArguments),
    /// Writes a file that shows a person's chains, or one event, to whoever trusts neither server nor operator.
    Evidence(EvidenceArguments),
    /// Checks a data folder from its first byte: served, stopped, or a copy; or evidence. Needs no server and no keys.
    /// Exit codes: 0 intact, 10 tampered, 11 damaged, 12 could not check.
    Verify(VerifyArguments),
}

/// `sokhoe evidence`.
#[derive(Debug, Args)]
#[group(id = "about", required = true, multiple = false, args = ["person", "event"])]
pub(crate) struct EvidenceArguments {
    /// The person whose chains are shown, complete as of a commitment to all heads.
    #[arg(long, value_name = "ID")]
    pub(crate) person: Option<String>,
    /// One event, which shows nothing of what else there is; from a data folder only.
    #[arg(long, value_name = "ID", conflicts_with = "to")]
    pub(crate) event: Option<String>,
    /// Adds the key of each event, so that its contents can be read and matched; from a server, with the person's own token.
    #[arg(long, requires = "to")]
    pub(crate) open: bool,
    #[command(flatten)]
    pub(crate) folders: FolderFlags,
    /// A running server (http://127.0.0.1:PORT) instead of a data folder; token in SOKHOE_TOKEN.
    #[arg(long, value_name = "URL", conflicts_with_all = ["data", "keys"])]
    pub(crate) to: Option<String>,
    /// A new file.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// `sokhoe verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// The data folder, or a file of evidence.
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// Key folder: the digests of its files are checked, no key is opened.
    #[arg(long, value_name = "DIR")]
    pub(crate) keys: Option<PathBuf>,
    /// File with the key that checkpoints verify with, as the first start and `doctor` print it.
    #[arg(long, value_name = "FILE")]
    pub(crate) vkey: Option<PathBuf>,
    /// A checkpoint kept from before: the log must still hold all that it covered.
    #[arg(long, value_name = "CHECKPOINT")]
    pub(crate) since: Option<PathBuf>,
    /// One JSON document instead of lines for people.
    #[arg(long)]
    pub(crate) json: bool,
    /// Compare only so many of a hundred payloads with their digests; all else is always checked.
    #[arg(long, value_name = "P", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub(crate) sample: u32,
    /// Which payloads are compared.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
}

/// What else a demo can do.
#[derive(Debug, Subcommand)]
pub(crate) enum DemoCommand {
    /// Flips one byte of one event in a data folder, for `verify` to find.
    Tamper(TamperArguments),
}

/// `sokhoe demo tamper`.
#[derive(Debug, Args)]
pub(crate) struct TamperArguments {
    /// The data folder whose log is spoilt for good; by default `sokhoe-demo` here.
    #[arg(long, value_name = "DIR", default_value = demo::DATA)]
    pub(crate) data: PathBuf,
    /// Make the checksums and digests around the byte fit again, as somebody would who knows the format.
    #[arg(long)]
    pub(crate) cover_up: bool,
}

/// `sokhoe demo`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct DemoArguments {
    #[command(subcommand)]
    pub(crate) command: Option<DemoCommand>,
    /// Data folder; by default `sokhoe-demo` here.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Key folder; by default the data folder's name with `.keys`.
    #[arg(long, value_name = "DIR")]
    pub(crate) keys: Option<PathBuf>,
    /// How many people live in the city.
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub(crate) people: u64,
    /// The same seed makes the same people.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How often people see a health worker, in percent of the usual; at most 1,000.
    #[arg(long, value_name = "PERCENT", default_value_t = 100)]
    pub(crate) visits: u32,
    /// Where to listen, on this machine; port 0 takes any free one.
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
}

/// `sokhoe serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    pub(crate) folders: FolderFlags,
    /// Where to listen, on this machine; port 0 takes any free one. Also SOKHOE_LISTEN.
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
}

/// What `import` reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ImportFormat {
    /// Events, one JSON document a line.
    Events,
    /// FHIR R4: Bundles, single resources, NDJSON; bare, .gz or .bz2.
    Fhir,
}

/// `sokhoe import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// What the files hold.
    pub(crate) format: ImportFormat,
    /// Files and folders.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) folders: FolderFlags,
    /// A running server (http://127.0.0.1:PORT) instead of a data folder; token in SOKHOE_TOKEN.
    #[arg(long, value_name = "URL", conflicts_with_all = ["data", "keys"])]
    pub(crate) to: Option<String>,
    /// Writes each refused item to this file, one JSON document a line.
    #[arg(long, value_name = "FILE")]
    pub(crate) refused: Option<PathBuf>,
    /// The name under which the ids of FHIR resources live; by default `fhir`.
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
    /// Ends with one line of JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `export` writes.
#[derive(Debug, Subcommand)]
pub(crate) enum ExportCommand {
    /// The events of people's records as CloudEvents, one JSON document a line, in the order of the log.
    Feed(ExportArguments),
}

/// `sokhoe export feed`.
#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    #[command(flatten)]
    pub(crate) folders: FolderFlags,
    /// A running server (http://127.0.0.1:PORT) instead of a data folder; token in SOKHOE_TOKEN.
    #[arg(long, value_name = "URL", conflicts_with_all = ["data", "keys"])]
    pub(crate) to: Option<String>,
    /// The last position that is there already.
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    pub(crate) after: u64,
    /// Only these kinds, with commas between; needs --to.
    #[arg(long, value_name = "KINDS", requires = "to")]
    pub(crate) kind: Option<String>,
    /// What each event says too; needs --to and a token that may see it.
    #[arg(long)]
    pub(crate) payload: bool,
    /// Why staff read, in HL7 PurposeOfUse words.
    #[arg(long, value_name = "PURPOSE", default_value = "HOPERAT")]
    pub(crate) purpose: String,
    /// A new file; by default stdout.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// `sokhoe rebuild`.
#[derive(Debug, Args)]
pub(crate) struct RebuildArguments {
    #[command(flatten)]
    pub(crate) folders: FolderFlags,
    /// A running server (http://127.0.0.1:PORT) instead of a data folder; it serves on meanwhile. Token
    /// of an admin or operator in SOKHOE_TOKEN.
    #[arg(long, value_name = "URL", conflicts_with_all = ["data", "keys"])]
    pub(crate) to: Option<String>,
    /// JSON instead of a sentence.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `sokhoe token`.
#[derive(Debug, Args)]
pub(crate) struct TokenArguments {
    #[command(flatten)]
    pub(crate) folders: FolderFlags,
    /// What the caller is: hospital, clinician, station, citizen, guardian, auditor, epidemiologist,
    /// researcher, department, dashboard, admin or operator.
    #[arg(long)]
    pub(crate) role: Role,
    /// The account, written down as the sender of events; by default the role's name.
    #[arg(long, value_name = "NAME")]
    pub(crate) subject: Option<String>,
    /// The facility that staff act for.
    #[arg(long, value_name = "CODE")]
    pub(crate) facility: Option<String>,
    /// The person a citizen or guardian is.
    #[arg(long, value_name = "ID")]
    pub(crate) person: Option<PersonId>,
    /// The administrative unit that aggregate roles see.
    #[arg(long, value_name = "CODE")]
    pub(crate) jurisdiction: Option<String>,
    /// The approved study of a researcher.
    #[arg(long, value_name = "ID")]
    pub(crate) study: Option<String>,
    /// How long the token holds.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=8784))]
    pub(crate) hours: u32,
    /// One JSON document instead of the bare token.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `sokhoe catalogue`.
#[derive(Debug, Subcommand)]
pub(crate) enum CatalogueCommand {
    /// Takes code lists in from CSV files, into a data folder that no server has open, or into a
    /// running server.
    Load(CatalogueLoad),
    /// Lists the code lists, built in and loaded.
    List(CatalogueList),
    /// Says what the lists know of a code on a day. Exit code 3 when a complete list lacks it.
    Check(CatalogueCheck),
}

/// `sokhoe catalogue load`.
#[derive(Debug, Args)]
pub(crate) struct CatalogueLoad {
    /// CSV files. Known shapes are told by their header; the documented one is
    /// code,name_vi,name_en,parent,valid_from,valid_to.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) folders: FolderFlags,
    /// A running server (http://127.0.0.1:PORT) instead of a data folder; in force at once. Token of an
    /// admin or operator in SOKHOE_TOKEN.
    #[arg(long, value_name = "URL", conflicts_with_all = ["data", "keys"])]
    pub(crate) to: Option<String>,
    /// The list's name, where the file's shape has no default.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The system whose codes it holds.
    #[arg(long)]
    pub(crate) system: Option<String>,
    /// The list's version.
    #[arg(long)]
    pub(crate) list_version: Option<String>,
    /// The file's shape, where its header does not tell.
    #[arg(long)]
    pub(crate) shape: Option<String>,
    /// First day on which the list holds.
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) valid_from: Option<String>,
    /// Last day on which the list holds.
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) valid_to: Option<String>,
    /// The list is whole: a code that is not in it does not exist and is refused.
    #[arg(long, conflicts_with = "partial")]
    pub(crate) complete: bool,
    /// The list is a part: it names codes and refuses none.
    #[arg(long)]
    pub(crate) partial: bool,
    /// The list speaks only for codes of this many characters.
    #[arg(long, value_name = "N")]
    pub(crate) code_chars: Option<u8>,
    /// One line of JSON for each file.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `sokhoe catalogue list`.
#[derive(Debug, Args)]
pub(crate) struct CatalogueList {
    #[command(flatten)]
    pub(crate) folders: FolderFlags,
    /// JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `sokhoe catalogue check`.
#[derive(Debug, Args)]
pub(crate) struct CatalogueCheck {
    /// The system, as `icd10` or `dvhc`.
    pub(crate) system: String,
    /// The code.
    pub(crate) code: String,
    /// The day; by default today.
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) day: Option<String>,
    /// Asks this version, whatever the day.
    #[arg(long)]
    pub(crate) list_version: Option<String>,
    #[command(flatten)]
    pub(crate) folders: FolderFlags,
    /// JSON instead of a sentence.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `sokhoe doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    #[command(flatten)]
    pub(crate) folders: FolderFlags,
    /// JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Arguments {
    /// What the flags say about the configuration.
    pub(crate) fn settings(&self) -> Flags {
        let mut flags = Flags::default();
        let format = self.global.log_format.map(|format| match format {
            LogFormat::Human => "human".to_owned(),
            LogFormat::Json => "json".to_owned(),
        });
        flags.add("log.format", "--log-format", format);
        let (folders, listen) = self.command.folders_and_listen();
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        flags.add("data", "--data", folders.data.map(text));
        flags.add("keys", "--keys", folders.keys.map(text));
        flags.add("listen", "--listen", listen);
        flags
    }
}

impl Command {
    fn folders_and_listen(&self) -> (FolderFlags, Option<String>) {
        let folders = match self {
            Self::Demo(demo) => {
                // The environment's folder is that of real data; a demo goes there only when told to.
                let data = demo.data.clone().unwrap_or_else(|| demo::DATA.into());
                let keys = demo.keys.clone().unwrap_or_else(|| keys_beside(&data));
                let folders = FolderFlags {
                    data: Some(data),
                    keys: Some(keys),
                };
                return (folders, demo.listen.clone());
            }
            Self::Serve(serve) => return (serve.folders.clone(), serve.listen.clone()),
            Self::Import(import) => &import.folders,
            Self::Export(ExportCommand::Feed(export)) => &export.folders,
            Self::Rebuild(rebuild) => &rebuild.folders,
            Self::Token(token) => &token.folders,
            Self::Catalogue(CatalogueCommand::Load(load)) => &load.folders,
            Self::Catalogue(CatalogueCommand::List(list)) => &list.folders,
            Self::Catalogue(CatalogueCommand::Check(check)) => &check.folders,
            Self::Doctor(doctor) => &doctor.folders,
            Self::Evidence(evidence) => &evidence.folders,
            Self::Verify(_) => return (FolderFlags::default(), None),
        };
        (folders.clone(), None)
    }
}

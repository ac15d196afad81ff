//! What a number depends on: processor, memory, kernel, file system, commit, command; and counters of the system.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::report::Report;

/// Microseconds since the Unix epoch.
#[must_use]
pub fn now_us() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Prints machine, commit and command.
pub fn describe(report: &mut Report, folder: &Path) {
    let at = sokhoe_record::Instant::from_micros(now_us());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    report.line(format!("time     {at}"));
    report.line(format!("command  {}", command()));
    report.line(format!("commit   {}", commit()));
    report.line(format!(
        "machine  {cores} cores of {}, {}",
        processor(),
        memory()
    ));
    report.line(format!("system   {}, {}", kernel(), file_system(folder)));
    report.line(format!("load     {}", read("/proc/loadavg")));
}

/// Returns the current day as it stands in the names of runs.
#[must_use]
pub fn today() -> String {
    let at = sokhoe_record::Instant::from_micros(now_us()).to_string();
    at.chars().take(10).collect()
}

/// The command as a reader would give it, without the machine's own paths.
fn command() -> String {
    let mut arguments = std::env::args();
    let program = arguments.next().unwrap_or_default();
    let program = Path::new(&program)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let mut text = format!("cargo run --release -p sokhoe-benches --bin {program}");
    let rest: Vec<String> = arguments.collect();
    if !rest.is_empty() {
        text.push_str(" -- ");
        text.push_str(&rest.join(" "));
    }
    text
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let mut run = Command::new("git");
        let output = run
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(arguments)
            .output()
            .ok()?;
        String::from_utf8(output.stdout)
            .ok()
            .map(|text| text.trim().to_owned())
    };
    let head = git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_default();
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).unwrap_or_default();
    let changed = changed
        .lines()
        .filter(|line| !line.contains("benches/"))
        .count();
    if changed == 0 {
        head
    } else {
        format!("{head} and {changed} changed files")
    }
}

fn processor() -> String {
    value(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "an unknown processor".into())
}

fn memory() -> String {
    let total = value(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
    let kib: f64 = total.trim_end_matches(" kB").parse().unwrap_or(0.0);
    format!("{:.1} GiB of memory", kib / 1024.0 / 1024.0)
}

fn kernel() -> String {
    format!("Linux {}", read("/proc/sys/kernel/osrelease"))
}

/// The type and device of the file system that a folder lies on.
fn file_system(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| PathBuf::from("/"));
    let mounts = read("/proc/self/mounts");
    let mut found = (0, String::new());
    for line in mounts.lines() {
        let mut fields = line.split(' ');
        let (Some(device), Some(at), Some(kind)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        if folder.starts_with(at) && at.len() >= found.0 {
            found = (at.len(), format!("{kind} on {device}"));
        }
    }
    found.1
}

fn read(path: &str) -> String {
    fs::read_to_string(path)
        .unwrap_or_default()
        .trim_end()
        .to_owned()
}

fn value(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// What the system has counted so far; take one before and one after.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// Seconds of processor time of this process.
    pub cpu_s: f64,
    /// Bytes written to the disk, everybody's.
    pub disk_bytes: f64,
    /// Flushes that the disk has finished, everybody's; 0 where the system does not count them.
    pub flushes: f64,
}

impl Counters {
    /// Reads the counters of this process and of the disk under a folder.
    #[must_use]
    pub fn now(folder: &Path) -> Self {
        let disk: Vec<f64> = numbers(&read(&disk_stat(folder))).collect();
        let disk = |at: usize| disk.get(at).copied().unwrap_or(0.0);
        Self {
            cpu_s: cpu_s("self"),
            disk_bytes: disk(6) * 512.0,
            flushes: disk(15),
        }
    }

    /// Returns what was counted since another reading.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            cpu_s: self.cpu_s - before.cpu_s,
            disk_bytes: self.disk_bytes - before.disk_bytes,
            flushes: self.flushes - before.flushes,
        }
    }

    /// Adds another count.
    pub fn add(&mut self, other: &Self) {
        self.cpu_s += other.cpu_s;
        self.disk_bytes += other.disk_bytes;
        self.flushes += other.flushes;
    }
}

/// Returns the bytes of memory that a process holds, by its number.
#[must_use]
pub fn memory_bytes(process: &str) -> f64 {
    let status = read(&format!("/proc/{process}/status"));
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or(0.0, |line| numbers(line).sum::<f64>() * 1024.0)
}

/// Returns the seconds of processor time of a process, by its number.
#[must_use]
pub fn cpu_s(process: &str) -> f64 {
    let stat = read(&format!("/proc/{process}/stat"));
    // The program's name, in brackets, may hold spaces.
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    // User and system time are the 12th and 13th field after the state, a letter that is no number.
    let ticks: f64 = numbers(after).skip(10).take(2).sum();
    ticks / 100.0
}

fn numbers(text: &str) -> impl Iterator<Item = f64> {
    text.split_whitespace().filter_map(|word| word.parse().ok())
}

fn disk_stat(folder: &Path) -> String {
    let device = fs::metadata(folder).map_or(0, |metadata| metadata.dev());
    let major = (device >> 8 & 0xfff) | (device >> 32 & !0xfff);
    let minor = (device & 0xff) | (device >> 12 & !0xff);
    format!("/sys/dev/block/{major}:{minor}/stat")
}

/// Returns the seconds of processor time of children that have ended.
#[must_use]
pub fn children_cpu_s() -> f64 {
    let stat = read("/proc/self/stat");
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: f64 = numbers(after).skip(12).take(2).sum();
    ticks / 100.0
}

/// Asks the system to forget what it read; only root may. Says whether it did.
#[must_use]
pub fn drop_caches() -> bool {
    let synced = std::process::Command::new("sync").status();
    synced.is_ok() && fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
}

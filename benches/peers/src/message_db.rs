//! PostgreSQL with message-db: a function call an event, a transaction a request.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicU64;

use anyhow::{Context as _, ensure};
use postgres::{NoTls, Statement};
use sokhoe_benches::append::PAYLOAD_BYTES;
use sokhoe_benches::random::Random;

use crate::process::{Process, free_port};
use crate::served::{Calls, Served};

/// The database that message-db's own script makes.
const DATABASE: &str = "message_store";
/// Who runs the server where the bench is run by root, whom PostgreSQL refuses.
const SERVER_USER: &str = "postgres";

/// Makes a cluster, starts it and installs message-db into it.
///
/// `synchronous_commit` and `fsync` stay on, as they are by default; 1 GiB of shared buffers.
pub(crate) fn start(
    programs: &Path,
    message_db: &Path,
    folder: &Path,
    people: usize,
) -> anyhow::Result<Served<Connection>> {
    std::fs::create_dir_all(folder)?;
    let folder = folder.canonicalize()?;
    let root = is_root()?;
    if root {
        // The server's user has to reach its folder, and to own it.
        for above in folder.ancestors().take(2) {
            std::fs::set_permissions(above, std::fs::Permissions::from_mode(0o755))?;
        }
        run(Command::new("chown").arg(SERVER_USER).arg(&folder))?;
    }
    let data = folder.join("cluster");
    let user = "--username=postgres";
    let auth = ["--auth=trust", "--encoding=UTF8", "--no-sync", user];
    run(as_server(root, &programs.join("initdb"))
        .args(auth)
        .arg(&data))?;
    let port = free_port()?;
    let mut command = as_server(root, &programs.join("postgres"));
    command.arg("-D").arg(&data);
    command.args(["-p", &port.to_string(), "-k", "", "-h", "127.0.0.1"]);
    for setting in [
        "max_connections=200",
        "shared_buffers=1GB",
        "max_wal_size=16GB",
    ] {
        command.args(["-c", setting]);
    }
    let mut process = Process::start("PostgreSQL", &mut command, &folder)?;
    process.listens(port)?;
    let mut install = Command::new("bash");
    install
        .arg(message_db.join("database/install.sh"))
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", port.to_string())
        .env("PGUSER", "postgres")
        .env("PATH", with_path(programs));
    run(&mut install)?;
    Ok(Served {
        name: "message-db",
        process,
        port,
        people,
        connect: Connection::open,
        payload_bytes: AtomicU64::new(0),
    })
}

/// One connection with its two statements.
pub(crate) struct Connection {
    client: postgres::Client,
    write: Statement,
    read: Statement,
}

impl Connection {
    fn open(port: u16) -> anyhow::Result<Self> {
        let mut client = postgres::Config::new()
            .host("127.0.0.1")
            .port(port)
            .user("postgres")
            .dbname(DATABASE)
            .connect(NoTls)
            .context("connect to PostgreSQL")?;
        client.batch_execute("set search_path to message_store, public")?;
        // All events of a request in one statement, which is one transaction.
        let write = client.prepare(
            "select count(write_message(id, stream, 'Recorded', data::jsonb)) \
             from unnest($1::text[], $2::text[], $3::text[]) as event(id, stream, data)",
        )?;
        let read = client.prepare("select data from get_stream_messages($1)")?;
        Ok(Self {
            client,
            write,
            read,
        })
    }
}

impl Calls for Connection {
    fn append(&mut self, people: &[usize], random: &mut Random) -> anyhow::Result<()> {
        let ids: Vec<String> = people.iter().map(|_| id(random)).collect();
        let streams: Vec<String> = people.iter().map(|person| stream(*person)).collect();
        let payloads: Vec<String> = people.iter().map(|_| payload(random)).collect();
        let row = self
            .client
            .query_one(&self.write, &[&ids, &streams, &payloads])?;
        let count: i64 = row.get(0);
        ensure!(
            usize::try_from(count)? == people.len(),
            "not all were taken"
        );
        Ok(())
    }

    fn read(&mut self, person: usize) -> anyhow::Result<usize> {
        let rows = self.client.query(&self.read, &[&stream(person)])?;
        Ok(rows.len())
    }
}

/// A payload as JSON: message-db stores nothing else. As many bytes of text as the others' payloads have.
fn payload(random: &mut Random) -> String {
    let mut bytes = [0_u8; PAYLOAD_BYTES / 2 - 4];
    random.fill(&mut bytes);
    let mut text = String::with_capacity(PAYLOAD_BYTES);
    text.push_str(r#"{"d":""#);
    for byte in bytes {
        // Writing to memory does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.push_str(r#""}"#);
    text
}

fn id(random: &mut Random) -> String {
    let id = format!("{:032x}", u128::from_le_bytes(random.id()));
    let part = |range| id.get(range).unwrap_or_default();
    format!(
        "{}-{}-{}-{}-{}",
        part(0..8),
        part(8..12),
        part(12..16),
        part(16..20),
        part(20..32)
    )
}

fn stream(person: usize) -> String {
    format!("person-{person:032x}")
}

fn is_root() -> anyhow::Result<bool> {
    let output = Command::new("id").arg("-u").output()?;
    Ok(output.stdout.trim_ascii() == b"0")
}

/// A command that root runs as the server's user.
fn as_server(root: bool, program: &Path) -> Command {
    if !root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    let user = format!("--reuid={SERVER_USER}");
    let group = format!("--regid={SERVER_USER}");
    command.args([&user, &group, "--clear-groups"]).arg(program);
    command.current_dir("/");
    command
}

fn with_path(programs: &Path) -> std::ffi::OsString {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(PathBuf::from(programs)).chain(std::env::split_paths(&rest));
    std::env::join_paths(paths).unwrap_or_default()
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command
        .output()
        .with_context(|| format!("run {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {said}");
    Ok(())
}

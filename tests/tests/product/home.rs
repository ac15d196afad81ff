//! A data folder of a test's own, the program run on it, and the server that serves it.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::ops::Deref;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use sokhoe_access::{Claims, Issuer, Role};
use sokhoe_commands::{Commands, Settings};
use sokhoe_storage::Clock;
use tempfile::TempDir;

use crate::peer::{Answer, Request};

/// How long anything may take before a test fails instead of hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A folder that is gone with the test.
pub(crate) struct Home {
    folder: TempDir,
}

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The last line of its output, as JSON.
    pub(crate) fn summary(&self) -> Value {
        let line = self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|_| panic!("no summary: {self:?}"))
    }

    /// Fails the test unless it ended well.
    pub(crate) fn well(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder }
    }

    /// A copy of the data folder and its keys, in a folder of its own.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new();
        for name in ["data", "data.keys"] {
            copy_folder(&self.path().join(name), &copy.path().join(name));
        }
        copy
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// The program with these arguments, without the settings of whoever runs the tests.
    pub(crate) fn bare<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sokhoe-under-test"));
        command.args(arguments);
        command.current_dir(self.path()).stdin(Stdio::null());
        let ours = |name: &str| name.starts_with("SOKHOE_") || name == "RUST_LOG";
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(ours) {
                command.env_remove(name);
            }
        }
        command
    }

    /// The program with these arguments and the data folder.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = self.bare(arguments);
        command.arg("--data").arg(self.data());
        command
    }

    /// Runs the program on the data folder to its end.
    pub(crate) fn sokhoe<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Ended {
        end(self.command(arguments))
    }

    /// A token of the built-in issuer: the role and what it needs, as flags.
    pub(crate) fn token(&self, role: &str, flags: &[&str]) -> String {
        let arguments = [&["token", "--role", role], flags].concat();
        self.sokhoe(&arguments).well().stdout.trim().to_owned()
    }

    /// The token of a facility's own system.
    pub(crate) fn hospital(&self, facility: &str) -> String {
        self.token("hospital", &["--facility", facility])
    }

    /// The token of the person with this id.
    pub(crate) fn citizen(&self, person: &str) -> String {
        self.token("citizen", &["--person", person])
    }

    /// Serves the folder.
    pub(crate) fn serve(&self) -> Served {
        self.serve_with(&[])
    }

    /// Serves the folder under settings given by environment variables.
    pub(crate) fn serve_with(&self, settings: &[(&str, &str)]) -> Served {
        let begun = self.begin_serving(settings);
        begun.ready().unwrap_or_else(|died| panic!("{died}"))
    }

    /// Starts to serve the folder, which may well come to nothing.
    pub(crate) fn begin_serving(&self, settings: &[(&str, &str)]) -> Starting {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.envs(settings.iter().copied());
        Starting::start(command, &self.path().join("serve.log"), |line| {
            line.strip_prefix("listens").and_then(address_in)
        })
    }

    /// Makes a city of that many people and serves it.
    pub(crate) fn demo(&self, people: u64) -> Served {
        let people = people.to_string();
        let command = self.command(&["demo", "--people", &people, "--listen", "127.0.0.1:0"]);
        let sheet = self.data().join("demo.json");
        let begun = Starting::start(command, &self.path().join("demo.log"), move |line| {
            // The last line said; the sheet is written before it.
            line.starts_with("ctrl-c").then(|| {
                let sheet = std::fs::read(&sheet).expect("demo.json");
                let sheet: Value = serde_json::from_slice(&sheet).expect("JSON");
                address_in(sheet["base_url"].as_str().expect("base_url")).expect("an address")
            })
        });
        begun.ready().unwrap_or_else(|died| panic!("{died}"))
    }

    /// What `demo.json` says.
    pub(crate) fn sheet(&self) -> Value {
        let sheet = std::fs::read(self.data().join("demo.json")).expect("demo.json");
        serde_json::from_slice(&sheet).expect("JSON")
    }

    /// Opens the folder in this process, when nobody serves it.
    pub(crate) fn open(&self) -> Opened {
        let no_forks = FORKS.read().unwrap_or_else(PoisonError::into_inner);
        let clock = Clock::new(|| now_s() * 1_000_000);
        let commands = Commands::open(Settings::new(&self.data(), clock)).expect("an open house");
        Opened {
            commands,
            _no_forks: no_forks,
        }
    }

    /// Who is in the folder and what signs its tokens, when nobody serves it.
    pub(crate) fn insiders(&self) -> Insiders {
        let commands = self.open();
        let opener = commands.opener();
        let people = opener.registry().all_people();
        let insiders = Insiders {
            people: people.iter().map(ToString::to_string).collect(),
            issuer: Issuer::from_seed(&opener.vault().secrets().issuer_seed()),
        };
        commands.close().expect("a clean end");
        insiders
    }
}

/// Copies a folder with all that is in it, for its owner alone.
fn copy_folder(from: &Path, to: &Path) {
    let made = DirBuilder::new().mode(0o700).create(to);
    made.expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("a copy");
        }
    }
}

/// A child that is being started holds this process's open files, and with them the locks of folders, until it is the
/// program it becomes. So no child is started while a folder is open in this process.
static FORKS: RwLock<()> = RwLock::new(());

/// A folder open in this process.
pub(crate) struct Opened {
    // Dropped first: the folder's lock goes before children may be started again.
    commands: Commands,
    _no_forks: RwLockReadGuard<'static, ()>,
}

impl Deref for Opened {
    type Target = Commands;

    fn deref(&self) -> &Commands {
        &self.commands
    }
}

/// Starts a command while no folder is open in this process.
pub(crate) fn start(command: &mut Command) -> Child {
    let _alone = FORKS.write().unwrap_or_else(PoisonError::into_inner);
    command.spawn().expect("the program starts")
}

/// What only somebody with the folder and its keys knows.
pub(crate) struct Insiders {
    /// Everybody, in the order of registration, retired ids too.
    pub(crate) people: Vec<String>,
    issuer: Issuer,
}

impl Insiders {
    /// The token of a person, made without starting a program for it.
    pub(crate) fn citizen(&self, person: &str) -> String {
        let person = Some(person.parse().expect("an id"));
        self.issue(Claims {
            person,
            ..claims(Role::Citizen)
        })
    }

    /// A token with these claims.
    pub(crate) fn issue(&self, claims: Claims) -> String {
        self.issuer.issue(&claims).expect("a token")
    }
}

/// Claims of a role that hold from a minute ago for an hour.
pub(crate) fn claims(role: Role) -> Claims {
    Claims {
        sub: format!("the-{role}"),
        role,
        facility: role.staff().then(|| "99001".to_owned()),
        jurisdiction: None,
        person: None,
        study: None,
        jti: "1".to_owned(),
        not_before_s: now_s() - 60,
        expires_at_s: now_s() + 3_600,
    }
}

/// Now, in seconds since 1970 UTC.
pub(crate) fn now_s() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    i64::try_from(since.as_secs()).expect("a time of our age")
}

/// Runs a command to its end.
pub(crate) fn end(mut command: Command) -> Ended {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = start(&mut command).wait_with_output();
    let output = output.expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ended {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

fn address_in(text: &str) -> Option<SocketAddr> {
    let (_, rest) = text.split_once("http://")?;
    rest.split([' ', '/']).next()?.parse().ok()
}

/// A running server. Killed when dropped; [`Served::stop`] is the polite way.
pub(crate) struct Served {
    child: Child,
    pub(crate) addr: SocketAddr,
    log: PathBuf,
}

/// A program that was started and has not yet said that it serves.
pub(crate) struct Starting {
    served: Served,
    found: mpsc::Receiver<SocketAddr>,
}

impl Starting {
    /// Starts the command and reads what it says until `ready` finds the address in a line.
    fn start(
        mut command: Command,
        log: &Path,
        ready: impl Fn(&str) -> Option<SocketAddr> + Send + 'static,
    ) -> Self {
        let errors = File::create(log).expect("a log file");
        command.stdout(Stdio::piped()).stderr(errors);
        let mut child = start(&mut command);
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let (send, found) = mpsc::channel();
        // Goes on reading to the end, so that the program never waits for somebody to read its output.
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some(address) = ready(&line) {
                    let _ = send.send(address);
                }
            }
        });
        let served = Served {
            child,
            addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            log: log.to_owned(),
        };
        Self { served, found }
    }

    /// Waits until it serves, or says how it died before.
    pub(crate) fn ready(self) -> Result<Served, String> {
        let mut served = self.served;
        match self.found.recv_timeout(PATIENCE) {
            Ok(addr) => {
                served.addr = addr;
                Ok(served)
            }
            Err(error) => {
                let ended = served.child.try_wait();
                served.kill();
                let said = served.said();
                Err(format!(
                    "the server did not start ({error}, {ended:?}): {said}"
                ))
            }
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.served.kill();
    }
}

impl Served {
    /// Stops the server as an operator does, and fails the test when it did not end well or warned.
    pub(crate) fn stop(mut self) {
        let ended = self.end();
        let said = self.said();
        assert!(ended.success(), "{ended}: {said}");
        let warned = |line: &&str| line.contains(" WARN ") || line.contains(" ERROR ");
        let warnings: Vec<&str> = said.lines().filter(warned).collect();
        assert!(warnings.is_empty(), "{warnings:#?}");
    }

    /// Stops the server as an operator does, however it takes that.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let pid = i32::try_from(self.child.id()).ok();
        let pid = pid.and_then(rustix::process::Pid::from_raw).expect("a pid");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("SIGTERM");
        self.child.wait().expect("its end")
    }

    /// What it wrote to stderr so far.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("SIGKILL");
        self.child.wait().expect("its end");
    }

    /// Whether it has ended by itself.
    pub(crate) fn is_dead(&mut self) -> bool {
        self.child.try_wait().expect("its state").is_some()
    }

    /// Begins a request with this token.
    pub(crate) fn by<'a>(&self, token: &'a str) -> Request<'a> {
        Request::new(self.addr).token(token)
    }

    /// A request by nobody in particular.
    pub(crate) fn anonymous(&self) -> Request<'static> {
        Request::new(self.addr)
    }

    /// A person's record as somebody who may see it all gets it.
    pub(crate) fn record(&self, token: &str, person: &str) -> Answer {
        self.by(token).get(&format!("/v1/people/{person}"))
    }

    /// Every page of a person's history.
    pub(crate) fn history(&self, token: &str, person: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut next = Some(format!("/v1/people/{person}/events?limit=1000"));
        while let Some(path) = next {
            let mut page = self.by(token).get(&path).expect(200).json();
            items.append(page["items"].as_array_mut().expect("items"));
            next = page["next"].as_str().map(str::to_owned);
        }
        items
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again and again until there is an answer, giving way to others in between.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

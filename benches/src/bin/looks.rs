//! What consent and its history cost: one decision, looks written down, a page of a long history, and whom an account
//! affected among many looks. In process, on the real disk.
#![expect(
    clippy::disallowed_methods,
    reason = "measuring takes the machine's clock"
)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;
use sokhoe_access::{Directive, PersonFacts, Principal, Purpose, Question, Role, decide};
use sokhoe_benches::numbers::{Latencies, grouped};
use sokhoe_benches::random::Random;
use sokhoe_benches::report::{self, Begun, Report};
use sokhoe_commands::{Commands, Look, Settings};
use sokhoe_projections::{Beginning, LooksAsked, Views};
use sokhoe_record::{
    DecidedBy, Effect, EventId, Instant as Moment, Interface, Label, PersonId, Recipient,
    RecordAccessed, Section, Viewer,
};
use sokhoe_storage::Clock;

#[derive(Debug, Parser)]
struct Arguments {
    /// Where the data lies and is removed again.
    #[arg(long, default_value = "target/benches")]
    folder: PathBuf,
    /// Looks that are written down.
    #[arg(long, default_value_t = 1_000_000)]
    looks: u32,
    /// Accounts that look, one as often as the other.
    #[arg(long, default_value_t = 500)]
    accounts: u32,
    /// Keep the output as `benches/runs/<name>.txt`.
    #[arg(long)]
    keep: Option<String>,
}

/// People that are looked at.
const PEOPLE: usize = 20_000;
/// Looks at the one person whose history is long.
const LONG: usize = 10_000;
/// Looks of one request, and requests on their way at once.
const TOGETHER: usize = 64;
const WAITING: usize = 16;

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let Begun {
        mut report, folder, ..
    } = report::begin(
        "# looks: decided, written down, found again",
        &arguments.folder,
    )?;
    decisions(&mut report);
    let clock = Clock::new(now_us);
    let settings = Settings::new(&folder.path().join("data"), clock);
    let (commands, beginning) = Commands::open_with(settings, Beginning::of)?;
    let views = Views::start(beginning).context("follow the log")?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(written(&arguments, &commands, &views, &mut report))?;
    found(&arguments, &commands, &views, &mut report)?;
    views.close();
    commands.close()?;
    if let Some(name) = &arguments.keep {
        report.keep(name)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn now_us() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| {
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    })
}

fn clinician() -> Principal {
    Principal {
        role: Role::Clinician,
        facility: Some("99001".to_owned()),
        ..Principal::operator("dr")
    }
}

/// Directives of every shape: to facilities and professionals, of sections and labels, permits and denials.
fn directives(count: u8) -> Vec<Directive> {
    let directive = |number: u8| Directive {
        id: EventId::from_bytes([number; 16]),
        purpose: Purpose::Treatment,
        to: match number % 4 {
            0 => Recipient::Facility("99001".to_owned()),
            1 => Recipient::Professional("dr".to_owned()),
            2 => Recipient::AnyoneTreating,
            _ => Recipient::Facility(format!("990{number:02}")),
        },
        sections: Section::ALL
            .iter()
            .copied()
            .skip(usize::from(number % 13))
            .take(3)
            .collect(),
        labels: if number.is_multiple_of(5) {
            Label::ALL.to_vec()
        } else {
            Vec::new()
        },
        effect: if number.is_multiple_of(3) {
            Effect::Deny
        } else {
            Effect::Permit
        },
        from_us: 0,
        until_us: i64::MAX,
        own_words: true,
    };
    (0..count).map(directive).collect()
}

fn decisions(report: &mut Report) {
    report.title("one decision");
    let principal = clinician();
    for count in [0, 10, 200] {
        let facts = PersonFacts {
            directives: directives(count),
            commune: None,
        };
        let mut latencies = Latencies::default();
        for _ in 0..20_000 {
            let begun = Instant::now();
            let decision = decide(&Question {
                principal: &principal,
                purpose: Purpose::Treatment,
                own: false,
                facts: &facts,
                emergency: None,
                now: Moment::from_micros(1),
            });
            latencies.add(begun.elapsed());
            std::hint::black_box(decision);
        }
        let (median, high) = (latencies.quantile_us(0.5), latencies.quantile_us(0.99));
        report.line(format!(
            "{count:>3} directives: median {median:.1} µs, p99 {high:.1} µs"
        ));
    }
}

fn look(person: PersonId, account: usize) -> Look {
    let data = RecordAccessed {
        viewer: Viewer {
            id: format!("dr-{account}"),
            role: "clinician".to_owned(),
            purpose: Some(sokhoe_record::Purpose::Treatment),
        },
        through: Interface::Record,
        request: "660d826c010f1-5".to_owned(),
        sections: Section::ALL.to_vec(),
        entries: 26,
        decided: DecidedBy {
            rules: vec![
                "default.staff.recorded".to_owned(),
                "default.staff.elsewhere".to_owned(),
            ],
            policy: "built-in/1".to_owned(),
            position: 1_000_000,
            ..DecidedBy::default()
        },
        position: 1_000_000,
        ..RecordAccessed::default()
    };
    Look {
        person,
        facility: Some("99001".to_owned()),
        data: data.into(),
    }
}

fn person(number: usize) -> PersonId {
    let mut bytes = [1; 16];
    Random::from_seed(number as u64).fill(&mut bytes);
    PersonId::from_bytes(bytes)
}

async fn written(
    arguments: &Arguments,
    commands: &Commands,
    views: &Views,
    report: &mut Report,
) -> anyhow::Result<()> {
    report.title("looks written down, synced");
    let mut random = Random::from_seed(1);
    let begun = Instant::now();
    let mut waiting = tokio::task::JoinSet::new();
    let accounts = usize::try_from(arguments.accounts)?;
    let mut left = usize::try_from(arguments.looks)?;
    let mut long = LONG;
    while left > 0 {
        let count = left.min(TOGETHER);
        left -= count;
        let looks = (0..count).map(|_| {
            let number = if long > 0 && random.below(20) == 0 {
                long -= 1;
                0
            } else {
                1 + random.below(PEOPLE)
            };
            look(person(number), random.below(accounts))
        });
        let (commands, looks) = (commands.clone(), looks.collect());
        waiting.spawn(async move { commands.witness(looks).await.map(drop) });
        while waiting.len() >= WAITING {
            waiting
                .join_next()
                .await
                .context("a request")??
                .context("a look")?;
        }
    }
    while let Some(done) = waiting.join_next().await {
        done?.context("a look")?;
    }
    let took = begun.elapsed();
    let rate = f64::from(arguments.looks) / took.as_secs_f64();
    report.line(format!(
        "{} looks, {}/s",
        grouped(f64::from(arguments.looks)),
        grouped(rate)
    ));
    let end = commands.opener().reader().position().get();
    views.at_least(end, Duration::from_secs(600)).await?;
    let behind = begun.elapsed() - took;
    report.line(format!(
        "the columns have them all {:.2} s later",
        behind.as_secs_f64()
    ));
    Ok(())
}

fn found(
    arguments: &Arguments,
    commands: &Commands,
    views: &Views,
    report: &mut Report,
) -> anyhow::Result<()> {
    report.title("found again");
    let opener = commands.opener();
    let mut latencies = Latencies::default();
    let (mut before, mut seen) = (u64::MAX, 0);
    for _ in 0..50 {
        let begun = Instant::now();
        let page = opener.looks(person(0), before, 100)?;
        latencies.add(begun.elapsed());
        seen += page.len();
        before = page.last().map_or(u64::MAX, |last| last.position);
    }
    report.line(format!(
        "a page of 100 of a person's {} looks: median {:.2} ms, slowest {:.2} ms ({seen} read)",
        grouped(LONG as f64),
        latencies.quantile_us(0.5) / 1000.0,
        latencies.max_us() / 1000.0
    ));
    let asked = LooksAsked {
        actor: Some("dr-1".to_owned()),
        ..LooksAsked::default()
    };
    let mut latencies = Latencies::default();
    let mut people = 0;
    for _ in 0..20 {
        let begun = Instant::now();
        people = views.affected(&asked).len();
        latencies.add(begun.elapsed());
    }
    let ms = latencies.quantile_us(0.5) / 1000.0;
    report.line(format!(
        "whom one of {} accounts affected: {people} people, median {ms:.2} ms, {:.1} ns for each look there is",
        arguments.accounts,
        ms * 1e6 / f64::from(arguments.looks)
    ));
    Ok(())
}

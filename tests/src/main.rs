//! The program `sokhoe` once more, for the tests of this package to start: what it does is `sokhoe-cli`. Orders in the
//! variable `UNDER_TEST` put a disk beneath it that dies or fails at a named place; without them it is `sokhoe`.

mod disk;
mod orders;

use std::process::ExitCode;
use std::sync::Arc;

use sokhoe_cli::Platform;
use sokhoe_storage::LogOptions;

use crate::disk::OrderedDisk;
use crate::orders::Orders;

#[expect(
    clippy::disallowed_methods,
    reason = "the owner of this program's environment"
)]
fn main() -> ExitCode {
    let platform = match std::env::var("UNDER_TEST") {
        Ok(text) => match Orders::read(&text) {
            Ok(orders) => platform(orders),
            Err(wrong) => {
                eprintln!("UNDER_TEST: {wrong}");
                return ExitCode::from(2);
            }
        },
        Err(_) => Platform::default(),
    };
    sokhoe_cli::main(std::env::args_os(), platform)
}

fn platform(orders: Orders) -> Platform {
    let mut log = LogOptions::default();
    if let Some(bytes) = orders.segment_bytes {
        log.segment_bytes = bytes;
        log.first_segment_bytes = bytes;
    }
    if let Some(events) = orders.cache_every_events {
        log.cache_every_events = events;
    }
    Platform {
        disk: Arc::new(OrderedDisk::new(orders)),
        log,
    }
}

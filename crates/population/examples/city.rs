//! Writes a city as JSON lines: `cargo run -p sokhoe-population --example city -- 1000 1 > city.ndjson`
//! for a thousand people of seed 1. With `count` as third word it only counts them.

use std::io::{BufWriter, Write, stdout};

use sokhoe_population::{City, write_line};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let people = words.next().map_or(Ok(1_000), |word| word.parse())?;
    let seed = words.next().map_or(Ok(1), |word| word.parse())?;
    let city = City::new(seed, people)?;
    let mut out = BufWriter::new(stdout().lock());
    if words.next().as_deref() == Some("count") {
        writeln!(out, "{:#?}", city.truth())?;
    } else {
        for incoming in city.events() {
            write_line(incoming, &mut out)?;
        }
    }
    out.flush()?;
    Ok(())
}

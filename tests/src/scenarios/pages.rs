//! The examples of the documentation's pages, run as they stand: a configuration, telemetry, and what comes out.

use std::path::Path;

use super::command_line::{ledger, run};

/// The blocks of a page with these words after their fence, in order.
fn blocks(page: &str) -> Vec<(&str, String)> {
    let mut blocks: Vec<(&str, String)> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        if let Some(words) = line.strip_prefix("```") {
            if !inside {
                blocks.push((words, String::new()));
            }
            inside = !inside;
        } else if let (true, Some((_, text))) = (inside, blocks.last_mut()) {
            text.push_str(line);
            text.push('\n');
        }
    }
    blocks
}

/// Each page of a transform but that of `redact`, whose values must not look like secrets here: with its configuration
/// its telemetry becomes its lines, byte for byte but for the environment's id.
#[test]
fn the_examples_of_the_transforms_do_what_their_pages_say() {
    for name in ["filter", "sample", "enrich", "parse"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../docs/transforms")
            .join(name)
            .with_extension("md");
        let page = std::fs::read_to_string(&path).expect("the page is there");
        let blocks = blocks(&page);
        let at = blocks.windows(3).position(|three| {
            [three[0].0, three[1].0, three[2].0] == ["toml", "json,input", "json,output"]
        });
        let at = at.unwrap_or_else(|| panic!("{name} has no example to run"));
        let [config, input, wanted] = [0, 1, 2].map(|place| blocks[at + place].1.as_str());
        let output = run(config, input.as_bytes());
        let lines = String::from_utf8(output.stdout.clone()).expect("lines are text");
        let without_instance: String = lines
            .lines()
            .map(|line| format!("{}<instance>{}\n", &line[..7], &line[7 + 32..]))
            .collect();
        assert_eq!(without_instance, wanted, "{name}");
        ledger(&output);
    }
}

//! Where the configuration file is, and what to say where there is none.

use std::fs::File;
use std::io::{self, Read};

use tapline_core::config::FILE_BYTES_MAX;

/// The variable that names the file.
pub const CONFIG_VARIABLE: &str = "TAPLINE_CONFIG";

/// Where a file is looked for when no variable names one; the first found is used.
///
/// A layer unpacks into `/opt`, the function's own package into `/var/task`, which is nearer to the function.
/// An extension has no `LAMBDA_TASK_ROOT`.
pub const PLACES: [&str; 2] = ["/var/task/tapline.toml", "/opt/tapline/tapline.toml"];

/// The smallest configuration that works: the text of `config-examples/minimal.toml`.
pub const MINIMAL: &str = "version = 1\n\n[sink.out]\ntype = \"console\"\n";

/// The name and the content of the configuration on the disk; see [`find_config`].
///
/// # Errors
///
/// Those of [`find_config`].
pub fn find(variable: &dyn Fn(&str) -> Option<String>) -> Result<(String, Vec<u8>), String> {
    find_config(variable, &read_file)
}

/// Finds and reads the configuration: exactly the file that `TAPLINE_CONFIG` names, if it is set; else the first of
/// [`PLACES`] that exists. Gives its name, for messages, and its content.
///
/// # Errors
///
/// There is no file, or one that cannot be read: a message that shows the smallest configuration, over several lines.
pub fn find_config(
    variable: &dyn Fn(&str) -> Option<String>,
    read: &dyn Fn(&str) -> io::Result<Vec<u8>>,
) -> Result<(String, Vec<u8>), String> {
    if let Some(name) = variable(CONFIG_VARIABLE).filter(|name| !name.is_empty()) {
        return match read(&name) {
            Ok(bytes) => Ok((name, bytes)),
            Err(error) => {
                let what = format!("`{name}`, named by {CONFIG_VARIABLE}, cannot be read: {error}");
                Err(with_minimal(&what))
            }
        };
    }
    for name in PLACES {
        match read(name) {
            Ok(bytes) => {
                return Ok((name.to_owned(), bytes));
            }
            Err(error) if is_absent(&error) => {}
            // Falling through to another file would run a configuration that nobody meant.
            Err(error) => {
                return Err(with_minimal(&format!("`{name}` cannot be read: {error}")));
            }
        }
    }
    let [first, second] = PLACES;
    Err(with_minimal(&format!(
        "there is no configuration: {CONFIG_VARIABLE} is not set, and neither `{first}` nor `{second}` exists"
    )))
}

/// Reads a file, at most one byte more than a configuration may have.
///
/// # Errors
///
/// What opening or reading gave.
pub fn read_file(name: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = FILE_BYTES_MAX as u64 + 1;
    File::open(name)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn with_minimal(what: &str) -> String {
    format!("{what}; the smallest configuration that works:\n{MINIMAL}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(named: Option<&str>, files: &[&str]) -> Result<String, String> {
        let variable = |name: &str| named.filter(|_| name == CONFIG_VARIABLE).map(str::to_owned);
        let read = |name: &str| match name {
            "/forbidden" => Err(io::ErrorKind::PermissionDenied.into()),
            _ if files.contains(&name) => Ok(Vec::new()),
            _ => Err(io::ErrorKind::NotFound.into()),
        };
        find_config(&variable, &read).map(|(name, _)| name)
    }

    #[test]
    fn the_named_file_is_the_only_one_and_the_task_comes_before_the_layer() {
        assert_eq!(
            find(Some("/a.toml"), &["/a.toml", PLACES[0]]).unwrap(),
            "/a.toml"
        );
        assert_eq!(find(Some(""), &PLACES).unwrap(), PLACES[0]);
        assert_eq!(find(None, &PLACES).unwrap(), PLACES[0]);
        assert_eq!(find(None, &PLACES[1..]).unwrap(), PLACES[1]);
    }

    #[test]
    fn what_is_not_there_is_answered_with_the_smallest_configuration() {
        for (named, wanted) in [
            (None, "/opt/tapline/tapline.toml"),
            (Some("/none"), "`/none`, named by TAPLINE_CONFIG"),
            (Some("/forbidden"), "permission denied"),
        ] {
            let message = find(named, if named.is_some() { &PLACES } else { &[] }).unwrap_err();
            assert!(message.contains(wanted), "{message}");
            assert!(message.ends_with(MINIMAL), "{message}");
        }
    }
}

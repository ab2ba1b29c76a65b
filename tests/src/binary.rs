//! The binary under test, built once.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where `tapline` is: `TAPLINE_BIN` if it is set, else built from this workspace into the profile of these tests.
///
/// Each test is a process of its own under nextest: the first one builds, the others wait for it.
///
/// # Panics
///
/// When it cannot be built.
pub fn tapline() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let given = std::env::var_os("TAPLINE_BIN").map(PathBuf::from);
        given.unwrap_or_else(|| once("tapline-binary", build))
    })
}

/// Where the Tapline is whose own kinds panic.
///
/// # Panics
///
/// When it cannot be built.
pub fn clumsy() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| once("clumsy-binary", || built("tapline-tests", "clumsy")))
}

/// `target/`, whatever it is called.
pub fn target() -> PathBuf {
    profile()
        .parent()
        .expect("a profile is in `target`")
        .to_owned()
}

/// `target/debug`, where the folder `deps` with this test is.
fn profile() -> PathBuf {
    let test = std::env::current_exe().expect("a process knows its file");
    let folder = test.parent().expect("a file is in a folder");
    let deps = folder.file_name().is_some_and(|name| name == "deps");
    if deps {
        folder.parent().expect("`deps` is in a profile").to_owned()
    } else {
        folder.to_owned()
    }
}

/// Does what takes long in one process of a run, and gives its path to all. A run without nextest is one process.
pub fn once(name: &str, make: fn() -> PathBuf) -> PathBuf {
    let folder = target().join("scenarios");
    fs::create_dir_all(&folder).expect("`target` can be written");
    let lock = File::create(folder.join(format!("{name}.lock"))).expect("`target` can be written");
    lock.lock().expect("a file can be locked");
    let stamp = folder.join(format!("{name}.run"));
    let run = std::env::var_os("NEXTEST_RUN_ID").map(|id| id.to_string_lossy().into_owned());
    let last = fs::read_to_string(&stamp).unwrap_or_default();
    if let (Some(run), Some((known, path))) = (&run, last.split_once('\n'))
        && run == known
    {
        return path.into();
    }
    let path = make();
    if let Some(run) = run {
        fs::write(&stamp, format!("{run}\n{}", path.display())).expect("`target` can be written");
    }
    path
}

fn build() -> PathBuf {
    built("tapline", "tapline")
}

fn built(package: &str, binary: &str) -> PathBuf {
    let profile = profile();
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["build", "--quiet", "--package", package, "--bin", binary])
        .arg("--target-dir")
        .arg(target());
    if profile.file_name().is_some_and(|name| name == "release") {
        command.arg("--release");
    }
    let built = command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo runs");
    assert!(built.success(), "`{binary}` cannot be built");
    profile.join(binary)
}

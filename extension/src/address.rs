//! Where the receiver listens: a port and a token that survive a reset of the environment.
//!
//! After a time-out or a crash the platform starts every process again, but goes on delivering what was left to the
//! address of the old subscription. So the new process listens there too, and takes that token.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use tapline_core::level::Level;
use tapline_core::world::World;
use tokio::net::TcpListener;

use crate::world::RealWorld;

/// A listener with the token that its POSTs must carry.
pub struct Address {
    /// Bound and listening.
    pub listener: TcpListener,
    /// The port that it is bound to.
    pub port: u16,
    /// 32 hex digits.
    pub token: String,
}

impl Address {
    /// The subscription's destination.
    pub fn uri(&self) -> String {
        format!("http://sandbox.localdomain:{}/{}", self.port, self.token)
    }
}

/// Binds the port of the life before, or a free one, and remembers it with its token.
///
/// # Errors
///
/// When no port can be bound.
pub async fn bind(world: &RealWorld, endpoint: &str, name: &str) -> std::io::Result<Address> {
    let ip = if in_lambda(endpoint, world.variable("AWS_SAM_LOCAL").is_some()) {
        Ipv4Addr::UNSPECIFIED
    } else {
        Ipv4Addr::LOCALHOST
    };
    let file = remembered_in(world, endpoint, name);
    if let Some((port, token)) = recall(&file)
        && let Ok(listener) = TcpListener::bind((ip, port)).await
    {
        return Ok(Address { listener, port, token });
    }
    let listener = TcpListener::bind((ip, 0)).await?;
    let port = listener.local_addr()?.port();
    let token = String::from_utf8_lossy(&world.fresh_hex()).into_owned();
    if let Err(error) = remember(&file, port, &token) {
        world.log(Level::Warn, &format!("the receiver's address will not survive a reset: {error}"));
    }
    Ok(Address { listener, port, token })
}

/// Whether the platform delivers from outside this network namespace's loopback: then all interfaces are bound.
///
/// Lambda's endpoint is `169.254.100.1:9001`, in older environments `127.0.0.1:9001`; emulators on this machine use
/// loopback with a port of their own, or say so.
fn in_lambda(endpoint: &str, sam_local: bool) -> bool {
    let (host, port) = endpoint.rsplit_once(':').unwrap_or((endpoint, ""));
    let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    !sam_local && (!loopback || port == "9001")
}

/// One file an endpoint and extension name, in the environment's private `/tmp`.
fn remembered_in(world: &dyn World, endpoint: &str, name: &str) -> PathBuf {
    let directory = world.variable("TMPDIR").unwrap_or_else(|| "/tmp".to_owned());
    let plain: String = format!("{name}-{endpoint}")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .take(120)
        .collect();
    Path::new(&directory).join(format!(".tapline-{plain}"))
}

/// Reads port and token, if the file is ours: a regular file of this user that nobody else can write.
fn recall(path: &Path) -> Option<(u16, String)> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NOFOLLOW.bits() as i32)
        .open(path)
        .ok()?;
    let facts = file.metadata().ok()?;
    let ours = facts.is_file() && facts.uid() == rustix::process::getuid().as_raw() && facts.mode() & 0o077 == 0;
    if !ours {
        return None;
    }
    let mut text = String::new();
    file.take(64).read_to_string(&mut text).ok()?;
    let (port, token) = text.trim_end().split_once(' ')?;
    let usable = token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit());
    let port = port.parse().ok().filter(|port| *port > 1_024)?;
    usable.then(|| (port, token.to_owned()))
}

fn remember(path: &Path, port: u16, token: &str) -> std::io::Result<()> {
    fs::remove_file(path).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits() as i32)
        .open(path)?;
    writeln!(file, "{port} {token}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_interfaces_are_bound_only_in_lambda() {
        for (endpoint, expected) in [
            ("169.254.100.1:9001", true),
            ("127.0.0.1:9001", true),
            ("127.0.0.1:34567", false),
            ("localhost:8080", false),
            ("[::1]:34567", false),
        ] {
            let host = endpoint.replace(['[', ']'], "");
            assert_eq!(in_lambda(&host, false), expected, "{endpoint}");
        }
        assert!(!in_lambda("127.0.0.1:9001", true));
    }

    #[test]
    fn an_address_is_remembered_and_a_foreign_file_is_not_trusted() {
        use std::os::unix::fs::PermissionsExt;
        let path = std::env::temp_dir().join(format!("tapline-address-{}", std::process::id()));
        let token = "0123456789abcdef0123456789abcdef";
        remember(&path, 4_321, token).unwrap();
        assert_eq!(recall(&path), Some((4_321, token.to_owned())));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(recall(&path), None, "others could have written it");
        remember(&path, 80, token).unwrap();
        assert_eq!(recall(&path), None, "no port of ours");
        fs::write(&path, "x").unwrap();
        assert_eq!(recall(&path), None);
        fs::remove_file(&path).unwrap();
    }
}

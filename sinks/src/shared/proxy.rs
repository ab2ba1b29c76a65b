//! Proxies from the environment: which requests go through one, and how.
//!
//! `HTTPS_PROXY` for `https`, `HTTP_PROXY` for `http`, else `ALL_PROXY`; `NO_PROXY` lists what goes straight. Names in
//! lower case count first, and `HTTP_PROXY` in upper case does not count where `REQUEST_METHOD` is set, because a CGI
//! server fills it from a header. Loopback, link-local addresses (where AWS answers for credentials) and the runtime
//! API never go through a proxy, whatever the variables say.
//!
//! Source: `curl(1)`, section "Environment", and `proxyFromEnvironment` of Go's `net/http`, read 2026-11-25.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hyper::header::HeaderValue;
use tapline_core::world::{Stream, World};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::headers::base64;
use super::http::Failure;
use super::url::{self, Url};

/// Longest answer of a proxy to `CONNECT`, in bytes.
const ANSWER_BYTES_MAX: usize = 8 << 10;

/// A proxy and what it is told.
#[derive(Debug, Clone)]
pub(crate) struct Proxy {
    /// Where it listens.
    pub url: Url,
    /// `Proxy-Authorization`, where the variable holds credentials.
    pub authorization: Option<HeaderValue>,
}

/// The way to a destination: `None` for straight.
///
/// # Errors
///
/// A variable names a proxy that cannot be used: going straight instead could be what the proxy is there to prevent.
pub(crate) fn route(world: &dyn World, to: &Url) -> Result<Option<Proxy>, Failure> {
    if is_near(world, to) || is_listed(world, to) {
        return Ok(None);
    }
    let Some(text) = variable_for(world, to.https) else {
        return Ok(None);
    };
    let proxy = parse(&text).ok_or_else(|| Failure::unanswered("proxy_variable"))?;
    Ok(Some(proxy))
}

impl Proxy {
    /// Asks for a tunnel to the destination over a connection to the proxy.
    pub async fn tunnel(
        &self,
        mut stream: Box<dyn Stream>,
        to: &Url,
    ) -> Result<Box<dyn Stream>, Failure> {
        let target = authority(&to.host, to.port);
        let mut head = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n").into_bytes();
        if let Some(authorization) = &self.authorization {
            head.extend_from_slice(b"proxy-authorization: ");
            head.extend_from_slice(authorization.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        let failed = |_| Failure::unanswered("proxy");
        stream.write_all(&head).await.map_err(failed)?;
        stream.flush().await.map_err(failed)?;
        let answer = read_head(&mut stream).await?;
        match status(&answer) {
            Some(200..=299) => Ok(stream),
            Some(401 | 403 | 407) => Err(Failure::unanswered("proxy_denied")),
            _ => Err(Failure::unanswered("proxy")),
        }
    }
}

/// Reads up to the empty line. The destination speaks after we do, so nothing may follow it.
async fn read_head(stream: &mut Box<dyn Stream>) -> Result<Vec<u8>, Failure> {
    let mut head = Vec::new();
    while head.len() < ANSWER_BYTES_MAX {
        let mut some = [0; 512];
        let read = stream.read(&mut some).await.unwrap_or(0);
        if read == 0 {
            break;
        }
        head.extend_from_slice(&some[..read]);
        if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            return match end + 4 == head.len() {
                true => Ok(head),
                false => Err(Failure::unanswered("proxy")),
            };
        }
    }
    Err(Failure::unanswered("proxy"))
}

fn status(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?.strip_prefix("HTTP/1.")?;
    let digits = line.get(2..5)?;
    digits.parse().ok()
}

fn authority(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

fn variable_for(world: &dyn World, https: bool) -> Option<String> {
    let own = if https {
        any(world, "https_proxy", "HTTPS_PROXY")
    } else if world.variable("REQUEST_METHOD").is_some() {
        world.variable("http_proxy")
    } else {
        any(world, "http_proxy", "HTTP_PROXY")
    };
    own.or_else(|| any(world, "all_proxy", "ALL_PROXY"))
}

fn any(world: &dyn World, lower: &str, upper: &str) -> Option<String> {
    world.variable(lower).or_else(|| world.variable(upper))
}

/// `http://user:password@host:port`, `https://…`, or `host:port`. The port is that of the scheme where it is left out.
fn parse(text: &str) -> Option<Proxy> {
    let (scheme, rest) = text
        .trim()
        .split_once("://")
        .unwrap_or(("http", text.trim()));
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (credentials, place) = match rest.rsplit_once('@') {
        Some((credentials, place)) => (Some(credentials), place),
        None => (None, rest),
    };
    let authorization = match credentials {
        None => None,
        Some(credentials) => {
            let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
            let mut pair = unescaped(user)?;
            pair.push(b':');
            pair.extend(unescaped(password)?);
            let mut value = HeaderValue::from_str(&format!("Basic {}", base64(&pair))).ok()?;
            value.set_sensitive(true);
            Some(value)
        }
    };
    let url = url::parse(&format!("{scheme}://{place}")).ok()?;
    Some(Proxy { url, authorization })
}

/// Undoes `%40` and the like.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            out.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            out.push(byte);
        }
    }
    Some(out)
}

/// On this machine, or as near as makes a proxy wrong.
fn is_near(world: &dyn World, to: &Url) -> bool {
    let host = to.host.to_ascii_lowercase();
    if host == "localhost" || host.ends_with(".localhost") {
        return true;
    }
    let runtime = world.variable("AWS_LAMBDA_RUNTIME_API");
    if runtime.is_some_and(|api| api == authority(&to.host, to.port)) {
        return true;
    }
    match host.parse() {
        Ok(IpAddr::V4(v4)) => v4.is_loopback() || v4.is_link_local() || v4.is_unspecified(),
        Ok(IpAddr::V6(v6)) => {
            v6.is_loopback() || v6.is_unicast_link_local() || v6.segments()[..2] == EC2_LOCAL
        }
        Err(_) => false,
    }
}

/// Where AWS answers for credentials by IPv6: `fd00:ec2::/32`.
///
/// Source: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html>, read 2026-11-25.
const EC2_LOCAL: [u16; 2] = [0xfd00, 0x0ec2];

/// Whether `NO_PROXY` lists the destination: `*`, a name with all below it, an address, a network, each with an
/// optional port.
fn is_listed(world: &dyn World, to: &Url) -> bool {
    let Some(list) = any(world, "no_proxy", "NO_PROXY") else {
        return false;
    };
    let host = to.host.to_ascii_lowercase();
    list.split([',', ' '])
        .map(|entry| entry.trim().to_ascii_lowercase())
        .filter(|entry| !entry.is_empty())
        .any(|entry| is_meant(&entry, &host, to.port))
}

fn is_meant(entry: &str, host: &str, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        if let Some((network, length)) = entry.split_once('/') {
            let (Ok(network), Ok(length)) = (network.parse(), length.parse()) else {
                return false;
            };
            return is_within(address, network, length);
        }
        if let Ok(entry) = entry.trim_matches(['[', ']']).parse::<IpAddr>() {
            return entry == address;
        }
    }
    let (name, wanted) = match entry.rsplit_once(':') {
        Some((name, digits)) => match digits.parse::<u16>() {
            Ok(wanted) => (name, Some(wanted)),
            Err(_) => (entry, None),
        },
        None => (entry, None),
    };
    if wanted.is_some_and(|wanted| wanted != port) {
        return false;
    }
    let name = name.trim_matches(['[', ']']);
    let name = name.strip_prefix('*').unwrap_or(name);
    let name = name.strip_prefix('.').unwrap_or(name);
    let below = host.strip_suffix(name);
    below.is_some_and(|below| !name.is_empty() && (below.is_empty() || below.ends_with('.')))
}

fn is_within(address: IpAddr, network: IpAddr, length: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) if length <= 32 => {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            let bits = |address: Ipv4Addr| u32::from(address) & mask;
            bits(address) == bits(network)
        }
        (IpAddr::V6(address), IpAddr::V6(network)) if length <= 128 => {
            let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
            let bits = |address: Ipv6Addr| u128::from(address) & mask;
            bits(address) == bits(network)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;

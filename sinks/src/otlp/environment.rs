//! `OTEL_EXPORTER_OTLP_*`: what stands in for keys that the file does not have.
//!
//! A variable of the signal wins over the general one, and an empty one counts as unset.
//!
//! Source: <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>, read 2026-11-25.

use std::time::Duration;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use tapline_core::config::{Reader, Secret};

use crate::shared::headers;
use crate::shared::tls::Identity;

/// What is sent: each signal has variables of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// Records.
    Logs,
    /// Counts and distributions from platform events.
    Metrics,
    /// Spans from platform events.
    Traces,
}

impl Signal {
    /// The word in `signals`.
    pub fn word(self) -> &'static str {
        match self {
            Signal::Logs => "logs",
            Signal::Metrics => "metrics",
            Signal::Traces => "traces",
        }
    }

    /// What gRPC calls.
    pub fn method(self) -> &'static str {
        match self {
            Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        }
    }
}

/// A variable with its name.
pub(super) struct Found {
    pub name: String,
    pub value: String,
    /// It is the one of the signal.
    pub of_signal: bool,
}

/// `OTEL_EXPORTER_OTLP_<SIGNAL>_<END>`, else `OTEL_EXPORTER_OTLP_<END>`.
pub(super) fn find(reader: &Reader<'_>, signal: Signal, end: &str) -> Option<Found> {
    let own = format!("OTEL_EXPORTER_OTLP_{}_{end}", signal.word().to_uppercase());
    let general = format!("OTEL_EXPORTER_OTLP_{end}");
    [(own, true), (general, false)]
        .into_iter()
        .find_map(|(name, of_signal)| {
            let value = reader.variable(&name)?;
            Some(Found {
                name,
                value,
                of_signal,
            })
        })
}

/// One of these words. Another one is warned about and not used, as the specification asks.
pub(super) fn word(
    reader: &Reader<'_>,
    signal: Signal,
    end: &str,
    words: &[&'static str],
) -> Option<&'static str> {
    let found = find(reader, signal, end)?;
    let known = words.iter().find(|word| **word == found.value.trim());
    if known.is_none() {
        let message = format!(
            "`{}` holds a word that is not known, and is not used",
            found.name
        );
        let help = format!(
            "set it to {}",
            tapline_core::config::words_list(words.iter().copied())
        );
        reader.warning(reader.header(), message, help);
    }
    known.copied()
}

/// `TIMEOUT`, in milliseconds.
pub(super) fn timeout(reader: &Reader<'_>, signal: Signal) -> Option<Duration> {
    let found = find(reader, signal, "TIMEOUT")?;
    match found.value.trim().parse() {
        Ok(ms @ 10..=300_000) => Some(Duration::from_millis(ms)),
        _ => {
            let message = format!("`{}` is no time-out, and is not used", found.name);
            let help = "set it to a number of milliseconds from 10 to 300000";
            reader.warning(reader.header(), message, help);
            None
        }
    }
}

/// `CLIENT_CERTIFICATE` and `CLIENT_KEY`: who connects. One without the other is warned about and not used.
pub(super) fn identity(reader: &Reader<'_>, signal: Signal) -> Option<Identity> {
    let cert = find(reader, signal, "CLIENT_CERTIFICATE");
    let key = find(reader, signal, "CLIENT_KEY");
    let (alone, missing) = match (cert, key) {
        (Some(cert), Some(key)) => {
            return Some(Identity {
                cert: (cert.name, cert.value),
                key: (key.name, Secret::new(key.value)),
            });
        }
        (Some(cert), None) => (cert.name, "CLIENT_KEY"),
        (None, Some(key)) => (key.name, "CLIENT_CERTIFICATE"),
        (None, None) => return None,
    };
    let message = format!("`{alone}` is of no use without the other half, and is not used");
    let help = format!("set `OTEL_EXPORTER_OTLP_{missing}` too");
    reader.warning(reader.header(), message, help);
    None
}

/// `HEADERS`: `name=value,name=value`, values percent-encoded. What cannot be a header is warned about, without its
/// value, and left out.
pub(super) fn headers(reader: &Reader<'_>, signal: Signal) -> HeaderMap {
    let mut map = HeaderMap::new();
    let Some(found) = find(reader, signal, "HEADERS") else {
        return map;
    };
    for pair in found.value.split(',').map(str::trim) {
        if pair.is_empty() {
            continue;
        }
        match header(pair) {
            Some((name, value)) if !is_taken(&name) => {
                map.insert(name, value);
            }
            _ => {
                let message = format!(
                    "a part of `{}` cannot be a header, and is left out",
                    found.name
                );
                let help = "write `name=value,name=value`; what is special in a value is percent-encoded, and headers of the protocol are set by Tapline";
                reader.warning(reader.header(), message, help);
            }
        }
    }
    map
}

/// Headers that say how a request is read.
pub(super) fn is_taken(name: &HeaderName) -> bool {
    headers::is_reserved(name.as_str())
        || name.as_str() == "content-type"
        || name.as_str().starts_with("grpc-")
}

fn header(pair: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = pair.split_once('=')?;
    let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
    let decoded = decode(value.trim());
    let mut value = HeaderValue::from_str(std::str::from_utf8(&decoded).ok()?).ok()?;
    value.set_sensitive(true);
    Some((name, value))
}

/// Percent-decoding; a `%` that begins no two hex digits stands for itself.
pub(super) fn decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digit = |offset: usize| char::from(*bytes.get(at + offset)?).to_digit(16);
        match (byte, digit(1), digit(2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high << 4 | low) as u8);
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

//! What every sink that speaks HTTP shares.
//!
//! A sink reads its [`url`] and [`headers`], encodes into a `Buffer`, [`gzip`]s it where it is told to, hands it to its
//! [`http::Client`] and turns the answer into a verdict with [`classify`] or a function of its own.

pub(crate) mod classify;
pub(crate) mod gzip;
pub(crate) mod headers;
pub(crate) mod http;
mod io;
mod retry_after;
#[cfg(test)]
pub(crate) mod test_server;
pub(crate) mod tls;
pub(crate) mod url;

//! What every sink that speaks HTTP shares.
//!
//! A sink reads its [`url`] and [`headers`], encodes into a `Buffer`, [`gzip`]s it where it is told to, hands it to its
//! [`http::Client`] and turns the answer into a verdict with [`classify`] or a function of its own.
//!
//! What speaks to AWS signs through [`signed::Signed`]: [`sigv4`] computes, [`credentials`] says who signs, [`fault`]
//! what an error means, [`endpoint`] where a service answers, and [`aws`] has the keys of such sinks.

pub(crate) mod aws;
pub(crate) mod classify;
pub(crate) mod coder;
pub(crate) mod credentials;
pub(crate) mod doubt;
pub(crate) mod endpoint;
pub(crate) mod fault;
pub(crate) mod gzip;
pub(crate) mod headers;
pub(crate) mod http;
pub(crate) mod io;
pub(crate) mod late;
pub(crate) mod packer;
mod proxy;
pub(crate) mod retry_after;
pub(crate) mod signed;
pub(crate) mod sigv4;
#[cfg(test)]
pub(crate) mod test_server;
pub(crate) mod tls;
pub(crate) mod url;
pub(crate) mod xml;

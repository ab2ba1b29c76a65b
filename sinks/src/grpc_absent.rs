//! In place of gRPC in a build without it: there is no client, so that nothing can be called.

use std::time::Duration;

use bytes::Bytes;
use hyper::header::HeaderMap;
use tapline_core::sink::Call;

use crate::otlp::reply::Reply;
use crate::shared::http::Failure;
use crate::shared::late::LateHeaders;
use crate::shared::tls::Tls;
use crate::shared::url::Url;

/// This build does not speak gRPC.
pub(crate) const BUILT: bool = false;

/// There is none.
pub(crate) enum Client {}

impl Client {
    /// There is none.
    pub fn new(_: Url, _: &str, _: Duration, _: Tls, _: LateHeaders) -> Option<Client> {
        None
    }

    /// Cannot be called.
    pub async fn call(
        &mut self,
        _: &Call<'_>,
        _: &HeaderMap,
        _: &Bytes,
        _: Option<&'static str>,
    ) -> Result<Reply, Failure> {
        match *self {}
    }
}

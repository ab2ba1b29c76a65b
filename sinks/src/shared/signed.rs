//! Requests that are signed, and what is done when AWS does not like the signature.
//!
//! A clock that is off is set right by the `Date` of the answer, for this sink alone, and refused credentials are read
//! anew; either is followed by one more request at once, which uses up no attempt. Where nothing can be set right, the
//! answer is given back as it is.

use hyper::header::DATE;
use tapline_core::sink::Call;

use super::credentials::{Missing, Provider, unusable};
use super::fault::{Fault, Remedy};
use super::http::{Answer, Client, Outgoing};
use super::retry_after;
use super::sigv4::Scope;
use super::url::Url;

/// A difference of clocks that is worth another signature. AWS takes 5 min, S3 15; `Date` has whole seconds.
const SKEW_MS_MIN: i64 = 60_000;

const NO_REGION: &str =
    "no region of AWS is known; write `region`, or set the variable `AWS_REGION`";

/// Signs for one destination.
#[derive(Debug)]
pub(crate) struct Signed {
    /// What the signatures are good for. Without a region it is the function's.
    pub scope: Scope,
    provider: Provider,
    /// The destination's clock less ours, as far as that was wrong.
    ahead_ms: i64,
}

impl Signed {
    /// Signs with the credentials that the provider gives.
    pub fn new(scope: Scope, provider: Provider) -> Signed {
        Signed {
            scope,
            provider,
            ahead_ms: 0,
        }
    }

    /// The wall clock, as far as is known of it.
    pub fn wall_ms(&self, call: &Call<'_>) -> i64 {
        call.world.wall_ms().saturating_add(self.ahead_ms)
    }

    /// Signs and sends a request; see the top of this file.
    pub async fn send(
        &mut self,
        client: &mut Client,
        call: &Call<'_>,
        outgoing: &mut Outgoing,
    ) -> Result<Answer, Missing> {
        self.sign(client.url(), call, outgoing).await?;
        let answer = client.send(call, outgoing).await?;
        if !self.mend(call, &answer).await {
            return Ok(answer);
        }
        self.sign(client.url(), call, outgoing).await?;
        Ok(client.send(call, outgoing).await?)
    }

    /// Signs a request that is sent at once.
    pub async fn sign(
        &mut self,
        url: &Url,
        call: &Call<'_>,
        outgoing: &mut Outgoing,
    ) -> Result<(), Missing> {
        if self.scope.region.is_empty() {
            self.scope.region.clone_from(&call.facts.region);
        }
        if self.scope.region.is_empty() {
            return Err(Missing::Refused(NO_REGION.to_owned()));
        }
        let wall_ms = self.wall_ms(call);
        let credentials = self.provider.get(call, wall_ms, &self.scope.region).await?;
        // The time that reading the credentials took is no time of the signature.
        let wall_ms = self.wall_ms(call);
        self.scope
            .sign(&credentials, wall_ms, url, outgoing)
            .map_err(|_| unusable())
    }

    /// After an answer that does not like the signature: sets right what can be. Says whether it is worth signing and
    /// sending the request once more.
    pub async fn mend(&mut self, call: &Call<'_>, answer: &Answer) -> bool {
        let refused = !answer.status.is_success() && Fault::of(answer).remedy() == Remedy::SignAnew;
        refused && (self.set_clock(call, answer) || self.reload(call).await)
    }

    /// Takes over the time of an answer, where ours is far from it.
    fn set_clock(&mut self, call: &Call<'_>, answer: &Answer) -> bool {
        let date = answer.headers.get(DATE);
        let Some(theirs) = date.and_then(|date| retry_after::date_ms(date.as_bytes())) else {
            return false;
        };
        let off = theirs.saturating_sub(self.wall_ms(call));
        if off.saturating_abs() < SKEW_MS_MIN {
            return false;
        }
        self.ahead_ms = self.ahead_ms.saturating_add(off);
        true
    }

    /// Reads the credentials anew. Says whether they are others than before.
    async fn reload(&mut self, call: &Call<'_>) -> bool {
        let wall_ms = self.wall_ms(call);
        let region = self.scope.region.clone();
        let Ok(before) = self.provider.get(call, wall_ms, &region).await else {
            return false;
        };
        self.provider.forget();
        match self.provider.get(call, wall_ms, &region).await {
            Ok(after) => *after != *before,
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests;

//! Headers whose values are secrets of AWS: added to each request once they are there.
//!
//! A request waits for them until its call's deadline. Where a destination answers 401 or 403, they are fetched anew,
//! at most once a minute; if that gives others, the request is sent once more at once, which uses up no attempt. So a
//! secret that was rotated costs nothing.

use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use tapline_core::config::{Late, Reader, Secret};
use tapline_core::sink::Call;
use tapline_core::world::before;

use super::headers::base64;
use super::http::Failure;

/// Headers that come later.
#[derive(Debug, Default)]
pub(crate) struct LateHeaders(Vec<LateHeader>);

#[derive(Debug)]
struct LateHeader {
    name: HeaderName,
    secret: Secret,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Plain,
    Bearer,
    /// The name of the user.
    Basic(String),
    /// Behind this, as a service wants it.
    Behind(String),
}

impl LateHeaders {
    /// Those of the table `headers`. What is wrong in it is reported elsewhere.
    pub fn of_headers(mut self, reader: &Reader<'_>) -> LateHeaders {
        for (name, secret) in reader.map_of_secrets("headers") {
            if let Ok(name) = HeaderName::from_bytes(name.value.as_bytes()) {
                self.add(name, secret.value, Form::Plain);
            }
        }
        self
    }

    /// That of the table `auth`.
    pub fn of_auth(mut self, reader: &Reader<'_>) -> LateHeaders {
        let Some(auth) = reader.has("auth").then(|| reader.table("auth")).flatten() else {
            return self;
        };
        if auth.has("bearer")
            && let Some(token) = auth.any_secret("bearer")
        {
            self.add(AUTHORIZATION, token.value, Form::Bearer);
        } else if auth.has("basic")
            && let Some(basic) = auth.table("basic")
            && let (Some(user), Some(password)) = (basic.text("user"), basic.any_secret("password"))
        {
            self.add(AUTHORIZATION, password.value, Form::Basic(user.value));
        }
        self
    }

    /// One header more: a secret behind what a service wants to stand before it.
    pub fn add_behind(&mut self, name: &'static str, secret: Secret, prefix: String) {
        self.add(HeaderName::from_static(name), secret, Form::Behind(prefix));
    }

    /// These, and those.
    pub fn and(mut self, others: LateHeaders) -> LateHeaders {
        self.0.extend(others.0);
        self
    }

    fn add(&mut self, name: HeaderName, secret: Secret, form: Form) {
        if secret.waits_for().is_some() {
            self.0.push(LateHeader { name, secret, form });
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn secrets(&self) -> impl Iterator<Item = &Late> {
        self.0.iter().filter_map(|header| header.secret.waits_for())
    }

    /// The headers, once all are there.
    pub async fn headers(&self, call: &Call<'_>) -> Result<HeaderMap, Failure> {
        for late in self.secrets() {
            if before(call.world, call.deadline, late.settled())
                .await
                .is_none()
            {
                return Err(Failure::unanswered("secret"));
            }
        }
        let mut headers = HeaderMap::with_capacity(self.0.len());
        for header in &self.0 {
            // Why it is not there was said by the task that fetches; it tries again by itself.
            let value = header.value().ok_or(Failure {
                why: "secret",
                answered: true,
            })?;
            headers.insert(header.name.clone(), value);
        }
        Ok(headers)
    }

    /// The headers after the destination refused these, where they are others by now.
    pub async fn changed(&self, refused: &HeaderMap, call: &Call<'_>) -> Option<HeaderMap> {
        let now = call.world.now();
        let anew = self.secrets().filter(|late| late.refused(now)).count();
        let headers = self.headers(call).await.ok()?;
        (anew > 0 && headers != *refused).then_some(headers)
    }
}

impl LateHeader {
    fn value(&self) -> Option<HeaderValue> {
        let secret = self.secret.current()?;
        let text = match &self.form {
            Form::Plain => secret.into_owned(),
            Form::Bearer => format!("Bearer {secret}"),
            Form::Behind(prefix) => format!("{prefix}{secret}"),
            Form::Basic(user) => {
                format!("Basic {}", base64(format!("{user}:{secret}").as_bytes()))
            }
        };
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

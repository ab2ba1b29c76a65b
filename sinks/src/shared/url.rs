//! The URL of a sink: checked when the configuration is loaded, taken apart once.

use hyper::Uri;
use hyper::header::HeaderValue;
use tapline_core::config::Reader;

/// Where requests go.
#[derive(Debug, Clone)]
pub(crate) struct Url {
    /// With TLS.
    pub https: bool,
    /// A name or an address, without the brackets of IPv6.
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
    /// What `Host` says.
    pub host_header: HeaderValue,
    /// Path and query, as the first line of a request has them.
    pub target: Uri,
}

/// What is wrong with a URL, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// What it is.
    pub message: &'static str,
    /// What to write instead.
    pub help: &'static str,
}

/// Reads a key of kind text as a URL, and reports what is wrong with it without showing credentials.
///
/// A URL may be a credential as a whole, as those of webhooks are: it is not printed with any problem of its line.
pub(crate) fn read(reader: &Reader<'_>, key: &str) -> Option<Url> {
    let text = reader.text(key)?;
    reader.hide(text.span.clone());
    match parse(&text.value) {
        Ok(url) => Some(url),
        Err(wrong) => {
            reader.error(text.span.clone(), wrong.message, wrong.help);
            None
        }
    }
}

/// Takes a URL apart: `https://host[:port][/path][?query]`.
pub(crate) fn parse(text: &str) -> Result<Url, Wrong> {
    let wrong = |message, help| Err(Wrong { message, help });
    let Some((scheme, rest)) = text.split_once("://") else {
        return wrong(
            "the URL has no scheme",
            "write for example `https://logs.example.com/in`",
        );
    };
    let https = match scheme {
        _ if scheme.eq_ignore_ascii_case("https") => true,
        _ if scheme.eq_ignore_ascii_case("http") => false,
        _ => {
            return wrong(
                "the scheme of the URL is not known",
                "write `https://` or `http://`",
            );
        }
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return wrong(
            "the URL holds credentials",
            "take them out of it and put them into `headers` or `auth`",
        );
    }
    if text.contains('#') {
        return wrong(
            "the URL has a fragment, which is never sent",
            "take out `#` and what follows, or write `%23`",
        );
    }
    parts(https, authority, rest).map_or_else(
        || {
            wrong(
                "the URL cannot be read",
                "write `https://host[:port]/path`, with `%20` and the like for special characters",
            )
        },
        Ok,
    )
}

fn parts(https: bool, authority: &str, rest: &str) -> Option<Url> {
    if !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let parsed: hyper::http::uri::Authority = authority.parse().ok()?;
    let host = parsed.host();
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let after_host = authority.get(host.len()..)?;
    let port = match after_host.strip_prefix(':') {
        None if after_host.is_empty() => {
            if https {
                443
            } else {
                80
            }
        }
        None => return None,
        Some(port) => port.parse().ok().filter(|port| *port > 0)?,
    };
    if bare.unwrap_or(host).is_empty() {
        return None;
    }
    let path = rest.get(authority.len()..)?;
    let target = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    Some(Url {
        https,
        host: bare.unwrap_or(host).to_owned(),
        port,
        host_header: HeaderValue::from_str(authority).ok()?,
        target: target.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_url_is_taken_apart() {
        let rows = [
            (
                "https://a.example/x?y=1",
                (true, "a.example", 443, "a.example", "/x?y=1"),
            ),
            (
                "HTTP://a.example",
                (false, "a.example", 80, "a.example", "/"),
            ),
            (
                "http://a.example:81?q",
                (false, "a.example", 81, "a.example:81", "/?q"),
            ),
            (
                "http://[::1]:8080/v1",
                (false, "::1", 8080, "[::1]:8080", "/v1"),
            ),
            (
                "https://127.0.0.1//a@b",
                (true, "127.0.0.1", 443, "127.0.0.1", "//a@b"),
            ),
        ];
        for (text, wanted) in rows {
            let url = parse(text).unwrap();
            let target = url.target.to_string();
            let header = url.host_header.to_str().unwrap().to_owned();
            let got = (
                url.https,
                url.host.as_str(),
                url.port,
                header.as_str(),
                target.as_str(),
            );
            assert_eq!(got, wanted, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_sent_to_is_refused_with_a_remedy() {
        let rows = [
            ("logs.example.com", "scheme"),
            ("ftp://a", "scheme"),
            ("https://", "cannot be read"),
            ("https:///x", "cannot be read"),
            ("https://:443/", "cannot be read"),
            ("https://a:0/", "cannot be read"),
            ("https://a:65536/", "cannot be read"),
            ("https://a:/", "cannot be read"),
            ("https://a b/", "cannot be read"),
            ("https://a/b c", "cannot be read"),
            ("https://a/b\r\nx: y", "cannot be read"),
            ("https://a/ä", "cannot be read"),
            ("https://[::1/", "cannot be read"),
            ("https://a/#b", "fragment"),
            ("https://user:pass@a/", "credentials"),
            ("https://token@a/", "credentials"),
        ];
        for (text, word) in rows {
            let wrong = parse(text).unwrap_err();
            assert!(wrong.message.contains(word), "{text}: {}", wrong.message);
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_parser(text in "(https?://)?[\\PC\\x00-\\x20]{0,40}") {
            if let Ok(url) = parse(&text) {
                prop_assert!(!url.host.is_empty() && url.target.path().starts_with('/'));
            }
        }
    }
}

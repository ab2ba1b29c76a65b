//! Which way a request goes, for each form of the variables; and tunnels through a real proxy on loopback.

use super::*;
use crate::test_world::TestWorld;

type Variables<'a> = &'a [(&'a str, &'a str)];

fn way(variables: Variables<'_>, to: &str) -> Result<Option<String>, &'static str> {
    let world = TestWorld::new();
    for (name, value) in variables {
        world.set(name, value);
    }
    let to = url::parse(to).unwrap();
    match route(&world, &to) {
        Ok(proxy) => Ok(proxy.map(|proxy| {
            let authorization = proxy
                .authorization
                .map(|value| value.to_str().unwrap().to_owned());
            let place = authority(&proxy.url.host, proxy.url.port);
            match authorization {
                Some(authorization) => format!("{place} {authorization}"),
                None => place,
            }
        })),
        Err(failure) => Err(failure.why),
    }
}

#[test]
fn each_scheme_has_its_variable() {
    const TO: &str = "https://logs.example.com/";
    const PLAIN: &str = "http://logs.example.com/";
    let rows: [(Variables<'_>, &str, Option<&str>); 13] = [
        (&[], TO, None),
        (&[("HTTPS_PROXY", "http://p:3128")], TO, Some("p:3128")),
        (&[("https_proxy", "p:3128")], TO, Some("p:3128")),
        (&[("HTTPS_PROXY", "http://p:3128/")], PLAIN, None),
        (&[("HTTP_PROXY", "http://p:3128")], PLAIN, Some("p:3128")),
        (&[("HTTP_PROXY", "http://p:3128")], TO, None),
        (
            &[("HTTP_PROXY", "http://p:1"), ("REQUEST_METHOD", "GET")],
            PLAIN,
            None,
        ),
        (
            &[("http_proxy", "http://p:1"), ("REQUEST_METHOD", "GET")],
            PLAIN,
            Some("p:1"),
        ),
        (&[("ALL_PROXY", "http://p")], TO, Some("p:80")),
        (&[("ALL_PROXY", "https://p")], PLAIN, Some("p:443")),
        (
            &[("ALL_PROXY", "http://a"), ("HTTPS_PROXY", "http://b")],
            TO,
            Some("b:80"),
        ),
        (
            &[("https_proxy", "http://a"), ("HTTPS_PROXY", "http://b")],
            TO,
            Some("a:80"),
        ),
        (
            &[("HTTPS_PROXY", "http://us%40er:p%3Aw@[::1]:8080")],
            TO,
            Some("[::1]:8080 Basic dXNAZXI6cDp3"),
        ),
    ];
    for (variables, to, wanted) in rows {
        let wanted = Ok(wanted.map(str::to_owned));
        assert_eq!(way(variables, to), wanted, "{variables:?} {to}");
    }
}

/// Whoever set a proxy wants nothing to go round it, be it wrong.
#[test]
fn a_proxy_that_cannot_be_used_is_not_gone_round() {
    for text in [
        "socks5://p:1080",
        "http://",
        "http://p:99999",
        "http://u%4:x@p:1",
        "p q:1",
    ] {
        let way = way(&[("HTTPS_PROXY", text)], "https://logs.example.com/");
        assert_eq!(way, Err("proxy_variable"), "{text}");
    }
}

#[test]
fn what_is_near_never_goes_through_a_proxy() {
    let near = [
        "http://localhost:1/",
        "http://LOCALHOST:1/",
        "http://a.localhost/",
        "http://127.0.0.1:9001/",
        "http://127.9.9.9/",
        "http://[::1]:80/",
        "http://169.254.170.2/v2/credentials",
        "http://169.254.79.129/",
        "http://[fe80::1]/",
        "http://[fd00:ec2::23]/",
        "http://0.0.0.0/",
        "http://runtime.internal:9001/",
    ];
    let variables = [
        ("ALL_PROXY", "http://p:1"),
        ("AWS_LAMBDA_RUNTIME_API", "runtime.internal:9001"),
    ];
    for to in near {
        assert_eq!(way(&variables, to), Ok(None), "{to}");
    }
    for to in [
        "http://runtime.internal:9002/",
        "http://128.0.0.1/",
        "http://notlocalhost/",
    ] {
        assert_eq!(way(&variables, to), Ok(Some("p:1".to_owned())), "{to}");
    }
}

#[test]
fn no_proxy_takes_names_addresses_networks_and_ports() {
    let rows = [
        ("*", "https://a.example.com/", true),
        ("example.com", "https://example.com/", true),
        ("example.com", "https://a.b.example.com/", true),
        ("example.com", "https://notexample.com/", false),
        (".example.com", "https://a.example.com/", true),
        ("*.example.com", "https://a.example.com/", true),
        ("EXAMPLE.com", "https://A.Example.COM/", true),
        ("a.example.com", "https://b.example.com/", false),
        ("x, example.com ,y", "https://a.example.com/", true),
        ("x example.com", "https://a.example.com/", true),
        ("example.com:443", "https://example.com/", true),
        ("example.com:444", "https://example.com/", false),
        ("10.1.2.3", "https://10.1.2.3/", true),
        ("10.1.2.3", "https://10.1.2.30/", false),
        ("10.0.0.0/8", "https://10.200.1.1/", true),
        ("10.0.0.0/8", "https://11.0.0.1/", false),
        ("10.1.2.0/31", "https://10.1.2.1/", true),
        ("10.1.2.0/31", "https://10.1.2.2/", false),
        ("0.0.0.0/0", "https://9.9.9.9/", true),
        ("10.0.0.0/33", "https://10.0.0.0/", false),
        ("10.0.0.0/x", "https://10.0.0.0/", false),
        ("10.0.0.0/8", "https://ten.example.com/", false),
        ("2001:db8::/32", "https://[2001:db8:1::1]/", true),
        ("2001:db8::/32", "https://[2001:db9::1]/", false),
        ("::/0", "https://[2001:db9::1]/", true),
        ("[2001:db8::1]", "https://[2001:db8::1]/", true),
        ("2001:db8::1", "https://[2001:db8::2]/", false),
        ("", "https://a.example.com/", false),
        (".", "https://a.example.com/", false),
        (",, ,", "https://a.example.com/", false),
    ];
    for (list, to, straight) in rows {
        let way = way(&[("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", list)], to);
        assert_eq!(
            way,
            Ok((!straight).then(|| "p:1".to_owned())),
            "`{list}` {to}"
        );
    }
}

proptest::proptest! {
    #[test]
    fn no_variable_breaks_it(proxy in "\\PC{0,40}", list in "[a-z0-9.,:/*\\[\\] ]{0,40}") {
        let _way = way(&[("ALL_PROXY", &proxy), ("NO_PROXY", &list)], "https://a.example.com/");
        let _way = way(&[("ALL_PROXY", "p"), ("NO_PROXY", &list)], "https://10.0.0.1/");
    }
}

//! What keeps other web pages out: which hosts and origins are ours, and the headers every page carries.
//!
//! The console on loopback needs no login, so any page the person visits could try to reach it: by its own requests
//! (refused by `Origin` and `Sec-Fetch-Site`) or by a name of its own that suddenly points to 127.0.0.1 (refused by
//! `Host`).

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};

use super::error::Problem;
use crate::config::ConsoleConfig;

/// The content policy of every page: our own files only, no inline script or style, framed by nobody.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Which hosts the console answers under.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// The listener is on this machine alone and no public address is configured.
    loopback: bool,
    /// Host and, where it is not the scheme's own, port of `console.public_url`.
    public: Option<String>,
}

impl Hosts {
    pub fn new(console: &ConsoleConfig) -> Self {
        let public = console.public_url.as_ref().and_then(|url| {
            let host = url.host_str()?.to_ascii_lowercase();
            Some(url.port().map_or(host.clone(), |port| format!("{host}:{port}")))
        });
        Self { loopback: console.listen.ip().is_loopback() && public.is_none(), public }
    }

    /// Whether whoever reaches the console may use it without a login.
    pub fn is_open(&self) -> bool {
        self.loopback
    }

    /// Refuses a request under a name that is not ours, or made by another site's page.
    pub fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        let host = host_of(uri, headers)?;
        if !self.is_ours(&host) {
            return Err(self.unknown_host(&host));
        }
        let site = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
        match headers.get(header::ORIGIN) {
            Some(origin) => {
                let origin = origin.to_str().unwrap_or("null").to_ascii_lowercase();
                let from = origin.split_once("://").map(|(_, host)| host);
                let same = from.is_some_and(|from| from == host || Some(from) == self.public.as_deref());
                if !same {
                    return Err(foreign(&format!("a page of {} made it", shortened(&origin))));
                }
            }
            // Without Origin: a link somebody followed is harmless; anything else a foreign page does is not.
            None if matches!(site, Some("cross-site" | "same-site")) => {
                let mode = headers.get("sec-fetch-mode").and_then(|value| value.to_str().ok());
                if mode != Some("navigate") {
                    return Err(foreign("a page of another site made it"));
                }
            }
            None => {}
        }
        Ok(())
    }

    fn is_ours(&self, host: &str) -> bool {
        let name = name_of(host);
        let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        if name == "localhost" || address.is_some_and(|address| address.is_loopback()) {
            return true;
        }
        match &self.public {
            // A proxy may pass its own name with or without the port.
            Some(public) => host == public || name == name_of(public),
            // A login is needed there, which a page under another name does not have.
            None => !self.loopback,
        }
    }

    fn unknown_host(&self, host: &str) -> Problem {
        let detail = format!("this console does not answer under the name {:?}", shortened(host));
        let step = match &self.public {
            Some(public) => format!("open it under {public}, the host of console.public_url"),
            None => "open it as http://localhost or http://127.0.0.1; to use another name, set console.public_url and \
                     add a user"
                .to_owned(),
        };
        Problem::new(StatusCode::MISDIRECTED_REQUEST, "unknown-host", "unknown host", detail).next(step)
    }
}

/// The host a request was made to, lower case, with its port where it states one.
fn host_of(uri: &Uri, headers: &HeaderMap) -> Result<String, Problem> {
    let mut values = headers.get_all(header::HOST).iter();
    let stated = values.next().and_then(|value| value.to_str().ok());
    if values.next().is_some() {
        return Err(Problem::malformed("the request names two hosts"));
    }
    let host = stated.or_else(|| uri.authority().map(|authority| authority.as_str()));
    match host.map(|host| host.trim().to_ascii_lowercase()) {
        Some(host) if !host.is_empty() => Ok(host),
        _ => Err(Problem::malformed("the request names no host")),
    }
}

fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    }
}

fn foreign(how: &str) -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "foreign-origin",
        "request of another site",
        format!("the request was refused because {how}"),
    )
    .next("open the console itself and do it there; programs send no Origin header")
}

/// At most 100 characters of what a stranger sent.
fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}

/// Puts the security headers on an answer; what a handler set itself stays.
pub fn secure(headers: &mut HeaderMap) {
    const HEADERS: [(HeaderName, &str); 6] = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Not "no-referrer": under it browsers send `Origin: null` with our own forms.
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(listen: &str, public: Option<&str>) -> Hosts {
        Hosts::new(&ConsoleConfig {
            listen: listen.parse().expect("an address"),
            public_url: public.map(|url| url.parse().expect("a URL")),
            ..ConsoleConfig::default()
        })
    }

    fn asked(hosts: &Hosts, headers: &[(&'static str, &str)]) -> Result<(), u16> {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value")))
            .collect();
        hosts.check(&Uri::from_static("/"), &headers).map_err(|problem| problem.status)
    }

    #[test]
    fn loopback_answers_under_its_own_names_alone() {
        let hosts = hosts("127.0.0.1:8080", None);
        assert!(hosts.is_open());
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:9999", "[::1]:8080", "127.3.2.1"] {
            assert_eq!(asked(&hosts, &[("host", host)]), Ok(()), "{host}");
        }
        for host in
            ["evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1"]
        {
            assert_eq!(asked(&hosts, &[("host", host)]), Err(421), "{host}");
        }
        assert_eq!(asked(&hosts, &[]), Err(400));
    }

    #[test]
    fn a_public_address_is_accepted_and_ends_the_open_console() {
        let hosts = hosts("127.0.0.1:8080", Some("https://muhatap.example"));
        assert!(!hosts.is_open());
        assert_eq!(asked(&hosts, &[("host", "muhatap.example")]), Ok(()));
        assert_eq!(asked(&hosts, &[("host", "muhatap.example"), ("origin", "https://muhatap.example")]), Ok(()));
        assert_eq!(asked(&hosts, &[("host", "evil.example")]), Err(421));
    }

    #[test]
    fn another_sites_page_is_refused() {
        let hosts = hosts("127.0.0.1:8080", None);
        let host = ("host", "127.0.0.1:8080");
        assert_eq!(asked(&hosts, &[host, ("origin", "http://127.0.0.1:8080")]), Ok(()));
        assert_eq!(
            asked(&hosts, &[host, ("origin", "http://127.0.0.1:3000")]),
            Err(403),
            "another port is another site"
        );
        assert_eq!(asked(&hosts, &[host, ("origin", "https://evil.example")]), Err(403));
        assert_eq!(asked(&hosts, &[host, ("origin", "null")]), Err(403));
        assert_eq!(asked(&hosts, &[host, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")]), Err(403));
        assert_eq!(asked(&hosts, &[host, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")]), Ok(()));
    }
}

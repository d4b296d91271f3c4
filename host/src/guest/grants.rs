//! What a sink may reach: HTTP authorities and folders.
//!
//! | form | means |
//! |---|---|
//! | `https://hooks.slack.com` | that scheme and host, on the scheme's own port |
//! | `http://127.0.0.1:7777` | that scheme, host and port |
//! | `ws://127.0.0.1:8000`, `wss://live.example.com` | the same, for WebSockets |
//! | `https://*.example.com` | any host below `example.com`, not `example.com` itself |
//!
//! An empty list denies all. A path, query or user in a grant is refused: it
//! would suggest a limit that is not there.
//!
//! What decides is a URL's host as the URL standard normalises it: `http://0x7f.1`,
//! `http://2130706433` and `http://127.0.0.1` are one host, `localhost`, `localhost.`
//! and `[::ffff:127.0.0.1]` are three others. Which addresses a host may be at:
//!
//! | how a host is granted | may be at |
//! |---|---|
//! | it is named: `http://localhost:7777`, `https://ci.internal`, `http://10.0.0.7` | any address: this machine and private networks included |
//! | it is below a name: `https://*.example.com` | public addresses, and those that are granted themselves for that scheme and port, as `https://10.0.0.7` is here |
//!
//! Names are looked up once a connection, and connected to is what was checked. What
//! is public is in [`super::address`]. Where the environment names a proxy for a
//! request, it is the proxy that looks the name up, and only the name is checked.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use url::{Host, Url};

use super::address::plain;

/// One authority that a sink may send HTTP requests to, or open WebSockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpGrant {
    scheme: String,
    host: HostPattern,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostPattern {
    Exact(String),
    /// Any host that ends in a dot and this.
    Below(String),
}

/// Why a text is not an HTTP grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not scheme://host or scheme://host:port with http, https, ws or wss")]
pub struct BadHttpGrant(String);

/// How a host is granted, and so at which addresses it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// By its own name or address.
    Named,
    /// By a name that it is below.
    Below,
}

impl HttpGrant {
    /// Whether a request to `url` is covered.
    #[must_use]
    pub fn covers(&self, url: &Url) -> bool {
        self.is_for(url)
            && url
                .host_str()
                .is_some_and(|host| self.host.covers(&host.to_ascii_lowercase()))
    }

    /// Whether scheme and port are those of `url`.
    fn is_for(&self, url: &Url) -> bool {
        url.scheme() == self.scheme && url.port_or_known_default() == Some(self.port)
    }

    fn reach(&self) -> Reach {
        match &self.host {
            HostPattern::Exact(_) => Reach::Named,
            HostPattern::Below(_) => Reach::Below,
        }
    }

    /// The address, where the grant names one.
    fn address(&self) -> Option<IpAddr> {
        let (host, _) = self.authority()?;
        host.parse().ok().map(plain)
    }

    /// The host and port, where the grant names one host.
    #[must_use]
    pub fn authority(&self) -> Option<(&str, u16)> {
        match &self.host {
            HostPattern::Exact(host) => Some((host.trim_matches(['[', ']']), self.port)),
            HostPattern::Below(_) => None,
        }
    }

    /// Whether everything that `other` allows is allowed by this grant too.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        self.scheme == other.scheme
            && self.port == other.port
            && match &other.host {
                HostPattern::Exact(host) => self.host.covers(host),
                HostPattern::Below(_) => self.host == other.host,
            }
    }
}

impl HostPattern {
    fn covers(&self, host: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == host,
            Self::Below(parent) => host
                .strip_suffix(parent.as_str())
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        }
    }
}

impl FromStr for HttpGrant {
    type Err = BadHttpGrant;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadHttpGrant(text.to_owned());
        let (scheme, rest) = text.split_once("://").ok_or_else(bad)?;
        let (wildcard, rest) = match rest.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let url = Url::parse(&format!("{scheme}://{rest}")).map_err(|_| bad())?;
        let plain = matches!(url.scheme(), "http" | "https" | "ws" | "wss")
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        let host = url.host_str().filter(|host| !host.contains('*'));
        let (true, Some(host), Some(port)) = (plain, host, url.port_or_known_default()) else {
            return Err(bad());
        };
        // Nothing is below an address.
        if wildcard && !matches!(url.host(), Some(Host::Domain(_))) {
            return Err(bad());
        }
        let host = host.to_ascii_lowercase();
        Ok(Self {
            scheme: url.scheme().to_owned(),
            host: if wildcard {
                HostPattern::Below(host)
            } else {
                HostPattern::Exact(host)
            },
            port,
        })
    }
}

impl fmt::Display for HttpGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = match &self.host {
            HostPattern::Exact(host) => host.clone(),
            HostPattern::Below(parent) => format!("*.{parent}"),
        };
        write!(f, "{}://{host}", self.scheme)?;
        let default = match self.scheme.as_str() {
            "https" | "wss" => 443,
            _ => 80,
        };
        if self.port != default {
            write!(f, ":{}", self.port)?;
        }
        Ok(())
    }
}

/// Whether a granted folder may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

/// One folder that a sink may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderGrant {
    /// The name that the guest knows it by.
    pub guest: String,
    /// Where it is.
    pub host: PathBuf,
    pub access: Access,
}

/// Everything a sink was granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    pub http: Vec<HttpGrant>,
    pub folders: Vec<FolderGrant>,
    /// Where everything goes that is sent, whoever it is for: in a trial, where nothing leaves this machine.
    pub diverted: Option<SocketAddr>,
}

impl Grants {
    /// How a request to `url` is granted, if it is.
    #[must_use]
    pub fn reach(&self, url: &Url) -> Option<Reach> {
        let covering = || self.http.iter().filter(|grant| grant.covers(url));
        let named = covering().find(|grant| grant.reach() == Reach::Named);
        named.or_else(|| covering().next()).map(HttpGrant::reach)
    }

    /// Whether `address` is granted itself, for the scheme and port of `url`.
    #[must_use]
    pub fn names_address(&self, url: &Url, address: IpAddr) -> bool {
        self.http
            .iter()
            .any(|grant| grant.is_for(url) && grant.address() == Some(plain(address)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(grant: &str, url: &str) -> bool {
        grant
            .parse::<HttpGrant>()
            .unwrap()
            .covers(&Url::parse(url).unwrap())
    }

    #[test]
    fn a_grant_covers_its_scheme_host_and_port_alone() {
        let grant = "http://127.0.0.1:7777";
        assert!(covers(grant, "http://127.0.0.1:7777/a?b=c"));
        assert!(!covers(grant, "https://127.0.0.1:7777/"));
        assert!(!covers(grant, "http://127.0.0.1:7778/"));
        assert!(!covers(grant, "http://127.0.0.2:7777/"));
        assert!(covers(
            "https://Hooks.Slack.com",
            "https://hooks.slack.com:443/x"
        ));
        assert!(covers("http://[::1]:80", "http://[::1]/"));
    }

    #[test]
    fn a_wildcard_covers_what_is_below_and_not_the_name_itself() {
        let grant = "https://*.example.com";
        assert!(covers(grant, "https://a.example.com/"));
        assert!(covers(grant, "https://a.b.example.com/"));
        assert!(!covers(grant, "https://example.com/"));
        assert!(!covers(grant, "https://evilexample.com/"));
        assert!(!covers(grant, "https://a.example.com.evil.org/"));
    }

    #[test]
    fn other_spellings_are_what_they_come_to() {
        let grant = "http://127.0.0.1:7777";
        for same in [
            "0x7f000001",
            "2130706433",
            "0177.0.0.1",
            "127.1",
            "127.0.0.1.",
            "１２７.0.0.1",
        ] {
            assert!(covers(grant, &format!("http://{same}:7777/")), "{same}");
        }
        for other in [
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::1]",
            "localhost",
            "127.0.0.1.example.com",
            "127.0.0.1@evil.example",
            "127.0.0.1:7777@evil.example",
        ] {
            assert!(!covers(grant, &format!("http://{other}:7777/")), "{other}");
        }
        assert!(covers("http://localhost", "http://LOCALHOST/"));
        assert!(!covers("http://localhost", "http://localhost./"));
        assert!(!covers("http://granted", "http://granted@evil/"));
        assert!(!covers("http://granted", "http://evil\\@granted/"));
    }

    #[test]
    fn what_is_no_authority_is_refused() {
        for text in [
            "",
            "example.com",
            "ftp://example.com",
            "https://example.com/path",
            "https://user@example.com",
            "https://exa*mple.com",
            "https://*",
            "https://*.1",
            "https://*.10.0.0.1",
            "https://*.[::1]",
            "http://a b",
        ] {
            assert!(text.parse::<HttpGrant>().is_err(), "{text}");
        }
    }

    #[test]
    fn grants_print_as_they_are_written() {
        for text in [
            "https://a.example.com",
            "http://127.0.0.1:7777",
            "https://*.example.com:8443",
        ] {
            assert_eq!(text.parse::<HttpGrant>().unwrap().to_string(), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn a_grant_survives_being_printed(text in "(http|https|ftp)://(\\*\\.)?[a-zA-Z0-9.\\[\\]:@/*-]{1,24}") {
            if let Ok(grant) = text.parse::<HttpGrant>() {
                let printed = grant.to_string();
                proptest::prop_assert_eq!(printed.parse::<HttpGrant>(), Ok(grant.clone()), "{}", printed);
                proptest::prop_assert!(grant.includes(&grant));
            }
        }
    }
}

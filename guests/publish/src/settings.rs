//! What `publish` is told.

use std::collections::BTreeMap;

use pytest_host_sdk::http::{self, Endpoint};
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where results are posted to.
    pub url: String,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default = "http::default_timeout")]
    pub timeout: f64,
    #[serde(default = "http::default_concurrency")]
    pub concurrency: u8,
}

impl Settings {
    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            url: self.url.clone(),
            headers: self.headers.clone(),
            timeout: self.timeout,
            concurrency: self.concurrency,
        }
    }
}

#[cfg(test)]
mod tests {
    use pytest_host_sdk::parse_settings;

    use super::*;

    #[test]
    fn the_url_is_all_it_takes() {
        let settings: Settings = parse_settings(r#"{"url": "http://h/x"}"#).unwrap();
        let endpoint = settings.endpoint();
        assert_eq!(endpoint.check().unwrap(), "http://h:80");
        assert_eq!((endpoint.timeout, endpoint.concurrency), (10.0, 32));
        assert!(endpoint.headers.is_empty());
    }

    #[test]
    fn says_which_setting_is_unknown() {
        let fault = parse_settings::<Settings>(r#"{"url": "http://h", "header": {}}"#).unwrap_err();
        assert_eq!(fault.key.as_deref(), Some("header"));
        assert_eq!(fault.problem, "unknown setting; did you mean \"headers\"?");
    }

    #[test]
    fn every_setting_counts() {
        let json = r#"{"url": "http://h", "headers": {"a": "b"}, "timeout": 3, "concurrency": 2}"#;
        let endpoint = parse_settings::<Settings>(json).unwrap().endpoint();
        assert_eq!((endpoint.timeout, endpoint.concurrency), (3.0, 2));
        assert_eq!(endpoint.headers.get("a").map(String::as_str), Some("b"));
    }
}

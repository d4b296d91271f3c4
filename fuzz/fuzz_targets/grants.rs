//! Grants of servers: two of them and a URL, one a line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pytest_host::guest::grants::HttpGrant;
use url::Url;

fuzz_target!(|text: &str| {
    let mut lines = text.lines();
    let mut grant = || lines.next()?.parse::<HttpGrant>().ok();
    let (Some(first), second) = (grant(), grant()) else {
        return;
    };
    let printed = first.to_string();
    assert_eq!(printed.parse(), Ok(first.clone()), "{printed}");
    assert!(first.includes(&first), "{printed}");
    let Some(url) = lines.next().and_then(|line| Url::parse(line).ok()) else {
        return;
    };
    if let Some(second) = second
        && first.includes(&second)
        && second.covers(&url)
    {
        assert!(
            first.covers(&url),
            "{first} includes {second}, which covers {url}"
        );
    }
    if first.covers(&url) {
        assert!(
            matches!(url.scheme(), "http" | "https" | "ws" | "wss"),
            "{url}"
        );
    }
});

//! Which certificate authorities are trusted.

use std::sync::LazyLock;

use hyper_rustls::ConfigBuilderExt as _;
use rustls::{ClientConfig, RootCertStore};

/// Read once a process: it takes some milliseconds, and every sink asks.
static TRUSTED: LazyLock<ClientConfig> = LazyLock::new(|| {
    match ClientConfig::builder().with_native_roots() {
        Ok(builder) => builder.with_no_client_auth(),
        Err(error) => {
            // Sinks that use no HTTPS do not need any.
            tracing::warn!("no certificate authority is known, so HTTPS will fail: {error}");
            ClientConfig::builder()
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth()
        }
    }
});

/// Trusts the machine's authorities, or those of `SSL_CERT_FILE`.
#[must_use]
pub fn config() -> ClientConfig {
    TRUSTED.clone()
}

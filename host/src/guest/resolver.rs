//! Names to addresses, for one connection: looked up once, each address checked,
//! and connected to is what was checked.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower_service::Service;
use url::Url;

use super::address::is_public;
use super::client::BoxError;
use super::grants::{Grants, Reach};

/// Nothing that a name stands for may be connected to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressDenied {
    #[error("{name} is at {address}, which is not a public address")]
    NotPublic { name: String, address: IpAddr },
    /// What asks for a connection checks the grants before; this is the second check.
    #[error("{0} is not granted")]
    NotGranted(String),
}

/// Resolves for connections to one scheme, host and port, within a sink's grants.
#[derive(Clone, Debug)]
pub struct CheckedResolver {
    system: GaiResolver,
    grants: Arc<Grants>,
    destination: Url,
    reach: Reach,
}

impl CheckedResolver {
    /// # Errors
    ///
    /// Where `destination` is not granted at all.
    pub fn new(grants: &Arc<Grants>, destination: &Uri) -> Result<Self, AddressDenied> {
        let not_granted = || AddressDenied::NotGranted(destination.to_string());
        let destination = Url::parse(&destination.to_string()).map_err(|_| not_granted())?;
        let reach = grants.reach(&destination).ok_or_else(not_granted)?;
        Ok(Self {
            system: GaiResolver::new(),
            grants: Arc::clone(grants),
            destination,
            reach,
        })
    }

    /// Those of `addresses` that may be connected to.
    fn permitted(
        &self,
        name: &str,
        addresses: impl Iterator<Item = SocketAddr>,
    ) -> Result<Vec<SocketAddr>, AddressDenied> {
        let (permitted, refused): (Vec<_>, Vec<_>) = addresses.partition(|address| {
            self.reach == Reach::Named
                || is_public(address.ip())
                || self.grants.names_address(&self.destination, address.ip())
        });
        match refused.first() {
            Some(address) if permitted.is_empty() => Err(AddressDenied::NotPublic {
                name: name.to_owned(),
                address: address.ip(),
            }),
            _ => Ok(permitted),
        }
    }
}

impl Service<Name> for CheckedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.system.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let looking_up = self.system.call(name.clone());
        let checking = self.clone();
        Box::pin(async move {
            let addresses = looking_up.await?;
            Ok(checking.permitted(name.as_str(), addresses)?.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permitted(grants: &[&str], url: &str, addresses: &[&str]) -> Result<Vec<String>, String> {
        let grants = Arc::new(Grants {
            http: grants.iter().map(|text| text.parse().unwrap()).collect(),
            ..Grants::default()
        });
        let resolver = CheckedResolver::new(&grants, &url.parse().unwrap())
            .map_err(|error| error.to_string())?;
        let addresses = addresses
            .iter()
            .map(|address| SocketAddr::new(address.parse().unwrap(), 0));
        resolver
            .permitted("the-name", addresses)
            .map(|kept| {
                kept.iter()
                    .map(|address| address.ip().to_string())
                    .collect()
            })
            .map_err(|error| error.to_string())
    }

    const BELOW: &str = "https://*.example.com";

    #[test]
    fn a_host_that_is_named_may_be_anywhere() {
        let ours = ["127.0.0.1", "::1", "10.0.0.7"];
        let kept = permitted(&["https://ci.internal"], "https://ci.internal/", &ours);
        assert_eq!(kept.unwrap(), ours);
        // Named and below another name: it is named.
        let grants = [BELOW, "https://ci.example.com"];
        assert!(permitted(&grants, "https://ci.example.com/", &ours).is_ok());
    }

    #[test]
    fn a_host_below_a_name_has_to_be_public() {
        let url = "https://a.example.com/";
        for address in [
            "127.0.0.1",
            "10.0.0.7",
            "169.254.169.254",
            "::ffff:10.0.0.7",
            "fd00::1",
        ] {
            assert_eq!(
                permitted(&[BELOW], url, &[address]).unwrap_err(),
                format!("the-name is at {address}, which is not a public address")
            );
        }
        assert_eq!(permitted(&[BELOW], url, &["8.8.8.8"]).unwrap(), ["8.8.8.8"]);
    }

    #[test]
    fn of_several_addresses_those_that_may_be_are_kept() {
        let mixed = ["10.0.0.7", "8.8.8.8", "::1"];
        let kept = permitted(&[BELOW], "https://a.example.com/", &mixed);
        assert_eq!(kept.unwrap(), ["8.8.8.8"]);
    }

    #[test]
    fn an_address_that_is_granted_itself_may_be_stood_for() {
        let grants = [BELOW, "https://10.0.0.7"];
        let url = "https://a.example.com/";
        assert!(permitted(&grants, url, &["10.0.0.7"]).is_ok());
        assert!(permitted(&grants, url, &["::ffff:10.0.0.7"]).is_ok());
        assert!(permitted(&grants, url, &["10.0.0.8"]).is_err());
        // Granted for another port or scheme, it is not granted for this one.
        for other in ["https://10.0.0.7:8443", "http://10.0.0.7:443"] {
            assert!(permitted(&[BELOW, other], url, &["10.0.0.7"]).is_err());
        }
    }

    #[test]
    fn no_connection_is_made_that_no_grant_covers() {
        let error = permitted(&[BELOW], "http://127.0.0.1:7777/", &["127.0.0.1"]).unwrap_err();
        assert_eq!(error, "http://127.0.0.1:7777/ is not granted");
    }
}

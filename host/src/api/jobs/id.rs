//! A job's id in a path.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::api::Problem;

/// What may stand in a path as it is.
const REST: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The `{id}` of a route, or "" where it has none.
pub struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        // No id is anything but UTF-8.
        let params = params.map_err(|_| Problem::not_found("Not Found"))?;
        let id = params.iter().find(|(name, _)| *name == "id");
        Ok(Self(id.map(|(_, id)| id.to_owned()).unwrap_or_default()))
    }
}

/// An id as it stands in a path.
pub fn encoded(id: &str) -> String {
    utf8_percent_encode(id, REST).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_segment_of_a_path() {
        assert_eq!(encoded("a-b_c.d~e1"), "a-b_c.d~e1");
        assert_eq!(encoded("a/b c?#%é"), "a%2Fb%20c%3F%23%25%C3%A9");
    }
}

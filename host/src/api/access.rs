//! Who may do what: everything that acts or shows output needs the token.

use std::fmt;

use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use subtle::ConstantTimeEq as _;

use super::{Api, Problem};

/// What whoever asks has to say.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// In a time that does not tell how much of it is right.
    fn is(&self, said: &str) -> bool {
        self.0.as_bytes().ct_eq(said.as_bytes()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Who is let in.
#[derive(Clone, Debug)]
pub enum Access {
    /// Whoever knows the token.
    Token(Token),
    /// Everybody who reaches the port.
    Everybody,
}

/// Browsers cannot send a header with a WebSocket.
#[derive(Deserialize)]
struct Asked {
    token: Option<String>,
}

/// Lets requests through that have the token.
pub async fn required(State(api): State<Api>, request: Request, next: Next) -> Response {
    match check(&api.0.access, &request) {
        Ok(()) => next.run(request).await,
        Err(why) => {
            if let Some(problem) = super::rate::wrong_token(&api, &request) {
                return problem.into_response();
            }
            Problem::new(StatusCode::UNAUTHORIZED, why).into_response()
        }
    }
}

fn check(access: &Access, request: &Request) -> Result<(), &'static str> {
    let Access::Token(token) = access else {
        return Ok(());
    };
    let header = request.headers().get(header::AUTHORIZATION);
    let said = match header.map(|value| value.to_str()) {
        Some(Ok(value)) => match value.split_once(' ') {
            Some((scheme, said)) if scheme.eq_ignore_ascii_case("bearer") => {
                Some(said.trim().to_owned())
            }
            _ => return Err("The header Authorization should be: Bearer TOKEN"),
        },
        Some(Err(_)) => return Err("The header Authorization should be: Bearer TOKEN"),
        None if is_web_socket(request) => {
            Query::<Asked>::try_from_uri(request.uri()).map_or(None, |Query(asked)| asked.token)
        }
        None => None,
    };
    match said {
        Some(said) if token.is(&said) => Ok(()),
        Some(_) => Err("The token is not right"),
        None => Err("A token is needed: Authorization: Bearer TOKEN"),
    }
}

fn is_web_socket(request: &Request) -> bool {
    let upgrade = request.headers().get(header::UPGRADE);
    upgrade.is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn asked(uri: &str, headers: &[(&str, &str)]) -> Result<(), &'static str> {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let access = Access::Token(Token::new("0123456789abcdef".into()));
        check(&access, &request.body(Body::empty()).unwrap())
    }

    #[test]
    fn the_token_comes_in_a_header() {
        assert!(asked("/api/jobs", &[("authorization", "Bearer 0123456789abcdef")]).is_ok());
        assert!(
            asked(
                "/api/jobs",
                &[("authorization", "bearer  0123456789abcdef")]
            )
            .is_ok()
        );
        for wrong in [
            "Bearer 0123456789abcde",
            "Bearer ",
            "Basic 0123456789abcdef",
            "x",
        ] {
            assert!(
                asked("/api/jobs", &[("authorization", wrong)]).is_err(),
                "{wrong}"
            );
        }
        assert!(asked("/api/jobs", &[]).is_err());
        assert!(check(&Access::Everybody, &Request::new(Body::empty())).is_ok());
    }

    #[test]
    fn only_a_web_socket_may_have_it_in_its_address() {
        let right = "/ws?token=0123456789abcdef";
        assert!(asked(right, &[("upgrade", "websocket")]).is_ok());
        assert!(asked(right, &[]).is_err());
        assert!(asked("/ws?token=no", &[("upgrade", "websocket")]).is_err());
    }
}

//! `wasi:http`, for guests whose libraries speak it: the same client and the
//! same grants as the contract's `http`.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use http::header::HOST;
use http_body_util::BodyExt as _;
use tokio::sync::Semaphore;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody,
    WasiHttpHooks,
};

use super::http::{HttpGate, IN_FLIGHT};
use super::request::{check_method, is_of_the_connection, target};
use crate::guest::client::{BoxError, SendError};

/// wasmtime's own default is 600 s, which outlasts every call.
const FIRST_BYTE: Duration = Duration::from_secs(30);

type Ending = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Answer = Result<(http::Response<WasiBody>, Ending), Error>;

/// Sends what a guest asks of `wasi:http`, where it was granted.
#[derive(Debug)]
pub struct WasiHttpGate {
    gate: HttpGate,
    /// Room for requests, each until its response is dropped: it may hold a connection
    /// as long, and a guest may ask for any number.
    under_way: Arc<Semaphore>,
}

impl WasiHttpGate {
    #[must_use]
    pub fn new(gate: HttpGate) -> Self {
        Self {
            gate,
            under_way: Arc::new(Semaphore::new(IN_FLIGHT)),
        }
    }
}

impl WasiHttpHooks for WasiHttpGate {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(is_forbidden)
    }

    // The client makes it from the URL that was checked.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _fut: Ending,
    ) -> Box<dyn Future<Output = Answer> + Send> {
        let timeout = options
            .and_then(|options| options.first_byte_timeout)
            .unwrap_or(FIRST_BYTE);
        let sending = send(self.gate.clone(), Arc::clone(&self.under_way), request);
        Box::new(async move {
            tokio::time::timeout(timeout, sending)
                .await
                .map_err(|_| Error::HttpResponseTimeout)?
        })
    }

    // The guest is told; wasmtime's own would log a line for each.
    fn p2_error_from_connect(&mut self, _error: &std::io::Error) -> ErrorCode {
        ErrorCode::ConnectionRefused
    }

    fn p2_error_from_hyper(&mut self, _error: &hyper::Error) -> ErrorCode {
        ErrorCode::HttpProtocolError
    }
}

async fn send(
    gate: HttpGate,
    under_way: Arc<Semaphore>,
    mut request: http::Request<WasiBody>,
) -> Answer {
    let url =
        url::Url::parse(&request.uri().to_string()).map_err(|_| Error::HttpRequestUriInvalid)?;
    if !gate.allows(&url) {
        return Err(Error::HttpRequestDenied);
    }
    check_method(request.method()).map_err(|_| Error::HttpRequestMethodInvalid)?;
    *request.uri_mut() = target(&url).map_err(|_| Error::HttpRequestUriInvalid)?;
    request.headers_mut().remove(HOST);
    let request = request.map(|body| {
        body.map_err(|error| BoxError::from(error.to_string()))
            .boxed_unsync()
    });
    let permit = under_way
        .acquire_owned()
        .await
        .map_err(|_| Error::ConnectionLimitReached)?;
    let response = gate
        .client
        .send(request)
        .await
        .map_err(|error| match error {
            SendError::Denied(denied) => {
                gate.address_denied(&url, &denied);
                Error::HttpRequestDenied
            }
            SendError::Failed(cause) => Error::Connect(std::io::Error::other(cause)),
        })?;
    let response = response.map(|body| {
        body.map_err(move |error| {
            let _ = &permit;
            Error::from(error)
        })
        .boxed_unsync()
    });
    let done: Ending = Box::new(async { Ok(()) });
    Ok((response, done))
}

/// Also for the headers of responses, of which a guest has no need.
fn is_forbidden(name: &HeaderName) -> bool {
    DEFAULT_FORBIDDEN_HEADERS.contains(name) || is_of_the_connection(name)
}

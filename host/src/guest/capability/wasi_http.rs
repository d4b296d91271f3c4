//! `wasi:http`, for guests whose libraries speak it: the same client and the
//! same grants as the contract's `http`.

use std::time::Duration;

use http_body_util::BodyExt as _;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::http::HttpGate;
use crate::guest::client::BoxError;

/// wasmtime's own default is 600 s, which outlasts every call.
const FIRST_BYTE: Duration = Duration::from_secs(30);

type Ending = Box<dyn Future<Output = Result<(), Error>> + Send>;

/// Sends what a guest asks of `wasi:http`, where it was granted.
#[derive(Debug)]
pub struct WasiHttpGate(pub HttpGate);

impl WasiHttpHooks for WasiHttpGate {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _fut: Ending,
    ) -> Box<dyn Future<Output = Result<(http::Response<WasiBody>, Ending), Error>> + Send> {
        let gate = self.0.clone();
        let timeout = options
            .and_then(|options| options.first_byte_timeout)
            .unwrap_or(FIRST_BYTE);
        Box::new(async move {
            let url = url::Url::parse(&request.uri().to_string())
                .map_err(|_| Error::HttpRequestUriInvalid)?;
            if !gate.allows(&url) {
                return Err(Error::HttpRequestDenied);
            }
            let request = request.map(|body| {
                body.map_err(|error| BoxError::from(error.to_string()))
                    .boxed_unsync()
            });
            let response = tokio::time::timeout(timeout, gate.client.send(request))
                .await
                .map_err(|_| Error::HttpResponseTimeout)?
                .map_err(|error| Error::Connect(std::io::Error::other(error)))?;
            let response = response.map(|body| body.map_err(Error::from).boxed_unsync());
            let done: Ending = Box::new(async { Ok(()) });
            Ok((response, done))
        })
    }
}

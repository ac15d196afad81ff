//! A small HTTP client for `--to`: one connection to a server on this machine, bearer token from
//! `SOKHOE_TOKEN`. Refuses other machines until there is TLS, because a token and health data would
//! travel in clear.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::environment::Environment;
use crate::failure::usage;

/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 256 << 20;
/// How long one answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(300);

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerUrl {
    host: String,
    port: u16,
}

impl ServerUrl {
    /// Reads `http://HOST:PORT`.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let expected = || usage("--to: expected http://127.0.0.1:PORT");
        if text.starts_with("https://") {
            return Err(usage(
                "--to: https is not there yet; a server on this machine has http",
            ));
        }
        let rest = text.strip_prefix("http://").ok_or_else(expected)?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = authority.rsplit_once(':').ok_or_else(expected)?;
        let port = port.parse().map_err(|_| expected())?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let here = bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if !here {
            return Err(usage(
                "--to: only a server on this machine (127.0.0.1, ::1, localhost): without TLS a \
                 token and health data would travel in clear",
            ));
        }
        Ok(Self {
            host: bare.to_owned(),
            port,
        })
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// The position that it is true at, where it names one.
    pub(crate) position: Option<u64>,
    pub(crate) body: Bytes,
}

/// One connection to a server.
#[derive(Debug)]
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
    token: String,
    patience: Duration,
    purpose: Option<String>,
    _connection: JoinSet<()>,
}

impl Client {
    /// Connects; the token comes from `SOKHOE_TOKEN`.
    pub(crate) async fn connect(
        url: &ServerUrl,
        environment: &Environment,
    ) -> anyhow::Result<Self> {
        let token = environment.get("SOKHOE_TOKEN").ok_or_else(|| {
            usage("--to needs a token in SOKHOE_TOKEN; make one with `sokhoe token`")
        })?;
        let ServerUrl { host, port } = url;
        let stream = TcpStream::connect((host.as_str(), *port))
            .await
            .with_context(|| format!("connect to {host}:{port}"))?;
        stream.set_nodelay(true).context("connect")?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.context("connect")?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // Its failure is seen by the request that it cuts off.
            let _ = connection.await;
        });
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.clone()
        };
        let authority = format!("{host}:{port}");
        Ok(Self {
            sender,
            authority,
            token: token.to_owned(),
            patience: ANSWER_TIMEOUT,
            purpose: None,
            _connection: tasks,
        })
    }

    /// Waits longer for answers than usual, for work that takes as long as the log is large.
    pub(crate) fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// States why staff read.
    pub(crate) fn for_purpose(mut self, purpose: &str) -> Self {
        self.purpose = Some(purpose.to_owned());
        self
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Bytes,
    ) -> anyhow::Result<Answer> {
        let mut request = Request::builder();
        if let Some(purpose) = &self.purpose {
            request = request.header("sokhoe-purpose", purpose);
        }
        let request = request
            .method(method)
            .uri(path)
            .header("host", &self.authority)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", content_type)
            .body(Full::new(body))
            .context("make a request")?;
        self.sender
            .ready()
            .await
            .context("the server closed the connection")?;
        let answer = async {
            let response = self
                .sender
                .send_request(request)
                .await
                .context("send a request")?;
            let status = response.status();
            let position = response.headers().get("sokhoe-position");
            let position = position.and_then(|value| value.to_str().ok()?.parse().ok());
            let body = http_body_util::Limited::new(response.into_body(), ANSWER_BYTES_MAX);
            let body = body
                .collect()
                .await
                .map_err(|error| anyhow::anyhow!("read the answer: {error}"))?;
            let body = body.to_bytes();
            anyhow::Ok(Answer {
                status,
                position,
                body,
            })
        };
        match tokio::time::timeout(self.patience, answer).await {
            Ok(answer) => answer,
            Err(_) => bail!(
                "the server did not answer within {} s",
                self.patience.as_secs()
            ),
        }
    }
}

/// What a problem document says, for messages.
pub(crate) fn problem(answer: &Answer) -> String {
    let text = serde_json::from_slice::<serde_json::Value>(&answer.body).ok();
    let field = |name: &str| Some(text.as_ref()?.get(name)?.as_str()?.to_owned());
    let detail = field("detail")
        .or_else(|| field("title"))
        .unwrap_or_default();
    format!("the server answered {}: {detail}", answer.status)
}

/// A value as it stands in an address.
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_any_value() {
        assert_eq!(
            percent_encoded("http://a.b/c d&é"),
            "http%3A%2F%2Fa.b%2Fc%20d%26%C3%A9"
        );
        assert_eq!(percent_encoded("icd10-vn_2026.1~"), "icd10-vn_2026.1~");
    }

    #[test]
    fn only_a_server_on_this_machine_is_spoken_to() {
        for right in [
            "http://127.0.0.1:8080",
            "http://localhost:1/",
            "http://[::1]:80",
        ] {
            assert!(ServerUrl::parse(right).is_ok(), "{right}");
        }
        let wrong = [
            "http://10.0.0.1:80",
            "http://example.org:80",
            "https://127.0.0.1:1",
            "x",
            "http://[::1]",
        ];
        for wrong in wrong {
            assert!(ServerUrl::parse(wrong).is_err(), "{wrong}");
        }
    }
}

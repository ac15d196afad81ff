//! A peer that speaks HTTP by hand: requests as a caller writes them, and bytes as nobody should.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};

use serde_json::Value;

use crate::home::PATIENCE;

/// An answer taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// Fails the test unless the status is this one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<Value> {
        let read = |line| serde_json::from_str(line).expect("a line of JSON");
        self.body.lines().map(read).collect()
    }
}

/// A request being put together.
#[derive(Debug, Clone)]
pub(crate) struct Request<'a> {
    addr: SocketAddr,
    headers: Vec<(&'a str, String)>,
}

impl<'a> Request<'a> {
    pub(crate) fn new(addr: SocketAddr) -> Self {
        let headers = vec![
            ("host", "sokhoe".to_owned()),
            ("connection", "close".to_owned()),
        ];
        Self { addr, headers }
    }

    pub(crate) fn token(self, token: &'a str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// States the purpose for which staff read.
    pub(crate) fn treating(self) -> Self {
        self.header("sokhoe-purpose", "TREAT")
    }

    pub(crate) fn header(mut self, name: &'a str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn get(self, path: &str) -> Answer {
        self.send("GET", path, b"")
    }

    pub(crate) fn delete(self, path: &str) -> Answer {
        self.send("DELETE", path, b"")
    }

    /// Posts a body of a content type.
    pub(crate) fn post(self, path: &str, media_type: &str, body: impl AsRef<[u8]>) -> Answer {
        self.header("content-type", media_type)
            .send("POST", path, body.as_ref())
    }

    /// Sends one event.
    pub(crate) fn event(self, event: &Value) -> Answer {
        self.post("/v1/events", "application/json", event.to_string())
    }

    /// The bytes of the request's head, for a body of so many bytes.
    pub(crate) fn head(&self, method: &str, path: &str, body_bytes: usize) -> String {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head + &format!("content-length: {body_bytes}\r\n\r\n")
    }

    fn send(self, method: &str, path: &str, body: &[u8]) -> Answer {
        let head = self.head(method, path, body.len());
        parse(&raw(self.addr, &[head.as_bytes(), body].concat()))
    }
}

/// Connects, with patience bounded.
pub(crate) fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// Sends bytes as they are and reads until the server closes.
pub(crate) fn raw(addr: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(addr);
    // Written beside reading: the server may answer, and close, before it has everything.
    let mut writing = stream.try_clone().expect("a second handle");
    std::thread::scope(|scope| {
        scope.spawn(move || writing.write_all(bytes).ok());
        let answer = read_to_end(&mut stream);
        let _ = stream.shutdown(Shutdown::Both);
        answer
    })
}

/// Reads until the server closes, however it does that.
pub(crate) fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    let mut buffer = [0; 16 << 10];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return answer,
            Ok(read) => answer.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return answer,
            Err(error) => panic!("no answer in time: {error}"),
        }
    }
}

/// Takes an answer apart, joining chunks.
pub(crate) fn parse(answer: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(answer);
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no whole head: {text:?}"));
    let head = String::from_utf8(answer[..end].to_vec()).expect("a head in ASCII");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no status line: {text:?}"));
    let body = &answer[end + 4..];
    let chunked = head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked");
    let body = if chunked { join(body) } else { body.to_vec() };
    let hashes = head.contains("application/octet-stream");
    let body = match String::from_utf8(body) {
        Ok(body) => body,
        Err(bytes) if hashes => String::from_utf8_lossy(bytes.as_bytes()).into_owned(),
        Err(error) => panic!("a body in UTF-8: {error}"),
    };
    Answer { status, head, body }
}

/// Joins the chunks that have come; the last one may be cut.
pub(crate) fn join(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).expect("a chunk's size");
        let size = usize::from_str_radix(size, 16).expect("a chunk's size");
        let from = end + 2;
        let upto = (from + size).min(rest.len());
        body.extend_from_slice(&rest[from..upto]);
        rest = rest.get(upto + 2..).unwrap_or_default();
    }
    body
}

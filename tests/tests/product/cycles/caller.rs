//! A caller that keeps its connection from request to request, and to whom a server that dies is an ordinary thing.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::home::PATIENCE;

/// One connection, in the name of one token.
pub(crate) struct Caller {
    stream: BufReader<TcpStream>,
    token: String,
}

/// An answer that came whole.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// How a body's bytes are delimited.
enum Extent {
    Bytes(usize),
    Chunks,
}

impl Caller {
    /// Connects; `None` when nobody listens any more.
    pub(crate) fn connect(addr: SocketAddr, token: &str) -> Option<Self> {
        let stream = TcpStream::connect(addr).ok()?;
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        Some(Self {
            stream: BufReader::new(stream),
            token: token.to_owned(),
        })
    }

    pub(crate) fn get(&mut self, path: &str) -> Option<Whole> {
        self.ask("GET", path, ("", ""), &mut |_| {})
    }

    /// Sends a body and hands over each whole line of the answer as it comes; `None` when the server was gone before the
    /// end of its answer.
    pub(crate) fn post(
        &mut self,
        path: &str,
        (media_type, body): (&str, &str),
        each: &mut dyn FnMut(&str),
    ) -> Option<Whole> {
        self.ask("POST", path, (media_type, body), each)
    }

    fn ask(
        &mut self,
        method: &str,
        path: &str,
        (media_type, body): (&str, &str),
        each: &mut dyn FnMut(&str),
    ) -> Option<Whole> {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: sokhoe\r\nauthorization: Bearer {}\r\nsokhoe-purpose: TREAT\r\n",
            self.token
        );
        if !media_type.is_empty() {
            request += &format!("content-type: {media_type}\r\n");
        }
        request += &format!("content-length: {}\r\n\r\n{body}", body.len());
        self.stream.get_mut().write_all(request.as_bytes()).ok()?;
        let head = self.head()?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let body = self.body(&extent(&head)?, each)?;
        Some(Whole { status, body })
    }

    fn head(&mut self) -> Option<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        Some(head)
    }

    fn body(&mut self, extent: &Extent, each: &mut dyn FnMut(&str)) -> Option<String> {
        let mut bytes = Vec::new();
        let mut told = 0;
        match extent {
            Extent::Bytes(count) => {
                bytes.resize(*count, 0);
                self.stream.read_exact(&mut bytes).ok()?;
            }
            Extent::Chunks => loop {
                let mut size = String::new();
                self.stream.read_line(&mut size).ok()?;
                let size = usize::from_str_radix(size.trim_end(), 16).ok()?;
                let from = bytes.len();
                bytes.resize(from + size + 2, 0);
                self.stream.read_exact(&mut bytes[from..]).ok()?;
                bytes.truncate(from + size);
                if size == 0 {
                    break;
                }
                while let Some(end) = bytes[told..].iter().position(|byte| *byte == b'\n') {
                    each(std::str::from_utf8(&bytes[told..told + end]).ok()?);
                    told += end + 1;
                }
            },
        }
        let text = String::from_utf8(bytes).ok()?;
        text[told..].lines().for_each(each);
        Some(text)
    }
}

fn extent(head: &str) -> Option<Extent> {
    let head = head.to_ascii_lowercase();
    if head.contains("transfer-encoding: chunked") {
        return Some(Extent::Chunks);
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))?;
    length.trim().parse().ok().map(Extent::Bytes)
}

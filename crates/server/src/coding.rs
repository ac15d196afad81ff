//! Bodies that come compressed: taken apart piece by piece as they are read, in memory that does not depend on them.
//!
//! All limits on bodies hold for what comes out. Streams of lines have no limit on the whole, so that a small body
//! which would become endless lines is told by how much larger it becomes.

use std::io::{self, BufRead, Read};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use bytes::{Buf as _, Bytes};
use flate2::bufread::MultiGzDecoder;
use futures_util::stream::unfold;
use http_body_util::BodyExt as _;
use thiserror::Error;

use crate::error::{Kind, Problem};

/// Bytes that come out at once.
const PIECE_BYTES: usize = 64 << 10;
/// How many times larger a body may become; records as JSON lines become some 10 to 40 times smaller.
const RATIO_MAX: u64 = 200;
/// What any body may become, however small it is.
const FLOOR_BYTES: u64 = 16 << 20;
/// Binary logarithm of the farthest that a zstd body may refer back: what a decoder holds, 8 MiB.
const WINDOW_LOG_MAX: u32 = 23;
/// The codings that are understood, for those who sent another.
const CODINGS: HeaderValue = HeaderValue::from_static("gzip, zstd");

/// Why a body does not come apart.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CodingError {
    /// It is not what its coding makes, or it is cut off.
    #[error("the body is not whole and valid in its content coding")]
    Broken,
    /// It becomes too large.
    #[error("the body becomes more than {RATIO_MAX} times larger when decompressed")]
    Bomb,
    /// The connection failed.
    #[error("the body ended before its end")]
    Cut,
}

impl CodingError {
    /// Finds what went wrong in an error of a body.
    pub(crate) fn within(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(found) = error.downcast_ref::<Self>() {
                return *found;
            }
            cause = error.source();
        }
        Self::Cut
    }

    /// What the sender is told.
    pub(crate) fn problem(self) -> Problem {
        let kind = match self {
            Self::Bomb => Kind::TooLarge,
            Self::Broken | Self::Cut => Kind::BadRequest,
        };
        Problem::new(kind, self.to_string())
    }
}

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Zstd,
}

impl Coding {
    /// Reads the header; `None` when the body comes as it is.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
        let (first, second) = (codings.next(), codings.next());
        let Some(first) = first else { return Ok(None) };
        match first.to_str().unwrap_or_default() {
            _ if second.is_some() => Err(unknown()),
            "identity" => Ok(None),
            coding if coding.eq_ignore_ascii_case("gzip") => Ok(Some(Self::Gzip)),
            coding if coding.eq_ignore_ascii_case("zstd") => Ok(Some(Self::Zstd)),
            _ => Err(unknown()),
        }
    }

    /// Puts in place of a request's body what comes out of it.
    pub(crate) fn decode(self, request: Request) -> Result<Request, Problem> {
        let decoder = Decoder::new(self).map_err(|error| Problem::internal(&error))?;
        Ok(request.map(|body| decoded(body, decoder)))
    }
}

fn unknown() -> Problem {
    let detail = "send the body as it is, or in one content coding: gzip or zstd";
    Problem::new(Kind::MediaType, detail).with_header(header::ACCEPT_ENCODING, CODINGS)
}

fn decoded(body: Body, decoder: Decoder) -> Body {
    let state = Some((body, decoder));
    Body::from_stream(unfold(state, |state| async move {
        let (mut body, mut decoder) = state?;
        match next(&mut body, &mut decoder).await {
            Ok(Some(piece)) => Some((Ok(piece), Some((body, decoder)))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    }))
}

/// Makes the next piece; `None` at the end.
async fn next(body: &mut Body, decoder: &mut Decoder) -> Result<Option<Bytes>, CodingError> {
    loop {
        match decoder.piece()? {
            Made::Piece(piece) => return Ok(Some(piece)),
            Made::End => return Ok(None),
            Made::Hungry => {}
        }
        match body.frame().await {
            None => decoder.input().ended = true,
            Some(Err(_)) => return Err(CodingError::Cut),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    decoder.taken += u64::try_from(data.len()).unwrap_or(u64::MAX);
                    decoder.input().data = data;
                }
            }
        }
    }
}

/// What has come of the body and is not decoded yet.
#[derive(Debug, Default)]
struct Input {
    data: Bytes,
    ended: bool,
}

impl Read for Input {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let from = self.fill_buf()?;
        let count = from.len().min(to.len());
        for (to, from) in to.iter_mut().zip(from) {
            *to = *from;
        }
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.data.is_empty() && !self.ended {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(&self.data)
    }

    fn consume(&mut self, count: usize) {
        self.data.advance(count);
    }
}

enum Inner {
    Gzip(Box<MultiGzDecoder<Input>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, Input>>),
}

struct Decoder {
    inner: Inner,
    taken: u64,
    given: u64,
}

enum Made {
    Piece(Bytes),
    /// More of the body is needed.
    Hungry,
    End,
}

impl Decoder {
    fn new(coding: Coding) -> io::Result<Self> {
        let inner = match coding {
            Coding::Gzip => Inner::Gzip(Box::new(MultiGzDecoder::new(Input::default()))),
            Coding::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(Input::default())?;
                decoder.window_log_max(WINDOW_LOG_MAX)?;
                Inner::Zstd(Box::new(decoder))
            }
        };
        Ok(Self {
            inner,
            taken: 0,
            given: 0,
        })
    }

    fn input(&mut self) -> &mut Input {
        match &mut self.inner {
            Inner::Gzip(decoder) => decoder.get_mut(),
            Inner::Zstd(decoder) => decoder.get_mut(),
        }
    }

    fn piece(&mut self) -> Result<Made, CodingError> {
        let input = self.input();
        if input.data.is_empty() && !input.ended {
            return Ok(Made::Hungry);
        }
        let mut piece = vec![0; PIECE_BYTES];
        let read = match &mut self.inner {
            Inner::Gzip(decoder) => decoder.read(&mut piece),
            Inner::Zstd(decoder) => decoder.read(&mut piece),
        };
        match read {
            Ok(0) if self.taken == 0 => Err(CodingError::Broken),
            Ok(0) => Ok(Made::End),
            Ok(count) => {
                self.given += u64::try_from(count).unwrap_or(u64::MAX);
                if self.given > FLOOR_BYTES.max(self.taken.saturating_mul(RATIO_MAX)) {
                    return Err(CodingError::Bomb);
                }
                piece.truncate(count);
                Ok(Made::Piece(Bytes::from(piece)))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Made::Hungry),
            Err(_) => Err(CodingError::Broken),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn compress(coding: Coding, plain: &[u8]) -> Vec<u8> {
        match coding {
            Coding::Gzip => {
                let mut encoder =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Zstd => zstd::encode_all(plain, 3).unwrap(),
        }
    }

    /// Decodes a body that comes in pieces of this size.
    async fn decode(coding: Coding, bytes: &[u8], size: usize) -> Result<Vec<u8>, CodingError> {
        let pieces: Vec<Result<Bytes, io::Error>> = bytes
            .chunks(size)
            .map(|piece| Ok(Bytes::copy_from_slice(piece)))
            .collect();
        let mut body = Body::from_stream(futures_util::stream::iter(pieces));
        let mut decoder = Decoder::new(coding).unwrap();
        let mut whole = Vec::new();
        while let Some(piece) = next(&mut body, &mut decoder).await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }

    #[tokio::test]
    async fn a_body_comes_out_as_it_was_however_it_was_cut_up() {
        let plain: Vec<u8> = (0..200_000_u32)
            .flat_map(|n| (n % 1000).to_le_bytes())
            .collect();
        for coding in [Coding::Gzip, Coding::Zstd] {
            let packed = compress(coding, &plain);
            for size in [1, 7, 4096, packed.len()] {
                assert_eq!(
                    decode(coding, &packed, size).await.as_ref(),
                    Ok(&plain),
                    "{coding:?}"
                );
            }
            // Several in a row are one, as with files put together.
            let twice = [packed.clone(), packed].concat();
            assert_eq!(
                decode(coding, &twice, 999).await.unwrap().len(),
                2 * plain.len()
            );
        }
    }

    #[tokio::test]
    async fn a_body_cut_off_or_damaged_is_told_from_a_whole_one() {
        let plain: Vec<u8> = (0..9000_u32).flat_map(|n| (n * n).to_le_bytes()).collect();
        for coding in [Coding::Gzip, Coding::Zstd] {
            let packed = compress(coding, &plain);
            for cut in [0, 1, 5, packed.len() / 2, packed.len() - 1] {
                let decoded = decode(coding, &packed[..cut], 512).await;
                assert_eq!(decoded, Err(CodingError::Broken), "{coding:?} cut at {cut}");
            }
            let mut damaged = packed;
            let middle = damaged.len() / 2;
            damaged[middle] ^= 0x55;
            assert_ne!(
                decode(coding, &damaged, 512).await,
                Ok(plain.clone()),
                "{coding:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_body_that_grows_without_end_is_stopped() {
        let bomb = vec![b'\n'; 100 << 20];
        for coding in [Coding::Gzip, Coding::Zstd] {
            let packed = compress(coding, &bomb);
            assert!(packed.len() * 200 < bomb.len(), "{coding:?}");
            assert_eq!(
                decode(coding, &packed, 8192).await,
                Err(CodingError::Bomb),
                "{coding:?}"
            );
        }
    }
}

//! Bodies at and beyond their limits.

use axum::http::HeaderValue;
use futures_util::{StreamExt as _, stream};

use super::*;

fn pieces(pieces: &[&'static str]) -> Body {
    let pieces: Vec<_> = pieces
        .iter()
        .map(|piece| Ok::<_, std::io::Error>(*piece))
        .collect();
    Body::from_stream(stream::iter(pieces))
}

/// A body that sends this and then says nothing more.
fn stalling(first: &'static str) -> Body {
    let first = stream::iter([Ok::<_, std::io::Error>(first)]);
    Body::from_stream(first.chain(stream::pending()))
}

async fn lines(body: Body) -> Vec<Line> {
    let mut lines = Lines::new(body, 5, Duration::from_secs(1));
    let mut all = Vec::new();
    while let Some(line) = lines.next().await.unwrap() {
        all.push(line);
    }
    all
}

fn text(text: &'static str) -> Line {
    Line::Text(Bytes::from_static(text.as_bytes()))
}

#[tokio::test]
async fn lines_come_out_however_they_are_cut() {
    let expected = vec![text("ab"), text(""), text("cde"), text("f")];
    assert_eq!(lines(pieces(&["ab\n\ncde\r\nf"])).await, expected);
    assert_eq!(
        lines(pieces(&["a", "b\n", "\nc", "de\r", "\nf", "\n"])).await,
        expected
    );
    assert_eq!(lines(pieces(&[])).await, vec![]);
}

#[tokio::test]
async fn a_line_that_is_too_long_does_not_hurt_the_next() {
    let long = pieces(&["abc", "defgh", "ij\nk\nlmnopq\nr"]);
    assert_eq!(
        lines(long).await,
        vec![Line::TooLong, text("k"), Line::TooLong, text("r")]
    );
    assert_eq!(
        lines(pieces(&["ab\ncdefghi"])).await,
        vec![text("ab"), Line::TooLong]
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_is_a_timeout() {
    let limits = Limits::default();
    let problem = read_whole(stalling("{"), "an event", 10, &limits)
        .await
        .unwrap_err();
    assert_eq!(problem.kind(), Kind::Timeout);
    let mut lines = Lines::new(stalling("a\nb"), 10, Duration::from_secs(1));
    assert_eq!(lines.next().await.unwrap(), Some(text("a")));
    assert_eq!(lines.next().await.unwrap_err().kind(), Kind::Timeout);
    assert_eq!(lines.next().await.unwrap(), None);
}

#[tokio::test]
async fn a_body_is_taken_up_to_its_limit() {
    let limits = Limits::default();
    let read = |body| read_whole(body, "an event", 4, &limits);
    assert_eq!(read(pieces(&["ab", "cd"])).await.unwrap(), "abcd");
    assert_eq!(
        read(pieces(&["ab", "cde"])).await.unwrap_err().kind(),
        Kind::TooLarge
    );
    assert_eq!(
        read(Body::from("abcde")).await.unwrap_err().kind(),
        Kind::TooLarge
    );
    assert_eq!(read(Body::empty()).await.unwrap(), "");
}

#[test]
fn content_types_are_checked() {
    let check = |value: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(value));
        expect_type(&headers, JSON).is_ok()
    };
    assert!(check("application/json"));
    assert!(check("Application/JSON; charset=UTF-8"));
    assert!(!check("application/json; charset=latin1"));
    assert!(!check("text/plain"));
    assert!(!check("application/jsonx"));
    assert!(expect_type(&HeaderMap::new(), JSON).is_err());
    assert!(expect_type(&HeaderMap::new(), ANY).is_ok());
}

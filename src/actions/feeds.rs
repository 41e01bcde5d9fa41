//! `feeds`: podcasts and other feeds, fetched politely and read whatever is wrong with them.
//!
//! ```text
//! address ─ http ─▶ body ─ parse ─▶ Feed
//! ```

// What the body of a feed says.
pub mod parse;
// What is in a feed, for who asks: from an address or a file.
pub mod look;

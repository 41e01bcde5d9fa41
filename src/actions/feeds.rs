//! `feeds`: podcasts and other feeds, fetched politely and read whatever is wrong with them.
//!
//! ```text
//! list, OPML, query ─ sources ─▶ feeds
//! feeds (due) ─ store::claim ─▶ fetch ─▶ parse ─▶ policy ─ store::save ─▶ feeds, episodes, feed_fetches
//!                                └──────── no document ─▶ policy ─ store::note ─▶ feeds, feed_fetches
//! ```

// What a job says.
pub mod table;
// Where feeds come from beside the table.
pub mod sources;
// Asking a server.
pub mod fetch;
// What the body of a feed says.
pub mod parse;
// What becomes of a feed after a fetch.
pub mod policy;
// The tables: their version and its steps, what is asked of them, and what to do where they refuse.
pub mod schema;
pub mod store;
pub mod trouble;
// All that is due: claimed, fetched, read, kept.
pub mod pass;
// How long files are whose feeds do not say it, by a program that knows.
pub mod probe;
// Fetches that nobody asks about any more.
pub mod prune;
// How much there is to listen to.
pub mod stats;
// What is in a feed, for who asks: from an address or a file; nothing is kept.
pub mod look;
// What people ask of the tables and change in them.
pub mod by_hand;
// Lists of feeds for other programs.
pub mod opml;

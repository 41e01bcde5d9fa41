//! Podcasts and other feeds, fetched politely and kept in tables.

// What a fetched body says.
pub mod parse;

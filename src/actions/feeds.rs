//! Podcasts and other feeds, fetched politely and kept in tables.

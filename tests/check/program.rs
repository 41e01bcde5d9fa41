//! The real program against real databases.

//! HTTP as a client: what actions ask of servers that are not theirs.

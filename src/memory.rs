//! How much memory, as people write it: `512M`.

/// What the letters stand for, the largest first: powers of 1024, as systemd has them.
pub(crate) const UNITS: [(char, u64); 4] = [
    ('T', 1 << 40),
    ('G', 1 << 30),
    ('M', 1 << 20),
    ('K', 1 << 10),
];

/// So many bytes, in the largest unit that leaves no rest.
#[must_use]
pub fn written(bytes: u64) -> String {
    let unit = UNITS
        .into_iter()
        .find(|(_, unit)| bytes.is_multiple_of(*unit));
    unit.map_or_else(
        || bytes.to_string(),
        |(letter, unit)| format!("{}{letter}", bytes / unit),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_unit_that_leaves_no_rest() {
        for (bytes, text) in [
            (1 << 26, "64M"),
            (3 << 30, "3G"),
            (1536 << 10, "1536K"),
            (7, "7"),
        ] {
            assert_eq!(written(bytes), text);
        }
    }
}

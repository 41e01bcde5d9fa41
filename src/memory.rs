//! How much memory, as people write it: `512M`.

/// What the letters stand for, the largest first: powers of 1024, as systemd has them.
const UNITS: [(char, u64); 4] = [
    ('T', 1 << 40),
    ('G', 1 << 30),
    ('M', 1 << 20),
    ('K', 1 << 10),
];

/// The bytes that a text such as `512M` stands for, at least one; `None`: it stands for none.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let (digits, unit) = UNITS
        .iter()
        .find_map(|&(letter, unit)| Some((text.strip_suffix(letter)?, unit)))
        .unwrap_or((text, 1));
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit());
    let number = digits.parse::<u64>().ok().filter(|_| is_number)?;
    number.checked_mul(unit).filter(|bytes| *bytes > 0)
}

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
            assert_eq!(parse(text), Some(bytes));
        }
    }
}

//! How long an episode is, from what feeds write in `itunes:duration`.

/// The text is no duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotADuration;

/// Whole seconds, from `SS`, `MM:SS` or `HH:MM:SS`, each part as large as it likes; a fraction is dropped, as in the
/// times of RFC 2326 §3.6. `None`: blank, or zero, which is what programs write that do not know it.
///
/// Around it, `>`, `;` and one `:` at the end are what is left of other markup. Not more than an `integer` of PostgreSQL
/// holds.
pub(super) fn seconds(text: &str) -> Result<Option<u32>, NotADuration> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '>' || c == ';');
    if text.is_empty() {
        return Ok(None);
    }
    let text = text.strip_suffix(':').unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if !is_number(fraction) {
        return Err(NotADuration);
    }
    let mut total: u32 = 0;
    for (index, part) in whole.split(':').enumerate() {
        if index == 3 || !is_number(part) {
            return Err(NotADuration);
        }
        let part: u32 = part.parse().map_err(|_| NotADuration)?;
        total = total
            .checked_mul(60)
            .and_then(|total| total.checked_add(part))
            .ok_or(NotADuration)?;
    }
    // What does not fit there is no length of anything.
    i32::try_from(total).map_err(|_| NotADuration)?;
    Ok(Some(total).filter(|total| *total > 0))
}

/// Digits of ASCII: others are read by nobody alike.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What feeds have been seen to write.
    const VECTORS: [(&str, Result<Option<u32>, NotADuration>); 37] = [
        ("0", Ok(None)),
        ("128", Ok(Some(128))),
        ("3:00", Ok(Some(180))),
        ("00:20", Ok(Some(20))),
        ("1:02:03", Ok(Some(3_723))),
        ("01:02:03.500", Ok(Some(3_723))),
        ("61:08", Ok(Some(3_668))),
        ("25:3:30", Ok(Some(90_210))),
        ("61.08", Ok(Some(61))),
        (" 03:02:01 ", Ok(Some(10_921))),
        ("", Ok(None)),
        (" \t\n", Ok(None)),
        ("invalid", Err(NotADuration)),
        ("90 min", Err(NotADuration)),
        ("1h2m", Err(NotADuration)),
        ("1,234", Err(NotADuration)),
        ("PT1H2M", Err(NotADuration)),
        ("0x10", Err(NotADuration)),
        ("1:2:3:4", Err(NotADuration)),
        ("-5", Err(NotADuration)),
        ("00:45:10;", Ok(Some(2_710))),
        (">12:34", Ok(Some(754))),
        ("12:", Ok(Some(12))),
        ("12:34:", Ok(Some(754))),
        ("12:60", Ok(Some(780))),
        ("23:59:60", Ok(Some(86_400))),
        ("1:-2", Err(NotADuration)),
        ("99999999999", Err(NotADuration)),
        ("1e3", Err(NotADuration)),
        ("٣:٠٠", Err(NotADuration)),
        ("00:00:00", Ok(None)),
        ("2147483647", Ok(Some(2_147_483_647))),
        ("2147483648", Err(NotADuration)),
        (":30", Err(NotADuration)),
        ("12::", Err(NotADuration)),
        ("1.2:30", Err(NotADuration)),
        ("3.", Err(NotADuration)),
    ];

    #[test]
    fn a_duration_is_seconds_or_is_none() {
        for (text, expected) in VECTORS {
            assert_eq!(seconds(text), expected, "{text:?}");
        }
    }
}

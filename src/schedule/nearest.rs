//! What somebody meant to write.

/// The choice that differs from `word` in the fewest letters, in any case; `None` when all differ in
/// more than a quarter of them.
pub(super) fn nearest<'a>(
    word: &str,
    choices: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let word = word.to_lowercase();
    let limit = (word.chars().count() / 4).max(1);
    choices
        .into_iter()
        .map(|choice| {
            (
                strsim::damerau_levenshtein(&word, &choice.to_lowercase()),
                choice,
            )
        })
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, choice)| choice)
}

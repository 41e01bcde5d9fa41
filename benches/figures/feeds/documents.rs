//! Feeds as podcasts have them, made up: the same for the same number, on every machine.

use std::fmt::Write as _;

/// How many feeds there are, and how many episodes in all of them: those of a collection that somebody has kept for years.
pub(crate) const FEEDS: usize = 4_669;
/// See [`FEEDS`].
pub(crate) const EPISODES: usize = 611_025;

/// How many episodes each feed has: most have few, some have hundreds.
pub(crate) fn sizes() -> Vec<usize> {
    let weights: Vec<f64> = (0..FEEDS)
        .map(|number| 10_f64.powf(2.4 * f64::from(Random::new(number).below(1_000)) / 1_000.0))
        .collect();
    let all: f64 = weights.iter().sum();
    let mut sum = 0.0;
    let mut given = 0;
    let size = |weight: &f64| {
        sum += weight;
        #[expect(clippy::cast_precision_loss, reason = "some hundred thousands")]
        let until = (sum / all * EPISODES as f64).round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most as many as there are"
        )]
        let until = until as usize;
        let size = until - given;
        given = until;
        size
    };
    weights.iter().map(size).collect()
}

/// A document of RSS 2.0 with so many episodes.
pub(crate) fn document(number: usize, episodes: usize) -> String {
    let mut random = Random::new(number);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\" \
         xmlns:itunes=\"http://www.itunes.com/dtds/podcast-1.0.dtd\">\n<channel>\n<title>Podcast {number}</title>\n\
         <link>https://podcasts.example/{number}</link>\n<language>en</language>\n\
         <itunes:author>Somebody</itunes:author>\n"
    );
    for episode in 0..episodes {
        item(&mut text, number, episode, &mut random);
    }
    text.push_str("</channel>\n</rss>\n");
    text
}

fn item(text: &mut String, number: usize, episode: usize, random: &mut Random) {
    write!(text, "<item>\n<title>Number {episode}: ").expect("a text takes everything");
    words(text, 20 + random.below(40), random);
    text.push_str("</title>\n<description>");
    let start = text.len();
    words(text, 200 + random.below(600), random);
    // The same once more, as many a program writes it.
    let summary = text[start..].to_owned();
    let (hour, minute, second) = (random.below(24), random.below(60), random.below(60));
    write!(
        text,
        "</description>\n<itunes:summary>{summary}</itunes:summary>\n<guid isPermaLink=\"false\">{number}-{episode}@podcasts.example</guid>\n\
         <pubDate>Sat, {:02} Nov 2025 {hour:02}:{minute:02}:{second:02} GMT</pubDate>\n\
         <enclosure url=\"https://media.podcasts.example/{number}/{episode}.mp3\" length=\"{}\" type=\"audio/mpeg\"/>\n\
         <itunes:duration>{hour:02}:{minute:02}:{second:02}</itunes:duration>\n\
         <itunes:explicit>no</itunes:explicit>\n</item>\n",
        1 + random.below(30),
        10_000_000 + random.below(50_000_000),
    )
    .expect("a text takes everything");
}

const WORDS: [&str; 16] = [
    "about", "the", "night", "in", "which", "seven", "people", "talk", "of", "ships", "and",
    "what", "was", "never", "said", "aloud",
];

/// At least so many bytes of words.
fn words(text: &mut String, bytes: u32, random: &mut Random) {
    let end = text.len() + bytes as usize;
    while text.len() < end {
        text.push_str(WORDS[random.below(16) as usize]);
        text.push(' ');
    }
}

/// Numbers that look random (Knuth's MMIX), and are the same each time.
struct Random(u64);

impl Random {
    fn new(seed: usize) -> Self {
        let mut random = Self(seed as u64);
        random.below(1);
        random
    }

    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let upper = u32::try_from(self.0 >> 32).expect("half of the bits");
        upper % limit
    }
}

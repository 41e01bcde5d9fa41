//! Lists of feeds as OPML, for other programs; what reads them is [`parse::outlines`](super::parse::outlines).

use super::parse::Outline;

#[cfg(test)]
mod tests;

/// What a document begins with.
pub const BEGINNING: &str = "\
<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<opml version=\"2.0\">
  <head>
    <title>Feeds</title>
  </head>
  <body>
";

/// What it ends with.
pub const END: &str = "  </body>\n</opml>\n";

/// A feed in between.
#[must_use]
pub fn outline(feed: &Outline) -> String {
    // OPML wants a text from each outline.
    let title = feed.title.as_deref().unwrap_or(&feed.url);
    let mut outline = String::from("    <outline type=\"rss\"");
    let attributes = [
        ("text", Some(title)),
        ("title", Some(title)),
        ("xmlUrl", Some(feed.url.as_str())),
        ("htmlUrl", feed.site_url.as_deref()),
    ];
    for (name, value) in attributes {
        if let Some(value) = value {
            outline.push(' ');
            outline.push_str(name);
            outline.push_str("=\"");
            escape(value, &mut outline);
            outline.push('"');
        }
    }
    outline.push_str("/>\n");
    outline
}

/// A value of an attribute, whatever is in it; characters that XML 1.0 cannot hold (§2.2) become U+FFFD.
fn escape(value: &str, into: &mut String) {
    for character in value.chars() {
        match character {
            '&' => into.push_str("&amp;"),
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '"' => into.push_str("&quot;"),
            // Written as they are they would be read as spaces (§3.3.3).
            '\t' => into.push_str("&#9;"),
            '\n' => into.push_str("&#10;"),
            '\r' => into.push_str("&#13;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => into.push(char::REPLACEMENT_CHARACTER),
            other => into.push(other),
        }
    }
}

//! Which elements are fields of a feed or of an item, and what their text means.

use std::time::Duration;

use jiff::{Timestamp, civil::Weekday};

use super::{
    Enclosure, Feed, Kind,
    address::Bases,
    date, duration, html,
    identity::Episodes,
    item::{Best, Item},
    names::Space,
    remark::{Remark, Remarks, excerpt},
    text,
};

/// A field whose value is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Title(u8),
    Summary(u8),
    Guid { is_link: bool },
    Link,
    Published(u8),
    Duration,
    Language,
    Author(u8),
    Image(u8),
    Ttl,
    UpdatePeriod,
    UpdateFrequency,
    Hour,
    Day,
    Complete,
    MovedTo,
}

impl Field {
    /// Whether half of it is better than nothing, when the document is cut off in it.
    pub(super) fn may_be_cut(self) -> bool {
        matches!(self, Self::Title(_) | Self::Summary(_))
    }
}

/// The field of an item that an element is; numbers are ranks, 0 the best.
pub(super) fn of_item(space: Space, local: &str) -> Option<Field> {
    use Field::{Duration, Guid, Link, Published, Summary, Title};
    Some(match (space, local) {
        (Space::Main, "title") => Title(0),
        (Space::Dublin, "title") => Title(1),
        (Space::Media, "title") => Title(2),
        (Space::Itunes, "title") => Title(3),
        (Space::Main, "description" | "summary") => Summary(0),
        (Space::Dublin, "description") => Summary(1),
        (Space::Itunes, "summary") => Summary(2),
        (Space::Content, "encoded") | (Space::Main, "content") => Summary(3),
        (Space::Main, "body" | "fullitem") | (Space::Xhtml, "body" | "div") => Summary(4),
        (Space::Media, "description") => Summary(5),
        (Space::Itunes, "subtitle") => Summary(6),
        (Space::Main, "guid" | "id") => Guid { is_link: true },
        (Space::Main, "link") => Link,
        (Space::Main, "pubdate" | "published" | "issued") => Published(0),
        (Space::Dublin, "date" | "issued") => Published(1),
        (Space::Main | Space::Dublin, "created") => Published(2),
        (Space::Main | Space::Dublin, "updated" | "modified") => Published(3),
        (Space::Itunes, "duration") => Duration,
        _ => return None,
    })
}

/// The field of a feed that an element is.
pub(super) fn of_feed(space: Space, local: &str) -> Option<Field> {
    use Field::{
        Author, Complete, Image, Language, Link, MovedTo, Title, Ttl, UpdateFrequency, UpdatePeriod,
    };
    Some(match (space, local) {
        (Space::Main, "title") => Title(0),
        (Space::Dublin, "title") => Title(1),
        (Space::Main, "link") => Link,
        (Space::Main | Space::Dublin, "language") => Language,
        (Space::Itunes, "author") => Author(0),
        (Space::Main, "author" | "managingeditor") => Author(2),
        (Space::Dublin, "creator") => Author(3),
        (Space::Main, "logo") => Image(2),
        (Space::Main, "icon") => Image(3),
        (Space::Main, "ttl") => Ttl,
        (Space::Syndication, "updateperiod") => UpdatePeriod,
        (Space::Syndication, "updatefrequency") => UpdateFrequency,
        (Space::Itunes, "complete") => Complete,
        (Space::Itunes, "new-feed-url") => MovedTo,
        _ => return None,
    })
}

/// What the text of a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Html,
    /// Text that may be HTML: RSS does not say.
    Either,
}

/// A feed while its fields come in.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) kind: Kind,
    title: Best<String>,
    pub(super) site: Best<String>,
    pub(super) image: Best<String>,
    pub(super) language: Best<String>,
    author: Best<String>,
    moved_to: Best<String>,
    is_complete: bool,
    ttl: Option<Duration>,
    period: Option<Duration>,
    frequency: Option<u32>,
    hours: Vec<u8>,
    days: Vec<Weekday>,
    pub(super) episodes: Episodes,
    pub(super) remarks: Remarks,
}

impl Draft {
    pub(super) fn new(kind: Kind, remarks: Remarks) -> Self {
        Self {
            kind,
            title: Best::default(),
            site: Best::default(),
            image: Best::default(),
            language: Best::default(),
            author: Best::default(),
            moved_to: Best::default(),
            is_complete: false,
            ttl: None,
            period: None,
            frequency: None,
            hours: Vec::new(),
            days: Vec::new(),
            episodes: Episodes::default(),
            remarks,
        }
    }

    /// Fills a field of the feed; addresses are resolved already.
    pub(super) fn fill(&mut self, field: Field, text: &str, form: Form) {
        let remarks = &mut self.remarks;
        match field {
            Field::Title(rank) => self.title.offer(rank, title(text, form, remarks)),
            Field::Link => self.site.offer(1, text::address(text, remarks)),
            Field::Image(rank) => self.image.offer(rank, text::address(text, remarks)),
            Field::MovedTo => self.moved_to.offer(0, text::address(text, remarks)),
            Field::Language => self.language.offer(0, text::line(text, remarks)),
            Field::Author(rank) => self.author.offer(rank, title(text, form, remarks)),
            Field::Complete => self.is_complete |= is_yes(text),
            Field::Ttl => self.ttl = self.ttl.or_else(|| minutes(text)),
            Field::UpdatePeriod => self.period = self.period.or_else(|| period(text)),
            Field::UpdateFrequency => self.frequency = self.frequency.or(text.trim().parse().ok()),
            Field::Hour => self.hours.extend(hour(text)),
            Field::Day => self.days.extend(weekday(text)),
            Field::Summary(_) | Field::Guid { .. } | Field::Published(_) | Field::Duration => (),
        }
        // However many a document lists, there are 24 and 7.
        self.hours.sort_unstable();
        self.hours.dedup();
        self.days
            .sort_unstable_by_key(|day| day.to_monday_zero_offset());
        self.days.dedup();
    }

    pub(super) fn is_over(&mut self) {
        self.is_complete = true;
    }

    pub(super) fn finish(self) -> Feed {
        let (episodes, left_out) = self.episodes.finish();
        // "One update in the period" where no frequency is said; of a frequency without a period, a day (the module's
        // specification).
        let said = self.period.is_some() || self.frequency.is_some();
        let period = self.period.unwrap_or(DAY);
        let frequency = self.frequency.filter(|often| *often > 0).unwrap_or(1);
        let update = said.then_some(period / frequency);
        let interval_hint = self.ttl.max(update).filter(|hint| !hint.is_zero());
        Feed {
            kind: self.kind,
            title: self.title.take(),
            site_url: self.site.take(),
            image_url: self.image.take(),
            language: self.language.take(),
            author: self.author.take(),
            moved_to: self.moved_to.take(),
            is_complete: self.is_complete,
            interval_hint,
            skip_hours: self.hours,
            skip_days: self.days,
            episodes,
            left_out,
            is_whole: !self.remarks.is_end_missing(),
            remarks: self.remarks,
        }
    }
}

impl Item {
    /// Fills a field of an item; addresses are resolved already.
    pub(super) fn fill(
        &mut self,
        field: Field,
        text: &str,
        form: Form,
        bases: &Bases,
        remarks: &mut Remarks,
    ) {
        match field {
            Field::Title(rank) => self.title.offer_made(rank, || title(text, form, remarks)),
            Field::Summary(rank) => self.summary.offer_made(rank, || text::long(text, remarks)),
            Field::Link => self.link.offer(0, text::address(text, remarks)),
            Field::Guid { is_link } => {
                let guid = text.trim();
                if is_link && is_page(guid) {
                    self.link
                        .offer(9, text::address(&bases.resolve(guid), remarks));
                }
                self.guid
                    .offer(0, Some(guid.to_owned()).filter(|guid| !guid.is_empty()));
            }
            Field::Published(rank) => self.published.offer(rank, published(text, remarks)),
            Field::Duration => self.duration = self.duration.or_else(|| length(text, remarks)),
            _ => (),
        }
    }

    /// Takes a file of the item; `length` in bytes, as it is written.
    pub(super) fn enclose(
        &mut self,
        rank: u8,
        url: &str,
        media_type: Option<&str>,
        length: Option<&str>,
        remarks: &mut Remarks,
    ) {
        let length = length.and_then(|length| length.trim().parse().ok());
        let enclosure = text::address(url, remarks).map(|url| Enclosure {
            url,
            media_type: media_type.and_then(|kind| text::line(kind, remarks)),
            // A `bigint` of PostgreSQL holds as much.
            length: length.filter(|length| (1..=i64::MAX.unsigned_abs()).contains(length)),
        });
        self.enclosure.offer(rank, enclosure);
    }
}

pub(super) fn title(text: &str, form: Form, remarks: &mut Remarks) -> Option<String> {
    match form {
        Form::Text => text::line(text, remarks),
        Form::Html => text::line(&html::text(text), remarks),
        Form::Either => text::line(&html::maybe(text), remarks),
    }
}

pub(super) fn published(text: &str, remarks: &mut Remarks) -> Option<Timestamp> {
    if text.trim().is_empty() {
        return None;
    }
    let Some(read) = date::read(text) else {
        remarks.add(Remark::BadDate(excerpt(text)));
        return None;
    };
    if read.is_zone_unknown {
        remarks.add(Remark::UnknownZone(excerpt(text)));
    }
    Some(read.at)
}

fn length(text: &str, remarks: &mut Remarks) -> Option<u32> {
    duration::seconds(text).unwrap_or_else(|_| {
        remarks.add(Remark::BadDuration(excerpt(text)));
        None
    })
}

/// Whether a guid can be the address of a page: of the web, or in the place of the feed. RSS says whether it is one; an
/// id of Atom often is.
fn is_page(guid: &str) -> bool {
    let is_of_the_web = |scheme: &str| {
        guid.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    guid.starts_with('/') || is_of_the_web("http://") || is_of_the_web("https://")
}

fn is_yes(text: &str) -> bool {
    let text = text.trim();
    text.eq_ignore_ascii_case("yes") || text.eq_ignore_ascii_case("true")
}

const DAY: Duration = Duration::from_hours(24);
/// The longest that a feed may ask to be left alone.
const YEAR: Duration = Duration::from_hours(24 * 366);

/// `ttl` of RSS.
fn minutes(text: &str) -> Option<Duration> {
    let minutes: u32 = text.trim().parse().ok()?;
    Some(Duration::from_mins(u64::from(minutes)).min(YEAR))
}

/// `sy:updatePeriod` of RSS 1.0's module Syndication.
fn period(text: &str) -> Option<Duration> {
    let days = match text.trim().to_ascii_lowercase().as_str() {
        "hourly" => return Some(Duration::from_hours(1)),
        "daily" => 1,
        "weekly" => 7,
        "monthly" => 30,
        "yearly" => 365,
        _ => return None,
    };
    Some(DAY * days)
}

/// `hour` of RSS: 0 to 23 in 2.0, 1 to 24 in 0.91.
fn hour(text: &str) -> Option<u8> {
    let hour: u8 = text.trim().parse().ok()?;
    (hour <= 24).then_some(hour % 24)
}

fn weekday(text: &str) -> Option<Weekday> {
    Some(match text.trim().to_ascii_lowercase().as_str() {
        "monday" => Weekday::Monday,
        "tuesday" => Weekday::Tuesday,
        "wednesday" => Weekday::Wednesday,
        "thursday" => Weekday::Thursday,
        "friday" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        "sunday" => Weekday::Sunday,
        _ => return None,
    })
}

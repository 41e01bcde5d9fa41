//! What runs, and seldom means what its writer meant.

use std::ops::Range;

use super::{
    Crontab,
    field::{DAY, HOUR, MINUTE, MONTH, Piece, Unit, Values, WEEKDAY},
};
use crate::view::text::ordinal;

/// Something about a crontab expression that surprises people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oddity {
    /// What sort of surprise.
    pub kind: OddityKind,
    /// A lower-case fragment: ``` `13 * 5` runs on the 13th and on every Friday ```.
    pub message: String,
    /// The part that surprises, as bytes of the expression.
    pub span: Range<usize>,
    /// A few words for under the caret: `either day is enough`.
    pub label: String,
    /// What to write instead.
    pub help: String,
}

/// What sort of surprise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OddityKind {
    /// A day of the month and a day of the week, of which either is enough.
    EitherDay,
    /// A step after which the last gap is another.
    UnevenStep,
}

impl Crontab {
    /// What surprises people, at most one of each kind.
    pub fn oddities(&self) -> impl Iterator<Item = Oddity> {
        let words: Vec<_> = Piece::new(&self.source).words().collect();
        // A nickname has nothing odd.
        let fields = <[Piece<'_>; 5]>::try_from(words).ok();
        let either_day = fields.filter(|_| self.fields.either_day);
        let either_day = either_day.map(|fields| self.either_day(fields));
        let uneven = fields.and_then(uneven_step);
        either_day.into_iter().chain(uneven)
    }

    fn either_day(&self, [minute, hour, day, month, weekday]: [Piece<'_>; 5]) -> Oddity {
        let span = day.span().start..weekday.span().end;
        let days = days(self.fields.days);
        let weekdays = weekdays(self.fields.weekdays);
        let [minute, hour, day, month, weekday] =
            [minute, hour, day, month, weekday].map(|field| field.text);
        Oddity {
            kind: OddityKind::EitherDay,
            message: format!("`{}` runs on {days} and on {weekdays}", self.source),
            span,
            label: "either day is enough".to_owned(),
            help: format!(
                "if that is meant, say so with two schedules: \"{minute} {hour} {day} {month} *\", \
                 \"{minute} {hour} * {month} {weekday}\"\n\
                 if a day must be both, keep one of them and let the job look at the date"
            ),
        }
    }
}

/// The first step that starts anew before it comes round.
fn uneven_step(fields: [Piece<'_>; 5]) -> Option<Oddity> {
    let units = [&MINUTE, &HOUR, &DAY, &MONTH, &WEEKDAY];
    (0..units.len()).find_map(|at| {
        let mut oddity = uneven(fields[at], units[at])?;
        if let Some(period) = period(fields, at) {
            oddity.help = format!("{}; or write every = \"{period}\"", oddity.help);
        }
        Some(oddity)
    })
}

/// The period of a field with a step, where no other field says more than when it begins.
fn period(fields: [Piece<'_>; 5], at: usize) -> Option<String> {
    let unit = ["m", "h", "d"].get(at)?;
    let (_, step) = fields[at].text.split_once('/')?;
    let is_number = |field: &Piece<'_>| field.text.bytes().all(|byte| byte.is_ascii_digit());
    let is_alone = fields[..at].iter().all(is_number)
        && fields[at + 1..].iter().all(|field| field.text == "*");
    is_alone.then(|| format!("{step}{unit}"))
}

fn uneven(field: Piece<'_>, unit: &Unit) -> Option<Oddity> {
    let (range, step) = field.text.split_once('/')?;
    let step: u8 = step.parse().ok()?;
    let whole = format!("{}-{}", unit.low, unit.last());
    let size = unit.last() - unit.low + 1;
    // Months have no length of their own, so that no step divides them.
    let divides = size.is_multiple_of(step) && unit.one != DAY.one;
    if (range != "*" && range != whole) || step == 1 || divides {
        return None;
    }
    let last = unit.low + (size - 1) / step * step;
    let gap = u64::from(unit.low + size - last);
    let (last, first) = (named(unit, last), named(unit, unit.low));
    let months = if unit.one == DAY.one {
        "in months of 31 days "
    } else {
        ""
    };
    let gap = match (gap, unit.one) {
        (1, "minute" | "hour" | "month") => format!("1 {}", unit.one),
        (_, "minute" | "hour" | "month") => format!("{gap} {}", unit.many),
        (1, _) => "1 day".to_owned(),
        _ => format!("{gap} days"),
    };
    Some(Oddity {
        kind: OddityKind::UnevenStep,
        message: format!(
            "`{}` is uneven: {months}from {last} to {first} it is {gap}",
            field.text
        ),
        span: field.span(),
        label: format!("the last gap is {gap}"),
        help: instead(unit, size),
    })
}

/// What to write in place of a step that does not divide its unit.
fn instead(unit: &Unit, size: u8) -> String {
    match unit.one {
        "day of the month" => return "write the days, as in `1,11,21`".to_owned(),
        "day of the week" => return "write the days, as in `mon,wed,fri`".to_owned(),
        _ => {}
    }
    let divisors: Vec<String> = (2..=size / 2)
        .filter(|number| size.is_multiple_of(*number))
        .map(|number| number.to_string())
        .collect();
    format!("{size} {} are divided by {}", unit.many, listed(&divisors))
}

fn named(unit: &Unit, value: u8) -> String {
    match unit.one {
        "day of the month" => format!("the {}", ordinal(value.into())),
        "month" => MONTHS[usize::from(value - 1)].to_owned(),
        "day of the week" => WEEKDAYS[usize::from(value)].to_owned(),
        one => format!("{one} {value}"),
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// From Sunday to Sunday.
const WEEKDAYS: [&str; 8] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// More names than this are counted.
const NAMED: usize = 4;

/// `the 13th`, `the 1st to the 7th`, `the 1st and the 15th`, `9 days of the month`.
fn days(days: Values) -> String {
    let numbers: Vec<u8> = days.iter().collect();
    let named = |day: &u8| format!("the {}", ordinal((*day).into()));
    match numbers.as_slice() {
        _ if days == Values::MONTH => "every day of the month".to_owned(),
        run if is_run(run) => format!("{} to {}", named(&run[0]), named(&run[run.len() - 1])),
        few if few.len() <= NAMED => listed(&few.iter().map(named).collect::<Vec<_>>()),
        many => format!("{} days of the month", many.len()),
    }
}

/// `every Friday`, `every day from Monday to Friday`, `every Monday and Thursday`.
fn weekdays(weekdays: Values) -> String {
    // A week that ends with Sunday.
    let mut numbers: Vec<u8> = weekdays
        .iter()
        .map(|day| if day == 0 { 7 } else { day })
        .collect();
    numbers.sort_unstable();
    let named = |day: &u8| WEEKDAYS[usize::from(*day)].to_owned();
    match numbers.as_slice() {
        _ if weekdays == Values::WEEK => "every day of the week".to_owned(),
        run if is_run(run) => format!(
            "every day from {} to {}",
            named(&run[0]),
            named(&run[run.len() - 1])
        ),
        some => format!(
            "every {}",
            listed(&some.iter().map(named).collect::<Vec<_>>())
        ),
    }
}

/// Whether these are three numbers or more without a gap.
fn is_run(numbers: &[u8]) -> bool {
    numbers.len() > 2 && numbers.windows(2).all(|pair| pair[1] == pair[0] + 1)
}

/// `2, 3 and 4`.
fn listed(words: &[String]) -> String {
    match words {
        [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oddities(source: &str) -> Vec<Oddity> {
        Crontab::parse(source).expect(source).oddities().collect()
    }

    /// The only one: its message, and what it points at.
    fn only(source: &str) -> (String, String) {
        let found = oddities(source);
        assert_eq!(found.len(), 1, "{source}: {found:?}");
        (
            found[0].message.clone(),
            source[found[0].span.clone()].to_owned(),
        )
    }

    #[test]
    fn a_day_of_the_month_and_one_of_the_week_are_both_named() {
        for (source, expected) in [
            ("0 2 13 * 5", "on the 13th and on every Friday"),
            ("0 2 1-7 * mon", "on the 1st to the 7th and on every Monday"),
            (
                "0 2 1,15 * 1-5",
                "on the 1st and the 15th and on every day from Monday to Friday",
            ),
            (
                "0 2 2,3,23,31 * fri-sun",
                "on the 2nd, the 3rd, the 23rd and the 31st and on every day from Friday to Sunday",
            ),
            (
                "0 2 1-31 * 1,4",
                "on every day of the month and on every Monday and Thursday",
            ),
            (
                "0 2 1-20/2 * 0-6",
                "on 10 days of the month and on every day of the week",
            ),
        ] {
            let (message, at) = only(source);
            assert_eq!(message, format!("`{source}` runs {expected}"));
            assert_eq!(at, source[4..]);
        }
    }

    #[test]
    fn two_schedules_say_the_same_without_a_surprise() {
        let help = &oddities("0 2 13 feb-mar 5")[0].help;
        let two: Vec<&str> = help.split('"').skip(1).step_by(2).collect();
        assert_eq!(two, ["0 2 13 feb-mar *", "0 2 * feb-mar 5"]);
        for one in two {
            assert_eq!(oddities(one), []);
        }
    }

    #[test]
    fn a_day_that_must_be_both_and_one_alone_are_what_they_seem() {
        for source in [
            "0 2 13 * *",
            "0 2 * * 5",
            "0 2 * * *",
            "@weekly",
            "0 2 13 * */1",
        ] {
            assert_eq!(oddities(source), [], "{source}");
        }
    }

    #[test]
    fn a_step_that_does_not_come_round_is_told_its_last_gap() {
        for (source, at, expected) in [
            (
                "*/7 * * * *",
                "*/7",
                "from minute 56 to minute 0 it is 4 minutes",
            ),
            (
                "0-59/45 * * * *",
                "0-59/45",
                "from minute 45 to minute 0 it is 15 minutes",
            ),
            ("0 */5 * * *", "*/5", "from hour 20 to hour 0 it is 4 hours"),
            (
                "*/59 * * * *",
                "*/59",
                "from minute 59 to minute 0 it is 1 minute",
            ),
            (
                "0 0 */2 * *",
                "*/2",
                "in months of 31 days from the 31st to the 1st it is 1 day",
            ),
            (
                "0 0 */3 * *",
                "*/3",
                "in months of 31 days from the 31st to the 1st it is 1 day",
            ),
            (
                "0 0 */14 * *",
                "*/14",
                "in months of 31 days from the 29th to the 1st it is 3 days",
            ),
            (
                "0 0 1 */5 *",
                "*/5",
                "from November to January it is 2 months",
            ),
            ("0 0 * * */2", "*/2", "from Saturday to Sunday it is 1 day"),
            (
                "*/7 */5 * * *",
                "*/7",
                "from minute 56 to minute 0 it is 4 minutes",
            ),
        ] {
            let (message, place) = only(source);
            assert_eq!(message, format!("`{at}` is uneven: {expected}"), "{source}");
            assert_eq!(place, at);
        }
    }

    #[test]
    fn it_is_told_the_steps_that_do() {
        let help = |source| oddities(source)[0].help.clone();
        assert_eq!(
            help("*/7 * * * *"),
            "60 minutes are divided by 2, 3, 4, 5, 6, 10, 12, 15, 20 and 30; or write every = \"7m\""
        );
        assert_eq!(
            help("0 */7 * * *"),
            "24 hours are divided by 2, 3, 4, 6, 8 and 12; or write every = \"7h\""
        );
        assert_eq!(
            help("0 0 1 */7 *"),
            "12 months are divided by 2, 3, 4 and 6"
        );
        assert_eq!(
            help("*/7 9-17 * * *"),
            "60 minutes are divided by 2, 3, 4, 5, 6, 10, 12, 15, 20 and 30"
        );
        assert_eq!(
            help("0 0 */2 * *"),
            "write the days, as in `1,11,21`; or write every = \"2d\""
        );
    }

    #[test]
    fn steps_that_divide_and_steps_of_a_part_are_even() {
        for source in [
            "*/10 */6 * * *",
            "*/1 * * * *",
            "5/7 * * * *",
            "0-30/7 * * * *",
            "*/7,59 * * * *",
            "0 0 1 */3 *",
        ] {
            assert_eq!(oddities(source), [], "{source}");
        }
    }
}

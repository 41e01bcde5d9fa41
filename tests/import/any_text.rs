//! Whatever a file holds, what comes out is TOML, and what is in it as a job is sound.

use crontabber::{
    config::{Surroundings, load_in},
    import::{
        Import, Shape,
        crontab::{self, Form},
        crontabber::{self as ini, Classes},
    },
};
use proptest::prelude::*;

fn crontab(text: &str, form: Form) -> Import {
    crontab::import(&crontab::Source {
        text,
        name: text,
        form,
        prefix: "",
        timezone: "Europe/Berlin",
        home: &|user| user.map(|user| format!("/home/{user}")),
    })
}

fn crontabber(text: &str, names: &str) -> Import {
    ini::import(&ini::Source {
        text,
        path: "/etc/{crontabber}.ini",
        prefix: "",
        classes: &Classes::parse(names).unwrap_or_default(),
    })
}

/// It is a configuration, or has no job; and each of its jobs is counted.
fn is_sound(import: &Import) {
    let after = "2027-03-27T00:00:00Z".parse().expect("an instant");
    for shape in [Shape::Main, Shape::DropIn] {
        let text = import.write(shape, after);
        if let Err(error) = text.parse::<toml::Table>() {
            panic!("{error}\n{text}");
        }
    }
    let (jobs, refused) = import.counts();
    assert!(
        refused == 0 || !import.is_whole(),
        "a job was dropped in silence"
    );
    if jobs > 0 {
        let directory = tempfile::tempdir().expect("/tmp takes directories");
        let file = directory.path().join("crontabber.toml");
        let text = import.write(Shape::Main, after);
        std::fs::write(&file, &text).expect("the directory is writable");
        let config = load_in(Some(&file), &Surroundings::none());
        let config = config.unwrap_or_else(|report| panic!("{report}\n{text}"));
        assert_eq!(config.graph.jobs().len(), jobs);
    }
    for remark in import.remarks() {
        let printed = remark.to_string();
        let is_plain = |c: char| c == '\n' || !c.is_control();
        assert!(printed.chars().all(is_plain), "{printed:?}");
    }
}

/// What files are made of, so that more than rubbish comes about.
fn pieces(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => prop::sample::select(pieces).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => "[ -~]{0,8}",
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

const OF_CRONTABS: &[&str] = &[
    "\n",
    "\n",
    "\n",
    " ",
    " ",
    "\t",
    "* * * * * ",
    "*/5 0 1,15 * 1-5 ",
    "30 2 31 2 * ",
    "@daily ",
    "@reboot ",
    "-",
    "root ",
    "/bin/x.sh",
    "%",
    "\\%",
    "\\",
    "{",
    "}",
    "'",
    "\"",
    "\"\"\"",
    "#",
    "=",
    "A=b",
    "SHELL=/bin/bash",
    "SHELL=/bin/fish",
    "HOME=x",
    "HOME=/x",
    "CRON_TZ=Europe/Paris",
    "CRON_TZ=x",
    "TZ=x",
    "PASSWORD=x",
    "MAILTO=",
    "RANDOM_DELAY=5",
    "RANDOM_DELAY=x",
    "CRONTABBER_X=1",
    "\r\n",
    "\u{0}",
    "\u{1b}",
    "\u{fffd}",
    "\u{feff}",
    "ü",
    "&& ",
    "INPUT",
    "$",
    "|",
    "postgres://u:p@h/d",
];

const OF_INIS: &[&str] = &[
    "\n",
    "\n",
    "\n",
    " ",
    "    ",
    "[crontabber]\n",
    "[[class-Foo]]\n",
    "[resource]\n[[postgresql]]\n",
    "[",
    "]",
    "jobs=",
    "jobs='''",
    "'''",
    "\"\"\"",
    "'",
    "\"",
    "a.b.Foo|1d",
    "a.b.Foo|1d|03:45",
    "c.d.Foo|2h",
    "a.b.BarCronApp|03:45",
    "|1d12h",
    "|5",
    "|",
    ",",
    ";",
    "#",
    "=",
    ":",
    "frequency=2h",
    "time=04:00",
    "host=h",
    "host=::1",
    "dbname=x{y}",
    "user=a b",
    "password=x",
    "port=1",
    "port=x",
    "error_retry_time=60",
    "error_retry_time=1e9",
    "max_ongoing_age_hours=1.5",
    "max_ongoing_age_hours=inf",
    "+include x",
    "%(x)s",
    "\r\n",
    "\u{0}",
    "\u{1b}",
    "ü",
    "crontabber.jobs=a.b.Foo|1d\n",
];

const OF_NAMES: &[&str] = &[
    "a.b.Foo = foo, bar\n",
    "a.b.BarCronApp = bar, foo\n",
    "c.d.Foo = foo\n",
    "\n",
    "a.b.Foo = a, a\n",
    "a.b.Foo = { app_name = \"x\", depends_on = [\"bar\", \"bar\"] }\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_crontab_becomes_toml(text in pieces(OF_CRONTABS), is_system in any::<bool>()) {
        let form = if is_system { Form::System } else { Form::User };
        is_sound(&crontab(&text, form));
    }

    #[test]
    fn any_ini_becomes_toml(text in pieces(OF_INIS), names in pieces(OF_NAMES)) {
        is_sound(&crontabber(&text, &names));
    }

    #[test]
    fn any_text_at_all_becomes_toml(text in any::<String>()) {
        is_sound(&crontab(&text, Form::User));
        is_sound(&crontabber(&text, &text));
    }
}

#[test]
fn a_large_file_of_mistakes_is_read_at_once() {
    let crontab_of_mistakes = "* * * * * a\n0 61 * * * x\n".repeat(20_000);
    assert_eq!(
        crontab(&crontab_of_mistakes, Form::User).counts(),
        (20_000, 20_000)
    );
    let ini = format!(
        "[crontabber]\njobs='''{}'''\n{}",
        "a.b.C|5\n".repeat(20_000),
        "x=1\ny\n".repeat(20_000)
    );
    assert_eq!(crontabber(&ini, "").counts().0, 0);
}

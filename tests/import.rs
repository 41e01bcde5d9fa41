//! Taking over from cron and crontabber, through the program itself: their file in, and what `config check` and
//! `config show` make of what comes out.

#[path = "import/any_text.rs"]
mod any_text;
#[path = "import/classes.rs"]
mod classes;
mod common;
#[path = "import/crontab.rs"]
mod crontab;
#[path = "import/crontabber.rs"]
mod crontabber;
#[path = "import/taken.rs"]
mod taken;

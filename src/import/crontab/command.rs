//! What a line of a crontab runs, and what to call it.

use std::collections::HashSet;

/// The command and what it reads: the first `%` ends the command, each further one a line; `\%` is a percent sign.
pub(super) fn split(text: &str) -> (String, Option<String>) {
    let mut command = String::new();
    let mut input = None::<String>;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let escapes = character == '\\' && characters.peek() == Some(&'%');
        let character = if escapes { '%' } else { character };
        if escapes {
            characters.next();
        }
        match &mut input {
            None if character == '%' && !escapes => input = Some(String::new()),
            None => command.push(character),
            Some(input) if character == '%' && !escapes => input.push('\n'),
            Some(input) => input.push(character),
        }
    }
    // cron adds the last line's end, and hands out no input at all where there is no character of it.
    let input = input.filter(|input| !input.is_empty()).map(|mut input| {
        if !input.ends_with('\n') {
            input.push('\n');
        }
        input
    });
    (command, input)
}

/// The command with its input, in the grammar that sh, bash, dash, ksh and zsh share; `None`: it ends in a backslash,
/// which would swallow what follows.
pub(super) fn with_input(command: &str, input: &str) -> Option<String> {
    if command.ends_with('\\') {
        return None;
    }
    let lines: HashSet<&str> = input.lines().collect();
    // One of them is no line: there are more of them than lines.
    let word = (1..=lines.len() + 1)
        .map(|number| format!("INPUT_{number}"))
        .find(|word| !lines.contains(word.as_str()))?;
    Some(format!("( {command}\n) <<'{word}'\n{input}{word}\n"))
}

/// Whether a shell reads that grammar.
pub(super) fn is_bourne(shell: &str) -> bool {
    let name = shell.rsplit('/').next().unwrap_or(shell);
    ["sh", "bash", "dash", "ash", "ksh", "mksh", "zsh"].contains(&name)
}

/// Programs that run another: its name is the job's.
const WRAPPERS: [&str; 16] = [
    "env", "nice", "ionice", "nohup", "time", "exec", "sudo", "chronic", "command", "setsid",
    "flock", "timeout", "runuser", "chrt", "cronic", "logger",
];

/// Programs that run a script: its name is the job's.
const INTERPRETERS: [&str; 16] = [
    "sh",
    "bash",
    "dash",
    "ksh",
    "zsh",
    "python",
    "python2",
    "python2.7",
    "python3",
    "perl",
    "ruby",
    "php",
    "node",
    "java",
    "run-parts",
    "Rscript",
];

/// Steps that only prepare what a line is for.
const PREPARATIONS: [&str; 12] = [
    "cd", "test", "[", "[[", "export", "set", "source", ".", "true", ":", "umask", "sleep",
];

/// What the job of this command is called: its script or program, without directory and extension.
pub(super) fn name(command: &str) -> String {
    let mut steps = command.split(['|', ';', '&', '\n', '(', ')', '{', '}']);
    let named = steps.find_map(of_step);
    named.unwrap_or_else(|| {
        let word = command.split_whitespace().next().unwrap_or_default();
        stem(word).to_owned()
    })
}

fn of_step(step: &str) -> Option<String> {
    let mut words = step
        .split_whitespace()
        .map(|word| word.trim_matches(['"', '\'']))
        .peekable();
    let mut found = None;
    while let Some(word) = words.next() {
        let program = word.rsplit('/').next().unwrap_or(word);
        let is_assignment = word
            .split_once('=')
            .is_some_and(|(name, _)| !name.contains('/'));
        if word.is_empty() || word.starts_with('-') || is_assignment {
            continue;
        }
        if PREPARATIONS.contains(&program) && found.is_none() {
            return None;
        }
        if WRAPPERS.contains(&program) {
            // `nice -n 10`, `timeout 60`, `flock /run/lock`, `sudo -u alice`: what belongs to the wrapper.
            let mut before = "";
            while let Some(word) = words.next_if(|word| belongs_to(program, before, word)) {
                before = word;
            }
            continue;
        }
        if INTERPRETERS.contains(&program) {
            found.get_or_insert(program);
            continue;
        }
        return Some(stem(word).to_owned());
    }
    found.map(str::to_owned)
}

fn belongs_to(wrapper: &str, before: &str, word: &str) -> bool {
    let is_option = word.starts_with('-');
    let is_number = word.starts_with(|c: char| c.is_ascii_digit());
    let is_lock = wrapper == "flock" && word.starts_with('/') && !word.contains("/bin/");
    is_option || is_number || is_lock || before == "-u"
}

/// Without the directory, and without the extension of a script.
fn stem(word: &str) -> &str {
    let file = word
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or(word);
    let extensions = [
        ".sh", ".bash", ".py", ".pl", ".rb", ".php", ".js", ".jar", ".R",
    ];
    extensions
        .iter()
        .find_map(|extension| file.strip_suffix(extension).filter(|stem| !stem.is_empty()))
        .unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_percent_begins_the_input_and_the_others_end_lines() {
        let (command, input) = split("mail -s 'up 5\\%' joe%Hi Joe,%%Where is 1\\%?");
        assert_eq!(command, "mail -s 'up 5%' joe");
        assert_eq!(input.as_deref(), Some("Hi Joe,\n\nWhere is 1%?\n"));
        assert_eq!(split("date +\\%F"), ("date +%F".to_owned(), None));
        assert_eq!(split("cat%"), ("cat".to_owned(), None));
        assert_eq!(split("a \\n \\"), ("a \\n \\".to_owned(), None));
    }

    #[test]
    fn no_line_of_the_input_ends_it() {
        let text = with_input("cat", "INPUT_1\nx\n").expect("it does not end in a backslash");
        assert_eq!(text, "( cat\n) <<'INPUT_2'\nINPUT_1\nx\nINPUT_2\n");
        assert_eq!(with_input("cat \\", "x\n"), None);
    }

    #[test]
    fn a_job_is_called_like_what_its_line_is_for() {
        for (command, expected) in [
            ("/usr/local/bin/backup.sh --full", "backup"),
            ("cd / && run-parts --report /etc/cron.hourly", "cron.hourly"),
            (
                "test -x /usr/sbin/anacron || ( cd / && run-parts /etc/cron.daily )",
                "cron.daily",
            ),
            ("FOO=bar python3 -u /srv/report.py -v", "report"),
            ("nice -n 10 ionice -c3 /opt/x/reindex", "reindex"),
            ("flock -n /var/lock/x.lock /usr/bin/sync-all", "sync-all"),
            ("sudo -u alice /home/alice/bin/fetch.rb", "fetch"),
            ("timeout 60 curl -s http://x/", "curl"),
            ("[ -x /usr/bin/x ] && /usr/bin/x", "x"),
            ("bash -c 'echo hi'", "echo"),
            ("python", "python"),
            ("cd /", "cd"),
            ("", ""),
        ] {
            assert_eq!(name(command), expected, "{command}");
        }
    }
}

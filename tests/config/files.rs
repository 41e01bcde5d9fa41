//! Which files are read, and which are refused unread.

use std::{fs, os::unix::net::UnixListener, path::Path};

use crontabber::config::{Access, Code, Surroundings, load_in};

use super::written::{DATABASE, HELLO, Written};

fn codes(written: &Written) -> Vec<Code> {
    let report = written.load().expect_err("it is wrong");
    report.codes().collect()
}

#[test]
fn the_named_file_comes_first_then_the_variable_then_here_then_etc() {
    let text = format!("{DATABASE}{HELLO}");
    let names = [
        "named.toml",
        "variable.toml",
        "here/crontabber.toml",
        "etc/crontabber.toml",
    ];
    let written = Written::new(&names.map(|name| (name, text.as_str())));
    let surroundings = Surroundings::none()
        .with("CRONTABBER_CONFIG", written.path("variable.toml"))
        .in_directory(written.path("here"))
        .with_etc(written.path("etc"));
    let without_variable = surroundings.clone().with("CRONTABBER_CONFIG", "");
    let found = |named: Option<&Path>, surroundings| load_in(named, surroundings).unwrap().file;

    assert_eq!(
        found(Some(&written.path("named.toml")), &surroundings),
        written.path("named.toml")
    );
    assert_eq!(found(None, &surroundings), written.path("variable.toml"));
    assert_eq!(
        found(None, &without_variable),
        written.path("here/crontabber.toml")
    );
    fs::remove_file(written.path("here/crontabber.toml")).unwrap();
    assert_eq!(
        found(None, &without_variable),
        written.path("etc/crontabber.toml")
    );
    fs::remove_file(written.path("etc/crontabber.toml")).unwrap();
    let nothing = load_in(None, &without_variable).unwrap_err();
    let expected = "\
error[no-file]: there is no configuration
  = help: looked for here/crontabber.toml and etc/crontabber.toml; `--config FILE` and $CRONTABBER_CONFIG name another

1 error in 0 files, 0 jobs checked
";
    assert_eq!(written.without_directory(&nothing), expected);
}

#[test]
fn a_named_file_that_is_not_there_is_not_replaced_by_another() {
    let written = Written::new(&[("etc/crontabber.toml", HELLO)]);
    let surroundings = Surroundings::none().with_etc(written.path("etc"));
    let report = load_in(Some(&written.path("nowhere.toml")), &surroundings).unwrap_err();
    assert_eq!(report.codes().collect::<Vec<_>>(), [Code::Unreadable]);
}

#[test]
fn drop_ins_are_the_toml_files_that_are_not_hidden() {
    let written = Written::main("");
    written.write("jobs.d/20-b.toml", HELLO.replace("hello", "b").as_bytes());
    written.write("jobs.d/10-c.toml", HELLO.replace("hello", "c").as_bytes());
    for ignored in [".hidden.toml", "backup.toml~", "README", "old.toml.bak"] {
        written.write(&format!("jobs.d/{ignored}"), b"not toml");
    }
    let names: Vec<_> = written
        .sound()
        .graph
        .jobs()
        .iter()
        .map(|job| job.name.to_string())
        .collect();
    assert_eq!(names, ["b", "c"]);
}

#[test]
fn the_order_of_the_files_does_not_matter() {
    let child = "[jobs.child]\ntemplate = \"t\"\ndepends_on = [\"parent\"]\ncommand = [\"true\"]\n";
    let parent =
        "[jobs.parent]\nevery = \"1h\"\ncommand = [\"true\"]\n[templates.t]\ntimeout = \"1m\"\n";
    let [one, other] = [(child, parent), (parent, child)].map(|(first, second)| {
        let written = Written::main("");
        written.write("jobs.d/1.toml", first.as_bytes());
        written.write("jobs.d/2.toml", second.as_bytes());
        written.sound()
    });
    assert_eq!(one.text_hash, other.text_hash);
    let definitions = |config: &crontabber::config::Config| {
        let jobs = config.graph.jobs().iter();
        jobs.map(|job| (job.name.to_string(), job.definition()))
            .collect::<Vec<_>>()
    };
    assert_eq!(definitions(&one), definitions(&other));
    assert_eq!(one.graph.jobs()[0].name.as_str(), "parent");
}

#[test]
fn the_hash_changes_with_every_byte_of_every_file() {
    let written = Written::main(HELLO);
    let before = written.sound().text_hash;
    assert_eq!(before.len(), 16);
    assert_eq!(written.sound().text_hash, before);
    written.write("jobs.d/comment.toml", b"# nothing\n");
    assert_ne!(written.sound().text_hash, before);
}

#[test]
fn an_sql_file_is_read_beside_the_file_that_names_it() {
    let written = Written::main("");
    written.write(
        "jobs.d/sql.toml",
        b"[jobs.sql]\nevery = \"1h\"\nsql_file = \"sql/x.sql\"\n",
    );
    written.write("jobs.d/sql/x.sql", b"SELECT 1;\n");
    let config = written.sound();
    let kind = format!("{:?}", config.graph.jobs()[0].kind);
    assert!(kind.contains("SELECT 1;"), "{kind}");
}

#[test]
fn what_anybody_can_write_to_is_refused() {
    let written = Written::main(HELLO);
    written.write("jobs.d/a.toml", b"# nothing\n");
    written.chmod("crontabber.toml", 0o666);
    written.chmod("jobs.d", 0o1777);
    written.chmod("jobs.d/a.toml", 0o646);
    let expected = "\
error[file-mode]: anybody can write to this file (mode 0666)
 --> crontabber.toml
  = help: chmod o-w crontabber.toml

error[file-mode]: anybody can write to this directory (mode 1777)
 --> jobs.d
  = help: chmod o-w jobs.d

error[file-mode]: anybody can write to this file (mode 0646)
 --> jobs.d/a.toml
  = help: chmod o-w jobs.d/a.toml

3 errors in 2 files, 1 job checked
";
    assert_eq!(written.refused(), expected);
}

#[test]
fn the_directory_of_the_main_file_may_be_everybodys_only_if_it_is_sticky() {
    let written = Written::main(HELLO);
    written.chmod(".", 0o777);
    assert_eq!(codes(&written), [Code::FileMode]);
    written.chmod(".", 0o1777);
    written.sound();
}

#[test]
fn a_file_found_by_looking_is_ours_or_roots() {
    let written = Written::main(HELLO);
    let surroundings = Surroundings::none().in_directory(written.path("."));
    load_in(None, &surroundings).unwrap();
    // Only root can make a file somebody else's.
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(written.path("crontabber.toml"), Some(65_534), None).unwrap();
        let report = load_in(None, &surroundings).unwrap_err();
        assert_eq!(report.codes().collect::<Vec<_>>(), [Code::FileOwner]);
        written.sound();
    }
}

#[test]
fn what_a_group_can_write_to_is_the_business_of_that_group() {
    let written = Written::main(HELLO);
    written.chmod("crontabber.toml", 0o664);
    written.sound();
}

#[test]
fn what_is_not_utf8_is_refused_with_its_line() {
    let written = Written::new(&[]);
    written.write("crontabber.toml", b"# one\n# two \xff\n");
    let expected = "\
error[not-utf8]: the file is not UTF-8 text: line 2 has other bytes
 --> crontabber.toml

1 error in 0 files, 0 jobs checked
";
    assert_eq!(written.refused(), expected);
}

#[test]
fn what_is_no_regular_file_is_refused_without_waiting() {
    let written = Written::main(HELLO);
    let fifo = written.path("fifo.toml");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let socket = UnixListener::bind(written.path("socket.toml")).unwrap();
    fs::create_dir(written.path("directory.toml")).unwrap();
    for name in ["fifo.toml", "socket.toml", "directory.toml", "missing.toml"] {
        let report = load_in(Some(&written.path(name)), &Surroundings::none()).unwrap_err();
        assert_eq!(
            report.codes().collect::<Vec<_>>(),
            [Code::Unreadable],
            "{name}"
        );
    }
    drop(socket);
}

#[test]
fn more_than_sixteen_mebibytes_are_refused() {
    let written = Written::main(HELLO);
    let half = "# a comment\n".repeat(9 * 1024 * 1024 / 12);
    written.write("jobs.d/a.toml", half.as_bytes());
    written.sound();
    written.write("jobs.d/b.toml", half.as_bytes());
    let expected = "\
error[too-large]: with this file the configuration is larger than 16 MiB
 --> jobs.d/b.toml

1 error in 2 files, 1 job checked
";
    assert_eq!(written.refused(), expected);
}

#[test]
fn a_secret_that_cannot_be_had_is_told_where_it_is_named() {
    let text = format!(
        "[database]\nurl = {{ file = \"SECRET\" }}\n\n{HELLO}secrets = {{ A = {{ env = \"NOT_SET\" }} }}\n"
    );
    let written = Written::new(&[("secret", "postgres://u:hunter2@h/\n")]);
    let secret = written.path("secret");
    let text = text.replace("SECRET", &secret.display().to_string());
    written.write("crontabber.toml", text.as_bytes());
    written.chmod("secret", 0o644);
    let config = written.sound();
    let report = config.check_secrets(&Surroundings::none());
    let expected = "\
error[secret-file]: secret file secret has mode 0644: others than its owner can get at it (chmod 0600)
 --> crontabber.toml:2:7
  |
2 | url = { file = \"secret\" }
  |       ^ not usable

warning[secret-file]: environment variable `NOT_SET` is not set to a text
 --> crontabber.toml:7:17
  |
7 | secrets = { A = { env = \"NOT_SET\" } }
  |                 ^^^^^^^^^^^^^^^^^^^ not usable on this host

1 error, 1 warning in 1 file, 1 job checked
";
    // The path is shorter without the directory, and so would be its carets.
    let carets = "^".repeat(secret.display().to_string().len() + "{ file = \"\" }".len());
    let shown = written.without_directory(&report).replace(&carets, "^");
    assert_eq!(shown, expected);

    written.chmod("secret", 0o600);
    let good = Surroundings::none().with("NOT_SET", "now it is");
    assert!(config.check_secrets(&good).is_empty());
}

#[test]
fn the_variables_of_libpq_name_a_database_too() {
    let written = Written::new(&[("crontabber.toml", HELLO)]);
    let named = written.path("crontabber.toml");
    let surroundings = Surroundings::none().with("PGHOST", "/run/postgresql");
    let config = load_in(Some(&named), &surroundings).unwrap();
    assert_eq!(
        config.require_database().unwrap().access,
        Access::Environment
    );
    let config = load_in(Some(&named), &Surroundings::none()).unwrap();
    assert!(config.require_database().is_err());
}

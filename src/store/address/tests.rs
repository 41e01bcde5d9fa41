//! What libpq does with the same words. The rows follow the chapter "Database Connection Control
//! Functions" of the manual; those marked with a version were tried with that libpq.

use std::{collections::HashMap, fs, os::unix::fs::PermissionsExt};

use super::*;

/// A machine with a user, a home and a socket directory, and these variables.
fn machine(variables: &[(&str, &str)]) -> Environment {
    let variables: HashMap<String, String> = variables
        .iter()
        .map(|&(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Environment {
        variable: Box::new(move |name| variables.get(name).cloned()),
        user: || Some("me".to_owned()),
        home: Some(PathBuf::from("/nonexistent/home")),
        socket_directory: Some(PathBuf::from("/run/pg")),
    }
}

fn shown(text: &str, variables: &[(&str, &str)]) -> String {
    match Address::parse(text, &machine(variables)) {
        Ok(address) => address.shown(),
        Err(error) => format!("error: {error}"),
    }
}

fn parsed(text: &str) -> Address {
    Address::parse(text, &machine(&[])).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refusal(text: &str) -> String {
    match Address::parse(text, &machine(&[])) {
        Ok(address) => panic!("{text} was taken for {}", address.shown()),
        Err(error) => error.to_string(),
    }
}

fn password(text: &str, variables: &[(&str, &str)]) -> Option<String> {
    let address = Address::parse(text, &machine(variables)).expect("a sound address");
    let password = address.servers[0].password.as_ref();
    password.map(|secret| secret.reveal().to_owned())
}

#[test]
fn urls_and_keyword_strings_mean_what_they_mean_to_libpq() {
    for (text, expected) in [
        // The examples of the manual.
        ("postgresql://", "postgres://me@%2Frun%2Fpg:5432/me"),
        ("postgresql://localhost", "postgres://me@localhost:5432/me"),
        (
            "postgresql://localhost:5433",
            "postgres://me@localhost:5433/me",
        ),
        (
            "postgresql://localhost/mydb",
            "postgres://me@localhost:5432/mydb",
        ),
        (
            "postgresql://user@localhost",
            "postgres://user@localhost:5432/user",
        ),
        (
            "postgresql://user:secret@localhost",
            "postgres://user@localhost:5432/user",
        ),
        (
            "postgresql://other@localhost/otherdb?connect_timeout=10&application_name=myapp",
            "postgres://other@localhost:5432/otherdb",
        ),
        (
            "postgresql://host1:123,host2:456/somedb?target_session_attrs=any&application_name=myapp",
            "postgres://me@host1:123,host2:456/somedb",
        ),
        (
            "postgresql:///mydb?host=localhost&port=5433",
            "postgres://me@localhost:5433/mydb",
        ),
        (
            "postgresql://[2001:db8::1234]/database",
            "postgres://me@2001%3Adb8%3A%3A1234:5432/database",
        ),
        (
            "postgresql:///dbname?host=/var/lib/postgresql",
            "postgres://me@%2Fvar%2Flib%2Fpostgresql:5432/dbname",
        ),
        (
            "postgresql://%2Fvar%2Flib%2Fpostgresql/dbname",
            "postgres://me@%2Fvar%2Flib%2Fpostgresql:5432/dbname",
        ),
        (
            "postgresql://user@localhost:5433/mydb?options=-c%20synchronous_commit%3Doff",
            "postgres://user@localhost:5433/mydb",
        ),
        (
            "host=localhost port=5432 dbname=mydb connect_timeout=10",
            "postgres://me@localhost:5432/mydb",
        ),
        // Both schemes, and the other corners of a URL.
        ("postgres://db", "postgres://me@db:5432/me"),
        ("postgres://@db", "postgres://me@db:5432/me"),
        ("postgres://:pw@db", "postgres://me@db:5432/me"),
        ("postgres://u@:5433/x", "postgres://u@%2Frun%2Fpg:5433/x"),
        ("postgres://db:/x", "postgres://me@db:5432/x"),
        (
            "postgres://db?user=u%40realm",
            "postgres://u%40realm@db:5432/u%40realm",
        ),
        ("postgres://db/a%2Fb", "postgres://me@db:5432/a%2Fb"),
        (
            "postgres://first/x?host=second",
            "postgres://me@second:5432/x",
        ),
        ("postgres://a,b,c/x?port=1", "postgres://me@a:1,b:1,c:1/x"),
        ("postgres://a:1,b,c:3/x", "postgres://me@a:1,b:5432,c:3/x"),
        ("postgres://db/x?", "postgres://me@db:5432/x"),
        (" postgres://db/x\n", "postgres://me@db:5432/x"),
        // Keyword strings.
        ("", "postgres://me@%2Frun%2Fpg:5432/me"),
        ("user=app", "postgres://app@%2Frun%2Fpg:5432/app"),
        ("host = db user = 'a b'", "postgres://a%20b@db:5432/a%20b"),
        (r"user=a\ b host=db", "postgres://a%20b@db:5432/a%20b"),
        (r"user='it\'s' host=db", "postgres://it%27s@db:5432/it%27s"),
        ("host='' user=''", "postgres://me@%2Frun%2Fpg:5432/me"),
        (
            "host=a,,/tmp port=1,2,3",
            "postgres://me@a:1,%2Frun%2Fpg:2,%2Ftmp:3/me",
        ),
        ("hostaddr=10.0.0.1", "postgres://me@10.0.0.1:5432/me"),
        ("hostaddr=::1", "postgres://me@[::1]:5432/me"),
        ("host=db hostaddr=10.0.0.1", "postgres://me@db:5432/me"),
        ("host=a host=b", "postgres://me@b:5432/me"),
    ] {
        assert_eq!(shown(text, &[]), expected, "{text}");
    }
}

#[test]
fn the_environment_fills_in_what_the_text_leaves_out() {
    let all = [
        ("PGHOST", "env-host"),
        ("PGPORT", "6000"),
        ("PGDATABASE", "env-db"),
        ("PGUSER", "env-user"),
    ];
    for (text, expected) in [
        ("", "postgres://env-user@env-host:6000/env-db"),
        ("postgres://", "postgres://env-user@env-host:6000/env-db"),
        // The comma between two empty ports is a list of ports: 15.
        ("postgres://a,b/c", "postgres://env-user@a:5432,b:5432/c"),
        ("postgres://a/c", "postgres://env-user@a:6000/c"),
        ("host=x dbname=y", "postgres://env-user@x:6000/y"),
        // Set to nothing is set, and then means the default.
        (
            "host='' port=''",
            "postgres://env-user@%2Frun%2Fpg:5432/env-db",
        ),
    ] {
        assert_eq!(shown(text, &all), expected, "{text}");
    }
    let more = machine(&[
        ("PGHOSTADDR", "10.1.2.3"),
        ("PGHOST", "db"),
        ("PGAPPNAME", "env-app"),
        ("PGCONNECT_TIMEOUT", "7"),
        ("PGTARGETSESSIONATTRS", "primary"),
        ("PGOPTIONS", "-c geqo=off"),
        ("PGSSLMODE", "disable"),
        ("PGSSLROOTCERT", "/r.crt"),
        ("PGSSLCERT", "/c.crt"),
        ("PGSSLKEY", "/c.key"),
    ]);
    let address = Address::parse("", &more).unwrap();
    let number = "10.1.2.3".parse().unwrap();
    assert_eq!(
        address.servers[0].place,
        Place::Numeric(number, Some("db".to_owned()))
    );
    assert_eq!(address.application_name.as_deref(), Some("env-app"));
    assert_eq!(address.connect_timeout, Some(Duration::from_secs(7)));
    assert_eq!(address.session, SessionWanted::Primary);
    assert_eq!(address.options.as_deref(), Some("-c geqo=off"));
    assert_eq!(address.tls.mode, TlsMode::Disable);
    assert_eq!(
        address.tls.roots,
        Roots::File(TlsFile::Named("/r.crt".into()))
    );
    assert_eq!(address.tls.certificate, TlsFile::Named("/c.crt".into()));
    assert_eq!(address.tls.key, TlsFile::Named("/c.key".into()));
}

#[test]
fn without_a_socket_directory_the_default_is_localhost() {
    let bare = Environment {
        socket_directory: None,
        ..machine(&[])
    };
    let address = Address::parse("user=u", &bare).unwrap();
    assert_eq!(address.shown(), "postgres://u@localhost:5432/u");
}

#[test]
fn a_machine_without_users_needs_one_in_the_text() {
    let nobody = Environment {
        user: || None,
        ..machine(&[])
    };
    assert_eq!(
        Address::parse("host=db", &nobody),
        Err(AddressError::NoUser)
    );
    assert!(Address::parse("host=db user=u", &nobody).is_ok());
}

#[test]
fn silence_is_noticed_within_a_minute_unless_the_operator_says_otherwise() {
    let default = parsed("host=db");
    let thirty = Duration::from_secs(30);
    assert_eq!(default.tcp_user_timeout, thirty);
    let keepalives = default.keepalives.unwrap();
    assert_eq!(
        (keepalives.idle, keepalives.interval, keepalives.count),
        (thirty, Duration::from_secs(10), 3)
    );
    let set =
        parsed("keepalives_idle=5 keepalives_interval=2 keepalives_count=9 tcp_user_timeout=1500");
    let keepalives = set.keepalives.unwrap();
    assert_eq!(
        (keepalives.idle, keepalives.interval, keepalives.count),
        (Duration::from_secs(5), Duration::from_secs(2), 9)
    );
    assert_eq!(set.tcp_user_timeout, Duration::from_millis(1500));
    assert_eq!(parsed("keepalives=0").keepalives, None);
    assert_eq!(parsed("keepalives_idle=0 tcp_user_timeout=0"), parsed(""));
    assert_eq!(parsed("connect_timeout=0").connect_timeout, None);
    assert_eq!(parsed("connect_timeout=-1").connect_timeout, None);
}

#[test]
fn modes_of_encryption_have_libpqs_names() {
    for (text, mode) in [
        ("", TlsMode::Prefer),
        ("sslmode=disable", TlsMode::Disable),
        ("sslmode=allow", TlsMode::Allow),
        ("sslmode=prefer", TlsMode::Prefer),
    ] {
        assert_eq!(parsed(text).tls.mode, mode, "{text}");
    }
    // Sockets are not encrypted, so the mode does not matter there, even to a build without TLS.
    assert_eq!(
        parsed("host=/tmp sslmode=verify-full").tls.mode,
        TlsMode::VerifyFull
    );
}

#[cfg(feature = "tls")]
#[test]
fn jdbcs_spelling_of_encryption_is_known() {
    assert_eq!(parsed("postgres://db/?ssl=true").tls.mode, TlsMode::Require);
}

#[cfg(feature = "tls")]
#[test]
fn the_systems_roots_go_with_the_full_verification_only() {
    let system = parsed("host=db sslrootcert=system");
    assert_eq!(system.tls.mode, TlsMode::VerifyFull);
    assert_eq!(system.tls.roots, Roots::System);
    assert_eq!(
        refusal("host=db sslrootcert=system sslmode=require"),
        AddressError::WeakForSystem.to_string()
    );
    assert_eq!(
        refusal("hostaddr=10.0.0.1 sslmode=verify-full"),
        AddressError::NoNameToVerify.to_string()
    );
    assert!(parsed("hostaddr=10.0.0.1 sslmode=verify-ca").tls.mode == TlsMode::VerifyCa);
}

#[cfg(not(feature = "tls"))]
#[test]
fn a_build_without_tls_says_so() {
    assert_eq!(
        refusal("host=db sslmode=verify-ca"),
        "sslmode=verify-ca needs a build with the feature `tls`, and this one has none"
    );
}

#[test]
fn a_schema_becomes_the_search_path_whatever_it_is_called() {
    let options = |text, schema| parsed(text).with_schema(schema).options.unwrap();
    assert_eq!(options("", "ops"), r#"-c search_path="ops""#);
    assert_eq!(
        options("", r#"my "odd\ schema"#),
        r#"-c search_path="my\ ""odd\\\ schema""#
    );
    assert_eq!(
        options("options='-c geqo=off'", "ops"),
        r#"-c geqo=off -c search_path="ops""#
    );
}

#[test]
fn mistakes_are_named_with_what_was_meant() {
    for (text, expected) in [
        ("hots=db", "unknown keyword `hots`, did you mean `host`?"),
        (
            "postgres://db/x?sslmod=require",
            "unknown keyword `sslmod`, did you mean `sslmode`?",
        ),
        (
            "keepalives_retries=3",
            "unknown keyword `keepalives_retries`, did you mean `keepalives_idle`?",
        ),
        (
            "host=db port=0",
            "the value of `port` must be a number from 1 to 65535",
        ),
        (
            "host=db port=65536",
            "the value of `port` must be a number from 1 to 65535",
        ),
        ("host=a,b port=1,2,3", "`port` lists 3 values for 2 servers"),
        (
            "host=a,b hostaddr=10.0.0.1",
            "`hostaddr` lists 1 values for 2 servers",
        ),
        (
            "hostaddr=db",
            "the value of `hostaddr` must be an IPv4 or IPv6 address",
        ),
        (
            "connect_timeout=soon",
            "the value of `connect_timeout` must be a whole number",
        ),
        (
            "sslmode=on",
            "the value of `sslmode` must be one of disable, allow, prefer, require, verify-ca, verify-full",
        ),
        (
            "target_session_attrs=master",
            "the value of `target_session_attrs` must be one of any, read-write, read-only, primary, standby, prefer-standby",
        ),
        (
            "host",
            "expected `keyword=value`: a value with a space in it wants quotes, as in password='two words'",
        ),
        ("user='a", "the quote in the value of `user` is not closed"),
        ("service=prod", "`service` is not supported"),
        ("requirepeer=postgres", "`requirepeer` is not supported"),
        (
            "gssencmode=require",
            "`gssencmode` is not supported (only disable, prefer)",
        ),
        (
            "load_balance_hosts=random",
            "`load_balance_hosts` is not supported (only disable)",
        ),
        (
            "host=@abstract",
            "the value of `host` must be a name, a number or a directory",
        ),
    ] {
        assert_eq!(refusal(text), expected, "{text}");
    }
    for text in ["postgres://[::1", "postgres://[]", "postgres://[::1]x/"] {
        assert_eq!(
            refusal(text),
            AddressError::BadBrackets.to_string(),
            "{text}"
        );
    }
    for text in [
        "postgres://a%2",
        "postgres://%zz/",
        "postgres://%00",
        "postgres://%ff",
        "user=a\0b",
    ] {
        assert_eq!(
            refusal(text),
            AddressError::BadEncoding.to_string(),
            "{text}"
        );
    }
    let named_by_its_variable = Address::parse("", &machine(&[("PGPORT", "x")])).unwrap_err();
    assert_eq!(
        named_by_its_variable.to_string(),
        "the value of `PGPORT` must be a number from 1 to 65535"
    );
}

#[test]
fn what_asks_for_nothing_special_is_accepted() {
    for text in [
        "gssencmode=prefer",
        "client_encoding=UTF8",
        "sslnegotiation=postgres",
        "load_balance_hosts=disable",
        "sslcrl=''",
        "ssl_min_protocol_version=TLSv1.2",
    ] {
        assert_eq!(parsed(text).shown(), parsed("").shown(), "{text}");
    }
}

#[test]
fn a_service_is_an_error_where_it_would_decide_and_a_warning_elsewhere() {
    let service = [("PGSERVICE", "prod")];
    assert_eq!(
        Address::parse("dbname=x", &machine(&service)),
        Err(AddressError::Service)
    );
    let address = Address::parse("host=db", &machine(&service)).unwrap();
    assert_eq!(address.warnings().len(), 1);
    assert!(address.warnings()[0].contains("PGSERVICE"));
    let host = [("PGSERVICE", "prod"), ("PGHOST", "db")];
    assert!(Address::parse("", &machine(&host)).is_ok());
}

#[test]
fn a_password_comes_from_the_text_then_the_environment_then_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pgpass");
    let lines = "db:5432:me:me:for db\nlocalhost:5432:me:me:for the socket\n/tmp:*:*:*:for /tmp\n*:*:*:*:for all\n";
    fs::write(&file, lines).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let passfile = [("PGPASSFILE", file.to_str().unwrap())];
    for (text, expected) in [
        ("host=db password=here", "here"),
        ("postgres://me:p%40ss%20w%2Frd@db", "p@ss w/rd"),
        ("host=db", "for db"),
        ("", "for the socket"),
        ("host=/tmp", "for /tmp"),
        ("host=other", "for all"),
        // The name stands in the file, where there is one.
        ("host=db hostaddr=10.0.0.1", "for db"),
    ] {
        assert_eq!(
            password(text, &passfile).as_deref(),
            Some(expected),
            "{text}"
        );
    }
    let both = [passfile[0], ("PGPASSWORD", "from the environment")];
    assert_eq!(
        password("host=db", &both).as_deref(),
        Some("from the environment")
    );
    assert_eq!(password("host=db", &[]), None);

    let servers = Address::parse("host=db,other", &machine(&passfile))
        .unwrap()
        .servers;
    let each: Vec<_> = servers
        .iter()
        .map(|server| server.password.clone().unwrap())
        .collect();
    assert_eq!((each[0].reveal(), each[1].reveal()), ("for db", "for all"));

    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let open = Address::parse("host=db,other", &machine(&passfile)).unwrap();
    assert_eq!(open.servers[0].password, None);
    assert_eq!(open.warnings().len(), 1, "{:?}", open.warnings());
}

#[test]
fn home_is_where_the_default_files_are() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(".pgpass");
    fs::write(&file, "*:*:*:*:from home").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let machine = Environment {
        home: Some(home.path().to_owned()),
        ..machine(&[])
    };
    let address = Address::parse("host=db", &machine).unwrap();
    assert_eq!(
        address.servers[0].password.as_ref().unwrap().reveal(),
        "from home"
    );
    assert_eq!(
        address.tls.roots,
        Roots::File(TlsFile::Default(home.path().join(".postgresql/root.crt")))
    );
}

/// However a password is written or miswritten, none of its pieces is repeated.
#[test]
fn no_text_of_ours_shows_a_password() {
    for text in [
        "postgres://u:canary@db/x",
        "postgres://u:canary@db/x?bad=1",
        "postgres://u:canary@db:port/x",
        "postgres://u:canary/canary@db/x",
        "postgres://u:1/canary@db/x",
        "postgres://u:canary%@db/x",
        "postgres://db/x?password=canary&canary",
        "postgres://db/x?password=canary&canary=1",
        "postgres://db/x?password=canary=canary",
        "host=db password=canary",
        "host=db password=canary canary",
        "host=db password=canary canary=1",
        "host=db password='canary",
        "host=db password=canary port=canary",
        "host=db password='canary' canary",
    ] {
        let shown = match Address::parse(text, &machine(&[])) {
            Ok(address) => format!("{} {address:?}", address.shown()),
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!shown.contains("canary"), "{text}: {shown}");
    }
}

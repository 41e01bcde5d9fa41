use super::*;

fn guard(allowed: &[&str]) -> Guard {
    Guard::new(
        allowed
            .iter()
            .map(|network| network.parse().unwrap())
            .collect(),
    )
}

#[test]
fn only_addresses_of_the_world_are_asked() {
    for (address, what) in [
        ("0.0.0.0", Some("unspecified")),
        ("10.255.255.255", Some("private")),
        ("100.64.0.1", Some("shared between providers")),
        ("127.8.9.10", Some("loopback")),
        ("169.254.169.254", Some("link-local")),
        ("172.16.0.1", Some("private")),
        ("192.0.0.192", Some("reserved for protocols")),
        ("192.0.2.1", Some("for documentation")),
        ("192.168.1.1", Some("private")),
        ("198.19.255.255", Some("for benchmarks")),
        ("203.0.113.9", Some("for documentation")),
        ("239.255.255.250", Some("multicast")),
        ("255.255.255.255", Some("reserved")),
        ("::", Some("unspecified")),
        ("::1", Some("loopback or obsolete")),
        ("::127.0.0.1", Some("loopback or obsolete")),
        ("::ffff:127.0.0.1", Some("loopback")),
        ("::ffff:169.254.169.254", Some("link-local")),
        ("64:ff9b::10.0.0.1", Some("private")),
        (
            "64:ff9b:1::8.8.8.8",
            Some("for translation in a network of one's own"),
        ),
        ("2002:7f00:1::", Some("loopback")),
        ("2002:c0a8:101::1", Some("private")),
        ("2001::1", Some("reserved for protocols")),
        ("2001:db8::1", Some("for documentation")),
        ("3fff::1", Some("for documentation")),
        ("5f00::1", Some("for segment routing")),
        ("fd12:3456::1", Some("unique local")),
        ("fe80::1", Some("link-local")),
        ("fec0::1", Some("site-local")),
        ("ff02::1", Some("multicast")),
        ("8000::1", Some("reserved")),
        ("1.1.1.1", None),
        ("100.63.255.255", None),
        ("172.32.0.1", None),
        ("::ffff:1.1.1.1", None),
        ("64:ff9b::8.8.8.8", None),
        ("2002:808:808::1", None),
        ("2606:4700:4700::1111", None),
    ] {
        let seen = guard(&[]).look_at(address.parse().unwrap());
        assert_eq!(seen.err(), what, "{address}");
    }
}

#[test]
fn a_network_that_is_allowed_is_asked_in_every_dress() {
    let guard = guard(&["10.0.0.0/8", "::1"]);
    for address in [
        "10.1.2.3",
        "::ffff:10.1.2.3",
        "64:ff9b::10.1.2.3",
        "2002:a01:203::",
        "::1",
    ] {
        assert_eq!(guard.look_at(address.parse().unwrap()), Ok(()), "{address}");
    }
    for address in ["11.0.0.1", "127.0.0.1", "::2", "192.168.0.1"] {
        let is_refused = guard.look_at(address.parse().unwrap()).is_err();
        assert_eq!(is_refused, address != "11.0.0.1", "{address}");
    }
}

#[test]
fn no_spelling_of_an_address_gets_past() {
    for url in [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://127.0.0.1./",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://2130706433/",
        "http://0x7f000001:8080/",
        "http://user:password@127.0.0.1/",
        "http://%31%32%37.0.0.1/",
        "http://１２７.0.0.1/",
        "http://127。0。0。1/",
        "http://0/",
        "http://[::1]/",
        "http://[0:0::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http:\\\\127.0.0.1\\",
    ] {
        let parsed = Url::parse(url).unwrap();
        assert!(guard(&[]).check(&parsed).is_err(), "{url}");
    }
    let world = Url::parse("http://1.1.1.1/").unwrap();
    assert_eq!(guard(&[]).check(&world), Ok(()));
}

#[test]
fn of_a_name_with_several_addresses_only_those_of_the_world_are_asked() {
    let found = |addresses: &[&str]| {
        let sockets: Vec<SocketAddr> = addresses
            .iter()
            .map(|address| SocketAddr::new(address.parse().unwrap(), 0))
            .collect();
        let among = guard(&[]).among("feeds.example", sockets.into_iter());
        among
            .map(|asked| {
                asked
                    .map(|socket| socket.ip().to_string())
                    .collect::<Vec<_>>()
            })
            .map_err(|error| error.to_string())
    };
    assert_eq!(
        found(&["10.0.0.1", "1.1.1.1"]),
        Ok(vec!["1.1.1.1".to_owned()])
    );
    assert_eq!(
        found(&["10.0.0.1", "::1"]),
        Err("`feeds.example` resolves to 10.0.0.1, which is private: not asked unless its network is allowed".to_owned())
    );
    assert_eq!(found(&[]), Err("it has no address".to_owned()));
}

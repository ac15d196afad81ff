//! Promises of the configuration: later layers win, and what is wrong is named by its place.

use sokhoe_access::{ProviderTerms, Role};

use super::*;

fn read(
    file: Option<&str>,
    variables: &[(&str, &str)],
    flags: &[(&'static str, &'static str, &str)],
) -> anyhow::Result<Config> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sokhoe.toml");
    if let Some(text) = file {
        std::fs::write(&path, text).unwrap();
    }
    let mut given = Flags::default();
    for (key, flag, value) in flags {
        given.add(key, flag, Some((*value).to_owned()));
    }
    Config::read(
        file.map(|_| path.as_path()),
        &Environment::of(variables),
        given,
    )
}

fn message(result: anyhow::Result<Config>) -> String {
    let text = result.unwrap_err().to_string();
    // The folder of the file is random.
    match text.split_once("/sokhoe.toml") {
        Some((_, rest)) => format!("FILE{rest}"),
        None => text,
    }
}

#[test]
fn flags_win_over_variables_over_the_file_over_defaults() {
    let file = Some("listen = \"127.0.0.1:1\"\n[log]\nformat = \"json\"\n");
    let variables = [("SOKHOE_LISTEN", "127.0.0.1:2")];
    let flags = [("listen", "--listen", "127.0.0.1:3")];
    let port = |config: anyhow::Result<Config>| config.unwrap().listen.port();
    assert_eq!(port(read(None, &[], &[])), 8080);
    assert_eq!(port(read(file, &[], &[])), 1);
    assert_eq!(port(read(file, &variables, &[])), 2);
    assert_eq!(port(read(file, &variables, &flags)), 3);
    assert_eq!(
        read(file, &variables, &flags).unwrap().log_format,
        LogFormat::Json
    );
}

#[test]
fn what_is_wrong_is_named_by_file_and_key_by_variable_or_by_flag() {
    let cases = [
        (
            read(Some("listen = \"nowhere\""), &[], &[]),
            "FILE, key listen: expected an address and port, as 127.0.0.1:8080",
        ),
        (
            read(Some("[limits]\nconnections_max = 0"), &[], &[]),
            "FILE, key limits.connections_max: expected a whole number above zero",
        ),
        (
            read(Some("data = [1]"), &[], &[]),
            "FILE, key data: expected a text or a whole number",
        ),
        (
            read(None, &[("SOKHOE_LOG_FORMAT", "xml")], &[]),
            "environment variable SOKHOE_LOG_FORMAT: expected human or json",
        ),
        (
            read(None, &[], &[("listen", "--listen", "8080")]),
            "--listen: expected an address and port, as 127.0.0.1:8080",
        ),
    ];
    for (result, expected) in cases {
        assert_eq!(message(result), expected);
    }
}

#[test]
fn a_key_that_does_not_exist_is_refused_and_the_others_are_listed() {
    for result in [
        read(Some("lisen = \"127.0.0.1:1\""), &[], &[]),
        read(Some("[log]\ncolour = \"red\""), &[], &[]),
    ] {
        let message = message(result);
        assert!(
            message.contains("no such") && message.contains("listen, log.format"),
            "{message}"
        );
    }
}

#[test]
fn a_variable_that_looks_like_a_setting_and_is_none_is_named() {
    let config = read(
        None,
        &[("SOKHOE_LISTN", "127.0.0.1:1"), ("SOKHOE_TOKEN", "t")],
        &[],
    );
    assert_eq!(config.unwrap().unknown_variables, ["SOKHOE_LISTN"]);
}

#[test]
fn a_file_that_is_no_toml_is_named_with_its_line() {
    let message = message(read(Some("listen = \"127.0.0.1:1\"\nlog = [\n"), &[], &[]));
    assert!(message.starts_with("FILE, line "), "{message}");
}

#[test]
fn an_address_other_than_loopback_is_refused() {
    for listen in ["0.0.0.0:8080", "[::]:8080", "192.168.1.1:80"] {
        let message = message(read(None, &[], &[("listen", "--listen", listen)]));
        assert!(
            message.starts_with("--listen: expected a loopback address"),
            "{message}"
        );
    }
    assert!(read(None, &[], &[("listen", "--listen", "[::1]:0")]).is_ok());
    let file = Some("listen = \"0.0.0.0:443\"\n[tls]\ncertificate = \"c\"\nkey = \"k\"\n");
    assert_eq!(read(file, &[], &[]).unwrap().scheme(), "https");
}

#[test]
fn accounts_are_not_limited_unless_it_is_said() {
    let limits = |file| read(file, &[], &[]).unwrap().limits;
    assert_eq!(limits(None).requests_per_s, None);
    let file = "[limits]\nrequests_per_s = 50\nrefusals_burst = 7\n";
    let said = limits(Some(file));
    assert_eq!((said.requests_per_s, said.refusals_burst), (Some(50), 7));
    let message = message(read(
        Some("[limits]\nrefusals_per_s = 5000000000"),
        &[],
        &[],
    ));
    assert_eq!(
        message,
        "FILE, key limits.refusals_per_s: expected a smaller number"
    );
}

#[test]
fn what_belongs_to_tls_comes_together() {
    let system = "[[systems]]\nname = \"his.example.vn\"\naccount = \"his\"\nrole = \"hospital\"\n\
                  facility = \"99001\"\n";
    let whole = "[tls]\ncertificate = \"c\"\nkey = \"k\"\nclient_ca = \"a\"\n";
    let wrong = |text: &str| message(read(Some(text), &[], &[]));
    for (text, because) in [
        ("[tls]\ncertificate = \"c\"\n".to_owned(), "tls.key too"),
        ("[tls]\nkey = \"k\"\n".to_owned(), "tls.certificate too"),
        (
            "[tls]\nclient_ca = \"a\"\n".to_owned(),
            "set tls.certificate",
        ),
        (
            whole.replace("client_ca = \"a\"", "client_certificates = \"required\""),
            "tls.client_ca too",
        ),
        (
            format!("{whole}client_certificates = \"no\"\n"),
            "optional or required",
        ),
        (
            system.to_owned(),
            "set tls.certificate, tls.key and tls.client_ca",
        ),
        (
            format!("{whole}{system}{system}"),
            "number 2: another system",
        ),
        (
            format!("{whole}{}", system.replace("\"hospital", "\"clinician")),
            "hospital or dashboard",
        ),
        (
            format!("{whole}{}", system.replace("his.", "*.")),
            "DNS name",
        ),
    ] {
        let message = wrong(&text);
        assert!(message.contains(because), "{because}: {message}");
    }
    let config = read(Some(&format!("{whole}{system}")), &[], &[]).unwrap();
    let clients = config.tls.unwrap().clients.unwrap();
    assert_eq!(clients.need, sokhoe_server::ClientNeed::Optional);
    assert_eq!(clients.systems[0].account, "his");
}

const PROVIDER: &str = r#"
[tokens]
revoked = "/etc/sokhoe/revoked"

[[providers]]
name = "moh"
issuer = "https://id.example.vn"
audience = "sokhoe"
keys = "/etc/sokhoe/moh.jwks"
algorithms = ["ES256"]
roles = ["clinician", "station"]
"#;

#[test]
fn a_provider_asks_staff_for_two_factors_unless_it_is_said_otherwise() {
    let trust = |file: &str| read(Some(file), &[], &[]).unwrap().trust;
    let stated = trust(PROVIDER);
    assert_eq!(stated.revoked, Some(PathBuf::from("/etc/sokhoe/revoked")));
    let terms = &stated.providers[0].terms;
    assert_eq!(terms.roles, [Role::Clinician, Role::Station]);
    assert_eq!(terms.facilities, None);
    assert_eq!(terms.multi_factor_roles, ProviderTerms::STAFF_ROLES);
    let lax = trust(&format!("{PROVIDER}multi_factor_roles = []\n"));
    assert!(lax.providers[0].terms.multi_factor_roles.is_empty());
    assert!(read(None, &[], &[]).unwrap().trust.providers.is_empty());
}

#[test]
fn a_wrong_provider_is_named_by_its_place() {
    let place = "FILE, [[providers]] number 1: ";
    for (from, to, because) in [
        ("ES256", "HS256", "algorithms are EdDSA, ES256, RS256"),
        ("station", "root", "roles are hospital, clinician"),
        ("audience = \"sokhoe\"", "", "missing field `audience`"),
        ("audience =", "audiance =", "unknown field `audiance`"),
        ("\"moh\"", "\"M/H\"", "the name must be"),
        ("[\"ES256\"]", "[]", "name at least one algorithm"),
    ] {
        let message = message(read(Some(&PROVIDER.replace(from, to)), &[], &[]));
        assert!(
            message.starts_with(place) && message.contains(because),
            "{message}"
        );
    }
    let message = message(read(Some("providers = 1"), &[], &[]));
    assert!(message.contains("[[providers]]"), "{message}");
}

#[test]
fn keys_lie_beside_the_data_unless_said_otherwise() {
    for (data, keys) in [("d", "d.keys"), ("d/", "d.keys"), ("/a/b/", "/a/b.keys")] {
        let folders = read(None, &[], &[("data", "--data", data)])
            .unwrap()
            .folders()
            .unwrap();
        assert_eq!(folders.keys, PathBuf::from(keys), "{data}");
    }
    let inside = [("data", "--data", "d"), ("keys", "--keys", "d/keys")];
    assert!(read(None, &[], &inside).unwrap().folders().is_err());
    assert!(read(None, &[], &[]).unwrap().folders().is_err());
}

#[test]
fn the_data_folder_of_the_tests_is_not_that_of_the_server() {
    assert_eq!(
        read(None, &[("SOKHOE_DATA", "/somewhere")], &[])
            .unwrap()
            .data,
        None
    );
}

//! Errors of a document name the key and point at it.

#![cfg(test)]

use std::sync::OnceLock;

use convstat_text::{Diagnostic, Document, KeyPath, flattened, from_table, keys_of, line_and_column, parse};
use serde::{Deserialize, Deserializer};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct File {
    name: String,
    #[serde(default)]
    check: Vec<Check>,
    #[serde(default)]
    law: Option<Law>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[allow(dead_code)]
enum Check {
    Rate(Rate),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Rate {
    mcse: f64,
    #[serde(default)]
    range: Option<[f64; 2]>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[allow(dead_code)]
enum Law {
    Normal,
    Var { rho: f64 },
}

/// Message, key path and the text pointed at.
fn error(text: &str) -> (Diagnostic, String) {
    let error = parse::<File>(text).unwrap_err();
    let place = error.span.clone().map_or(String::new(), |s| text[s].to_owned());
    (error, place)
}

#[test]
fn an_unknown_key_of_a_tagged_table_is_pointed_at() {
    let (e, place) =
        error("name = 'x'\n[[check]]\nkind = 'rate'\nmcse = 3\n[[check]]\nkind = 'rate'\nmsce = 3\n");
    assert_eq!(place, "msce = 3");
    assert_eq!(e.message, "unknown field `msce`, expected `mcse` or `range`");
    assert_eq!(e.help.unwrap(), "did you mean \"mcse\"? (known: mcse, range)");
    assert_eq!(e.path, KeyPath::from("check").index(1).key("msce"));
}

#[test]
fn a_wrong_value_of_a_tagged_table_is_pointed_at() {
    let (e, place) = error("name = 'x'\n[[check]]\nkind = 'rate'\nmcse = true\n");
    assert_eq!((place.as_str(), e.path.to_string().as_str()), ("mcse = true", "check.mcse"));
    assert_eq!(e.message, "invalid type: boolean `true`, expected f64");
    let (_, place) = error("name = 'x'\n[[check]]\nkind = 'rate'\nmcse = 3\nrange = [1, 'b']\n");
    assert_eq!(place, "'b'");
    let (e, place) = error("name = 'x'\ncheck = [{ kind = 'rat', mcse = 3 }]\n");
    assert_eq!(
        (place.as_str(), e.help.as_deref()),
        ("kind = 'rat'", Some("did you mean \"rate\"? (known: rate)"))
    );
}

#[test]
fn keys_that_lack_and_types_that_are_wrong() {
    let (e, place) = error("[[check]]\nkind = 'rate'\nmcse = 1\n");
    assert_eq!((e.message.as_str(), place.as_str(), e.span), ("missing field `name`", "", None));
    let (e, place) = error("name = 3\n");
    assert_eq!(
        (e.message.as_str(), place.as_str()),
        ("invalid type: integer `3`, expected a string", "name = 3")
    );
    let (e, place) = error("name = 'x'\nlaw = { var = { roh = 1 } }\n");
    assert_eq!((e.message.as_str(), place.as_str()), ("unknown field `roh`, expected `rho`", "roh = 1"));
    let (e, place) = error("name = 'x'\nlaw = 1979-05-27\n");
    assert_eq!((e.message.as_str(), place.as_str()), ("wanted string or table", "law = 1979-05-27"));
    let (e, place) = error("name = 'x'\nname = 'y'\n");
    assert_eq!((e.message.as_str(), place.as_str()), ("duplicate key", "name"));
}

#[test]
fn numbers_keep_their_size() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Numbers {
        a: u64,
        b: i64,
        c: f64,
        d: f64,
        e: usize,
    }
    let read: Numbers =
        parse("a = 18446744073709551615\nb = -9223372036854775808\nc = 1e300\nd = -inf\ne = 0xff_ff")
            .unwrap();
    assert_eq!(read, Numbers { a: u64::MAX, b: i64::MIN, c: 1e300, d: f64::NEG_INFINITY, e: 65535 });
    for text in ["name = 1e999", "name = 999999999999999999999999999999999999999999"] {
        assert!(error(text).0.message.ends_with("overflowed"), "{text}");
    }
}

#[test]
fn deep_nesting_is_an_error() {
    let text = format!("name = 'x'\n{} = 1\n", vec!["a"; 5000].join("."));
    assert!(parse::<File>(&text).is_err());
}

#[test]
fn a_path_that_ends_early_leads_to_the_nearest_table() {
    let text = "[noise]\nsigma = 1\n[[estimator]]\nname = 'a'\n[[estimator]]\nname = 'b'\nover = { rank = [1, 2] }\n";
    let document = Document::new(text).unwrap();
    let place = |path: KeyPath| document.place(&path).map(|s| (s.start, text[s].to_owned()));
    assert_eq!(place("noise.sigma".into()).unwrap().1, "sigma = 1");
    assert_eq!(place("noise.kind".into()).unwrap().1, "noise");
    assert_eq!(
        place(KeyPath::from("estimator").index(1).key("lambda")).unwrap(),
        (43, "[[estimator]]".to_owned())
    );
    let rank = KeyPath::from("estimator").index(1).join("over.rank".into());
    assert_eq!(place(rank.clone().index(1)).unwrap().1, "2");
    assert_eq!(place(rank.index(7)).unwrap().1, "rank = [1, 2]");
    assert_eq!(place("study".into()), None);
}

#[test]
fn a_table_without_its_text_has_keys() {
    let table: toml::Table = toml::from_str("mcse = 1\nrnage = [1, 2]").unwrap();
    let e = from_table::<Rate>(table).unwrap_err();
    assert_eq!((e.path.to_string().as_str(), e.span), ("rnage", None));
}

#[test]
fn lines_and_columns_count_from_one() {
    assert_eq!(line_and_column("a\nßb", 4), (2, 2));
    assert_eq!(line_and_column("", 0), (1, 1));
}

#[test]
fn two_types_that_share_a_table_refuse_other_keys() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Name {
        name: String,
    }
    #[derive(Debug)]
    #[allow(dead_code)]
    struct Named(Name, Rate);
    impl<'de> Deserialize<'de> for Named {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            static KNOWN: OnceLock<Vec<&'static str>> = OnceLock::new();
            let known = KNOWN.get_or_init(|| [keys_of::<Name>(), keys_of::<Rate>()].concat());
            flattened(deserializer, known).map(|(name, rate)| Self(name, rate))
        }
    }
    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct All {
        rate: Vec<Named>,
    }
    let read: All = parse("[[rate]]\nname = 'a'\nmcse = 2\n").unwrap();
    assert_eq!((read.rate[0].0.name.as_str(), read.rate[0].1.mcse.to_string().as_str()), ("a", "2"));
    let place = |text: &str| {
        let error = parse::<All>(text).unwrap_err();
        (error.message, error.span.map(|s| text[s].to_owned()))
    };
    assert_eq!(
        place("[[rate]]\nname = 'a'\nmsce = 2\n"),
        (
            "unknown field `msce`, expected one of `name`, `mcse`, `range`".to_owned(),
            Some("msce = 2".to_owned())
        )
    );
    assert_eq!(
        place("[[rate]]\nname = 'a'\nmcse = 'b'\n"),
        ("invalid type: string \"b\", expected f64".to_owned(), Some("mcse = 'b'".to_owned()))
    );
    assert_eq!(place("[[rate]]\nname = 'a'\n").0, "missing field `mcse`");
}

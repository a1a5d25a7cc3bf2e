//! Retention as it stands in files.

use schemas::model::{MatchOp, Matcher};

use super::*;

const FILE: &str = r#"
[retention]
logs = "7d"

[retention.tenants.acme]
metrics = "24h"

[[retention.stream]]
selector = '{level="debug"}'
period = "1h"
priority = 3

[[retention.stream]]
selector = 'up{job="x"}'
signal = "metrics"
tenant = "acme"
period = 60
"#;

#[test]
fn tables_of_tenants_and_streams_are_read_and_printed_again() {
    let mut settings = Settings::defaults();
    settings.merge_file(std::path::Path::new("f"), FILE).unwrap();
    let printed = super::super::to_toml(&settings);
    let mut again = Settings::defaults();
    again.merge_file(std::path::Path::new("p"), &printed).unwrap();
    for settings in [settings, again] {
        let options = options(&settings);
        assert_eq!(options.periods.logs, Some(Duration::from_secs(7 * 86_400)));
        assert_eq!(options.periods.metrics, None);
        assert_eq!(options.tenants["acme"].metrics, Some(Duration::from_secs(86_400)));
        assert_eq!(options.tenants["acme"].logs, None);
        let [debug, up] = &options.classes[..] else { panic!("{:?}", options.classes) };
        assert_eq!(debug.matchers, [Matcher::new("level", MatchOp::Equal, "debug")]);
        assert_eq!((debug.priority, debug.signal), (3, Signal::Logs));
        assert_eq!(up.matchers.len(), 2);
        assert_eq!((up.period, up.tenant.as_deref()), (Duration::from_secs(60), Some("acme")));
    }
}

#[test]
fn mistakes_are_told_where_they_are_made() {
    for (text, told) in [
        ("[{ period = \"1h\" }]", "selector"),
        ("[{ selector = '{a=\"b\"', period = \"1h\" }]", ""),
        ("[{ selector = '{a=\"b\"}', period = \"1h\", stream = 1 }]", "stream"),
        ("[{ selector = '{a=\"b\"}', period = \"soon\" }]", "soon"),
    ] {
        let error = classes(text).unwrap_err();
        assert!(error.contains(told), "{error}");
    }
    assert!(tenants("{ a = { loggs = \"1h\" } }").unwrap_err().contains("loggs"));
}

//! Tests of the command line.

use clap::CommandFactory as _;

use super::*;

fn parse(args: &[&str]) -> Result<Command, clap::Error> {
    Cli::try_parse_from([&["siglake"], args].concat()).map(|cli| cli.command)
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn the_two_flags_everyone_knows_and_all_others() {
    let args = ["serve", "--data", "d", "--listen", ":1", "--set", "a.b=c=d", "--set", "e="];
    let Ok(Command::Serve(args)) = parse(&args) else { panic!("must be read") };
    assert_eq!(args.data.as_deref(), Some("d"));
    assert_eq!(args.listen.as_deref(), Some(":1"));
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(args.set, [pair("a.b", "c=d"), pair("e", "")]);
}

#[test]
fn times_may_begin_with_a_hyphen() {
    let args = ["query", "promql", "-1", "--start", "-1h", "--end", "-5m"];
    assert!(parse(&args).is_err(), "a query that looks like a flag needs --");
    let args = ["query", "promql", "up", "--start", "-1h", "--end", "-5m"];
    let Ok(Command::Query(args)) = parse(&args) else { panic!("must be read") };
    assert_eq!((args.start.as_deref(), args.end.as_str()), (Some("-1h"), "-5m"));
}

#[test]
fn the_demo_is_bounded() {
    assert!(parse(&["demo", "--rate", "100"]).is_ok());
    assert!(parse(&["demo", "--rate", "100000"]).is_err());
    assert!(parse(&["demo", "--backfill", "6h"]).is_ok());
    assert!(parse(&["demo", "--backfill", "30d"]).is_err());
    assert!(parse(&["serve", "--set", "novalue"]).is_err());
}

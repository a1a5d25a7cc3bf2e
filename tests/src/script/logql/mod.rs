//! LogQL cases: `.logqltest` files, which load lines of streams and ask metric queries.
//!
//! ```text
//! clear
//! load                                 # adds; {{.i}} in a line counts its repetitions
//!   {app="a"} "x {{.i}}" @ 20s [repeat every 20s for 3] [metadata k="v" "k 2"="v"]
//! eval instant at 60s count_over_time({app="a"}[1m])
//!   {app="a", k="v", k_2="v"} 3
//! eval range from 20s to 60s step 20s …
//!   {app="a"} 1 _ 2+1x4                # a value a step
//!   expect empty | expect fail [msg: part | regex: pattern] | expect ordered
//! ```
//!
//! Times are Go's durations since the start of 2026. Quotes, double or backward, know no escapes.
//! An empty label that is expected must be there. Which stacks of the reference skip a comparison
//! does not matter here: nothing is skipped.

mod load;
mod parse;
mod run;

pub(super) use run::run_file;

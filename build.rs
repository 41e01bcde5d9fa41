//! Links the release programs at a fixed address.
//!
//! A position-independent program of this size has some thirty thousand addresses to correct before it begins, and
//! cron begins it every minute on every host: that is a tenth of a pass with nothing to do. What is given up is the
//! random address of the program itself; its libraries, heap and stacks keep theirs.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |variable: &str, value: &str| env::var(variable).is_ok_and(|is| is == value);
    if is("PROFILE", "release")
        && is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ENV", "gnu")
    {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}

//! What must not compile: a run without a claim, a record without a run, either of them twice.

#[test]
fn running_without_a_claim_and_recording_without_a_run_do_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/typestate/*.rs");
}

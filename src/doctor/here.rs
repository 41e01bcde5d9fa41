//! This machine and this process. What a unit gives to a daemon, such as a watchdog, a command typed in a shell cannot
//! see: `systemctl show crontabber` can.

use super::{
    Check, Finding,
    facts::{Here, State},
};
use crate::view::text::counted;

pub(super) fn findings(here: &Here) -> Vec<Finding> {
    vec![process(here), state(&here.state), kernel(here), zones(here)]
}

fn process(here: &Here) -> Finding {
    let Here { user, is_root, .. } = here;
    if let [(job, why), others @ ..] = here.refused.as_slice() {
        let more = match others.len() {
            0 => String::new(),
            more => format!(" (and {} likewise)", counted(more, "job")),
        };
        return Finding::warning(
            Check::Process,
            format!("user {user} does not run {job}{more}: {why}"),
            "this is about the user who types it: let it be the unit's; `hosts` leaves a job to others for good",
        );
    }
    let users = if *is_root {
        "jobs may have a `user` of their own"
    } else {
        "jobs run as the same"
    };
    let trees = match &here.cgroup {
        Some(cgroup) => format!(
            "control groups can be made below {}, and the kernel kills what is in one",
            cgroup.display()
        ),
        None => {
            "no control group is delegated here: trees are killed process by process".to_owned()
        }
    };
    Finding::ok(Check::Process, format!("user {user}: {users}; {trees}"))
}

fn state(state: &State) -> Finding {
    let directory = state.directory.display();
    match (&state.refused, state.exists) {
        (None, true) => Finding::ok(Check::State, format!("{directory} can be written")),
        (None, false) => Finding::ok(Check::State, format!("{directory} can be made")),
        (Some(why), _) => Finding::warning(
            Check::State,
            format!("{directory} cannot be written: {why}"),
            "what the database has not taken yet is kept there: `[daemon] state_directory`, or StateDirectory= in \
             its unit",
        ),
    }
}

fn kernel(here: &Here) -> Finding {
    if here.names_children {
        return Finding::ok(
            Check::Kernel,
            "names the children of a process: whole trees can be killed",
        );
    }
    Finding::problem(
        Check::Kernel,
        "no /proc/PID/task/TID/children: no command can be run, because its tree could not be killed",
        "a kernel with CONFIG_PROC_CHILDREN, and /proc mounted",
    )
}

fn zones(here: &Here) -> Finding {
    match &here.zones {
        Some(directory) => Finding::ok(Check::Zones, directory.display().to_string()),
        None if !here.needs_zones => Finding::ok(
            Check::Zones,
            "those built into this program; no job has one of its own",
        ),
        None => Finding::warning(
            Check::Zones,
            "no tzdata here: the rules are those built into this program, and as old",
            "install tzdata: hosts with different rules start a job at different times",
        ),
    }
}

//! On which jobs hosts disagree.

use serde::Serialize;

use crate::store::hosts::Meaning;

/// What hosts do not have in common. In JSON as it stands here.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Agreement {
    /// The jobs by which they mean different things, by name.
    pub disagreements: Vec<Disagreement>,
    /// The jobs that only some of them know, by name. No disagreement: nobody runs by a definition that another
    /// host would not recognise.
    pub only_on: Vec<OnlyOn>,
}

/// A job by which hosts mean different things.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Disagreement {
    /// The job.
    pub name: String,
    /// What they mean; at least two.
    pub meanings: Vec<Hash>,
}

/// A definition, and who goes by it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Hash {
    /// Its hash, as `show --json` has it.
    pub hash: String,
    /// The hosts.
    pub hosts: Vec<String>,
}

/// A job that only some hosts know.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct OnlyOn {
    /// The job.
    pub name: String,
    /// The hosts.
    pub hosts: Vec<String>,
}

impl Agreement {
    /// From what was found not to be common to all; the meanings of a job stand together.
    #[must_use]
    pub fn of(meanings: Vec<Meaning>) -> Self {
        let mut all: Vec<Disagreement> = Vec::new();
        for Meaning { name, hash, hosts } in meanings {
            let hash = Hash { hash, hosts };
            match all.last_mut() {
                Some(last) if last.name == name => last.meanings.push(hash),
                _ => all.push(Disagreement {
                    name,
                    meanings: vec![hash],
                }),
            }
        }
        let mut agreement = Self::default();
        for mut job in all {
            match (job.meanings.len(), job.meanings.pop()) {
                (1, Some(Hash { hosts, .. })) => agreement.only_on.push(OnlyOn {
                    name: job.name,
                    hosts,
                }),
                (_, last) => {
                    job.meanings.extend(last);
                    agreement.disagreements.push(job);
                }
            }
        }
        agreement
    }
}

impl Disagreement {
    /// `web1, web2 mean a1b2c3d4 · db1 means 9f3c5e6a`.
    #[must_use]
    pub fn words(&self) -> String {
        let meanings = self.meanings.iter().map(|Hash { hash, hosts }| {
            let mean = if hosts.len() == 1 { "means" } else { "mean" };
            format!("{} {mean} {}", named(hosts), short(hash))
        });
        meanings.collect::<Vec<_>>().join(" · ")
    }
}

/// How many hosts a line names.
const NAMED: usize = 6;

/// `web1, web2`; of many the first, and how many more: the JSON has all of them.
pub(super) fn named(hosts: &[String]) -> String {
    let (first, rest) = hosts.split_at(hosts.len().min(NAMED));
    match rest.len() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// The beginning of a hash, for people.
pub(super) fn short(hash: &str) -> String {
    hash.chars().take(8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreement(meanings: &[(&str, &str, &[&str])]) -> Agreement {
        let meaning = |&(name, hash, hosts): &(&str, &str, &[&str])| Meaning {
            name: name.into(),
            hash: hash.into(),
            hosts: hosts.iter().map(|&host| host.into()).collect(),
        };
        Agreement::of(meanings.iter().map(meaning).collect())
    }

    #[test]
    fn who_means_what_is_told_job_by_job() {
        let found = agreement(&[
            ("alone", "11", &["db1"]),
            ("report", "a1b2c3d4e5f60718", &["web1", "web2"]),
            ("report", "9f3c5e6a00000000", &["db1"]),
            ("some", "22", &["db1", "web1"]),
        ]);
        let words: Vec<_> = found
            .disagreements
            .iter()
            .map(Disagreement::words)
            .collect();
        assert_eq!(words, ["web1, web2 mean a1b2c3d4 · db1 means 9f3c5e6a"]);
        let only: Vec<_> = found
            .only_on
            .iter()
            .map(|only| only.name.as_str())
            .collect();
        assert_eq!(only, ["alone", "some"]);
        assert_eq!(found.only_on[1].hosts, ["db1", "web1"]);
    }

    #[test]
    fn of_many_hosts_a_few_are_named() {
        let hosts: Vec<String> = (1..=50).map(|number| format!("web{number}")).collect();
        assert_eq!(
            named(&hosts),
            "web1, web2, web3, web4, web5, web6 and 44 more"
        );
        assert_eq!(named(&hosts[..6]), "web1, web2, web3, web4, web5, web6");
    }

    #[test]
    fn hosts_that_have_all_in_common_disagree_on_nothing() {
        assert_eq!(agreement(&[]), Agreement::default());
    }
}

//! `graph`: who waits for whom.

use clap::{Args, ValueEnum};

use crate::{dag::render, exit::Exit};

use super::{Global, fail::Failure, open, print};

/// Prints the graph of jobs.
#[derive(Debug, Args)]
pub(super) struct Graph {
    /// How
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Layers and arrows, for people
    Text,
    /// A diagram for Markdown
    Mermaid,
    /// Jobs, layers and edges
    Json,
}

impl Graph {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        let config = open::configuration(global)?;
        print(&match self.format {
            Format::Text => render::text(&config.graph),
            Format::Mermaid => render::mermaid(&config.graph),
            Format::Json => format!("{:#}\n", render::json(&config.graph)),
        })?;
        Ok(Exit::Ok)
    }
}

//! Rows and columns: aligned and fitted to a terminal, tab-separated for programs.

use super::{
    Medium,
    mark::{Mark, Tone},
    text::{clip, harmless, width},
};

/// A column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    head: &'static str,
    right: bool,
    toned: bool,
    yields: u8,
    comfort: usize,
}

impl Column {
    /// Words, from the left.
    #[must_use]
    pub fn left(head: &'static str) -> Self {
        Self {
            head,
            right: false,
            toned: false,
            yields: 0,
            comfort: 0,
        }
    }

    /// Numbers, from the right.
    #[must_use]
    pub fn right(head: &'static str) -> Self {
        Self {
            right: true,
            ..Self::left(head)
        }
    }

    /// The column that has the colour of its row's mark.
    #[must_use]
    pub fn toned(self) -> Self {
        Self {
            toned: true,
            ..self
        }
    }

    /// A column that gives way where a terminal is narrow; that with the lowest number first. None of them goes
    /// below its comfort while another is above.
    #[must_use]
    pub fn yields(self, turn: u8, comfort: usize) -> Self {
        Self {
            yields: turn,
            comfort,
            ..self
        }
    }
}

/// One line, a cell for each column; an empty cell is shown as `–`, but not at the end of a line.
#[derive(Debug, Clone)]
pub struct Row {
    /// What it begins with on a terminal.
    pub mark: Mark,
    /// The texts, as they come: whatever is in them is made harmless here.
    pub cells: Vec<String>,
}

/// The table: with a header, marks and colours on a terminal, where no line is wider than it; else one line a row,
/// tabs between.
#[must_use]
pub fn render(columns: &[Column], rows: &[Row], medium: Medium) -> String {
    match medium {
        Medium::Pipe => rows.iter().map(tabbed).collect(),
        Medium::Terminal { .. } if rows.is_empty() => String::new(),
        Medium::Terminal { width, .. } => Grid::new(columns, rows, width).lines(medium),
    }
}

fn tabbed(row: &Row) -> String {
    let cells: Vec<_> = row.cells.iter().map(|cell| harmless(cell)).collect();
    cells.join("\t") + "\n"
}

/// Harmless cells and how wide each column is.
struct Grid<'a> {
    columns: &'a [Column],
    rows: Vec<(Mark, Vec<String>)>,
    widths: Vec<usize>,
    width: usize,
}

/// Cells between two columns, and for the mark and what follows it.
const GAP: usize = 2;

impl<'a> Grid<'a> {
    fn new(columns: &'a [Column], rows: &[Row], width: usize) -> Self {
        let last = columns.len().saturating_sub(1);
        let shown = |(number, cell): (usize, &String)| match cell.as_str() {
            "" if number < last => "–".to_owned(),
            text => harmless(text).into_owned(),
        };
        let rows: Vec<(Mark, Vec<String>)> = rows
            .iter()
            .map(|row| (row.mark, row.cells.iter().enumerate().map(shown).collect()))
            .collect();
        let widths = fitted(columns, &rows, width);
        Self {
            columns,
            rows,
            widths,
            width,
        }
    }

    fn lines(&self, medium: Medium) -> String {
        let mut text = self.header();
        for (mark, cells) in &self.rows {
            text.push_str(&self.line(*mark, cells, medium));
        }
        text
    }

    fn header(&self) -> String {
        let heads = self
            .columns
            .iter()
            .map(|column| column.head.to_owned())
            .collect::<Vec<_>>();
        let cells = self.padded(&heads).join("");
        format!("{}\n", clip(&format!("  {cells}"), self.width).trim_end())
    }

    fn line(&self, mark: Mark, cells: &[String], medium: Medium) -> String {
        let mut line = mark.tone.paint(&mark.sign.to_string(), medium);
        line.push(' ');
        let mut room = self.width.saturating_sub(GAP);
        for (column, cell) in self.columns.iter().zip(self.padded(cells)) {
            // Only a terminal too narrow for the columns that do not give way comes to this.
            let cell = if width(&cell) > room {
                clip(cell.trim_end(), room)
            } else {
                cell.into()
            };
            room -= width(&cell);
            let tone = if column.toned { mark.tone } else { Tone::Plain };
            line.push_str(&tone.paint(&cell, medium));
        }
        line.truncate(line.trim_end().len());
        line.push('\n');
        line
    }

    /// The cells as wide as their columns, with what separates them.
    fn padded(&self, cells: &[String]) -> Vec<String> {
        let columns = self.columns.iter().zip(&self.widths).enumerate();
        columns
            .zip(cells)
            .map(|((number, (column, &wide)), cell)| {
                let cell = clip(cell, wide);
                let fill = " ".repeat(wide - width(&cell));
                let gap = if number == 0 { "" } else { "  " };
                if column.right {
                    format!("{gap}{fill}{cell}")
                } else {
                    format!("{gap}{cell}{fill}")
                }
            })
            .collect()
    }
}

/// How wide each column may be, so that a line fits.
fn fitted(columns: &[Column], rows: &[(Mark, Vec<String>)], width: usize) -> Vec<usize> {
    let mut widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(number, column)| {
            let cells = rows.iter().filter_map(|(_, cells)| cells.get(number));
            let widest = cells
                .map(|cell| super::text::width(cell))
                .max()
                .unwrap_or(0);
            widest.max(column.head.len())
        })
        .collect();
    let mut yielding: Vec<usize> = (0..columns.len())
        .filter(|&number| columns[number].yields > 0)
        .collect();
    yielding.sort_by_key(|&number| columns[number].yields);
    // First to where they can still be read, then to their heads.
    for least in [
        |column: &Column| column.comfort,
        |column: &Column| column.head.len(),
    ] {
        for &number in &yielding {
            let total = GAP * columns.len() + widths.iter().sum::<usize>();
            let excess = total.saturating_sub(width);
            let least = least(&columns[number]).min(widths[number]);
            widths[number] = widths[number].saturating_sub(excess).max(least);
        }
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(width: usize, colour: bool) -> String {
        let columns = [
            Column::left("JOB"),
            Column::left("STATE").toned(),
            Column::left("SCHEDULE").yields(2, 9),
            Column::right("ERR"),
            Column::left("WHY").yields(1, 6),
        ];
        let row = |tone, cells: [&str; 5]| Row {
            mark: Mark { sign: '●', tone },
            cells: cells.map(str::to_owned).to_vec(),
        };
        let rows = [
            row(Tone::Well, ["東京", "ok", "every 10m", "0", ""]),
            row(
                Tone::Bad,
                [
                    "mail\n",
                    "held",
                    "",
                    "12",
                    "its run on web1 was lost\u{1b}[2J",
                ],
            ),
        ];
        render(&columns, &rows, Medium::Terminal { width, colour })
    }

    #[test]
    fn columns_are_aligned_by_cells_and_not_by_bytes() {
        let expected = "  JOB     STATE  SCHEDULE   ERR  WHY
● 東京    ok     every 10m    0
● mail\\n  held   –           12  its run on web1 was lost\\u{1b}[2J
";
        assert_eq!(table(100, false), expected);
    }

    #[test]
    fn a_narrow_terminal_first_shortens_the_reasons_and_then_the_schedules() {
        let narrow = table(45, false);
        assert_eq!(
            narrow.lines().nth(2),
            Some("● mail\\n  held   –           12  its run on…")
        );
        let narrower = table(35, false);
        assert_eq!(
            narrower.lines().nth(1),
            Some("● 東京    ok     every 1…    0")
        );
        assert_eq!(
            narrower.lines().nth(2),
            Some("● mail\\n  held   –          12  it…")
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for columns in 1..60 {
            let text = table(columns, false);
            assert!(
                text.lines().all(|line| width(line) <= columns.max(2)),
                "{columns}:\n{text}"
            );
            assert_eq!(text.lines().count(), 3);
        }
    }

    #[test]
    fn the_mark_and_the_state_have_the_colour() {
        let text = table(60, true);
        assert!(
            text.contains("\u{1b}[31m●\u{1b}[0m mail\\n\u{1b}[31m  held "),
            "{text:?}"
        );
        assert!(!text.contains("\u{1b}[2J"), "{text:?}");
    }

    #[test]
    fn programs_get_tabs_and_no_header() {
        let row = Row {
            mark: Mark {
                sign: '●',
                tone: Tone::Bad,
            },
            cells: vec!["a\tb".into(), String::new(), "c".into()],
        };
        assert_eq!(render(&[], &[row], Medium::Pipe), "a\\tb\t\tc\n");
    }
}

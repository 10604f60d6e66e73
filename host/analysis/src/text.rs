//! Tables and figures as plain text.

use exgrpo_core::escape::foreign;

/// Which side of its column a cell keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// Lines of a table with two blanks between its columns; the first of `rows` is its head. Text of others is on one line.
pub(crate) fn table(sides: &[Side], rows: &[Vec<String>]) -> String {
    let shown: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| foreign(cell).to_string()).collect()).collect();
    let length = |cell: &String| cell.chars().count();
    let widths: Vec<usize> = (0..sides.len())
        .map(|column| shown.iter().filter_map(|row| row.get(column)).map(length).max().unwrap_or(0))
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(sides).zip(&widths).map(|((cell, side), &width)| {
            let blanks = " ".repeat(width - length(cell));
            match side {
                Side::Left => format!("{cell}{blanks}"),
                Side::Right => format!("{blanks}{cell}"),
            }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    shown.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A share in percent, `-` where there is none.
pub(crate) fn percent(share: Option<f64>) -> String {
    share.map_or("-".to_owned(), |share| format!("{:.1}", 100.0 * share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_foreign_text_stays_on_its_line() {
        let rows = [vec!["run".to_owned(), "steps".to_owned()], vec!["a\nb".to_owned(), "7".to_owned()]];
        assert_eq!(table(&[Side::Left, Side::Right], &rows), "run   steps\na\\nb      7");
    }
}

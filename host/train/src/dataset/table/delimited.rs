//! CSV and TSV: a header, then a row a record. Fields in quotes may hold separators, quotes and line breaks.

use std::cell::Cell as Shared;
use std::collections::BTreeSet;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use anyhow::{anyhow, bail};

use super::cell::Cell;
use super::{Numbered, Row};
use exgrpo_core::bounded::ROW_BYTES;
use exgrpo_core::escape::{foreign, quoted};
use exgrpo_log::parquet_footer::MAX_COLUMNS;

/// Records of a file, as rows.
pub(super) struct Records {
    reader: csv::Reader<Budgeted>,
    header: Vec<String>,
    /// Bytes that the record being read may still take.
    left: Rc<Shared<usize>>,
    record: csv::ByteRecord,
}

/// Gives out no more bytes than `left` says: a quote that is never closed makes a record of all that follows.
struct Budgeted {
    reader: Box<dyn BufRead>,
    left: Rc<Shared<usize>>,
}

impl Read for Budgeted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.left.get());
        if most == 0 && !buffer.is_empty() {
            let text = format!("a record is longer than {ROW_BYTES} bytes: a quote may be left open");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        let read = self.reader.read(&mut buffer[..most])?;
        self.left.set(self.left.get() - read);
        Ok(read)
    }
}

impl Records {
    /// Reads the header. `separator` is what stands between fields; where none is given, the one of comma, semicolon and
    /// tab that the header has most of.
    ///
    /// # Errors
    /// There is no header, or one that names a column twice.
    pub(super) fn new(mut reader: Box<dyn BufRead>, separator: Option<u8>) -> anyhow::Result<Self> {
        let separator = match separator {
            Some(separator) => separator,
            None => likely_separator(reader.fill_buf()?),
        };
        let left = Rc::new(Shared::new(ROW_BYTES));
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(separator)
            .flexible(true)
            .from_reader(Budgeted { reader, left: Rc::clone(&left) });
        let names = reader.byte_headers().map_err(|error| anyhow!("{}", foreign(&error.to_string())))?;
        if names.len() > MAX_COLUMNS {
            bail!("its header has {} columns, at most {MAX_COLUMNS} are read", names.len());
        }
        let names = names.iter().map(|name| std::str::from_utf8(name).map(|name| name.trim().to_owned()));
        let header: Vec<String> =
            names.collect::<Result<_, _>>().map_err(|error| anyhow!("its header is not UTF-8: {error}"))?;
        let mut seen = BTreeSet::new();
        if let Some(name) = header.iter().find(|name| !seen.insert(name.as_str())) {
            bail!("its header names the column {} twice\nhint: rename one", quoted(name));
        }
        if header.is_empty() {
            bail!("it has no header\nhint: its first line names the columns, question and answer say");
        }
        Ok(Self { reader, header, left, record: csv::ByteRecord::new() })
    }

    fn row(&self) -> Result<Row, String> {
        let (have, want) = (self.record.len(), self.header.len());
        if have != want {
            return Err(format!("{have} fields, the header has {want}"));
        }
        let fields = self.header.iter().zip(&self.record).map(|(name, field)| {
            let cell = match std::str::from_utf8(field) {
                Ok(text) => Cell::of_field(text),
                Err(_) => Cell::Unreadable("not UTF-8".to_owned()),
            };
            (name.clone(), cell)
        });
        Ok(fields.collect())
    }
}

impl Iterator for Records {
    type Item = anyhow::Result<Numbered>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left.set(ROW_BYTES);
        let mut record = std::mem::take(&mut self.record);
        let read = self.reader.read_byte_record(&mut record);
        self.record = record;
        match read {
            Ok(false) => None,
            Ok(true) => {
                let line = self.record.position().map_or(0, csv::Position::line);
                Some(Ok((line as usize, self.row())))
            }
            Err(error) => {
                let line = self.reader.position().line();
                Some(Err(anyhow!(
                    "line {line} and what follows can't be read: {}",
                    foreign(&error.to_string())
                )))
            }
        }
    }
}

/// Of comma, semicolon and tab the one that the first line has most of, quoted or not.
fn likely_separator(head: &[u8]) -> u8 {
    let line = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let count = |separator: u8| line.iter().filter(|&&byte| byte == separator).count();
    [b'\t', b';', b','].into_iter().max_by_key(|&separator| count(separator)).unwrap_or(b',')
}

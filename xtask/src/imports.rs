//! What a core Wasm module asks its host for: just enough of the binary format to read the import section.

use anyhow::{Context, Result, bail};

/// Length of the magic number and the version.
const PREAMBLE: &[u8] = b"\0asm\x01\0\0\0";
/// Id of the import section.
const IMPORT_SECTION: u8 = 2;

/// The `module name` of every import, in the order of the module.
///
/// # Errors
/// The bytes are no core module, or an import is no function.
pub(crate) fn of(module: &[u8]) -> Result<Vec<String>> {
    let mut reader = Reader(module.strip_prefix(PREAMBLE).context("no core Wasm module")?);
    while !reader.0.is_empty() {
        let (id, size) = (reader.byte()?, reader.number()?);
        let mut section = Reader(reader.take(size)?);
        if id == IMPORT_SECTION {
            return (0..section.number()?).map(|_| section.function()).collect();
        }
    }
    Ok(Vec::new())
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, size: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(size).context("the module ends too early")?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    /// An unsigned LEB128 number of up to 32 bits.
    fn number(&mut self) -> Result<usize> {
        let mut number = 0;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return usize::try_from(number).context("the module is too large");
            }
        }
        bail!("a number has too many bytes")
    }

    fn name(&mut self) -> Result<String> {
        let size = self.number()?;
        Ok(String::from_utf8_lossy(self.take(size)?).into_owned())
    }

    fn function(&mut self) -> Result<String> {
        let import = format!("{} {}", self.name()?, self.name()?);
        match self.byte()? {
            0 => self.number().map(|_| import),
            _ => bail!("import `{import}` is no function"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn imports_are_read_by_name() {
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        assert_eq!(of(&module).unwrap(), [""; 0]);
        module.extend(b"\x01\x04\x01\x60\0\0");
        module.extend(b"\x02\x0f\x02\x03env\x01f\0\0\x01m\x01g\0\0");
        assert_eq!(of(&module).unwrap(), ["env f", "m g"]);
        for length in 9..module.len() {
            // Cut between two sections it is a module; anywhere else it is none.
            assert_eq!(of(&module[..length]).is_ok(), length == 14, "{length}");
        }
        assert!(of(b"\0asm\x0d\0\x01\0").is_err(), "a component");
    }
}

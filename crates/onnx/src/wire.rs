//! The wire format of protocol buffers: fields of a message, without copies.

use bytes::Bytes;

/// One field of a message.
pub(crate) enum Field {
    /// A number of variable length.
    Varint(u64),
    /// Four bytes.
    Fixed32([u8; 4]),
    /// Eight bytes.
    Fixed64([u8; 8]),
    /// A text, a message, bytes or packed numbers: a piece of the file.
    Piece(Bytes),
}

/// What is wrong with a message.
pub(crate) type Reason = String;

/// Iterates over the fields of a message.
pub(crate) struct Fields {
    bytes: Bytes,
    at: usize,
}

impl Fields {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self { bytes, at: 0 }
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied();
        self.at += usize::from(byte.is_some());
        byte
    }

    fn varint(&mut self) -> Result<u64, Reason> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = self.byte().ok_or_else(|| "a number runs past its message".to_owned())?;
            // The tenth byte has one bit left.
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("a number of more than 10 bytes".to_owned())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Reason> {
        let end = self.at.saturating_add(N);
        let array = self.bytes.get(self.at..end).and_then(|b| b.try_into().ok());
        self.at = end;
        array.ok_or_else(|| "a number runs past its message".to_owned())
    }

    fn field(&mut self) -> Result<(u64, Field), Reason> {
        let key = self.varint()?;
        let field = match key & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(self.array()?),
            2 => {
                let length = self.varint()?;
                let left = self.bytes.len().saturating_sub(self.at);
                let length = usize::try_from(length).ok().filter(|&n| n <= left);
                let Some(length) = length else {
                    return Err(format!("a field is longer than the {left} bytes left of its message"));
                };
                let piece = self.bytes.slice(self.at..self.at + length);
                self.at += length;
                Field::Piece(piece)
            }
            5 => Field::Fixed32(self.array()?),
            kind => return Err(format!("a field of wire type {kind}, which ONNX has none of")),
        };
        Ok((key >> 3, field))
    }
}

impl Iterator for Fields {
    type Item = Result<(u64, Field), Reason>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.at = self.bytes.len();
        }
        Some(field)
    }
}

/// The numbers of packed varints.
pub(crate) fn varints(piece: Bytes) -> impl Iterator<Item = Result<i64, Reason>> {
    let mut fields = Fields::new(piece);
    std::iter::from_fn(move || {
        if fields.at >= fields.bytes.len() {
            return None;
        }
        let number = fields.varint();
        if number.is_err() {
            fields.at = fields.bytes.len();
        }
        Some(number.map(u64::cast_signed))
    })
}

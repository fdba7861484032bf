//! CIFAR-10 as Parquet files of PNG images, as on the Hugging Face hub: columns `img` (bytes and path) and `label`.

use std::fs;
use std::io::{Cursor, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use convstat_runner::pages::check_pages;
use parquet::column::reader::ColumnReader;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::reader::{FileReader, SerializedFileReader};
use png::{BitDepth, ColorType, Decoder, Limits};

use super::parquet_column::{column, values};
use crate::images::Images;
use crate::{DataError, Result};

const SIDE: u32 = 32;
const VALUES: usize = 32 * 32 * 3;
/// Rows read at a time.
const BATCH: usize = 256;
/// Most bytes that the PNG decoder may keep besides the image; ample for rows of 32 pixels.
const DECODER_BYTES: usize = 1 << 20;
const MEND: &str = "take the files of the folder plain_text of the data set cifar10 on the Hugging Face hub";

fn bad(path: &Path, reason: impl std::fmt::Display) -> DataError {
    DataError::data(path, format!("{reason}; {MEND}"))
}

/// Adds the pixels of a PNG image to `pixels`, channels last; what is wrong with it otherwise.
fn decode(bytes: &[u8], pixels: &mut Vec<u8>) -> std::result::Result<(), String> {
    let unreadable = |e: png::DecodingError| format!("no readable PNG image: {e}");
    let limits = Limits { bytes: DECODER_BYTES };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
    let info = decoder.read_header_info().map_err(unreadable)?;
    let (width, height, colour, depth) = (info.width, info.height, info.color_type, info.bit_depth);
    if (width, height, colour, depth) != (SIDE, SIDE, ColorType::Rgb, BitDepth::Eight) {
        let bits = depth as u8;
        return Err(format!(
            "image of {width}×{height} pixels, {colour:?}, {bits} bits, where 32×32, Rgb, 8 bits were expected"
        ));
    }
    let mut reader = decoder.read_info().map_err(unreadable)?;
    let start = pixels.len();
    pixels.resize(start + VALUES, 0);
    reader.next_frame(pixels.get_mut(start..).unwrap_or_default()).map_err(unreadable)?;
    Ok(())
}

/// Adds the rows of a file.
fn append(path: &Path, pixels: &mut Vec<u8>, labels: &mut Vec<u32>) -> Result<()> {
    let bytes = Bytes::from(fs::read(path).map_err(DataError::io("read", path))?);
    let reader = SerializedFileReader::new(bytes.clone()).map_err(|e| bad(path, e))?;
    check_pages(&bytes, reader.metadata()).map_err(|e| bad(path, e))?;
    let announced = reader.metadata().file_metadata().num_rows();
    // Images differ, and take more than a byte each; runs of one image pack without bound.
    if usize::try_from(announced).is_ok_and(|rows| rows > bytes.len()) {
        return Err(bad(path, format!("{announced} rows in {} bytes", bytes.len())));
    }
    let wrong = |reason: String| bad(path, reason);
    let mut row = 0;
    for index in 0..reader.num_row_groups() {
        let group = reader.get_row_group(index).map_err(|e| bad(path, e))?;
        let columns =
            (column(&*group, "img.bytes").map_err(wrong)?, column(&*group, "label").map_err(wrong)?);
        let (ColumnReader::ByteArrayColumnReader(mut images), ColumnReader::Int64ColumnReader(mut classes)) =
            columns
        else {
            return Err(bad(path, "img.bytes and label are not of bytes and of 64-bit integers"));
        };
        let mut left = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        if left > bytes.len() {
            return Err(bad(path, format!("{left} rows in {} bytes", bytes.len())));
        }
        while left > 0 {
            let rows = left.min(BATCH);
            let images: Vec<ByteArray> =
                values::<ByteArrayType>(&mut images, "img.bytes", row, rows).map_err(wrong)?;
            let classes = values::<Int64Type>(&mut classes, "label", row, rows).map_err(wrong)?;
            for (image, class) in images.iter().zip(classes) {
                decode(image.data(), pixels).map_err(|reason| bad(path, format!("row {row}: {reason}")))?;
                let label = u32::try_from(class).ok().filter(|&label| label < 10);
                let unknown = || bad(path, format!("row {row}: label {class}, where 0 to 9 were expected"));
                labels.push(label.ok_or_else(unknown)?);
                row += 1;
            }
            left -= rows;
        }
    }
    if row == 0 { Err(bad(path, "no rows")) } else { Ok(()) }
}

/// The Parquet files of a folder, by name.
fn files(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(DataError::io("read", folder)(e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(DataError::io("read", folder))?.file_name();
        names.extend(name.into_string().ok().filter(|name| name.ends_with(".parquet")));
    }
    names.sort();
    Ok(names)
}

/// The shards `split-i-of-n.parquet` of a split, in order.
fn shards(folder: &Path, names: &[String], split: &str) -> Result<Vec<PathBuf>> {
    let count = |name: &String| {
        let (_, count) = name.strip_prefix(split)?.strip_suffix(".parquet")?.split_once("-of-")?;
        count.parse::<u32>().ok()
    };
    let count = names.iter().find_map(count).unwrap_or(1);
    let shards: Vec<String> = (0..count)
        .map(|i| format!("{split}-{i:05}-of-{count:05}.parquet"))
        .take_while(|shard| names.contains(shard))
        .collect();
    if count == 0 || shards.len() < count as usize {
        let missing = folder.join(format!("{split}-{:05}-of-{count:05}.parquet", shards.len()));
        return Err(bad(&missing, "no such file"));
    }
    if let Some(other) =
        names.iter().find(|name| name.starts_with(&format!("{split}-")) && !shards.contains(name))
    {
        return Err(bad(&folder.join(other), format!("not one of {count} files of the split {split}")));
    }
    Ok(shards.iter().map(|shard| folder.join(shard)).collect())
}

/// The images of a split.
fn part(folder: &Path, names: &[String], split: &str) -> Result<Images> {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for path in shards(folder, names, split)? {
        // The Parquet reader panics on some damaged files.
        catch_unwind(AssertUnwindSafe(|| append(&path, &mut pixels, &mut labels)))
            .unwrap_or_else(|_| Err(bad(&path, "its pages make no sense")))?;
    }
    Ok(Images::new(vec![32, 32, 3], pixels, labels))
}

/// The images to train and to test on, if the folder or `plain_text` in it has Parquet files.
///
/// # Errors
/// Shards that are missing, files that are damaged, rows that are no images of 32×32×3 bytes with a label of 0 to 9.
pub(super) fn read(folder: &Path) -> Result<Option<(Images, Images)>> {
    for folder in [folder, &folder.join("plain_text")] {
        let names = files(folder)?;
        if !names.is_empty() {
            return Ok(Some((part(folder, &names, "train")?, part(folder, &names, "test")?)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::Arc;

    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use rand::RngExt as _;

    use super::*;
    use crate::load;

    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/cifar10-parquet");
    const TRAIN: &str = "train-00000-of-00001.parquet";
    const TEST: &str = "test-00000-of-00001.parquet";

    /// A copy of the committed files; the folder of the files themselves.
    fn copy() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("plain_text");
        fs::create_dir(&inner).unwrap();
        let committed = Path::new(FOLDER).join("plain_text");
        for name in files(&committed).unwrap() {
            fs::copy(committed.join(&name), inner.join(&name)).unwrap();
        }
        (folder, inner)
    }

    fn png(width: u32, height: u32, colour: ColorType, depth: BitDepth) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(colour);
        encoder.set_depth(depth);
        if colour == ColorType::Indexed {
            encoder.set_palette(vec![0, 1, 2]);
        }
        let size = (width * height) as usize * colour.samples() * depth as usize / 8;
        encoder.write_header().unwrap().write_image_data(&vec![0; size]).unwrap();
        bytes
    }

    fn good() -> Vec<u8> {
        png(32, 32, ColorType::Rgb, BitDepth::Eight)
    }

    /// Writes rows with columns of these names; a row without bytes has no image.
    fn write(path: &Path, names: (&str, &str), rows: &[(Option<Vec<u8>>, i64)]) {
        let (image, label) = names;
        let schema = format!(
            "message rows {{ optional group {image} {{ optional binary bytes; optional binary path; }}
             optional int64 {label}; }}"
        );
        let schema = Arc::new(parse_message_type(&schema).unwrap());
        let file = File::create(path).unwrap();
        let mut writer =
            SerializedFileWriter::new(file, schema, Arc::new(WriterProperties::builder().build())).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let levels: Vec<i16> = rows.iter().map(|(image, _)| if image.is_some() { 2 } else { 0 }).collect();
        let images: Vec<ByteArray> =
            rows.iter().filter_map(|(image, _)| image.clone().map(Into::into)).collect();
        let labels: Vec<i64> = rows.iter().map(|(_, label)| *label).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&images, Some(&levels), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&[], Some(&vec![0; rows.len()]), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&labels, Some(&vec![1; rows.len()]), None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        writer.close().unwrap();
    }

    #[test]
    fn reads_every_pixel() {
        let set = load("cifar10", Some(Path::new(FOLDER)), 0).unwrap();
        assert_eq!(set, load("cifar10", Some(&Path::new(FOLDER).join("plain_text")), 1).unwrap());
        assert_eq!(
            (set.classes[0].as_str(), set.classes[9].as_str(), set.scale),
            ("airplane", "truck", 255.0)
        );
        for (images, numbers) in [(&set.train, 0..7), (&set.test, 30..33)] {
            let pixel = |n: usize, i: usize| 7 * (i / 96) + 3 * (i / 3 % 32) + 101 * (i % 3) + 17 * n;
            let expected: Vec<u8> =
                numbers.clone().flat_map(|n| (0..VALUES).map(move |i| (pixel(n, i) % 256) as u8)).collect();
            assert_eq!(images.shape, [32, 32, 3]);
            assert!(images.bytes() == expected.as_slice());
            assert_eq!(
                images.labels().collect::<Vec<_>>(),
                numbers.map(|n| (n % 10) as u32).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn more_rows_than_a_batch() {
        let folder = tempfile::tempdir().unwrap();
        let rows: Vec<_> = (0..2 * BATCH as i64 + 5).map(|i| (Some(good()), i % 10)).collect();
        write(&folder.path().join(TRAIN), ("img", "label"), &rows);
        write(&folder.path().join(TEST), ("img", "label"), &rows[..1]);
        let (train, test) = read(folder.path()).unwrap().unwrap();
        assert_eq!((train.len(), test.len(), train.bytes().len()), (517, 1, 517 * VALUES));
        assert_eq!(
            train.labels().collect::<Vec<_>>(),
            rows.iter().map(|&(_, label)| label as u32).collect::<Vec<_>>()
        );
    }

    #[test]
    fn binary_batches_first() {
        let (folder, _) = copy();
        fs::write(folder.path().join("test_batch.bin"), "").unwrap();
        let error = load("cifar10", Some(folder.path()), 0).unwrap_err().to_string();
        assert!(error.contains("data_batch_1.bin: no such file"), "{error}");
    }

    #[test]
    fn shards_that_do_not_make_a_split() {
        let error = |change: &dyn Fn(&Path)| {
            let (folder, inner) = copy();
            change(&inner);
            read(folder.path()).unwrap_err().to_string()
        };
        let [first, second] = [0, 1].map(|i| format!("train-0000{i}-of-00002.parquet"));
        for (missing, named) in [(&first, &first), (&second, &second), (&TEST.to_owned(), &TEST.to_owned())] {
            let error = error(&|inner| fs::remove_file(inner.join(missing)).unwrap());
            assert!(error.contains(&format!("{named}: no such file; take the files")), "{error}");
        }
        let error_of = error(&|inner| {
            fs::copy(inner.join(&first), inner.join("train-00002-of-00003.parquet")).unwrap();
        });
        assert!(error_of.contains("train-00002-of-00003.parquet: not one of 2 files"), "{error_of}");
        let error_of = error(&|inner| {
            fs::remove_file(inner.join(&first)).unwrap();
            fs::rename(inner.join(&second), inner.join("train-0-of-0.parquet")).unwrap();
        });
        assert!(error_of.contains("train-00000-of-00000.parquet: no such file"), "{error_of}");
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("rows.parquet"), "").unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("{TRAIN}: no such file")), "{error}");
        assert!(read(Path::new("/none")).unwrap().is_none());
    }

    #[test]
    fn rows_that_are_no_images() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(TRAIN);
        let error = |names: (&str, &str), rows: &[(Option<Vec<u8>>, i64)]| {
            write(&path, names, rows);
            let error = read(folder.path()).unwrap_err().to_string();
            assert!(error.contains(TRAIN) && error.contains("; take the files"), "{error}");
            error
        };
        let mut broken = good();
        let end = broken.len() - 16;
        broken[end] ^= 1;
        for (bytes, mend) in [
            (Some(png(28, 32, ColorType::Rgb, BitDepth::Eight)), "28×32 pixels, Rgb, 8 bits"),
            (Some(png(32, 33, ColorType::Rgb, BitDepth::Eight)), "32×33 pixels"),
            (Some(png(32, 32, ColorType::Grayscale, BitDepth::Eight)), "Grayscale"),
            (Some(png(32, 32, ColorType::Indexed, BitDepth::Eight)), "Indexed"),
            (Some(png(32, 32, ColorType::Rgba, BitDepth::Eight)), "Rgba"),
            (Some(png(32, 32, ColorType::Rgb, BitDepth::Sixteen)), "16 bits"),
            (Some(b"\xff\xd8\xff JPEG".to_vec()), "no readable PNG image"),
            (Some(Vec::new()), "no readable PNG image"),
            (Some(good()[..60].to_vec()), "no readable PNG image"),
            (Some(broken), "no readable PNG image"),
            (None, "has no img.bytes"),
        ] {
            let error = error(("img", "label"), &[(Some(good()), 0), (Some(good()), 9), (bytes, 1)]);
            assert!(error.contains("row 2") && error.contains(mend), "{error}");
        }
        for label in [-1, 10, i64::MAX] {
            let error = error(("img", "label"), &[(Some(good()), 0), (Some(good()), label)]);
            assert!(error.contains(&format!("row 1: label {label}, where 0 to 9")), "{error}");
        }
        assert!(error(("img", "label"), &[]).contains("no rows"));
        let row = [(Some(good()), 0)];
        assert!(
            error(("image", "label"), &row)
                .contains("no column img.bytes among image.bytes, image.path, label")
        );
        assert!(error(("img", "class"), &row).contains("no column label"));
    }

    #[test]
    fn damaged_files() {
        let (folder, inner) = copy();
        for name in files(&inner).unwrap() {
            let path = inner.join(&name);
            let whole = fs::read(&path).unwrap();
            // A new file each time: some file systems wait for the disk when a file is cut and written again.
            let write = |bytes: &[u8]| fs::remove_file(&path).and_then(|()| fs::write(&path, bytes)).unwrap();
            for length in (0..whole.len()).step_by(13) {
                write(&whole[..length]);
                let error = read(folder.path()).unwrap_err().to_string();
                assert!(error.contains(&name), "{error}");
            }
            let mut positions = convstat_runner::stream(1, "damage", &name, 0);
            for _ in 0..1000 {
                let mut bytes = whole.clone();
                let at = positions.random_range(0..bytes.len());
                bytes[at] ^= 1 << positions.random_range(0..8);
                write(&bytes);
                if let Ok(Some((train, test))) = read(folder.path()) {
                    assert!(train.labels().chain(test.labels()).all(|label| label < 10));
                    assert_eq!(train.bytes().len(), train.len() * VALUES);
                }
            }
            write(&whole);
        }
        assert!(read(folder.path()).unwrap().is_some());
    }
}

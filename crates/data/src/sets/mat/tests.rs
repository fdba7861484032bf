use super::build::*;
use super::*;

/// Names, sizes and values of the arrays of a file of these bytes.
fn arrays(bytes: &[u8]) -> Result<Vec<(String, Vec<usize>, Vec<u8>)>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.mat");
    fs::write(&path, bytes).unwrap();
    let mut arrays = Vec::new();
    read(&path, "mend it", &mut |array| {
        let mut values = vec![0; array.dims.iter().product()];
        // In two goes.
        let (first, second) = values.split_at_mut(1);
        array.read(first)?;
        array.read(second)?;
        assert!(array.read(&mut [0]).is_err());
        arrays.push((array.name.clone(), array.dims.clone(), values));
        Ok(())
    })?;
    Ok(arrays)
}

fn error(bytes: &[u8]) -> String {
    let error = arrays(bytes).unwrap_err().to_string();
    assert!(error.contains("file.mat: ") && error.ends_with("; mend it"), "{error}");
    error
}

fn bytes(storage: u32, values: &[f64]) -> Vec<u8> {
    let bytes = |v: f64| match storage {
        INT8 => (v as i8).to_le_bytes().to_vec(),
        UINT8 => (v as u8).to_le_bytes().to_vec(),
        3 => (v as i16).to_le_bytes().to_vec(),
        4 => (v as u16).to_le_bytes().to_vec(),
        INT32 => (v as i32).to_le_bytes().to_vec(),
        UINT32 => (v as u32).to_le_bytes().to_vec(),
        7 => (v as f32).to_le_bytes().to_vec(),
        9 => v.to_le_bytes().to_vec(),
        12 => (v as i64).to_le_bytes().to_vec(),
        _ => (v as u64).to_le_bytes().to_vec(),
    };
    values.iter().flat_map(|&v| bytes(v)).collect()
}

#[test]
fn every_storage_of_every_class() {
    let values = [0.0, 1.0, 10.0, 127.0, 5.0, 6.0];
    let expected = ("name".to_owned(), vec![3, 2], vec![0, 1, 10, 127, 5, 6]);
    for storage in [1, 2, 3, 4, 5, 6, 7, 9, 12, 13] {
        for class in NUMERIC {
            let array = array(class, storage, &[3, 2], "name", &bytes(storage, &values));
            let file = file(&[array.clone(), compressed(&array)]);
            assert_eq!(arrays(&file).unwrap(), [expected.clone(), expected.clone()]);
        }
    }
}

#[test]
fn small_elements() {
    let array = parts(6, &[sizes(&[1, 3]), small(INT8, b"y"), small(UINT8, &[1, 2, 255])]);
    let expected = ("y".to_owned(), vec![1, 3], vec![1, 2, 255]);
    assert_eq!(arrays(&file(&[compressed(&array), array])).unwrap(), [expected.clone(), expected]);
    let long = parts(6, &[sizes(&[1, 3]), (5u32 << 16 | 1).to_le_bytes().repeat(2)]);
    assert!(error(&file(&[long])).contains("5 bytes in a place for 4"));
}

#[test]
fn other_variables_are_skipped() {
    let good = array(9, 2, &[1, 2], "y", &[3, 4]);
    let junk = [1, 2, 3, 4, 5, 16, 17, 200, 6 | COMPLEX].map(|flags| parts(flags, &[vec![0xff; 16]]));
    for junk in junk {
        let file = file(&[junk.clone(), good.clone(), compressed(&junk), compressed(&good)]);
        assert_eq!(arrays(&file).unwrap().len(), 2);
    }
}

#[test]
fn values_that_are_no_bytes() {
    for (storage, wrong) in [
        (9, 256.0),
        (9, -1.0),
        (9, 0.5),
        (9, f64::NAN),
        (9, 1e300),
        (3, -3.0),
        (1, -1.0),
        (13, 1e19),
        (7, 2.5),
    ] {
        let array = array(6, storage, &[2, 1], "y", &bytes(storage, &[1.0, wrong]));
        let error = error(&file(&[array]));
        assert!(error.contains("array y: value") && error.contains("0 to 255"), "{error}");
    }
}

#[test]
fn other_formats() {
    let good = file(&[array(9, 2, &[1, 2], "y", &[3, 4])]);
    let with = |at: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    assert!(error(b"").contains("empty"));
    assert!(error(&b"<!DOCTYPE html>".repeat(20)).contains("not a MAT-file"));
    assert!(error(b"<html>").contains("not a MAT-file"));
    assert!(error(&good[..127]).contains("not a MAT-file"));
    assert!(error(&with(124, b"\x01\0MI")).contains("big-endian"));
    for file in [with(0, b"MATLAB 7.3"), with(124, b"\0\x02IM"), with(0, HDF5), HDF5.to_vec()] {
        assert!(error(&file).contains("7.3 (HDF5)"));
    }
    assert!(arrays(&good[..128]).unwrap().is_empty());
}

#[test]
fn sizes_that_contradict_each_other() {
    let body = [2u8; 16];
    let array_of = |dims: &[i32]| array(9, 2, dims, "X", &body);
    for dims in [&[16, 2][..], &[15, 1], &[0, 0], &[i32::MAX, i32::MAX, i32::MAX, 4], &[1 << 16; 4]] {
        assert!(error(&file(&[array_of(dims)])).contains("do not fit"), "{dims:?}");
    }
    for dims in [&[16][..], &[], &[-4, -4], &[-16, 1]] {
        assert!(error(&file(&[array_of(dims)])).contains("sizes of an array make no sense"), "{dims:?}");
    }
    assert!(error(&file(&[array_of(&[1; 33])])).contains("the sizes of an array: 132 bytes"));
    assert!(error(&file(&[array(9, 2, &[4, 4], &"X".repeat(256), &body)])).contains("the name of an array"));
    assert!(error(&file(&[array(9, 99, &[4, 4], "X", &body)])).contains("do not fit"));
    let longer = parts(9, &[sizes(&[4, 4]), small(INT8, b"X"), element(2, &body), vec![0; 8]]);
    assert!(error(&file(&[longer])).contains("do not fit"));
    assert!(error(&file(&[element(5, &body)])).contains("type 5 at byte 136 is no array"));
    let good = array_of(&[4, 4]);
    let mut beyond = good.clone();
    beyond[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(error(&file(&[beyond])).contains("cut short: 4294967295 bytes are announced at byte 136"));
    assert!(error(&file(&[good.clone(), vec![0; 3]])).contains("cut short in the head of a variable"));
    assert!(error(&file(&[compressed(&compressed(&good))])).contains("a compressed array of type 15"));
    // Gigabytes announced in a few bytes.
    let mut huge = good.clone();
    huge[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(error(&file(&[compressed(&huge)])).contains("4294967295 bytes, where"));
    assert!(error(&file(&[compressed(&[good.clone(), vec![0]].concat())])).contains("longer than it says"));
    assert!(
        error(&file(&[compressed(&good[..good.len() - 4])])).contains("cut short in the values of array X")
    );
    // The check sum, at the end of the stream, is compared with the last values or after them.
    for n in 1..100 {
        let mut sum = compressed(&array(9, 2, &[n, 1], "X", &bytes(UINT8, &vec![3.0; n as usize])));
        *sum.last_mut().unwrap() ^= 1;
        assert!(error(&file(&[sum])).contains("the file is damaged"));
    }
}

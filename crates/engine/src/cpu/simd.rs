//! Loops over rows of channels, compiled for the processor's vectors; single and double precision.

use super::real::Real;

/// The same slice under its own type, `None` where it has another.
pub fn cast<T: Real, U: Real>(a: &[T]) -> Option<&[U]> {
    // SAFETY: only where both types are the same.
    (std::any::TypeId::of::<T>() == std::any::TypeId::of::<U>())
        .then(|| unsafe { std::slice::from_raw_parts(a.as_ptr().cast(), a.len()) })
}

/// As [`cast`].
pub fn cast_mut<T: Real, U: Real>(a: &mut [T]) -> Option<&mut [U]> {
    // SAFETY: only where both types are the same.
    (std::any::TypeId::of::<T>() == std::any::TypeId::of::<U>())
        .then(|| unsafe { std::slice::from_raw_parts_mut(a.as_mut_ptr().cast(), a.len()) })
}

/// Defines a generic function that calls the version of a number type: `inputs` slices, then mutable ones.
macro_rules! dispatch {
    ($(#[$doc:meta])* $name:ident($($plain:ident: $type:ty),*; $($input:ident),*; $($output:ident),*)) => {
        $(#[$doc])*
        pub fn $name<T: Real>($($plain: $type,)* $($input: &[T],)* $($output: &mut [T]),*) {
            use $crate::cpu::simd::{cast, cast_mut};
            if std::any::TypeId::of::<T>() == std::any::TypeId::of::<f32>() {
                if let ($(Some($input),)* $(Some($output),)*) = ($(cast($input),)* $(cast_mut($output),)*) {
                    single::$name($($plain,)* $($input,)* $($output),*);
                }
            } else if let ($(Some($input),)* $(Some($output),)*) = ($(cast($input),)* $(cast_mut($output),)*) {
                double::$name($($plain,)* $($input,)* $($output),*);
            }
        }
    };
}
pub(crate) use dispatch;

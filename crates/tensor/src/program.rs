//! Contractions compiled to copies and matrix products between buffers that are made once, so that running one
//! again allocates nothing.

use std::collections::BTreeMap;

use crate::linalg::{Matrix, multiply};

/// One label of a destination: entries of the result with index v of the label go `v · stride` further. A label
/// that the result does not have repeats it.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The label.
    pub label: char,
    /// Its size.
    pub size: usize,
    /// Its stride.
    pub stride: usize,
}

/// Memory of a [`Program`]; one program a set of buffers, one set a thread.
#[derive(Debug, Default, Clone)]
pub struct Buffers(Vec<Vec<f64>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Operand(usize),
    Buffer(usize),
}

/// A tensor in some memory: its labels, each once, and their strides.
#[derive(Debug, Clone)]
struct Placed {
    source: Source,
    labels: Vec<(char, usize)>,
}

#[derive(Debug, Clone, Copy)]
struct Loop {
    len: usize,
    from: usize,
    to: usize,
}

/// A copy: the loops run over source and destination, the sums over the source alone.
#[derive(Debug, Clone)]
struct Gather {
    from: Source,
    loops: Vec<Loop>,
    sums: Vec<Loop>,
    to: usize,
    /// The operand never changes: done once by [`Program::prepare`].
    constant: bool,
}

/// One side of a batched matrix product.
#[derive(Debug, Clone, Copy)]
struct Side {
    source: Source,
    batch_stride: usize,
    leading: usize,
    transposed: bool,
}

#[derive(Debug, Clone)]
struct Product {
    gathers: Vec<Gather>,
    left: Side,
    right: Side,
    batch: usize,
    rows: usize,
    inner: usize,
    cols: usize,
    to: usize,
}

/// A compiled contraction.
#[derive(Debug, Clone)]
pub struct Program {
    products: Vec<Product>,
    last: Gather,
    buffer_lengths: Vec<usize>,
}

/// What an order of contraction has made by the step that asks for it.
#[expect(clippy::unreachable, reason = "orders pair each operand and each result once")]
fn made<T>(found: Option<T>) -> T {
    match found {
        Some(found) => found,
        None => unreachable!("internal error: an order of contraction reads what no step before it makes"),
    }
}

/// Compiles steps.
pub(crate) struct Compiler<'a> {
    pub inputs: &'a [Vec<char>],
    pub output: &'a [char],
    pub sizes: &'a BTreeMap<char, usize>,
    /// Operands that never change.
    pub constants: &'a [usize],
}

impl Compiler<'_> {
    pub fn compile(&self, steps: &[(usize, usize)], targets: &[Target]) -> Program {
        let mut lengths = Vec::new();
        let mut slots: Vec<Option<Placed>> =
            self.inputs.iter().enumerate().map(|(i, labels)| Some(self.operand(i, labels))).collect();
        let mut products = Vec::with_capacity(steps.len());
        for &(i, j) in steps {
            let (a, b) = (made(slots[i].take()), made(slots[j].take()));
            let needed = |c: char| self.output.contains(&c) || slots.iter().flatten().any(|t| t.has(c));
            let (product, result) = self.product(&a, &b, needed, &mut lengths);
            products.push(product);
            slots[i] = Some(result);
        }
        let last = made(slots.into_iter().flatten().next());
        // What the result has no label of is repeated along it.
        let loops = targets
            .iter()
            .map(|t| Loop { len: t.size, from: last.stride(t.label).unwrap_or(0), to: t.stride })
            .collect();
        let sums = last
            .labels
            .iter()
            .filter(|(c, _)| !self.output.contains(c))
            .map(|&(c, from)| Loop { len: self.sizes[&c], from, to: 0 })
            .collect();
        let last = Gather { from: last.source, loops: merged(loops), sums, to: 0, constant: false };
        Program { products, last, buffer_lengths: lengths }
    }

    /// An operand in C order; a label that stands twice steps along the diagonal.
    fn operand(&self, i: usize, labels: &[char]) -> Placed {
        let mut placed: Vec<(char, usize)> = Vec::new();
        let mut stride = 1;
        for &c in labels.iter().rev() {
            match placed.iter_mut().find(|(l, _)| *l == c) {
                Some((_, s)) => *s += stride,
                None => placed.push((c, stride)),
            }
            stride *= self.sizes[&c];
        }
        placed.reverse();
        Placed { source: Source::Operand(i), labels: placed }
    }

    /// Entries over these labels; saturated, so that what is too large stays so until it is refused.
    fn count(&self, labels: &[char]) -> usize {
        labels.iter().fold(1usize, |n, c| n.saturating_mul(self.sizes[c]))
    }

    fn product(
        &self,
        a: &Placed,
        b: &Placed,
        needed: impl Fn(char) -> bool,
        lengths: &mut Vec<usize>,
    ) -> (Product, Placed) {
        let pick = |t: &Placed, f: &dyn Fn(char) -> bool| -> Vec<char> {
            t.labels.iter().map(|l| l.0).filter(|&c| f(c)).collect()
        };
        // The larger operand decides the order of shared labels, so that the smaller one is copied if one has to be.
        let first = if self.volume(a) >= self.volume(b) { a } else { b };
        let batch = pick(first, &|c| a.has(c) && b.has(c) && needed(c));
        let summed = pick(first, &|c| a.has(c) && b.has(c) && !needed(c));
        let left = pick(a, &|c| !b.has(c) && needed(c));
        let right = pick(b, &|c| !a.has(c) && needed(c));
        let mut gathers = Vec::new();
        let left_side = self.side(a, [&batch, &left, &summed], &mut gathers, lengths);
        let right_side = self.side(b, [&batch, &summed, &right], &mut gathers, lengths);
        let labels = [&batch[..], &left, &right].concat();
        lengths.push(self.count(&labels));
        let result = Placed {
            source: Source::Buffer(lengths.len() - 1),
            labels: labels.iter().copied().zip(self.strides(&labels)).collect(),
        };
        let product = Product {
            gathers,
            left: left_side,
            right: right_side,
            batch: self.count(&batch),
            rows: self.count(&left),
            inner: self.count(&summed),
            cols: self.count(&right),
            to: lengths.len() - 1,
        };
        (product, result)
    }

    fn volume(&self, t: &Placed) -> usize {
        t.labels.iter().fold(1usize, |n, (c, _)| n.saturating_mul(self.sizes[c]))
    }

    fn strides(&self, labels: &[char]) -> Vec<usize> {
        (0..labels.len()).map(|i| self.count(&labels[i + 1..])).collect()
    }

    /// `t` as a batch of matrices: where it lies if its strides allow, else after a copy.
    fn side(
        &self,
        t: &Placed,
        [batch, rows, cols]: [&[char]; 3],
        gathers: &mut Vec<Gather>,
        lengths: &mut Vec<usize>,
    ) -> Side {
        let nothing_summed = t.labels.len() == batch.len() + rows.len() + cols.len();
        let strides = [batch, rows, cols].map(|group| self.collapsed(t, group));
        if let (true, [Some(batch_stride), Some(r), Some(c)]) = (nothing_summed, strides) {
            let (n_rows, n_cols) = (self.count(rows), self.count(cols));
            // A group of one entry has any stride.
            if (c == 1 || n_cols == 1) && (r >= n_cols || n_rows == 1) {
                return Side { source: t.source, batch_stride, leading: r.max(n_cols), transposed: false };
            }
            if (r == 1 || n_rows == 1) && (c >= n_rows || n_cols == 1) {
                return Side { source: t.source, batch_stride, leading: c.max(n_rows), transposed: true };
            }
        }
        let labels = [batch, rows, cols].concat();
        let loop_of = |(&c, to): (&char, usize)| Loop { len: self.sizes[&c], from: made(t.stride(c)), to };
        let loops = labels.iter().zip(self.strides(&labels)).map(loop_of).collect();
        let sums = t
            .labels
            .iter()
            .filter(|(c, _)| !labels.contains(c))
            .map(|&(c, from)| Loop { len: self.sizes[&c], from, to: 0 })
            .collect();
        lengths.push(self.count(&labels));
        let to = lengths.len() - 1;
        let constant = matches!(t.source, Source::Operand(i) if self.constants.contains(&i));
        gathers.push(Gather { from: t.source, loops: merged(loops), sums, to, constant });
        let (n_rows, n_cols) = (self.count(rows), self.count(cols));
        Side {
            source: Source::Buffer(to),
            batch_stride: n_rows.saturating_mul(n_cols),
            leading: n_cols.max(1),
            transposed: false,
        }
    }

    /// The stride of a group of labels seen as one, if they lie so.
    fn collapsed(&self, t: &Placed, group: &[char]) -> Option<usize> {
        let mut stride: Option<(usize, usize)> = None;
        for &c in group.iter().rev() {
            let (size, own) = (self.sizes[&c], t.stride(c)?);
            stride = match stride {
                _ if size == 1 => stride,
                None => Some((own, own.saturating_mul(size))),
                Some((inner, next)) if own == next => Some((inner, own.saturating_mul(size))),
                Some(_) => return None,
            };
        }
        Some(stride.map_or(1, |s| s.0))
    }
}

impl Placed {
    fn has(&self, c: char) -> bool {
        self.labels.iter().any(|l| l.0 == c)
    }

    fn stride(&self, c: char) -> Option<usize> {
        self.labels.iter().find(|l| l.0 == c).map(|l| l.1)
    }
}

/// Joins loops that step through both memories as one.
fn merged(loops: Vec<Loop>) -> Vec<Loop> {
    let mut result: Vec<Loop> = Vec::with_capacity(loops.len());
    for l in loops.into_iter().filter(|l| l.len != 1) {
        match result.last_mut() {
            Some(o) if o.from == l.from.saturating_mul(l.len) && o.to == l.to.saturating_mul(l.len) => {
                *o = Loop { len: o.len.saturating_mul(l.len), ..l };
            }
            _ => result.push(l),
        }
    }
    result
}

impl Program {
    /// Entries of all buffers; saturated.
    pub fn buffer_entries(&self) -> usize {
        self.buffer_lengths.iter().fold(0usize, |n, &length| n.saturating_add(length))
    }

    /// Buffers of the right sizes.
    pub fn buffers(&self) -> Buffers {
        Buffers(self.buffer_lengths.iter().map(|&n| vec![0.0; n]).collect())
    }

    /// Copies what is needed of constant operands; `operand` as for [`Program::run`].
    pub fn prepare<'a>(&self, operand: impl Fn(usize) -> &'a [f64], buffers: &mut Buffers) {
        for gather in self.products.iter().flat_map(|p| &p.gathers).filter(|g| g.constant) {
            into_buffer(gather, &operand, buffers);
        }
    }

    /// Runs on operands (by number) in C order and writes the result, or adds it, where the targets say.
    ///
    /// # Panics
    /// If an operand or `out` is shorter than its labels and strides need.
    pub fn run<'a>(
        &self,
        operand: impl Fn(usize) -> &'a [f64],
        buffers: &mut Buffers,
        out: &mut [f64],
        add: bool,
    ) {
        for p in &self.products {
            for gather in p.gathers.iter().filter(|g| !g.constant) {
                into_buffer(gather, &operand, buffers);
            }
            let mut result = std::mem::take(&mut buffers.0[p.to]);
            let read = |side: &Side, shape: (usize, usize)| Matrix {
                entries: place(side.source, &operand, buffers),
                rows: shape.0,
                cols: shape.1,
                leading: side.leading,
                transposed: side.transposed,
            };
            let (left, right) = (read(&p.left, (p.rows, p.inner)), read(&p.right, (p.inner, p.cols)));
            for k in 0..p.batch {
                multiply(
                    &left.from(k * p.left.batch_stride),
                    &right.from(k * p.right.batch_stride),
                    &mut result[k * p.rows * p.cols..][..p.rows * p.cols],
                );
            }
            buffers.0[p.to] = result;
        }
        let from = place(self.last.from, &operand, buffers);
        run_gather(&self.last, from, out, add);
    }
}

fn place<'b, 'a: 'b>(
    source: Source,
    operand: &impl Fn(usize) -> &'a [f64],
    buffers: &'b Buffers,
) -> &'b [f64] {
    match source {
        Source::Operand(i) => operand(i),
        Source::Buffer(i) => &buffers.0[i],
    }
}

fn into_buffer<'a>(gather: &Gather, operand: &impl Fn(usize) -> &'a [f64], buffers: &mut Buffers) {
    let mut to = std::mem::take(&mut buffers.0[gather.to]);
    run_gather(gather, place(gather.from, operand, buffers), &mut to, false);
    buffers.0[gather.to] = to;
}

fn run_gather(gather: &Gather, from: &[f64], to: &mut [f64], add: bool) {
    if add {
        walk(&gather.loops, from, to, &mut |to, v| *to += v, &gather.sums);
    } else {
        walk(&gather.loops, from, to, &mut |to, v| *to = v, &gather.sums);
    }
}

/// Runs through the loops, the last one innermost.
fn walk(loops: &[Loop], from: &[f64], to: &mut [f64], write: &mut impl FnMut(&mut f64, f64), sums: &[Loop]) {
    match loops {
        [] => write(&mut to[0], sum(sums, from)),
        [l] if sums.is_empty() && l.to == 1 && l.from == 1 => {
            to[..l.len].iter_mut().zip(&from[..l.len]).for_each(|(t, &v)| write(t, v));
        }
        [l] if sums.is_empty() => {
            (0..l.len).for_each(|i| write(&mut to[i * l.to], from[i * l.from]));
        }
        [l, rest @ ..] => {
            for i in 0..l.len {
                walk(rest, &from[i * l.from..], &mut to[i * l.to..], write, sums);
            }
        }
    }
}

fn sum(loops: &[Loop], from: &[f64]) -> f64 {
    match loops {
        [] => from[0],
        [l, rest @ ..] => (0..l.len).map(|i| sum(rest, &from[i * l.from..])).sum(),
    }
}

//! Labels of all figures of a small study, as they are laid out.

use convstat_runner::RunDir;
use convstat_study::file::{Figure, FigureWidth};
use convstat_study::run::summarise;
use convstat_study::{Overrides, RunOptions, Study, StudyFile, Summary};

use super::{FIGURES, draw_one};
use crate::Canvas;
// Links the BLAS that ndarray uses.
use convstat_tensor as _;

const STUDY: &str = "[study]\nname = \"labels\"\naim = \"x\"\nseed = 3\nreplicates = 6\n\
    [[setting]]\nname = \"K2\"\ninput = [9, 3]\nkernel = [3, 3]\npool = [3, 1]\n\
    structure = { kind = \"tucker\", ranks = [2, 2], r = 2, kernels = 2 }\n\
    [[setting]]\nname = \"a setting of a long name\"\ninput = [9, 3]\nkernel = [3, 3]\npool = [3, 1]\n\
    structure = { kind = \"tucker\", ranks = [2, 2], r = 2, kernels = 4 }\n\
    [[design]]\nkind = \"normal\"\n[[design]]\nkind = \"var1\"\nrho = 0.5\n\
    [samples]\nn = [50, 90, 110, 200, 12800]\n[theory]\ndraws = 4\ndesigns = 4\n[inference]\nlevel = 0.9\n";

fn run() -> (StudyFile, Summary) {
    let study = Study::new(STUDY, &Overrides::default()).unwrap();
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("run");
    convstat_study::run(&study, &path, RunOptions { threads: 2, shard: None }).unwrap();
    let (summary, _) = summarise(&study, &mut RunDir::open(&path).unwrap()).unwrap();
    (study.plan.file, summary)
}

/// Pairs of labels that overlap by more than a rounding, and labels that leave the canvas.
fn faults(canvas: &Canvas) -> Vec<String> {
    let boxes = canvas.label_boxes();
    assert!(boxes.len() > 5, "{}", canvas.name);
    let (width, height) = canvas.size;
    let leaves =
        |[left, top, right, bottom]: [f64; 4]| left < 0.0 || top < 0.0 || right > width || bottom > height;
    let mut faults: Vec<String> =
        boxes.iter().filter(|b| leaves(b.1)).map(|b| format!("{b:?} leaves {width} x {height}")).collect();
    for (i, (a, p)) in boxes.iter().enumerate() {
        for (b, q) in &boxes[i + 1..] {
            let apart = |k: usize| p[k + 2].min(q[k + 2]) - p[k].max(q[k]) <= 0.5;
            if !apart(0) && !apart(1) {
                faults.push(format!("{a} {p:?} is on {b} {q:?}"));
            }
        }
    }
    faults
}

#[test]
fn no_two_labels_of_a_figure_overlap_and_none_is_cut() {
    let (file, summary) = run();
    let title = Some("A title over the figure that is a good deal longer than a column is wide".to_owned());
    let mut drawn = 0;
    // The study chooses no structure.
    let kinds: Vec<&str> = FIGURES.iter().map(|kind| kind.name).filter(|name| *name != "selection").collect();
    for kind in &kinds {
        for width in [None, Some(60.0), Some(88.0), Some(150.0)] {
            for log in [None, Some(true), Some(false)] {
                let width = width.map(FigureWidth::Millimetres);
                let own = Figure { width, log_x: log, log_y: log, title: title.clone(), ..Figure::new(kind) };
                let canvas = draw_one(&file, &summary, "f", &own).unwrap().unwrap();
                let faults = faults(&canvas);
                assert!(faults.is_empty(), "{kind} {width:?} {log:?}: {faults:#?}");
                drawn += 1;
            }
        }
    }
    assert_eq!(drawn, kinds.len() * 12);
}
